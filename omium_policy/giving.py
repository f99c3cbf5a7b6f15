"""Values of a policy as a program's data has them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from omium_policy.types import ANYTHING, ValueType

__all__ = ["like", "stored"]


def stored(value: Any, kind: ValueType) -> Any:
    """Return a value as data has it: a ratio of 6.9% is 0.069."""
    if kind.kind == "ratio":
        return value / 100
    if isinstance(value, dict) and kind.fields is not None:
        return {name: stored(one, kind.fields.get(name, ANYTHING)) for name, one in value.items()}
    if isinstance(value, list) and kind.of is not None:
        return [stored(one, kind.of) for one in value]
    return value


def like(value: Any, present: Any) -> Any:
    """Return a number as the kind of number, or the text, that stands in its place."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    if isinstance(present, float) and not isinstance(value, float):
        return float(value)
    if isinstance(present, int) and value == int(value):
        return int(value)
    if isinstance(present, Decimal) and not isinstance(value, Decimal):
        return Decimal(repr(value))
    return str(value) if isinstance(present, str) else value
