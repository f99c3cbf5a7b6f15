"""What a mistake in the text was probably meant to be."""

from __future__ import annotations

import re

from lark import Token, UnexpectedInput, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from omium_policy.diagnostics import Diagnostic, nearest
from omium_policy.grammar import in_words, keywords
from omium_policy.source import Source, Span

__all__ = ["described", "position"]

EXPECTED_SHOWN_MAX = 6
_WORD = re.compile(r"[A-Za-z_]\w*|\S")
_INSTEAD = {
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`",
    ";": "statements need nothing between them",
    "'": 'texts stand in double quotes: "like this"',
    "^": "policies cannot raise to a power",
}
_CLOSERS = {"RSQB": ("]", "["), "RPAR": (")", "(")}


def described(
    source: Source, problem: UnexpectedInput, interactive: InteractiveParser, last: Token | None
) -> Diagnostic:
    """Return the diagnostic for what the parser could not take."""
    if isinstance(problem, UnexpectedToken) and problem.token.type == "$END":
        return _unfinished(source, interactive)
    start = position(problem)
    expected = _accepted(interactive)
    unclosed = _unclosed(source, start, expected, last)
    if unclosed is not None:
        return unclosed
    found = _WORD.match(source.text, start)
    word = found[0] if found else source.text[start : start + 1]
    said = f"`{word}` is not expected here"
    help = _help(source, start, word, expected)
    inside = _enclosing(source, start)
    return Diagnostic(
        "syntax", said, source, Span(start, start + len(word)), help if inside is None else f"{help} ({inside})"
    )


def position(problem: UnexpectedInput) -> int:
    """Return the offset of what the parser could not take."""
    start: int = problem.pos_in_stream  # type: ignore[assignment]  # Lark sets it in every subclass
    return start


def _help(source: Source, start: int, word: str, expected: set[str]) -> str:
    if word == '"':
        return 'the text that begins here has no closing `"` on its line'
    if word == "*" and source.text[start - 1 : start] == "*":
        return _INSTEAD["^"]
    if word == "=" and "CMP" in expected:
        return "write `==` to compare"
    if word in _INSTEAD:
        return _INSTEAD[word]
    meant = nearest(word, [text for name, text in keywords().items() if name in expected and text.isalpha()])
    if meant is not None and meant != word:
        return f"did you mean `{meant}`?"
    options = in_words(expected)
    if not options:
        return "nothing more is expected"
    more = ", ..." if len(options) > EXPECTED_SHOWN_MAX else ""
    return f"expected {', '.join(options[:EXPECTED_SHOWN_MAX])}{more}"


def _unfinished(source: Source, interactive: InteractiveParser) -> Diagnostic:
    """The text ends too early; the bracket that is still open is what the author looks for."""
    open_ = [one for one in interactive.parser_state.value_stack if isinstance(one, Token) and one in ("{", "(", "[")]
    end = len(source.text.rstrip())
    place = Span(max(end - 1, 0), end)
    if not open_:
        options = in_words(_accepted(interactive))
        return Diagnostic("syntax", "the file ends too early", source, place, f"expected {', '.join(options)}")
    bracket = open_[-1]
    line = source.position(bracket.start_pos or 0)[0]
    said = f"the file ends, and the `{bracket}` of line {line} is never closed"
    return Diagnostic("syntax", said, source, place, f"it opens `{source.line(line).strip()}`")


def _unclosed(source: Source, start: int, expected: set[str], last: Token | None) -> Diagnostic | None:
    """A line ended inside brackets: what is missing stands at the end of that line, not where parsing stopped."""
    begins_line = not source.text[source.text.rfind("\n", 0, start) + 1 : start].strip()
    if not begins_line or last is None:
        return None
    for terminal, (closer, opener) in _CLOSERS.items():
        if terminal in expected:
            end = last.end_pos or 0
            column = source.position(source.text.rfind(opener, 0, start))[1]
            help = f"the `{opener}` at column {column} is never closed"
            return Diagnostic("syntax", f"a `{closer}` is missing", source, Span(end - 1, end), help)
    return None


def _accepted(interactive: InteractiveParser) -> set[str]:
    return set(interactive.accepts())  # type: ignore[no-untyped-call]  # Lark leaves it untyped


def _enclosing(source: Source, start: int) -> str | None:
    depth = 0
    for match in reversed(list(re.finditer(r"[{}]", source.text[:start]))):
        if match[0] == "}":
            depth += 1
        elif depth:
            depth -= 1
        else:
            line = source.position(match.start())[0]
            head = source.line(line).split("{")[0].strip()
            return f"inside `{head}`, line {line}" if head else None
    return None
