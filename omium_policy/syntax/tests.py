"""Tests that a policy carries with it."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from omium_policy.frozen import frozen
from omium_policy.source import Span
from omium_policy.syntax.actions import Action
from omium_policy.syntax.events import Event
from omium_policy.syntax.expressions import Expression, Literal, Name, Path

__all__ = [
    "Answer",
    "Case",
    "Expect",
    "ExpectActions",
    "ExpectRule",
    "Given",
    "Test",
    "TestStatement",
    "Trace",
]


@frozen
class Given:
    """`given path = expression`."""

    path: Path
    value: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Case:
    """`case path = expression holds|breaks`."""

    path: Path
    value: Expression
    verdict: str
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Trace:
    """`trace event, event`."""

    events: tuple[Event, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Answer:
    """`answer step gives value`: what a scripted agent gives, as often as it is asked."""

    step: Name
    value: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class ExpectRule:
    """`expect rule holds|breaks`."""

    rule: Name
    verdict: str
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class ExpectActions:
    """`expect actions a then b`."""

    actions: tuple[Action, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Expect:
    """`expect condition`."""

    condition: Expression
    span: Span = attrs.field(eq=False, repr=False)


TestStatement: TypeAlias = Given | Case | Trace | Answer | ExpectRule | ExpectActions | Expect


@frozen
class Test:
    """`test rule "title" { ... }`; without a rule, a test of the whole policy."""

    rule: Name | None
    title: Literal
    statements: tuple[TestStatement, ...]
    span: Span = attrs.field(eq=False, repr=False)
