"""Functions that rules may call: pure, typed, with a known cost. Plugins add more; the grammar stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from omium_policy import types
from omium_policy.types import ValueType

__all__ = ["BUILT_IN", "Function", "signature", "type_named"]

SAME = ValueType("same")
"""Stands for one type that all parameters of this kind share, and the outcome too."""

_SIGNATURE = re.compile(r"\s*\(([^()]*)\)\s*->\s*(\w+(?: of \w+)?)\s*")
_WORDS = MappingProxyType(
    {
        "text": types.TEXT,
        "number": types.NUMBER,
        "integer": types.INTEGER,
        "boolean": types.BOOLEAN,
        "percent": types.PERCENT,
        "money": types.money(),
        "duration": types.DURATION,
        "list": types.list_of(types.ANYTHING),
        "anything": types.ANYTHING,
        "same": SAME,
    }
)


@attrs.frozen
class Function:
    """A function by its full name: what it takes and gives, what a call costs, and who computes it.

    It MUST be pure: the same arguments give the same value, and nothing else happens. It gets text, int, float (a
    percentage is in percent, a duration in seconds), Decimal (money), bool, list and dict.
    """

    name: str
    takes: tuple[ValueType, ...]
    gives: ValueType
    call: Callable[..., Any] = attrs.field(eq=False)
    cost: int = 1

    def outcome(self, arguments: tuple[ValueType, ...]) -> tuple[ValueType, tuple[int, ValueType] | None]:
        """Return the type of a call's value, and the first argument that does not fit with what was expected of it."""
        same: ValueType | None = None
        for index, (expected, given) in enumerate(zip(self.takes, arguments, strict=True)):
            if expected is SAME:
                expected = same = given if same is None or same.kind == "anything" else same
            if not types.comparable(expected, given):
                return types.ANYTHING if self.gives is SAME else self.gives, (index, expected)
        if self.gives is SAME:
            return same or types.ANYTHING, None
        if self.gives.kind == "money" and self.gives.currency is None:
            return next((one for one in arguments if one.kind == "money"), self.gives), None
        return self.gives, None


def signature(text: str) -> tuple[tuple[ValueType, ...], ValueType]:
    """Return what `(money, percent) -> money` says; raise `ValueError` where it says nothing."""
    match = _SIGNATURE.fullmatch(text)
    words = [one.strip() for one in match[1].split(",") if one.strip()] if match else []
    unknown = [word for word in (*words, *((match[2],) if match else ())) if word not in _WORDS]
    if match is None or unknown:
        what = f"`{unknown[0]}` is no type" if unknown else "it is no signature"
        raise ValueError(f"`{text}`: {what}; write it like `(money, percent) -> money`, of {', '.join(_WORDS)}")
    return tuple(_WORDS[word] for word in words), _WORDS[match[2]]


def type_named(word: str) -> ValueType:
    """Return the type that a word in a signature stands for; raise `ValueError` where it stands for none."""
    if word not in _WORDS:
        raise ValueError(f"`{word}` is no type; there is {', '.join(_WORDS)}")
    return _WORDS[word]


def _function(name: str, written: str, call: Callable[..., Any], cost: int = 1) -> Function:
    takes, gives = signature(written)
    return Function(name, takes, gives, call, cost)


def _clamp(value: Any, low: Any, high: Any) -> Any:
    return min(max(value, low), high)


BUILT_IN: Mapping[str, Function] = MappingProxyType(
    {
        one.name: one
        for one in (
            _function("clamp", "(same, same, same) -> same", _clamp),
            _function("min", "(same, same) -> same", min),
            _function("max", "(same, same) -> same", max),
            _function("abs", "(same) -> same", abs),
            _function("len", "(anything) -> integer", len),
            _function("lower", "(text) -> text", str.lower),
            _function("trim", "(text) -> text", str.strip),
        )
    }
)
