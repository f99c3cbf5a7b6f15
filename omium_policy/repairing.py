"""A brace that is missing, or one too many: parsing goes on as if it were right, and nothing else is said of it."""

from __future__ import annotations

import functools
from copy import copy

from lark import Token, UnexpectedInput, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from omium_policy.diagnostics import Diagnostic
from omium_policy.grammar import keywords
from omium_policy.source import Source, Span

__all__ = ["repair"]


def repair(
    source: Source, interactive: InteractiveParser, problem: UnexpectedInput, last: Token | None
) -> Diagnostic | None:
    """Put a brace right where that makes what follows fit, and say so; where it does not, change nothing."""
    if not isinstance(problem, UnexpectedToken) or problem.token.type == "$END" or last is None:
        return None
    token = problem.token
    if token.type == last.type == "LBRACE":
        _read_from(interactive, token.end_pos or 0)
        return Diagnostic("syntax", "this `{` is one too many", source, _place(token), "one opens the block already")
    if _begins_line(source, token):
        return _around(source, interactive, token, last)
    # A block that is not closed may have taken the keyword that follows for a name: `data` for a field, say.
    before = _before(source, last)
    if before is None or interactive.parser_state.value_stack[-1] is not last or not _is_name(last):
        return None
    trial = _trial(interactive)
    _pop(trial)
    if not _takes(trial, "RBRACE", _kind(last)):
        return None
    _pop(interactive)
    return _around(source, interactive, last, before)


def _around(source: Source, interactive: InteractiveParser, token: Token, last: Token) -> Diagnostic | None:
    """Put right what stands between two lines."""
    place = _place(last)
    kind = _kind(token)
    for name, brace in (("LBRACE", "{"), ("RBRACE", "}")):
        if _takes(_trial(interactive), name, kind):
            interactive.feed_token(Token(name, brace, place.end, end_pos=place.end))
            _read_from(interactive, token.start_pos or 0)
            return Diagnostic("syntax", f"a `{brace}` is missing", source, place, _missing(source, brace, place.end))
    if last.type == "RBRACE" and _ends_policy(interactive):
        trial = _trial(interactive)
        _pop(trial)
        if _takes(trial, kind):
            _pop(interactive)
            _read_from(interactive, token.start_pos or 0)
            return Diagnostic(
                "syntax", "this `}` is one too many", source, place, f"it ends the policy, and `{token}` follows"
            )
    return None


def _place(token: Token) -> Span:
    """Return where a token ends: what is missing stands there."""
    return Span(max((token.end_pos or 0) - 1, 0), token.end_pos or 0)


def _missing(source: Source, brace: str, end: int) -> str:
    line = source.line(source.position(end)[0]).strip()
    return f"it opens the block of `{line}`" if brace == "{" else "the block that ends here is never closed"


def _begins_line(source: Source, token: Token) -> bool:
    start = token.start_pos or 0
    return not source.text[source.text.rfind("\n", 0, start) + 1 : start].strip()


def _before(source: Source, token: Token) -> Token | None:
    """Return what ends before a token that begins a line; None where it does not begin one."""
    if not _begins_line(source, token):
        return None
    end = len(source.text[: token.start_pos or 0].rstrip())
    return Token("BEFORE", "", end, end_pos=end)


@functools.cache
def _terminals() -> dict[str, str]:
    return {text: name for name, text in keywords().items() if text.isalpha()}


def _is_name(token: Token) -> bool:
    """True for a keyword that was taken for a name."""
    return token.type == "NAME" and str(token) in _terminals()


def _kind(token: Token) -> str:
    return _terminals().get(str(token), token.type)


def _trial(interactive: InteractiveParser) -> InteractiveParser:
    """Return a parser to try things with: it makes no tree, and the real one does not move."""
    trial = interactive.copy(deepcopy_values=False)  # type: ignore[no-untyped-call]  # Lark leaves it untyped
    trial.parser_state.parse_conf = copy(trial.parser_state.parse_conf)
    trial.parser_state.parse_conf.callbacks = {}
    found: InteractiveParser = trial
    return found


def _takes(trial: InteractiveParser, *kinds: str) -> bool:
    try:
        for kind in kinds:
            trial.feed_token(Token(kind, ""))
    except UnexpectedToken:
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
