"""Where somebody is writing: the word at the cursor, and the parser's state right before it."""

from __future__ import annotations

import re
from typing import Any

import attrs
from lark import Token, Tree, UnexpectedInput
from lark.parsers.lalr_interactive_parser import InteractiveParser

from omium_policy.editing.document import Document
from omium_policy.grammar import grammar
from omium_policy.parser import parse_before
from omium_policy.source import Span, opaque_at

__all__ = ["Cursor", "Part", "cursor_at"]

_WRITTEN = re.compile(r"(?:\d[\d_]*(?:\.\d*)?|[A-Za-z_][A-Za-z0-9_]*)\Z")
_REST = re.compile(r"[A-Za-z0-9_]*")
_LINE_BACK_MAX = 500

Part = Any
"""A token, or the tree of what is complete: what the parser has on its stack."""


@attrs.frozen
class Cursor:
    """The word that is replaced, what may stand there, and what the parser holds of the text before it.

    `quoted` is set inside of a text: it is the text's own stretch, without its quotes. `inside` is what is before the
    word in an expression that stands in a message's braces.
    """

    word: str
    span: Span
    accepts: frozenset[str]
    stack: tuple[Part, ...]
    quoted: bool = False
    inside: tuple[Part, ...] | None = None

    @property
    def before(self) -> tuple[Part, ...]:
        """What is right before the word: of the expression in braces, else of the file."""
        return self.stack if self.inside is None else self.inside

    def top(self, back: int = 1) -> str:
        """Return the name of a part of what is before, counted from the word; empty where there is none."""
        return kind_of(self.before[-back]) if back <= len(self.before) else ""

    def open_item(self, *kinds: str) -> int | None:
        """Return where on the stack the keyword of the item stands that is not finished, when it is one of these."""
        for index in range(len(self.stack) - 1, -1, -1):
            if kind_of(self.stack[index]) in kinds:
                return index
        return None


def kind_of(part: Part) -> str:
    """Return a token's terminal, or a tree's rule; keywords that are called like a kind of literal have `KEYWORD_`."""
    if isinstance(part, Token):
        return f"KEYWORD_{part.upper()}" if part.type.startswith("__ANON") else str(part.type)
    return str(part.data)


def cursor_at(document: Document, offset: int) -> Cursor | None:
    """Return what can be written at an offset; None in a comment, and behind a mistake of the same statement."""
    source = document.source
    opaque = opaque_at(source, offset)
    if opaque is not None:
        return _quoted(document, opaque, offset) if source.text[opaque.start] == '"' else None
    written = _WRITTEN.search(source.text[max(0, offset - _LINE_BACK_MAX) : offset])
    word = written[0] if written is not None else ""
    rest = _REST.match(source.text, offset)
    span = Span(offset - len(word), rest.end() if rest is not None else offset)
    interactive = parse_before(source, span.start)
    return Cursor(word, span, _accepts(interactive), _stack(interactive)) if interactive is not None else None


def _quoted(document: Document, opaque: Span, offset: int) -> Cursor | None:
    interactive = parse_before(document.source, opaque.start)
    if interactive is None:
        return None
    accepts, stack = _accepts(interactive), _stack(interactive)
    if "STRING" not in accepts:
        return None
    text = document.source.text
    begin = opaque.start + 1
    if stack and kind_of(stack[-1]) == "MESSAGE":
        return _in_message(text[begin:offset], offset, stack)
    closed = opaque.end > begin and text[opaque.end - 1] == '"'
    # Without its closing quote a text reaches to the end of the line, which is not what its author means.
    end = opaque.end - 1 if closed else offset
    return Cursor(text[begin:offset], Span(begin, end), accepts, stack, quoted=True)


def _in_message(written: str, offset: int, stack: tuple[Part, ...]) -> Cursor | None:
    """Return the cursor in a message's braces; elsewhere in a message there is nothing to complete."""
    begin = written.rfind("{")
    if begin < 0 or "}" in written[begin:] or written[:begin].endswith("{"):
        return None
    text = written[begin + 1 :]
    found = _WRITTEN.search(text)
    word = found[0] if found is not None else ""
    interactive = grammar().parse_interactive(text[: len(text) - len(word)], start="expr")
    try:
        for token in interactive.lexer_thread.lex(interactive.parser_state):  # type: ignore[no-untyped-call]  # by Lark
            interactive.feed_token(token)
    except UnexpectedInput:
        return None
    return Cursor(word, Span(offset - len(word), offset), _accepts(interactive), stack, inside=_stack(interactive))


def _accepts(interactive: InteractiveParser) -> frozenset[str]:
    return frozenset(interactive.accepts())  # type: ignore[no-untyped-call]  # Lark leaves it untyped


def _stack(interactive: InteractiveParser) -> tuple[Part, ...]:
    return tuple(one for one in interactive.parser_state.value_stack if isinstance(one, Token | Tree))
