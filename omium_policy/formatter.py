"""Canonical text: the author's lines and comments stay, blanks and indentation are the formatter's.

What it prints parses to the same tree; that is checked each time, so a formatter's mistake can never change a policy.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from lark import Token

from omium_policy.diagnostics import Diagnostic
from omium_policy.grammar import grammar
from omium_policy.parser import parse
from omium_policy.source import Source, comments
from omium_policy.syntax import STATEMENTS, File, walk

__all__ = ["formatted"]

INDENT = "  "
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_CALLED = frozenset({"NAME", "EXPONENTIAL", "LINEAR", "CONSTANT"})
_VALUES = frozenset(
    {"NAME", "INT", "NUMBER", "PERCENT", "MONEY", "DURATION", "STRING", "TRUE", "FALSE", "RPAR", "RSQB", "RBRACE"}
)


@attrs.frozen
class _Word:
    """A token or a comment."""

    kind: str
    text: str
    start: int
    line: int


def formatted(source: Source) -> tuple[str | None, tuple[Diagnostic, ...]]:
    """Return the canonical text of a file; None, and why, when it does not parse."""
    parsed = parse(source)
    if parsed.file is None:
        return None, parsed.diagnostics
    text = "".join(f"{line}\n" for line in _lines(_words(source), _starts(parsed.file)))
    again = parse(Source(source.name, text)).file
    if again != parsed.file:
        raise AssertionError(f"formatting `{source.name}` would change what it means; please report it")
    return text, ()


def _starts(file: File) -> frozenset[int]:
    """Return where statements begin; a line that begins elsewhere goes on with the line before it."""
    return frozenset(node.span.start for node in walk(file) if isinstance(node, STATEMENTS))


def _words(source: Source) -> list[_Word]:
    interactive = grammar().parse_interactive(source.text, start="start")
    words = [_Word("COMMENT", source.text[one.start : one.end].rstrip(), one.start, 0) for one in comments(source)]
    token: Token
    for token in interactive.lexer_thread.lex(interactive.parser_state):  # type: ignore[no-untyped-call]  # by Lark
        interactive.feed_token(token)
        words.append(_Word(token.type, str(token), token.start_pos or 0, 0))
    return [attrs.evolve(one, line=source.position(one.start)[0]) for one in sorted(words, key=lambda word: word.start)]


def _lines(words: list[_Word], starts: frozenset[int]) -> Iterator[str]:
    """Give the canonical lines."""
    open_: list[str] = []
    line: list[_Word] = []
    for index, word in enumerate(words):
        line.append(word)
        following = words[index + 1] if index + 1 < len(words) else None
        if following is not None and following.line == word.line:
            continue
        yield _indent(line[0], open_, starts) + _joined(line)
        for one in line:
            if one.text in _OPEN:
                open_.append(one.text)
            elif one.text in _CLOSE:
                open_.pop()
        if following is not None and _apart(word, following):
            yield ""
        line = []


def _apart(word: _Word, following: _Word) -> bool:
    """An empty line stays, but not at the beginning or end of a block, and several become one."""
    return following.line > word.line + 1 and word.text not in _OPEN and following.text not in _CLOSE


def _indent(first: _Word, open_: list[str], starts: frozenset[int]) -> str:
    depth = len(open_)
    if first.text in _CLOSE:
        return INDENT * (depth - 1)
    in_block = not open_ or open_[-1] == "{"
    goes_on = first.kind != "COMMENT" and first.start not in starts and in_block
    return INDENT * (depth + goes_on)


def _joined(line: list[_Word]) -> str:
    text = line[0].text
    for before, last, word in zip([None, *line], line, line[1:], strict=False):
        text += _between(before, last, word) + word.text
    return text


def _between(before: _Word | None, last: _Word, word: _Word) -> str:
    if word.kind == "COMMENT":
        return INDENT
    if word.text in (",", ":", ")", "]", ".", "..") or last.text in ("(", "[", ".", ".."):
        return ""
    if word.text in ("(", "[") and (last.kind in _CALLED or (word.text == "[" and last.text == "]")):
        return ""
    if last.text == "{" and word.text == "}":
        return ""
    if last.text == "-" and (before is None or before.kind not in _VALUES):
        return ""
    return " "
