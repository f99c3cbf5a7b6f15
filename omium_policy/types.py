"""Types with units: a percentage is not a number, dollars are not euros."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from omium_policy.syntax import Literal

__all__ = [
    "ANYTHING",
    "BOOLEAN",
    "DURATION",
    "INTEGER",
    "NUMBER",
    "PERCENT",
    "RATIO",
    "TEXT",
    "ValueType",
    "added",
    "comparable",
    "divided",
    "list_of",
    "money",
    "multiplied",
    "of_literal",
    "ordered",
    "record",
]


@attrs.frozen
class ValueType:
    """What a value is. `anything` is a type that is not known: nothing about it is refused at load.

    `bounds` are operators and what a value is compared with, such as `>= 0`.
    """

    kind: str
    currency: str | None = None
    words: tuple[str, ...] = ()
    of: ValueType | None = None
    fields: Mapping[str, ValueType] | None = attrs.field(default=None, hash=False)
    limit: int | None = None
    optional: bool = False
    name: str | None = None
    bounds: tuple[tuple[str, Any], ...] = attrs.field(default=(), eq=False)

    def __str__(self) -> str:
        """The type as a reader says it."""
        match self.kind:
            case "money":
                return f"an amount in {self.currency}" if self.currency else "an amount of money"
            case "enum":
                return f"one of {', '.join(self.words)}"
            case "list":
                return f"a list of at most {self.limit}" if self.limit else "a list"
            case "record":
                return f"a record `{self.name}`" if self.name else "a record"
        return _IN_WORDS[self.kind]

    def at(self, path: tuple[str, ...]) -> ValueType:
        """Return the type of what stands at a path below it."""
        kind = self
        for name in path:
            kind = (kind.fields or {}).get(name, ANYTHING)
        return kind


_IN_WORDS = {
    "text": "a text",
    "number": "a plain number",
    "integer": "a plain number",
    "boolean": "true or false",
    "percent": "a percentage",
    "ratio": "a percentage",
    "duration": "a duration",
    "anything": "a value of unknown type",
}

TEXT = ValueType("text")
NUMBER = ValueType("number")
INTEGER = ValueType("integer")
BOOLEAN = ValueType("boolean")
PERCENT = ValueType("percent")
RATIO = ValueType("ratio")
DURATION = ValueType("duration")
ANYTHING = ValueType("anything")

_PLAIN = frozenset({"number", "integer"})
_SHARES = frozenset({"percent", "ratio"})
_QUANTITIES = _PLAIN | _SHARES | {"money", "duration"}


def money(currency: str | None = None) -> ValueType:
    """Return the type of amounts in a currency; without one, in any."""
    return ValueType("money", currency)


def list_of(of: ValueType, limit: int | None = None) -> ValueType:
    """Return the type of lists."""
    return ValueType("list", of=of, limit=limit)


def record(fields: Mapping[str, ValueType], name: str | None = None) -> ValueType:
    """Return the type of records with these fields."""
    return ValueType("record", fields=dict(fields), name=name)


def of_literal(literal: Literal) -> ValueType:
    """Return a literal's type."""
    if literal.kind == "money":
        return money(literal.currency)
    return ValueType(literal.kind)


def comparable(left: ValueType, right: ValueType) -> bool:
    """True when `==` between the two can make sense."""
    if "anything" in (left.kind, right.kind):
        return True
    for kinds in (_PLAIN, _SHARES):
        if left.kind in kinds and right.kind in kinds:
            return True
    if left.kind == right.kind == "money":
        return None in (left.currency, right.currency) or left.currency == right.currency
    if {left.kind, right.kind} == {"enum", "text"}:
        return True
    if left.kind == right.kind == "list":
        return comparable(left.of or ANYTHING, right.of or ANYTHING)
    return left.kind == right.kind


def ordered(kind: ValueType) -> bool:
    """True when `<` makes sense."""
    return kind.kind in _QUANTITIES or kind.kind in ("anything", "text")


def added(left: ValueType, right: ValueType) -> ValueType | None:
    """Return the type of a sum or a difference; None when there is none."""
    if left.kind == "anything" or right.kind == "anything":
        return ANYTHING
    if left.kind not in _QUANTITIES or not comparable(left, right):
        return None
    return PERCENT if left.kind in _SHARES else _wider(left, right)


def multiplied(left: ValueType, right: ValueType) -> ValueType | None:
    """Return the type of a product: a unit times a plain number, or a share of an amount."""
    if left.kind == "anything" or right.kind == "anything":
        return ANYTHING
    if left.kind in _PLAIN and right.kind in _PLAIN:
        return _wider(left, right)
    for one, other in ((left, right), (right, left)):
        if one.kind in _PLAIN and other.kind in _QUANTITIES:
            return PERCENT if other.kind in _SHARES else other
        if one.kind in _SHARES and other.kind in ("money", "duration"):
            return other
    return None


def divided(left: ValueType, right: ValueType) -> ValueType | None:
    """Return the type of a quotient: a unit by a plain number, or a number of two alike."""
    if left.kind == "anything" or right.kind == "anything":
        return ANYTHING
    if left.kind not in _QUANTITIES or right.kind not in _QUANTITIES:
        return None
    if right.kind in _PLAIN:
        return NUMBER if left.kind in _PLAIN else PERCENT if left.kind in _SHARES else left
    return NUMBER if comparable(left, right) else None


def _wider(left: ValueType, right: ValueType) -> ValueType:
    if left.kind == "integer":
        return right
    return left if left.currency is not None or right.currency is None else right
