"""Expressions of the policy language, with their places."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

import attrs

from omium_policy.frozen import frozen
from omium_policy.source import Span

__all__ = [
    "And",
    "Arithmetic",
    "Between",
    "Call",
    "Compare",
    "Exists",
    "Expression",
    "ListOf",
    "Literal",
    "Matches",
    "Member",
    "Name",
    "Negative",
    "Not",
    "Or",
    "Pair",
    "Path",
    "Quantified",
    "Record",
]


@frozen
class Name:
    """A name, as it was written without its quotes; a qualified one has its dots."""

    text: str
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Literal:
    """A value in the text. `kind` is number, integer, percent, money, duration, text or boolean.

    A percentage is in percent (`6.9%` is 6.9), an amount in its currency's unit, a duration in seconds.
    """

    kind: str
    value: Decimal | int | str | bool
    currency: str | None
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Path:
    """A root name and what follows it: member names, and expressions in brackets."""

    root: Name
    parts: tuple[Name | Expression, ...]
    span: Span = attrs.field(eq=False, repr=False)

    @property
    def dotted(self) -> str:
        """The path as text, `[]` standing for an index."""
        return self.root.text + "".join(f".{one.text}" if isinstance(one, Name) else "[]" for one in self.parts)


@frozen
class Call:
    """A registered, pure function of its arguments."""

    function: Name
    arguments: tuple[Expression, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Compare:
    """`a < b`, or `a <= b < c`: each operand with the next."""

    operators: tuple[str, ...]
    operands: tuple[Expression, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Between:
    """`value between low and high`, both included."""

    value: Expression
    low: Expression
    high: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Member:
    """`item in container`, or `not in`."""

    item: Expression
    container: Expression
    negated: bool
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Matches:
    """`value matches "pattern"`: the RE2 pattern is found somewhere in the text."""

    value: Expression
    pattern: Literal
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Quantified:
    """`all x in list satisfy condition`, or `any`."""

    every: bool
    variable: Name
    container: Expression
    condition: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Exists:
    """`exists path`: it is there and is not null."""

    path: Path
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Not:
    """`not condition`."""

    condition: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class And:
    """Conditions that must all hold."""

    conditions: tuple[Expression, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Or:
    """Conditions of which one must hold."""

    conditions: tuple[Expression, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Arithmetic:
    """`left operator right`, the operator being +, -, * or /."""

    operator: str
    left: Expression
    right: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Negative:
    """`-value`."""

    value: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class ListOf:
    """`[a, b]`."""

    items: tuple[Expression, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Pair:
    """`name: value`, in a record, an action's arguments or a section."""

    name: Name
    value: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Record:
    """`{ a: 1, b: 2 }`."""

    pairs: tuple[Pair, ...]
    span: Span = attrs.field(eq=False, repr=False)


Expression: TypeAlias = (
    Literal
    | Path
    | Call
    | Compare
    | Between
    | Member
    | Matches
    | Quantified
    | Exists
    | Not
    | And
    | Or
    | Arithmetic
    | Negative
    | ListOf
    | Record
)
