"""The canonical form of a value, which its digest is taken of: the same for equal values, whatever their order.

It is only hashed, never read back, so it needs to tell values apart and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
import msgpack  # type: ignore[import-untyped]  # it ships no types

from omium_core.journal.forms import DEPTH_MAX, FROZENSET, MODEL, PLAIN, SET, Refused, packer
from omium_core.journal.types import name_of

__all__ = ["canonical"]

CANON_DEPTH_MAX: Final = 100
"""What is nested deeper counts as opaque; a fixed bound, so that a digest never depends on the caller's stack."""

_TEXT_ONLY: Final = frozenset({str})
_MARKS: Final = tuple(msgpack.ExtType(code, b"") for code in range(64))
_PAIRS: Final = msgpack.ExtType(64, b"")
_OPAQUE: Final = msgpack.ExtType(65, b"")
_NAN: Final = msgpack.ExtType(66, b"")
_INT: Final = 67


def canonical(value: Any, parts_of: Callable[[Any], tuple[int, Any]]) -> tuple[bytes, bool]:
    """Give the canonical form of a value as bytes, and whether all of the value is storable.

    `parts_of` gives the code of a value that is not plain and what stands for it, or raises `Refused`.
    """
    if type(value) is dict and _is_flat(value):
        # Most arguments of steps are like this, and are digested with every call.
        return packer(_large_int).pack(value if len(value) == 1 else dict(sorted(value.items()))), True
    canon = _Canon(parts_of)
    return _pack(canon.of(value)), canon.storable


class _Cycle(Exception):
    """A value was met inside itself; caught where that value is."""


@attrs.define
class _Canon:
    """Makes one value canonical: plain lists, scalars and dicts with sorted keys; a mark tells what a list stands for.

    A mark is an extension type, which no value of a user's can be.
    """

    _parts_of: Callable[[Any], tuple[int, Any]]
    storable: bool = attrs.field(default=True, init=False)
    _active: set[int] = attrs.field(factory=set, init=False)
    _cyclic: set[int] = attrs.field(factory=set, init=False)
    _objects: int = attrs.field(default=0, init=False)

    def of(self, value: Any) -> Any:
        """Give the canonical form of a value."""
        cls = type(value)
        if cls in PLAIN:
            return value
        if cls is float:
            return value if value == value else _NAN
        key = id(value)
        if key in self._active:
            raise _Cycle(key)
        if len(self._active) >= CANON_DEPTH_MAX or key in self._cyclic:
            return self._opaque(cls)
        self._active.add(key)
        try:
            return self._inside(cls, value)
        except _Cycle as cycle:
            # All of a value that contains itself is opaque, and is not looked into again; where many refer to many,
            # looking into each from each would take forever.
            if cycle.args[0] != key:
                raise
            self._cyclic.add(key)
            return self._opaque(cls)
        except Refused:
            return self._opaque(cls)
        finally:
            self._active.discard(key)

    def _inside(self, cls: type, value: Any) -> Any:
        if cls is list:
            return value if set(map(type, value)) <= PLAIN else [self.of(one) for one in value]
        if cls is dict:
            return self._dict(value)
        if self._objects >= DEPTH_MAX:
            return self._opaque(cls)
        self._objects += 1
        try:
            return self._object(cls, value)
        finally:
            self._objects -= 1

    def _object(self, cls: type, value: Any) -> Any:
        if cls is set or cls is frozenset:
            return [_MARKS[SET if cls is set else FROZENSET], *sorted(_pack(self.of(one)) for one in value)]
        code, parts = self._parts_of(value)
        if code == MODEL:
            # Models are equal whether a value was given or is the default, so what was given does not count.
            parts = parts[:4]
        return [_MARKS[code], self.of(parts)]

    def _dict(self, value: dict[Any, Any]) -> Any:
        if _is_flat(value):
            return dict(sorted(value.items()))
        if set(map(type, value)) <= _TEXT_ONLY:
            return {key: self.of(value[key]) for key in sorted(value)}
        pairs = [[_pack(self.of(key)), self.of(one)] for key, one in value.items()]
        return [_PAIRS, *sorted(pairs, key=_first)]

    def _opaque(self, cls: type) -> Any:
        self.storable = False
        return [_OPAQUE, f"opaque:{name_of(cls)}"]


def _first(pair: list[Any]) -> Any:
    return pair[0]


def _is_flat(value: dict[Any, Any]) -> bool:
    """Say whether names, and values that stand for themselves, are all that is in there."""
    for key, one in value.items():
        cls = type(one)
        if type(key) is not str or not (cls in PLAIN or (cls is float and one == one)):
            return False
    return True


def _pack(value: Any) -> bytes:
    packed: bytes = packer(_large_int).pack(value)
    return packed


def _large_int(value: int) -> Any:
    return msgpack.ExtType(_INT, b"%x" % value)
