"""A policy's outline."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from omium_policy import syntax
from omium_policy.editing.document import Document
from omium_policy.source import Span

__all__ = ["Symbol", "symbols"]


@attrs.frozen
class Symbol:
    """A declaration: its whole stretch, and that of its name. `kind` is policy or the word that it begins with."""

    name: str
    kind: str
    span: Span
    name_span: Span
    parts: tuple[Symbol, ...] = ()


def symbols(document: Document) -> tuple[Symbol, ...]:
    """Return the outline of what can be read of a file."""
    return tuple(
        Symbol(one.name.text, "policy", one.span, one.name.span, tuple(_items(one))) for one in document.policies
    )


def _items(policy: syntax.Policy) -> Iterator[Symbol]:
    for item in policy.items:
        match item:
            case syntax.Data(name=name, fields=fields):
                parts = tuple(Symbol(one.name.text, "field", one.span, one.name.span) for one in fields)
                yield Symbol(name.text, "data", item.span, name.span, parts)
            case syntax.DataFrom(name=name):
                yield Symbol(name.text, "data", item.span, name.span)
            case syntax.Rule(name=name):
                yield Symbol(name.text, "rule", item.span, name.span)
            case syntax.Recovery(name=name):
                yield Symbol(name.text, "recovery", item.span, name.span)
            case syntax.Let(name=name):
                yield Symbol(name.text, "let", item.span, name.span)
            case syntax.StepTypes(step=name):
                yield Symbol(name.text, "step", item.span, name.span)
            case syntax.Handoff(source=source, target=target):
                yield Symbol(f"{source.text} -> {target.text}", "handoff", item.span, source.span)
            case syntax.Test(title=title):
                yield Symbol(str(title.value), "test", item.span, title.span)
