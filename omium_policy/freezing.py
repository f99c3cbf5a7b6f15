"""How `frozen` makes a class of values: slots, and methods that are made from its fields when it is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NoReturn

import attrs

__all__ = ["frozen"]


class Member:
    """What `attrs.fields` gives for a field: its name, and whether it counts when values are compared and shown."""

    __slots__ = ("alias", "default", "eq", "hash", "init", "name", "repr")

    def __init__(self, name: str, declared: Any) -> None:
        self.name = self.alias = name
        self.init = True
        self.default = getattr(declared, "_default", declared)
        self.eq = getattr(declared, "eq", True) is not False
        self.hash = self.eq and getattr(declared, "hash", True) is not False
        self.repr = getattr(declared, "repr", True) is not False


def frozen(cls: Any) -> Any:
    """Return the class with slots for its annotated names, and with what values need: see `attrs.frozen`."""
    space = dict(cls.__dict__)
    members = tuple(Member(name, space.pop(name, attrs.NOTHING)) for name in space.get("__annotations__", ()))
    names = tuple(member.name for member in members)
    for name in ("__dict__", "__weakref__"):
        space.pop(name, None)
    space.update(__slots__=(*names, "__weakref__"), __match_args__=names, __attrs_attrs__=members)
    space.update(__setattr__=_refuse, __delattr__=_refuse, __reduce__=_reduce, __repr__=_repr)
    made = type(cls)(cls.__name__, cls.__bases__, space)
    made.__init__ = _init(made, members)
    made.__eq__ = _equal(made, _key(member.name for member in members if member.eq))
    made.__hash__ = _hashed(made, _key(member.name for member in members if member.hash))
    return made


def _init(made: Any, members: tuple[Member, ...]) -> Callable[..., None]:
    # A slot's own `__set__` gets past the `__setattr__` that refuses.
    puts = tuple(made.__dict__[member.name].__set__ for member in members)
    count = len(puts)

    def __init__(self: Any, *values: Any, **named: Any) -> None:
        if named or len(values) != count:
            values = _filled(made, members, values, named)
        for put, value in zip(puts, values, strict=True):
            put(self, value)

    return __init__


def _filled(made: Any, members: tuple[Member, ...], values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """Return a value for each field, in their order; raise `TypeError` as Python does when a call does not fit."""
    if len(values) > len(members):
        raise TypeError(f"{made.__name__}() takes {len(members)} values, and {len(values)} were given")
    found = dict(zip((member.name for member in members), values, strict=False))
    if found.keys() & named.keys() or named.keys() - {member.name for member in members}:
        raise TypeError(f"{made.__name__}() has no use for {sorted(named)}")
    found.update(named)
    for member in members:
        if member.name not in found:
            found[member.name] = _default(made, member)
    return tuple(found[member.name] for member in members)


def _default(made: Any, member: Member) -> Any:
    if member.default is attrs.NOTHING:
        raise TypeError(f"{made.__name__}() needs `{member.name}`")
    return member.default.factory() if hasattr(member.default, "factory") else member.default


def _key(names: Iterable[str]) -> Callable[[Any], Any]:
    found = tuple(names)
    return attrgetter(*found) if found else lambda _: ()


def _equal(made: Any, key: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def __eq__(self: Any, other: Any) -> Any:
        return key(self) == key(other) if other.__class__ is made else NotImplemented

    return __eq__


def _hashed(made: Any, key: Callable[[Any], Any]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:
        return hash((made, key(self)))

    return __hash__


def _repr(self: Any) -> str:
    shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in self.__attrs_attrs__ if one.repr)
    return f"{type(self).__name__}({shown})"


def _reduce(self: Any) -> tuple[Any, tuple[Any, ...]]:
    return type(self), tuple(getattr(self, name) for name in self.__match_args__)


def _refuse(self: Any, name: str, value: Any = None) -> NoReturn:
    raise attrs.exceptions.FrozenInstanceError
