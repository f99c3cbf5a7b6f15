"""The meaning of resolved expressions, as plainly as it can be written down; compiled code gives the same answers."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from typing_extensions import assert_never

from omium_policy.readers import CannotTell, reader
from omium_policy.resolved import (
    All,
    Apply,
    Both,
    Compared,
    Constant,
    Either,
    Found,
    Inverted,
    Load,
    Part,
    Resolved,
)
from omium_policy.types import ValueType

__all__ = ["OPERATORS", "evaluate", "loaded", "part_of"]

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "==": operator.eq,
        "!=": operator.ne,
    }
)

_reader = functools.lru_cache(maxsize=4096)(reader)


def evaluate(node: Resolved, given: Mapping[str, Any]) -> Any:
    """Return an expression's value; raise `CannotTell` where what it asks for is missing or not what it should be.

    Conditions are asked from left to right, and no further than is needed.
    """
    match node:
        case Constant(value):
            return value
        case Load(path, kind):
            return loaded(path, kind, given)
        case Part(of, key, kind, said):
            return part_of(evaluate(of, given), evaluate(key, given), kind, said)
        case Apply(name, function, arguments):
            values = [evaluate(one, given) for one in arguments]
            return _told(name, lambda: function(*values))
        case Compared(sign, left, right):
            one, other = evaluate(left, given), evaluate(right, given)
            return _told(sign, lambda: OPERATORS[sign](one, other))
        case Found(path):
            return _is_there(path, given)
        case Inverted(condition):
            return not evaluate(condition, given)
        case Both(conditions):
            return all(evaluate(one, given) for one in conditions)
        case Either(conditions):
            return any(evaluate(one, given) for one in conditions)
        case All(every, variable, container, condition):
            ask = all if every else any
            return ask(evaluate(condition, {**given, variable: one}) for one in evaluate(container, given))
    assert_never(node)


def loaded(path: tuple[str, ...], kind: ValueType, given: Mapping[str, Any]) -> Any:
    """Return what stands at a path, read as its type."""
    value: Any = given
    for index, name in enumerate(path):
        if not isinstance(value, Mapping) or name not in value:
            raise CannotTell(".".join(path[: index + 1]), "is missing", missing=True)
        value = value[name]
    return _read(value, kind, ".".join(path))


def part_of(value: Any, key: Any, kind: ValueType, said: str) -> Any:
    """Return an element of a value, read as its type."""
    try:
        if isinstance(key, int) and key < 0:
            raise LookupError
        element = value[key]
    except (LookupError, TypeError):
        raise CannotTell(said, f"has nothing at `{key}`", missing=True) from None
    return _read(element, kind, said)


def _read(value: Any, kind: ValueType, said: str) -> Any:
    if value is None:
        raise CannotTell(said, "is missing", missing=True)
    try:
        return _reader(kind)(value)
    except ValueError as problem:
        raise CannotTell(said, str(problem)) from None


def _is_there(path: Load | Part, given: Mapping[str, Any]) -> bool:
    try:
        evaluate(path, given)
    except CannotTell as problem:
        return not problem.missing
    return True


def _told(name: str, compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except Exception as problem:
        raise CannotTell(name, f"cannot be computed: {problem}") from None
