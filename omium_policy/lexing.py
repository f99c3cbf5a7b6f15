"""The lexer: one pattern for all tokens, where Lark's contextual lexer compiles one for each of its two hundred states.

It gives what that one gives. A word is a keyword where the parser can take that keyword, else a name, and never a part
of a word: `requires` is an unknown word, not `require` and an `s`. Digits are what the parser can take at that place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from lark import Token, UnexpectedCharacters
from lark.common import LexerConf
from lark.lexer import Lexer, LexerState, TerminalDef

__all__ = ["PolicyLexer"]

_IGNORED = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_WORD = "NAME"


class PolicyLexer(Lexer):
    """Gives the tokens of a text, each as the parser's state can take it."""

    def __init__(
        self, conf: LexerConf, states: Mapping[int, Collection[str]], always_accept: Collection[str] = ()
    ) -> None:
        words = [one for one in conf.terminals if one.pattern.type == "str" and one.pattern.value.isalpha()]
        others = [one for one in conf.terminals if one not in words and one.name not in {_WORD, *conf.ignore}]
        others.sort(key=lambda one: (-one.priority, -one.pattern.max_width, -len(one.pattern.value), one.name))
        self._keywords = {one.pattern.value: one.name for one in words}
        self._states = states
        word = next(one for one in conf.terminals if one.name == _WORD)
        self._token = re.compile("|".join(_group(one) for one in (word, *others)))
        # What begins with a digit may be read in several ways; a number is the last of them.
        self._numbers = [(one.name, re.compile(one.pattern.to_regexp())) for one in others if "\\d" in _regexp(one)]

    def lex(self, lexer_state: LexerState, parser_state: Any) -> Iterator[Token]:
        """Give tokens up to the end; the state's position may be moved between two of them."""
        counter = lexer_state.line_ctr
        given: Any = lexer_state.text
        text: str = getattr(given, "text", given)  # older versions of Lark hand over the text itself
        while True:
            start = _IGNORED.match(text, counter.char_pos).end()  # type: ignore[union-attr]  # it matches nothing, too
            counter.char_pos = start
            if start == len(text):
                return
            found = self._token.match(text, start)
            if found is None:
                raise UnexpectedCharacters(text, start, counter.line, counter.column)  # type: ignore[no-untyped-call]  # by Lark
            kind, end = str(found.lastgroup), found.end()
            taken = self._states[parser_state.position]
            if kind == _WORD:
                keyword = self._keywords.get(found[0])
                kind = keyword if keyword is not None and keyword in taken else _WORD
            elif kind not in taken:
                kind, end = self._otherwise(text, start, kind, end, taken)
            counter.char_pos = end
            token = Token(kind, text[start:end], start, end_pos=end)
            lexer_state.last_token = token
            yield token

    def _otherwise(self, text: str, start: int, kind: str, end: int, taken: Collection[str]) -> tuple[str, int]:
        """Return what else stands here that the parser can take; where there is nothing, what stands here."""
        for name, pattern in self._numbers:
            found = pattern.match(text, start) if name in taken else None
            if found is not None:
                return name, found.end()
        return kind, end


def _group(terminal: TerminalDef) -> str:
    return f"(?P<{terminal.name}>{_regexp(terminal)})"


def _regexp(terminal: TerminalDef) -> str:
    pattern: str = terminal.pattern.to_regexp()
    return pattern
