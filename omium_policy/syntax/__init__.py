"""A policy as a tree: what its author wrote, each part with its place. Two trees are equal when they mean the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, get_args

import attrs

from omium_policy.source import Span
from omium_policy.syntax.actions import (
    Action,
    Backoff,
    Compensate,
    Fallback,
    Halt,
    Handler,
    Notify,
    Pause,
    PluginAction,
    Recover,
    Retry,
    Rollback,
    Skip,
)
from omium_policy.syntax.events import (
    Bounded,
    ByEnd,
    CustomEvent,
    Event,
    HandoffEvent,
    Never,
    NeverAfter,
    NeverBefore,
    Response,
    Sequence,
    StepEvent,
    ToolEvent,
)
from omium_policy.syntax.expressions import (
    And,
    Arithmetic,
    Between,
    Call,
    Compare,
    Exists,
    Expression,
    ListOf,
    Literal,
    Matches,
    Member,
    Name,
    Negative,
    Not,
    Or,
    Pair,
    Path,
    Quantified,
    Record,
)
from omium_policy.syntax.items import (
    Bound,
    Budget,
    BudgetStatement,
    Change,
    ChangeStatement,
    Data,
    DataFrom,
    DefaultMode,
    Extend,
    Field,
    File,
    Freeze,
    Handoff,
    HandoffStatement,
    Item,
    Kind,
    Let,
    Limit,
    Meter,
    OnDisagree,
    OnError,
    OnExceed,
    OnTimeout,
    Override,
    Owner,
    Policy,
    Quorum,
    Recovery,
    Rung,
    StepTypes,
    Title,
    Type,
    Use,
    WarnAt,
    Window,
    Workflow,
)
from omium_policy.syntax.rules import (
    Allow,
    Anchor,
    Cite,
    Deny,
    Message,
    Must,
    OnFail,
    Require,
    Rule,
    RuleStatement,
    Severity,
    Suggest,
    When,
)
from omium_policy.syntax.tests import Answer, Case, Expect, ExpectActions, ExpectRule, Given, Test, TestStatement, Trace

__all__ = [
    "NODES",
    "STATEMENTS",
    "Action",
    "Allow",
    "Anchor",
    "And",
    "Answer",
    "Arithmetic",
    "Backoff",
    "Between",
    "Bound",
    "Bounded",
    "Budget",
    "BudgetStatement",
    "ByEnd",
    "Call",
    "Case",
    "Change",
    "ChangeStatement",
    "Cite",
    "Compare",
    "Compensate",
    "CustomEvent",
    "Data",
    "DataFrom",
    "DefaultMode",
    "Deny",
    "Event",
    "Exists",
    "Expect",
    "ExpectActions",
    "ExpectRule",
    "Expression",
    "Extend",
    "Fallback",
    "Field",
    "File",
    "Freeze",
    "Given",
    "Halt",
    "Handler",
    "Handoff",
    "HandoffEvent",
    "HandoffStatement",
    "Item",
    "Kind",
    "Let",
    "Limit",
    "ListOf",
    "Literal",
    "Matches",
    "Member",
    "Message",
    "Meter",
    "Must",
    "Name",
    "Negative",
    "Never",
    "NeverAfter",
    "NeverBefore",
    "Not",
    "Notify",
    "OnDisagree",
    "OnError",
    "OnExceed",
    "OnFail",
    "OnTimeout",
    "Or",
    "Override",
    "Owner",
    "Pair",
    "Path",
    "Pause",
    "PluginAction",
    "Policy",
    "Quantified",
    "Quorum",
    "Record",
    "Recover",
    "Recovery",
    "Require",
    "Response",
    "Retry",
    "Rollback",
    "Rule",
    "RuleStatement",
    "Rung",
    "Sequence",
    "Severity",
    "Skip",
    "StepEvent",
    "StepTypes",
    "Suggest",
    "Test",
    "TestStatement",
    "Title",
    "ToolEvent",
    "Trace",
    "Type",
    "Use",
    "WarnAt",
    "When",
    "Window",
    "Workflow",
    "moved",
    "walk",
]


STATEMENTS = (
    File,
    *get_args(RuleStatement),
    *get_args(BudgetStatement),
    *get_args(HandoffStatement),
    *get_args(ChangeStatement),
    *get_args(TestStatement),
    *get_args(Item),
    Field,
    Limit,
    Pair,
    Policy,
    Rung,
    Use,
)
"""Nodes that begin a line of their own."""


def walk(node: object) -> Iterator[object]:
    """Give a node and all nodes in it, in the order of their fields."""
    left = [node]
    while left:
        one = left.pop()
        if isinstance(one, tuple):
            left.extend(reversed(one))
        elif type(one) in _FIELDS:
            yield one
            left.extend([getattr(one, name) for name in _FIELDS[type(one)]])


def moved(node: Any, place: Span) -> Any:
    """Return a node as if it, and all that is in it, stood at one place."""
    if isinstance(node, tuple):
        return tuple(moved(one, place) for one in node)
    if not attrs.has(type(node)):
        return node
    return type(node)(
        *(place if field.name == "span" else moved(getattr(node, field.name), place) for field in node.__attrs_attrs__)
    )


NODES: Mapping[str, type] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in tuple(globals().values())
        if isinstance(kind, type) and kind.__module__.startswith(f"{__name__}.")
    }
)
"""The kinds of nodes, by their names."""

# Places are no nodes, and the values in a message stand where its text stands, which is a node already.
_NOT_WALKED = ("span", "values")
# The fields in which there may be nodes, the last first.
_FIELDS: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {
        kind: tuple(reversed([field.name for field in attrs.fields(kind) if field.name not in _NOT_WALKED]))
        for kind in NODES.values()
    }
)
