"""The grammar of edition 1, made ready once, and its terminals in words."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from lark import Lark

from omium_policy import tables

__all__ = ["KEYWORDS_OF_STATEMENTS", "grammar", "in_words", "keywords"]

KEYWORDS_OF_STATEMENTS = frozenset(
    [
        "policy",
        "title",
        "owner",
        "mode",
        "workflow",
        "data",
        "step",
        "let",
        "rule",
        "budget",
        "recovery",
        "on",
        "handoff",
        "change",
        "test",
        "extend",
        "when",
        "require",
        "allow",
        "deny",
        "message",
        "cite",
        "severity",
        "suggest",
        "never",
        "within",
        "at",
        "by",
        "warn",
        "first",
        "then",
        "finally",
        "quorum",
        "byzantine",
        "freeze",
        "override",
        "given",
        "case",
        "trace",
        "answer",
        "expect",
    ]
)
"""Words that begin a statement, at which parsing can go on after a mistake."""

_WORDS = {
    "NAME": "a name",
    "QUOTED": "a `quoted name`",
    "STRING": 'a "text"',
    "INT": "a whole number",
    "NUMBER": "a number",
    "PERCENT": "a percentage like 2.5%",
    "MONEY": "an amount like $20",
    "DURATION": "a duration like 10s",
    "CMP": "a comparison like <=",
    "TIME": "a time like 09:00",
    "DATE": "a date like 2026-12-31",
    "ARROW": "'->'",
    "TRUE": "'true'",
    "FALSE": "'false'",
    "$END": "the end of the file",
}
_BEGIN_EXPRESSIONS = frozenset(
    [
        "NAME",
        "INT",
        "NUMBER",
        "PERCENT",
        "MONEY",
        "DURATION",
        "STRING",
        "TRUE",
        "FALSE",
        "MINUS",
        "NOT",
        "LPAR",
        "LSQB",
        "LBRACE",
        "EXISTS",
        "ALL",
        "ANY",
    ]
)


@functools.cache
def grammar() -> Lark:
    """Return the parser's tables. They are safe to use in several threads."""
    return tables.read() or tables.built()


@functools.cache
def keywords() -> dict[str, str]:
    """Return the text of each terminal that has only one, by the terminal's name."""
    return {one.name: one.pattern.value for one in grammar().terminals if one.pattern.type == "str"}


def in_words(terminals: Iterable[str]) -> list[str]:
    """Return what was expected, as a reader says it."""
    expected = set(terminals)
    words = []
    if len(expected & _BEGIN_EXPRESSIONS) > len(_BEGIN_EXPRESSIONS) // 2:
        words.append("a value or a condition")
        expected -= _BEGIN_EXPRESSIONS
    return [*words, *sorted(_WORDS.get(one) or f"'{keywords().get(one, one)}'" for one in expected)]
