"""A policy's text, where things stand in it, and what is refused before any of it is parsed."""

from __future__ import annotations

import bisect
import functools
import re
import unicodedata

import attrs

from omium_policy.diagnostics import Diagnostic

__all__ = ["Source", "Span", "comments", "hazards", "opaque_at"]

CHARACTERS_MAX = 250_000
WORDS_MAX = 20_000
DEPTH_MAX = 40
DIGITS_MAX = 30
# What a bracket or a quote may be hidden in; everything else on a line is code.
_OPAQUE = re.compile(r'"(?:\\.|[^"\\\n])*"?|#[^\n]*|`[^`\n]*`?')
_DIGITS = re.compile(rf"\d[\d_]{{{DIGITS_MAX},}}")
_BRACKET = re.compile(r"[(\[{}\])]")


@attrs.frozen
class Span:
    """A stretch of a source: offsets in characters, from `start` up to `end`."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """Return the stretch from this one's start to the other's end."""
        return Span(self.start, other.end)


@attrs.frozen(eq=False)
class Source:
    """The text of one file under the name that diagnostics call it by."""

    name: str
    text: str

    @functools.cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column of an offset, both from 1."""
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return a line, counted from 1, without its end."""
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[start:end]

    def where(self, span: Span) -> str:
        """Return `file:line` of a span."""
        return f"{self.name}:{self.position(span.start)[0]}"


def comments(source: Source) -> list[Span]:
    """Return where the comments stand."""
    found = _OPAQUE.finditer(source.text)
    return [Span(match.start(), match.end()) for match in found if match[0].startswith("#")]


def opaque_at(source: Source, offset: int) -> Span | None:
    """Return the text, the quoted name or the comment that an offset is inside of, also one that is not closed yet."""
    for match in _OPAQUE.finditer(source.text):
        if match.start() >= offset:
            return None
        closed = match[0][0] != "#" and len(match[0]) > 1 and match[0][-1] == match[0][0]
        if offset < match.end() or (offset == match.end() and not closed):
            return Span(match.start(), match.end())
    return None


def hazards(source: Source) -> list[Diagnostic]:
    """Return what must not even be parsed: too much text, nesting without end, characters that hide others.

    Bidirectional controls can make a text read otherwise than it is parsed (CVE-2021-42574).
    """
    text = source.text
    if len(text) > CHARACTERS_MAX:
        said = f"the file has {len(text):,} characters, and {CHARACTERS_MAX:,} is the most"
        return [Diagnostic("source-too-large", said, source, Span(0, 0), "split it into packs")]
    hidden = _hidden(text)
    if hidden is not None:
        name = unicodedata.name(text[hidden], f"U+{ord(text[hidden]):04X}").lower()
        said = f"the character `{name}` does not show and must not be in a policy"
        return [Diagnostic("hidden-character", said, source, Span(hidden, hidden + 1), "delete it")]
    long = _DIGITS.search(text)
    if long is not None:
        said = f"a number with more than {DIGITS_MAX} digits"
        return [Diagnostic("number-too-long", said, source, Span(long.start(), long.end()), "round it")]
    deep = _too_deep(text)
    if deep is not None:
        said = f"brackets are nested deeper than {DEPTH_MAX}"
        return [Diagnostic("too-deep", said, source, Span(deep, deep + 1), "name a part of it with `let`")]
    # Words cost the time; a text that has fewer characters cannot have more of them.
    if len(text) > WORDS_MAX and (words := _words(text)) > WORDS_MAX:
        said = f"the file has {words:,} words and signs, and {WORDS_MAX:,} are the most"
        return [Diagnostic("source-too-large", said, source, Span(0, 0), "split it into packs")]
    return []


def _words(text: str) -> int:
    return sum(1 for _ in re.finditer(r"\w+|[^\w\s]", _OPAQUE.sub("_", text)))


def _hidden(text: str) -> int | None:
    if text.isascii() and text.isprintable():
        return None
    for match in re.finditer(r"[^\x20-\x7e\n\r\t]", text):
        if unicodedata.category(match[0]) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            return match.start()
    return None


def _too_deep(text: str) -> int | None:
    depth = 0
    for match in _BRACKET.finditer(_OPAQUE.sub(lambda opaque: " " * len(opaque[0]), text)):
        depth += 1 if match[0] in "([{" else -1
        if depth > DEPTH_MAX:
            return match.start()
        depth = max(depth, 0)
    return None
