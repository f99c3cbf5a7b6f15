"""Whether a value is what a policy's data type says: each field there, of its type, within its bound."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
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
        within = all(OPERATORS[sign](read, _like(read, limit)) for sign, limit in kind.bounds)
    except (ValueError, ArithmeticError):
        return False
    if not within:
        return False
    if kind.kind == "list" and kind.of is not None:
        return all(conforms(one, kind.of) for one in value)
    if kind.fields is None:
        return True
    if not isinstance(value, Mapping):
        return False
    # A field of unknown type may be nothing, and has to be there all the same.
    return all((one.optional or name in value) and conforms(value.get(name), one) for name, one in kind.fields.items())


def _like(read: Any, limit: Any) -> Any:
    """Return a limit as the kind of number that it is compared with: 0.1 as a float is more than the decimal 0.1."""
    return float(limit) if isinstance(read, float) and isinstance(limit, Decimal) else limit
