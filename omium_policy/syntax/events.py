"""Events, and sequence rules over them."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from omium_policy.frozen import frozen
from omium_policy.source import Span
from omium_policy.syntax.expressions import Expression, Literal, Name

__all__ = [
    "Bounded",
    "ByEnd",
    "CustomEvent",
    "Event",
    "HandoffEvent",
    "Never",
    "NeverAfter",
    "NeverBefore",
    "Response",
    "Sequence",
    "StepEvent",
    "ToolEvent",
]


@frozen
class ToolEvent:
    """`tool name where condition`; a name in quotes may have `*`."""

    tool: Name
    condition: Expression | None
    pattern: bool
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class StepEvent:
    """`step name starts|passes|fails|approved`."""

    step: Name
    phase: str
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class HandoffEvent:
    """`handoff a -> b agreed|rejected`."""

    source: Name
    target: Name
    outcome: str
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class CustomEvent:
    """`event name where condition`, an event that a plugin makes."""

    name: Name
    condition: Expression | None
    span: Span = attrs.field(eq=False, repr=False)


Event: TypeAlias = ToolEvent | StepEvent | HandoffEvent | CustomEvent


@frozen
class Never:
    """`never P`."""

    event: Event
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class NeverBefore:
    """`never P before Q`."""

    event: Event
    before: Event
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class NeverAfter:
    """`never P after Q until R`."""

    event: Event
    after: Event
    until: Event | None
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Response:
    """`within 30s after P expect Q`."""

    within: Literal
    after: Event
    expected: Event
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Bounded:
    """`at most N P per run|10m`; without `per`, per run."""

    most: int
    event: Event
    per: Literal | None
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class ByEnd:
    """`by end expect P`."""

    expected: Event
    span: Span = attrs.field(eq=False, repr=False)


Sequence: TypeAlias = Never | NeverBefore | NeverAfter | Response | Bounded | ByEnd
