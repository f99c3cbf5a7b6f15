"""Names where they are declared and where they are used, and what each stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs

from omium_policy import syntax
from omium_policy.editing.cursor import cursor_at
from omium_policy.editing.document import Document
from omium_policy.editing.expecting import expected_at
from omium_policy.editing.places import around, names_among, placeholder
from omium_policy.functions import BUILT_IN
from omium_policy.scope import Scope
from omium_policy.source import Span
from omium_policy.types import ANYTHING, ValueType

__all__ = ["Mention", "declarations", "field_of", "mention_at"]

_REST = re.compile(r"[A-Za-z0-9_]*")


@attrs.frozen
class Mention:
    """A name in the text. A path's has a `type`, up to here, and as `owner` the data type that it is a field of.

    `kind` is step, data, let, ladder, rule, pack, field, value, function, action, failure, meter or section.
    """

    kind: str
    text: str
    span: Span
    policy: syntax.Policy | None = attrs.field(default=None, repr=False)
    type: ValueType = ANYTHING
    owner: str | None = None


def declarations(policy: syntax.Policy, kind: str, text: str) -> Iterator[syntax.Name]:
    """Give the places where a name is declared, the one that says most first."""
    for item in policy.items:
        match item:
            case syntax.StepTypes(step=name) if kind == "step":
                pass
            case syntax.Data(name=name) | syntax.DataFrom(name=name) if kind == "data":
                pass
            case syntax.Let(name=name) if kind == "let":
                pass
            case syntax.Recovery(name=name) if kind == "ladder":
                pass
            case syntax.Rule(name=name) if kind == "rule":
                pass
            case _:
                continue
        if name.text == text:
            yield name
    if kind == "step":
        yield from (step for flow in policy.of(syntax.Workflow) for step in flow.steps if step.text == text)


def field_of(policy: syntax.Policy, data: str, name: str) -> syntax.Field | None:
    """Return the field of a data type where it is declared."""
    declared = (field for one in policy.of(syntax.Data) if one.name.text == data for field in one.fields)
    return next((field for field in declared if field.name.text == name), None)


def mention_at(document: Document, offset: int) -> Mention | None:
    """Return the name at an offset and what it stands for.

    In a statement with a mistake, which is not in the tree, it is what is expected where the name begins.
    """
    return _in_tree(document, offset) or _expected(document, offset)


def _expected(document: Document, offset: int) -> Mention | None:
    rest = _REST.match(document.source.text, offset)
    cursor = cursor_at(document, rest.end() if rest is not None else offset)
    if cursor is None or cursor.quoted or not cursor.word:
        return None
    expected, word = expected_at(document, cursor), cursor.word
    policy = expected.policy
    if policy is None:
        return None
    for kind in expected.kinds:
        if any(True for _ in declarations(policy, kind, word)):
            return Mention(kind, word, cursor.span, policy)
    if word in expected.members:
        return Mention("field", word, cursor.span, policy, expected.members[word], expected.owner)
    if word in expected.values:
        return Mention("value", word, cursor.span, policy, expected.values[word])
    return None


def _in_tree(document: Document, offset: int) -> Mention | None:
    nodes = around(document.file, offset)
    if not nodes:
        return None
    if isinstance(nodes[-1], syntax.Literal) and len(nodes) > 1 and isinstance(nodes[-2], syntax.Message):
        inside = placeholder(document, nodes[-1], offset)
        nodes += around(inside, offset)
    policy = next((one for one in nodes if isinstance(one, syntax.Policy)), None)
    if policy is None:
        return _of_use(nodes)
    scope = document.scope(policy)
    path = next((one for one in reversed(nodes) if isinstance(one, syntax.Path)), None)
    if path is not None:
        return _in_path(document, scope, nodes, path, offset)
    return _of_name(scope, nodes)


def _of_use(nodes: list[Any]) -> Mention | None:
    use = next((one for one in nodes if isinstance(one, syntax.Use)), None)
    if use is None or nodes[-1] not in (use.pack, use.alias):
        return None
    return Mention("pack", str(use.pack.value), nodes[-1].span)


def _of_name(scope: Scope, nodes: list[Any]) -> Mention | None:
    """Return what a name is that is part of a statement, not of an expression."""
    name = nodes[-1]
    if not isinstance(name, syntax.Name) or len(nodes) < 2:
        return None
    kind = _kind(name, nodes[-2])
    if kind is None:
        return None
    if kind == "field":
        data = next((one for one in nodes if isinstance(one, syntax.Data)), None)
        owner = data.name.text if data is not None else None
        record = scope.data.get(owner, ANYTHING) if owner is not None else ANYTHING
        type_ = (record.fields or {}).get(name.text, ANYTHING)
        return Mention("field", name.text, name.span, scope.policy, type_, owner)
    if kind == "variable":
        return None
    return Mention(kind, name.text, name.span, scope.policy)


def _kind(name: syntax.Name, parent: Any) -> str | None:
    """Return what a name stands for in the node that it is part of."""
    match parent:
        case syntax.Workflow() | syntax.Handoff() | syntax.HandoffEvent() | syntax.Anchor() | syntax.StepEvent():
            return "step"
        case syntax.Budget() | syntax.Answer() | syntax.Rollback() | syntax.Fallback() | syntax.Compensate():
            return "step"
        case syntax.StepTypes():
            return "step" if name is parent.step else "data"
        case syntax.Data() | syntax.DataFrom():
            return "data"
        case syntax.Type(kind="ref"):
            return "data"
        case syntax.Field():
            return "field"
        case syntax.Let():
            return "let"
        case syntax.Recovery() | syntax.Recover():
            return "ladder"
        case syntax.Rule() | syntax.Test() | syntax.ExpectRule():
            return "rule"
        case syntax.Call():
            return "function"
        case syntax.PluginAction():
            return "action"
        case syntax.OnError():
            return "failure"
        case syntax.Meter():
            return "meter"
        case syntax.Extend() if name is parent.section:
            return "section"
    return None


def _in_path(document: Document, scope: Scope, nodes: list[Any], path: syntax.Path, offset: int) -> Mention | None:
    names = names_among(scope, nodes, document)
    if path.root.span.start <= offset <= path.root.span.end:
        return _root(document, scope, names, path)
    for index, part in enumerate(path.parts):
        if isinstance(part, syntax.Name) and part.span.start <= offset <= part.span.end:
            above = document.type_of(scope, names, attrs.evolve(path, parts=path.parts[:index]))
            kind = document.type_of(scope, names, attrs.evolve(path, parts=path.parts[: index + 1]))
            said = attrs.evolve(path, parts=path.parts[: index + 1]).dotted
            return Mention("field", said, part.span, scope.policy, kind, above.name)
    return None


def _root(document: Document, scope: Scope, names: dict[str, ValueType], path: syntax.Path) -> Mention | None:
    root = path.root.text
    alone = attrs.evolve(path, parts=())
    if root in names:
        return Mention("value", root, path.root.span, scope.policy, names[root])
    if root in scope.lets:
        return Mention("let", root, path.root.span, scope.policy, document.type_of(scope, names, alone))
    if root in BUILT_IN:
        return Mention("function", root, path.root.span, scope.policy)
    return None
