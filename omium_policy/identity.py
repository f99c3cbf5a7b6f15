"""What a policy is, apart from how it is written: its hash, and its tree as data that can be kept and read back."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import attrs

from omium_policy import syntax
from omium_policy.source import Span

__all__ = ["from_data", "meaning", "places", "policy_hash", "to_data"]


def policy_hash(file: syntax.File, packs: Iterable[str] = (), schemas: Iterable[list[Any]] = ()) -> str:
    """Return the hash over the tree, the hashes of the packs it uses and what its schemas mean.

    Formatting and comments do not change it.
    """
    return hashlib.sha256(meaning(file, packs, schemas).encode("utf-8", "surrogatepass")).hexdigest()


def meaning(file: syntax.File, packs: Iterable[str] = (), schemas: Iterable[list[Any]] = ()) -> str:
    """Return the text that the hash is of: the tree without places, the hashes of the packs, the schemas' meanings."""
    said = sorted(schemas)
    # A policy without schemas has the hash that it had before there were any.
    parts = [to_data(file, places=False), sorted(packs), *([said] if said else [])]
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)


def places(node: object) -> list[int]:
    """Return where all nodes of a tree begin and end, each after those in it."""
    found: list[int] = []
    _add_places(node, found)
    return found


def _add_places(node: Any, found: list[int]) -> None:
    if isinstance(node, tuple):
        for one in node:
            _add_places(one, found)
    elif attrs.has(type(node)):
        kind: Any = type(node)
        *names, _ = _fields(kind)
        for name in names:
            _add_places(getattr(node, name), found)
        found += (node.span.start, node.span.end)


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


def from_data(data: Any, places: Iterator[int] | None = None) -> Any:
    """Return the tree that `to_data` was given; raise `ValueError` when the data is no tree.

    Data without places needs those that `places` gave of the same tree.
    """
    if isinstance(data, list):
        return tuple([from_data(one, places) for one in data])
    if not isinstance(data, dict):
        return data
    [(kind, value)] = data.items()
    if kind == "decimal":
        return Decimal(value)
    node: Any = syntax.NODES.get(kind)
    if node is None or not isinstance(value, list) or (places is None and not value):
        raise ValueError(f"`{kind}` is no part of a policy")
    *parts, (start, end) = value if places is None else (*value, (None, None))
    made = [from_data(one, places) for one in parts]
    if places is not None:
        # The nodes inside have taken theirs by now.
        start, end = next(places), next(places)
    return node(*made, Span(int(start), int(end)))


@functools.cache
def _fields(kind: Any) -> tuple[str, ...]:
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
    assert fields[-1].name == "span"
    return tuple(field.name for field in fields)
