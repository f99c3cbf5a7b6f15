"""A rule and its statements."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from omium_policy.frozen import frozen
from omium_policy.source import Span
from omium_policy.syntax.actions import Handler
from omium_policy.syntax.events import Sequence
from omium_policy.syntax.expressions import Expression, Literal, Name, Path

__all__ = [
    "Allow",
    "Anchor",
    "Cite",
    "Deny",
    "Message",
    "Must",
    "OnFail",
    "Require",
    "Rule",
    "RuleStatement",
    "Severity",
    "Suggest",
    "When",
]


@frozen
class Anchor:
    """`after step`, `before step` or `during step`; without a name it is `any step`."""

    when: str
    step: Name | None
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class When:
    """`when condition`: the rule says nothing where it does not hold."""

    condition: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Require:
    """`require condition`."""

    condition: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Allow:
    """`allow tools a, "b.*"`: these, and no others."""

    tools: tuple[Name, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Deny:
    """`deny tools a, "b.*"`."""

    tools: tuple[Name, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Message:
    """`message "..."`, with `{expression}` for values; one of `values` is None where a brace holds no expression."""

    text: Literal
    values: tuple[Expression | None, ...]
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Cite:
    """`cite "..."`."""

    text: Literal
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Severity:
    """`severity critical|high|medium|low`."""

    level: str
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Suggest:
    """`suggest path = expression`."""

    path: Path
    value: Expression
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class OnFail:
    """`on fail handler`."""

    handler: Handler
    span: Span = attrs.field(eq=False, repr=False)


@frozen
class Must:
    """A sequence rule's sentence, as a statement of its rule."""

    sequence: Sequence
    span: Span = attrs.field(eq=False, repr=False)


RuleStatement: TypeAlias = When | Require | Allow | Deny | Must | Message | Cite | Severity | Suggest | OnFail


@frozen
class Rule:
    """`rule name after step blocking { ... }`."""

    name: Name
    anchor: Anchor | None
    mode: str | None
    statements: tuple[RuleStatement, ...]
    span: Span = attrs.field(eq=False, repr=False)
