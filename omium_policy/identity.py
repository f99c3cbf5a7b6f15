"""What a policy is, apart from how it is written: its hash, and its tree as data that can be kept and read back."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import attrs

from omium_policy import syntax
from omium_policy.source import Span

__all__ = ["from_data", "policy_hash", "to_data"]


def policy_hash(file: syntax.File, packs: Iterable[str] = ()) -> str:
    """Return the hash over the tree and the hashes of the packs it uses; formatting and comments do not change it."""
    text = json.dumps([to_data(file, places=False), sorted(packs)], separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def to_data(node: object, *, places: bool = True) -> Any:
    """Return a tree as lists and plain values, with the places of its nodes or without."""
    if isinstance(node, tuple):
        return [to_data(one, places=places) for one in node]
    if isinstance(node, Decimal):
        return {"decimal": str(node.normalize())}
    if isinstance(node, Span):
        return [node.start, node.end] if places else None
    if node is None or isinstance(node, str | int | bool):
        return node
    kind: Any = type(node)
    values = [to_data(getattr(node, name), places=places) for name in _fields(kind)]
    return {kind.__name__: values if places else values[:-1]}


def from_data(data: Any) -> Any:
    """Return the tree that `to_data` was given; raise `ValueError` when the data is no tree."""
    if isinstance(data, list):
        return tuple(from_data(one) for one in data)
    if not isinstance(data, dict):
        return data
    [(kind, value)] = data.items()
    if kind == "decimal":
        return Decimal(value)
    node = getattr(syntax, kind, None)
    if not isinstance(node, type) or not attrs.has(node) or not isinstance(value, list) or not value:
        raise ValueError(f"`{kind}` is no part of a policy")
    *values, (start, end) = value
    make: Any = node
    return make(*(from_data(one) for one in values), Span(start, end))


@functools.cache
def _fields(kind: Any) -> tuple[str, ...]:
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
    assert fields[-1].name == "span"
    return tuple(field.name for field in fields)
