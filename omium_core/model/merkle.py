"""A persistent map whose root hash names its whole content, whatever the order in which it was filled.

A compressed trie over the sha256 of the keys with 16 branches a level: adding an entry makes a few new nodes and shares
all others, so a map that is kept for every checkpoint costs the new entry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Generic, TypeVar

import attrs

__all__ = ["EMPTY_ROOT", "MerkleMap"]

V = TypeVar("V")

EMPTY_ROOT = hashlib.sha256(b"omium empty map").hexdigest()


@attrs.frozen(eq=False)
class _Leaf(Generic[V]):
    place: str
    key: str
    value: V
    hash: bytes


@attrs.frozen(eq=False)
class _Fork(Generic[V]):
    children: tuple[_Leaf[V] | _Fork[V] | None, ...]
    hash: bytes


_Node = _Leaf[V] | _Fork[V]


@attrs.frozen(eq=False)
class MerkleMap(Generic[V]):
    """An immutable map from text to a value with a content digest (hex)."""

    _root: _Node[V] | None = None

    @property
    def root(self) -> str:
        """The hash of all entries, in hex."""
        return EMPTY_ROOT if self._root is None else self._root.hash.hex()

    def get(self, key: str) -> V | None:
        """Return the value under `key`, or None."""
        place, node, depth = _place(key), self._root, 0
        while isinstance(node, _Fork):
            node = node.children[int(place[depth], 16)]
            depth += 1
        return node.value if node is not None and node.key == key else None

    def with_entry(self, key: str, value: V, digest: str) -> MerkleMap[V]:
        """Return the map with `key` set."""
        place = _place(key)
        leaf = _Leaf(place, key, value, hashlib.sha256(f"{place}\0{digest}".encode()).digest())
        return MerkleMap(_insert(self._root, leaf, 0))

    def without(self, key: str) -> MerkleMap[V]:
        """Return the map without `key`; a key that is not there changes nothing."""
        return MerkleMap(_remove(self._root, _place(key), key, 0))

    def items(self) -> Iterator[tuple[str, V]]:
        """Give the entries in no meaningful order."""
        waiting: list[_Node[V] | None] = [self._root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, _Fork):
                waiting.extend(node.children)
            elif node is not None:
                yield node.key, node.value


def _place(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _insert(node: _Node[V] | None, leaf: _Leaf[V], depth: int) -> _Node[V]:
    if node is None or (isinstance(node, _Leaf) and node.key == leaf.key):
        return leaf
    if isinstance(node, _Leaf):
        node = _fork(_put((None,) * 16, int(node.place[depth], 16), node))
    branch = int(leaf.place[depth], 16)
    return _fork(_put(node.children, branch, _insert(node.children[branch], leaf, depth + 1)))


def _remove(node: _Node[V] | None, place: str, key: str, depth: int) -> _Node[V] | None:
    if node is None:
        return None
    if isinstance(node, _Leaf):
        return None if node.key == key else node
    branch = int(place[depth], 16)
    children = _put(node.children, branch, _remove(node.children[branch], place, key, depth + 1))
    left = [child for child in children if child is not None]
    # A fork above a single leaf would make the hash depend on what was removed before.
    return left[0] if len(left) == 1 and isinstance(left[0], _Leaf) else _fork(children)


def _put(children: tuple[_Node[V] | None, ...], branch: int, node: _Node[V] | None) -> tuple[_Node[V] | None, ...]:
    return (*children[:branch], node, *children[branch + 1 :])


def _fork(children: tuple[_Node[V] | None, ...]) -> _Fork[V]:
    content = b"".join(b"\0" * 32 if child is None else child.hash for child in children)
    return _Fork(children, hashlib.sha256(b"\1" + content).digest())
