"""A brace that is missing, wrong or one too many: parsing goes on as if it were right, and says nothing else of it."""

from __future__ import annotations

import functools
from copy import copy

from lark import Token, UnexpectedInput, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from omium_policy.diagnostics import Diagnostic
from omium_policy.grammar import keywords
from omium_policy.mistakes import described, position
from omium_policy.source import Source, Span

__all__ = ["repair"]

AHEAD = 2
"""So many more tokens must fit after a brace is put right."""


def repair(
    source: Source, interactive: InteractiveParser, problem: UnexpectedInput, last: Token | None
) -> Diagnostic | None:
    """Put a brace right where that makes what follows fit, and say so; where it does not, change nothing."""
    token = problem.token if isinstance(problem, UnexpectedToken) else None
    if last is None or (token is not None and token.type == "$END"):
        return None
    if token is not None and token.type == last.type == "LBRACE":
        _read_from(interactive, token.end_pos or 0)
        return Diagnostic("syntax", "this `{` is one too many", source, _place(token), "one opens the block already")
    return (
        (token and _between_lines(source, interactive, token, last))
        or (token and _name_that_begins(source, interactive, last))
        or _in_its_place(source, interactive, problem, last)
    )


def _between_lines(
    source: Source, interactive: InteractiveParser, token: Token, last: Token | None
) -> Diagnostic | None:
    """Put in the brace that is missing before a line, or take out the one that ends the policy too early."""
    if last is None or not _begins_line(source, token.start_pos or 0):
        return None
    place, kind, end = _place(last), _kind(token), token.end_pos or 0
    for name, brace in (("LBRACE", "{"), ("RBRACE", "}")):
        if _goes_on(_trial(interactive), end, name, kind):
            interactive.feed_token(Token(name, brace, place.end, end_pos=place.end))
            _read_from(interactive, token.start_pos or 0)
            return Diagnostic("syntax", f"a `{brace}` is missing", source, place, _missing(source, brace, place.end))
    if last.type == "RBRACE" and _ends_policy(interactive):
        trial = _trial(interactive)
        _pop(trial)
        if _goes_on(trial, end, kind):
            _pop(interactive)
            _read_from(interactive, token.start_pos or 0)
            help = f"it ends the policy, and `{token}` follows"
            return Diagnostic("syntax", "this `}` is one too many", source, place, help)
    return None


def _name_that_begins(source: Source, interactive: InteractiveParser, last: Token) -> Diagnostic | None:
    """A block that is not closed may have taken the keyword that follows for a name: `data` for a field, say."""
    is_name = last.type == "NAME" and str(last) in _terminals()
    if not is_name or interactive.parser_state.value_stack[-1] is not last:
        return None
    trial = _trial(interactive)
    _pop(trial)
    if not _goes_on(trial, last.end_pos or 0, "RBRACE", _kind(last)):
        return None
    _pop(interactive)
    end = len(source.text[: last.start_pos or 0].rstrip())
    return _between_lines(source, interactive, last, Token("BEFORE", "", end, end_pos=end))


def _in_its_place(
    source: Source, interactive: InteractiveParser, problem: UnexpectedInput, last: Token
) -> Diagnostic | None:
    """Something else stands where a block's brace belongs: at the end of a line, or alone on it."""
    start = position(problem)
    line_end = source.text.find("\n", start)
    line_end = len(source.text) if line_end < 0 else line_end
    if len(source.text[start:line_end].split("#")[0].split()) != 1:
        return None
    name, brace = ("RBRACE", "}") if _begins_line(source, start) else ("LBRACE", "{")
    if not _goes_on(_trial(interactive), line_end, name):
        return None
    found = described(source, problem, interactive, last)
    interactive.feed_token(Token(name, brace, start, end_pos=start + 1))
    _read_from(interactive, line_end)
    return found


def _place(token: Token) -> Span:
    """Return where a token ends: what is missing stands there."""
    return Span(max((token.end_pos or 0) - 1, 0), token.end_pos or 0)


def _missing(source: Source, brace: str, end: int) -> str:
    line = source.line(source.position(end)[0]).strip()
    return f"it opens the block of `{line}`" if brace == "{" else "the block that ends here is never closed"


def _begins_line(source: Source, start: int) -> bool:
    return not source.text[source.text.rfind("\n", 0, start) + 1 : start].strip()


@functools.cache
def _terminals() -> dict[str, str]:
    return {text: name for name, text in keywords().items() if text.isalpha()}


def _kind(token: Token) -> str:
    return _terminals().get(str(token), token.type)


def _trial(interactive: InteractiveParser) -> InteractiveParser:
    """Return a parser to try things with: it makes no tree, and the real one does not move."""
    trial = interactive.copy(deepcopy_values=False)  # type: ignore[no-untyped-call]  # Lark leaves it untyped
    trial.parser_state.parse_conf = copy(trial.parser_state.parse_conf)
    trial.parser_state.parse_conf.callbacks = {}
    found: InteractiveParser = trial
    return found


def _goes_on(trial: InteractiveParser, end: int, *kinds: str) -> bool:
    """True when the parser takes tokens of these kinds, and then some of what stands behind an offset."""
    try:
        for kind in kinds:
            trial.feed_token(Token(kind, ""))
        _read_from(trial, end)
        following = trial.lexer_thread.lex(trial.parser_state)  # type: ignore[no-untyped-call]  # Lark leaves it untyped
        for _, token in zip(range(AHEAD), following, strict=False):
            trial.feed_token(token)
    except UnexpectedInput:
        return False
    return True


def _pop(interactive: InteractiveParser) -> None:
    interactive.parser_state.state_stack.pop()
    interactive.parser_state.value_stack.pop()


def _ends_policy(interactive: InteractiveParser) -> bool:
    values = interactive.parser_state.value_stack
    return sum(isinstance(one, Token) and one.type == "LBRACE" for one in values) == 1


def _read_from(interactive: InteractiveParser, offset: int) -> None:
    """Let the lexer go on from a place."""
    lexer = interactive.lexer_thread.state
    assert lexer is not None
    lexer.line_ctr.char_pos = offset
    lexer.last_token = None
