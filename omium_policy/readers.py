"""Given data, read as the type it should have. What is missing or of another type cannot be told."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from omium_policy.types import ValueType

__all__ = ["CannotTell", "reader"]

_RATIO_DIGITS = 12
LIST_MAX = 10_000
"""So many elements of a list whose type sets no bound are looked at; a longer one cannot be told."""


class CannotTell(Exception):  # it is a verdict, not an error
    """What a rule asks for is missing, or is not what it should be. The text goes on after the path."""

    def __init__(self, path: str, why: str, *, missing: bool = False) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why
        self.missing = missing

    def __str__(self) -> str:
        return f"`{self.path}` {self.why}"


def reader(kind: ValueType) -> Callable[[Any], Any]:
    """Return the function that reads a value as a type; it raises `ValueError`, whose text goes on after the path."""
    match kind.kind:
        case "enum":
            return _enum(kind.words)
        case "list":
            return _list(kind.limit)
        case "text" if kind.limit is not None:
            return _limited(kind.limit)
    return _READERS.get(kind.kind, _anything)


def _number(value: Any) -> float | int:
    given = type(value)
    if given is Decimal:
        value = float(value)
    elif given is not float and given is not int:
        raise ValueError(f"is {_said(value)}, not a number")
    if not -math.inf < value < math.inf:
        raise ValueError("is not a finite number")
    number: float | int = value
    return number


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError(f"is {number}, not a whole number")
    return int(number)


def _ratio(value: Any) -> float:
    return round(_number(value) * 100, _RATIO_DIGITS)


def _money(value: Any) -> Decimal:
    given = type(value)
    if given is Decimal:
        amount: Decimal = value
    elif given is int:
        return Decimal(value)
    elif given is float:
        amount = Decimal(repr(value))
    elif given is str:
        amount = _decimal(value)
    else:
        raise ValueError(f"is {_said(value)}, not an amount")
    if not amount.is_finite():
        raise ValueError("is not a finite amount")
    return amount


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("is a text, not an amount") from None


def _duration(value: Any) -> float | int:
    return _number(value.total_seconds() if isinstance(value, datetime.timedelta) else value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"is {_said(value)}, not a text")
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(f"is {_said(value)}, not true or false")
    return value


def _record(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"is {_said(value)}, not a record")
    return value


def _anything(value: Any) -> Any:
    if type(value) is float and not -math.inf < value < math.inf:
        raise ValueError("is not a finite number")
    return value


def _enum(words: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if type(value) is not str or value not in words:
            raise ValueError(f"is {_said(value)}, not one of {', '.join(words)}")
        return value

    return read


def _list(limit: int | None) -> Callable[[Any], Any]:
    most = LIST_MAX if limit is None else limit

    def read(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError(f"is {_said(value)}, not a list")
        if len(value) > most:
            raise ValueError(f"has {len(value)} elements, and {most} is the most")
        return value

    return read


def _limited(limit: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        text = _text(value)
        if len(text) > limit:
            raise ValueError(f"has {len(text)} characters, and {limit} is the most")
        return text

    return read


def _said(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float() | Decimal():
            return "a number"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a record"
    return "something else"


_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "text": _text,
        "number": _number,
        "integer": _integer,
        "boolean": _boolean,
        "percent": _number,
        "ratio": _ratio,
        "money": _money,
        "duration": _duration,
        "record": _record,
        "anything": _anything,
    }
)
