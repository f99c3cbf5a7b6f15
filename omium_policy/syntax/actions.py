"""What is done when a rule breaks or a step fails."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

import attrs

from omium_policy.frozen import frozen
from omium_policy.source import Span
from omium_policy.syntax.expressions import Literal, Name, Pair

__all__ = [
    "Action",
    "Backoff",
    "Compensate",
    "Fallback",
    "Halt",
    "Handler",
    "Notify",
    "Pause",
    "PluginAction",
    "Recover",
    "Retry",
    "Rollback",
    "Skip",
]


@frozen
class Backoff:
    """`constant(1s)`, `linear(1s, 5s)` or `exponential(1s, 10s, 2)`."""

    shape: str
    first: Literal
    most: Literal | None
    factor: Decimal | None
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Retry:
    """`retry 3 times with feedback, backoff ..., jitter ...`."""

    times: int
    feedback: bool
    backoff: Backoff | None
    jitter: str | None
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Rollback:
    """`rollback to step`."""

    to: Name
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Fallback:
    """`fallback to step`."""

    to: Name
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Pause:
    """`pause for "role" with suggestion, timeout 4h`."""

    role: Name
    suggestion: bool
    timeout: Literal | None
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Compensate:
    """`compensate with step`."""

    step: Name
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Notify:
    """`notify "channel"`."""

    channel: Name
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Skip:
    """`skip`."""

    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Halt:
    """`halt`."""

    span: Span = attrs.field(eq=False, repr=False)


@frozen
class PluginAction:
    """`name(key: value)`, an action that a plugin adds."""

    name: Name
    arguments: tuple[Pair, ...]
    span: Span = attrs.field(eq=False, repr=False)


Action: TypeAlias = Retry | Rollback | Fallback | Pause | Compensate | Notify | Skip | Halt | PluginAction


@frozen
class Recover:
    """`recover ladder`."""

    ladder: Name
    span: Span = attrs.field(eq=False, repr=False)


Handler: TypeAlias = Recover | Action
