"""Expressions with every name resolved and every type known: what is evaluated, and what is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from omium_policy.frozen import frozen
from omium_policy.types import ValueType

__all__ = ["All", "Apply", "Both", "Compared", "Constant", "Either", "Found", "Inverted", "Load", "Part", "Resolved"]


@frozen
class Constant:
    """A value that the policy itself gives."""

    value: Any = attrs.field(hash=False)


@frozen
class Load:
    """A value that is given: a root's name and the names of fields below it, of a type."""

    path: tuple[str, ...]
    type: ValueType


@frozen
class Part:
    """An element of a value, by a key that is computed."""

    of: Resolved
    key: Resolved
    type: ValueType
    said: str


@frozen
class Apply:
    """A function of values, by the name it has in messages."""

    name: str
    function: Callable[..., Any] = attrs.field(eq=False)
    arguments: tuple[Resolved, ...]
    cost: int = 1


@frozen
class Compared:
    """`left operator right`; both sides are of comparable types."""

    operator: str
    left: Resolved
    right: Resolved


@frozen
class Found:
    """Whether a path is there and not null."""

    path: Load | Part


@frozen
class Inverted:
    """Not."""

    condition: Resolved


@frozen
class Both:
    """All of these, asked in their order until one does not hold."""

    conditions: tuple[Resolved, ...]


@frozen
class Either:
    """One of these, asked in their order until one holds."""

    conditions: tuple[Resolved, ...]


@frozen
class All:
    """A condition on each element of a list, or on one of them."""

    every: bool
    variable: str
    container: Resolved
    condition: Resolved
    limit: int


Resolved: TypeAlias = Constant | Load | Part | Apply | Compared | Found | Inverted | Both | Either | All
