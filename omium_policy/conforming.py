"""Whether a value is what a policy's data type says: each field there, of its type, within its bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omium_policy.evaluator import OPERATORS
from omium_policy.readers import reader
from omium_policy.types import ValueType

__all__ = ["conforms"]


def conforms(value: Any, kind: ValueType) -> bool:
    """Say whether a value is of a type, all the way down; what is optional may be missing."""
    if value is None:
        return kind.optional or kind.kind == "anything"
    try:
        read = reader(kind)(value)
        within = kind.bound is None or OPERATORS[kind.bound[0]](read, kind.bound[1])
    except (ValueError, ArithmeticError):
        return False
    if not within:
        return False
    if kind.kind == "list" and kind.of is not None:
        return all(conforms(one, kind.of) for one in value)
    if kind.fields is None:
        return True
    return isinstance(value, Mapping) and all(conforms(value.get(name), one) for name, one in kind.fields.items())
