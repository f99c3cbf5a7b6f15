"""What stands at an offset: the nodes of the tree around it, and the names that its expressions can use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs
from lark import UnexpectedInput

from omium_policy import syntax
from omium_policy.building.expressions import expression
from omium_policy.editing.document import Document
from omium_policy.grammar import grammar
from omium_policy.scope import RUN, STEP, Scope, roots
from omium_policy.source import Span
from omium_policy.types import ANYTHING, ValueType

__all__ = ["around", "names_among", "names_of_test", "placeholder"]

_PLACEHOLDER = re.compile(r"\{\{|\{([^{}\n]*)\}")


def around(node: object, offset: int) -> list[Any]:
    """Return the nodes in which an offset stands, the outermost first."""
    found = []
    while node is not None:
        found.append(node)
        node = next((one for one in _parts(node) if one.span.start <= offset <= one.span.end), None)
    return found


def _parts(node: Any) -> Iterator[Any]:
    """Give the nodes right below a node."""
    for field in attrs.fields(type(node)):
        value = getattr(node, field.name)
        for one in value if isinstance(value, tuple) else (value,):
            if attrs.has(type(one)) and not isinstance(one, Span):
                yield one


def names_among(scope: Scope, nodes: list[Any], document: Document) -> dict[str, ValueType]:
    """Return the names with which a path may begin inside these nodes, apart from `let`."""
    names: dict[str, ValueType] = {}
    for node in nodes:
        match node:
            case syntax.Rule(anchor=anchor):
                names = roots(scope, anchor)
            case syntax.Test(rule=rule):
                names = names_of_test(scope, rule.text if rule is not None else None)
            case syntax.Quantified(variable=variable, container=container):
                kind = document.type_of(scope, names, container)
                names[variable.text] = kind.of or ANYTHING
    return names


def names_of_test(scope: Scope, rule: str | None) -> dict[str, ValueType]:
    """Return the names of a test: those of the rule that it is for, else all that a test can give or expect."""
    for one in scope.policy.of(syntax.Rule):
        if one.name.text == rule:
            return roots(scope, one.anchor)
    return {"input": ANYTHING, "output": ANYTHING, "step": STEP, "run": RUN, "suggestion": ANYTHING}


def placeholder(document: Document, message: syntax.Literal, offset: int) -> syntax.Expression | None:
    """Return the expression in a message's braces at an offset, with its places in the file."""
    written = document.source.text[message.span.start : message.span.end]
    for match in _PLACEHOLDER.finditer(written):
        begin = message.span.start + match.start(1)
        if match[1] is not None and begin <= offset <= begin + len(match[1]):
            try:
                return _shifted(expression(grammar().parse(match[1], start="expr")), begin)  # type: ignore[no-any-return]  # the same node
            except UnexpectedInput:
                return None
    return None


def _shifted(node: Any, by: int) -> Any:
    """Return a node whose places, and those of all in it, are further on."""
    if isinstance(node, tuple):
        return tuple(_shifted(one, by) for one in node)
    if isinstance(node, Span):
        return Span(node.start + by, node.end + by)
    if not attrs.has(type(node)):
        return node
    return type(node)(*(_shifted(getattr(node, field.name), by) for field in attrs.fields(type(node))))
