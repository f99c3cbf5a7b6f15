"""Where parsing goes on after a mistake: at the next statement of the block, or of the blocks around it; or it ends."""

from __future__ import annotations

import functools
import re

from lark import Token
from lark.parsers.lalr_analysis import Shift
from lark.parsers.lalr_interactive_parser import InteractiveParser

from omium_policy.grammar import KEYWORDS_OF_STATEMENTS, keywords
from omium_policy.source import Source

__all__ = ["close", "leave", "resume"]

_NO_CODE = re.compile(r'"(?:\\.|[^"\\])*"|#.*|`[^`]*`')


@functools.cache
def _lines_that_begin() -> re.Pattern[str]:
    words = "|".join(sorted(KEYWORDS_OF_STATEMENTS))
    return re.compile(rf"^[ \t]*(?:({words})\b|(\}}))", re.MULTILINE)


@functools.cache
def _terminals() -> dict[str, str]:
    return {text: name for name, text in keywords().items()}


def resume(source: Source, interactive: InteractiveParser, failed_at: int, resumed_at: int) -> int | None:
    """Bring the parser to the next place where it can go on, and return that place; None when there is none.

    The next line that begins with a statement's keyword, or with `}`, in the block where the mistake is; what was not
    finished is dropped from the parser's stack. `resumed_at` is where it went on last time: not there again.
    """
    text = source.text
    depth = _blocks(interactive, len(interactive.parser_state.value_stack))
    begin = _next_line(text, failed_at, resumed_at)
    # What is in a block whose head has the mistake goes with it; what the mistake's line closes is closed.
    more = _more_opened(text, failed_at) if begin > failed_at else 0
    nested, depth = max(more, 0), depth + min(more, 0)
    for match in _lines_that_begin().finditer(text, begin):
        word, at = match[1] or match[2], match.start(1) if match[1] else match.start(2)
        opens = _ends_with_brace(text, at)
        if nested:
            nested += opens - (word == "}")
            continue
        height = _height_that_takes(interactive, _terminals()[word], depth)
        if height is not None:
            _rewind(interactive, height, source, at)
            return at
        if word == "}":
            # The block of the mistake ends here; its parent goes on.
            depth -= 1
        else:
            nested += opens
    return None


def close(interactive: InteractiveParser, end: int) -> bool:
    """End all blocks that are still open, dropping the statement that is not finished; say whether that is a file."""
    for depth in range(_blocks(interactive, len(interactive.parser_state.value_stack)), 0, -1):
        _close_block(interactive, depth, end)
    return "$END" in interactive.accepts()  # type: ignore[no-untyped-call]  # Lark leaves it untyped


def leave(source: Source, interactive: InteractiveParser, failed_at: int) -> int | None:
    """End the block that an author has not closed yet, where a line that is no deeper than its `{` cannot be in it.

    Return where parsing goes on, at that line; None when the mistake is another one.
    """
    begin = source.text.rfind("\n", 0, failed_at) + 1
    own = _lines_that_begin().match(source.text, begin)
    braces = [one for one in interactive.parser_state.value_stack if isinstance(one, Token) and one.type == "LBRACE"]
    if own is None or own.start(1) != failed_at or len(braces) < 2:
        return None
    opener = source.line(source.position(braces[-1].start_pos or 0)[0])
    if failed_at - begin > len(opener) - len(opener.lstrip()):
        return None
    _close_block(interactive, len(braces), failed_at)
    _go_on_at(interactive, source, failed_at)
    return failed_at


def _close_block(interactive: InteractiveParser, depth: int, at: int) -> None:
    """End the innermost block; one that cannot end yet, or that is a value, goes with its statement."""
    if "RBRACE" not in interactive.accepts():  # type: ignore[no-untyped-call]  # Lark leaves it untyped
        height = _height_that_takes(interactive, "RBRACE", depth)
        if height is None:
            return
        _drop(interactive, height)
    interactive.feed_token(Token("RBRACE", "}", start_pos=at, end_pos=at))


def _next_line(text: str, failed_at: int, resumed_at: int) -> int:
    """Begin at the mistake's own line when its keyword is the mistake, else at the next."""
    begin = text.rfind("\n", 0, failed_at) + 1
    own = _lines_that_begin().match(text, begin)
    if own is not None and failed_at in (own.start(1), own.start(2)) and failed_at != resumed_at:
        return begin
    end = text.find("\n", failed_at)
    return len(text) if end < 0 else end + 1


def _ends_with_brace(text: str, at: int) -> bool:
    end = text.find("\n", at)
    return text[at : len(text) if end < 0 else end].split("#")[0].rstrip().endswith("{")


def _more_opened(text: str, at: int) -> int:
    """Return how many more braces are opened than closed from here to the end of the line."""
    end = text.find("\n", at)
    line = _NO_CODE.sub("", text[at : len(text) if end < 0 else end]).rstrip()
    stray = line[:1] in ("{", "}") and len(line) > 1 and _more_in(text[text.rfind("\n", 0, at) + 1 : at]) <= 0
    return _more_in(line[stray:])


def _more_in(code: str) -> int:
    return code.count("{") - code.count("}")


def _blocks(interactive: InteractiveParser, height: int) -> int:
    values = interactive.parser_state.value_stack[:height]
    braces = [one.type for one in values if isinstance(one, Token) and one.type in ("LBRACE", "RBRACE")]
    return 2 * braces.count("LBRACE") - len(braces)


def _height_that_takes(interactive: InteractiveParser, terminal: str, depth: int) -> int | None:
    """Return how much of the stack may stay so that the terminal can follow in this block."""
    state = interactive.parser_state
    states = state.parse_conf.parse_table.states
    for height in range(len(state.state_stack) - 1, -1, -1):
        action = states[state.state_stack[height]].get(terminal)
        if action is not None and action[0] is Shift and _blocks(interactive, height) == depth:
            return height
    return None


def _rewind(interactive: InteractiveParser, height: int, source: Source, at: int) -> None:
    _drop(interactive, height)
    _go_on_at(interactive, source, at)


def _go_on_at(interactive: InteractiveParser, source: Source, at: int) -> None:
    lexer = interactive.lexer_thread.state
    assert lexer is not None
    counter = lexer.line_ctr
    counter.char_pos = at
    counter.line, counter.column = source.position(at)
    counter.line_start_pos = at - counter.column + 1
    lexer.last_token = None


def _drop(interactive: InteractiveParser, height: int) -> None:
    state = interactive.parser_state
    del state.state_stack[height + 1 :]
    del state.value_stack[height:]
