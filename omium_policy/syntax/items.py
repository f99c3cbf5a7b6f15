"""The items of a policy, the policy, and the file."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import attrs

from omium_policy.frozen import frozen
from omium_policy.source import Span
from omium_policy.syntax.actions import Action, Handler, Recover
from omium_policy.syntax.expressions import Expression, Literal, Name, Pair
from omium_policy.syntax.rules import Rule
from omium_policy.syntax.tests import Test

__all__ = [
    "Bound",
    "Budget",
    "BudgetStatement",
    "Change",
    "ChangeStatement",
    "Data",
    "DataFrom",
    "DefaultMode",
    "Extend",
    "Field",
    "File",
    "Freeze",
    "Handoff",
    "HandoffStatement",
    "Item",
    "Kind",
    "Let",
    "Limit",
    "Meter",
    "OnDisagree",
    "OnError",
    "OnExceed",
    "OnTimeout",
    "Override",
    "Owner",
    "Policy",
    "Quorum",
    "Recovery",
    "Rung",
    "StepTypes",
    "Title",
    "Type",
    "Use",
    "WarnAt",
    "Window",
    "Workflow",
]


@frozen
class Type:
    """A type as it was written: text, number, integer, boolean, percent, ratio, money, duration, enum, list or ref.

    `limit` bounds a text or a list, `names` are an enum's words, one currency or one data type, `of` is a list's type.
    """

    kind: str
    limit: int | None
    names: tuple[Name, ...]
    of: Type | None
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Bound:
    """What a field's value is compared with: `>= $0`."""

    operator: str
    value: Literal
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Field:
    """A field of a data type."""

    name: Name
    type: Type
    bound: Bound | None
    optional: bool
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Title:
    """`title "..."`."""

    text: Literal
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Owner:
    """`owner "..."`."""

    text: Literal
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class DefaultMode:
    """`mode blocking|monitoring|advisory`, for rules that do not say."""

    mode: str
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Workflow:
    """`workflow a -> b -> c`: the steps, in their order."""

    steps: tuple[Name, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Data:
    """`data Name { field: type ... }`."""

    name: Name
    fields: tuple[Field, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class DataFrom:
    """`data Name from "schema.json"`."""

    name: Name
    file: Literal
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class StepTypes:
    """`step name takes A gives B`."""

    step: Name
    takes: Name | None
    gives: Name | None
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Let:
    """`let name = expression`."""

    name: Name
    value: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Meter:
    """`cost at most $2`."""

    meter: Name
    most: Literal
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class WarnAt:
    """`warn at 80%`."""

    share: Literal
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class OnExceed:
    """`on exceed handler`."""

    handler: Handler
    span: Span = attrs.field(eq=False, repr=False)


BudgetStatement: TypeAlias = Meter | WarnAt | OnExceed


@frozen
class Budget:
    """`budget run { ... }`, or of one step."""

    step: Name | None
    statements: tuple[BudgetStatement, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Rung:
    """`first action`, `then action` or `finally action`."""

    position: str
    action: Action
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Limit:
    """`at most 5 recoveries per 10m else action`."""

    most: int
    per: Literal
    otherwise: Action
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Recovery:
    """`recovery name { first ... then ... finally ... }`, a ladder."""

    name: Name
    rungs: tuple[Rung, ...]
    limits: tuple[Limit, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class OnError:
    """`on error kinds recover ladder`; no kinds at all stands for `any`."""

    kinds: tuple[Name, ...]
    recover: Recover
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Quorum:
    """`quorum 2 of a, b, c within 5s`; `byzantine 1 of ...` says how many voters may lie."""

    byzantine: bool
    count: int
    voters: tuple[Name, ...]
    within: Literal
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class OnDisagree:
    """`on disagree handler`."""

    handler: Handler
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class OnTimeout:
    """`on timeout handler`."""

    handler: Handler
    span: Span = attrs.field(eq=False, repr=False)


HandoffStatement: TypeAlias = Quorum | OnDisagree | OnTimeout


@frozen
class Handoff:
    """`handoff a -> b { ... }`."""

    source: Name
    target: Name
    statements: tuple[HandoffStatement, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Window:
    """`allow Mon..Thu 09:00..17:00 in "Europe/London"`."""

    first_day: str
    last_day: str
    opens: str
    closes: str
    zone: Literal
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Freeze:
    """`freeze 2026-12-18..2027-01-04`, both days included."""

    first: str
    last: str
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Override:
    """`override needs 2 people from "role" for 24h`."""

    people: int
    role: Literal
    lasts: Literal | None
    span: Span = attrs.field(eq=False, repr=False)


ChangeStatement: TypeAlias = Window | Freeze | Override


@frozen
class Change:
    """`change { ... }`: when the policy may change, and who may override it."""

    statements: tuple[ChangeStatement, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Extend:
    """`extend pack.section label { key: value }`: a section whose shape a plugin gives."""

    section: Name
    label: Name | None
    pairs: tuple[Pair, ...]
    span: Span = attrs.field(eq=False, repr=False)


Item: TypeAlias = (
    Title
    | Owner
    | DefaultMode
    | Workflow
    | Data
    | DataFrom
    | StepTypes
    | Let
    | Rule
    | Budget
    | Recovery
    | OnError
    | Handoff
    | Change
    | Test
    | Extend
)

Kind = TypeVar("Kind")


@frozen
class Policy:
    """`policy name version "1.0.0" { items }`."""

    name: Name
    version: Literal | None
    items: tuple[Item, ...]
    span: Span = attrs.field(eq=False, repr=False)

    def of(self, kind: type[Kind]) -> tuple[Kind, ...]:
        """Return its items of one kind, in the order of the text."""
        return tuple(item for item in self.items if isinstance(item, kind))


@frozen
class Use:
    """`use "pack" version "^1.2" as name pinned "sha256:..."`."""

    pack: Literal
    version: Literal | None
    alias: Name | None
    pinned: Literal | None
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class File:
    """A whole file: its edition, the packs it uses, its policies."""

    edition: int
    uses: tuple[Use, ...]
    policies: tuple[Policy, ...]
    span: Span = attrs.field(eq=False, repr=False)
