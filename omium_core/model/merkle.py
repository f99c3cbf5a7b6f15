"""A persistent map whose root hash names its whole content, whatever the order in which it was filled.

A compressed trie over the sha256 of the keys with 16 branches a level: adding an entry makes a few new nodes and shares
all others, so a map that is kept for every checkpoint costs the new entry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from omium_core.model.immutable import immutable

__all__ = ["EMPTY_ROOT", "MerkleMap"]

V = TypeVar("V")

_sha256 = hashlib.sha256
_NOBODY = b"\0" * 32

EMPTY_ROOT = _sha256(b"omium empty map").hexdigest()


@immutable(eq=False)
class _Leaf(Generic[V]):
    place: bytes
    key: str
    value: V
    hash: bytes


@immutable(eq=False)
class _Fork(Generic[V]):
    children: list[_Leaf[V] | _Fork[V] | None]
    hashes: bytes
    hash: bytes


_Node = _Leaf[V] | _Fork[V]
_EMPTY: _Fork[Any] = _Fork([None] * 16, _NOBODY * 16, b"")


@immutable(eq=False)
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
            node = node.children[_branch(place, depth)]
            depth += 1
        return node.value if node is not None and node.key == key else None

    def with_entry(self, key: str, value: V, digest: str) -> MerkleMap[V]:
        """Return the map with `key` set."""
        place = _place(key)
        leaf = _Leaf(place, key, value, _sha256(place + digest.encode()).digest())
        return MerkleMap(_insert(self._root, leaf))

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


def _place(key: str) -> bytes:
    return _sha256(key.encode("utf-8", "surrogatepass")).digest()


def _branch(place: bytes, depth: int) -> int:
    """Return four bits of a place: the branch that it takes at that depth."""
    byte = place[depth >> 1]
    return byte & 15 if depth & 1 else byte >> 4


def _insert(root: _Node[V] | None, leaf: _Leaf[V]) -> _Node[V]:
    above: list[tuple[_Fork[V], int]] = []
    node, place = root, leaf.place
    while isinstance(node, _Fork):
        branch = _branch(place, len(above))
        above.append((node, branch))
        node = node.children[branch]
    new = leaf if node is None or node.key == leaf.key else _forked(node, leaf, len(above))
    for fork, branch in reversed(above):
        new = _with_child(fork, branch, new)
    return new


def _forked(one: _Leaf[V], other: _Leaf[V], depth: int) -> _Fork[V]:
    """Return the forks that lead to two leaves, as many as their places have in common from a depth on."""
    first, second = _branch(one.place, depth), _branch(other.place, depth)
    if first == second:
        return _with_child(_EMPTY, first, _forked(one, other, depth + 1))
    return _with_child(_with_child(_EMPTY, first, one), second, other)


def _remove(node: _Node[V] | None, place: bytes, key: str, depth: int) -> _Node[V] | None:
    if node is None:
        return None
    if isinstance(node, _Leaf):
        return None if node.key == key else node
    branch = _branch(place, depth)
    fork = _with_child(node, branch, _remove(node.children[branch], place, key, depth + 1))
    left = [child for child in fork.children if child is not None]
    # A fork above a single leaf would make the hash depend on what was removed before.
    return left[0] if len(left) == 1 and isinstance(left[0], _Leaf) else fork


def _with_child(fork: _Fork[V], branch: int, child: _Node[V] | None) -> _Fork[V]:
    children, at = fork.children.copy(), 32 * branch
    children[branch] = child
    hashes = fork.hashes[:at] + (_NOBODY if child is None else child.hash) + fork.hashes[at + 32 :]
    return _Fork(children, hashes, _sha256(hashes).digest())
