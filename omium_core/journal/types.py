"""Which classes recorded values may be restored to, and how instances are taken apart and put together.

A recorded value names its class by a tag. Tags are looked up here and nowhere else: nothing is ever imported because
recorded bytes name it.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import sys
import threading
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Annotated, Any, Final, Literal, TypeVar

import attrs

from omium_core.errors import UsageError

__all__ = ["Kind", "Record", "Types", "kind_of", "name_of", "record_of"]

ANNOTATIONS_MAX: Final = 100_000
"""How many parts one annotation may have, those of nested fields included."""

_NOT_STATE: Final = frozenset({"__orig_class__", "_attrs_cached_hash"})
"""Attributes of an instance that say nothing of its value; a cached hash is even wrong in another process."""

_Class = TypeVar("_Class", bound=type)
_MISSING: Final[Any] = object()


@attrs.define
class Types:
    """The classes that this program declares; only they are restored. Safe to use from many threads."""

    _classes: dict[str, type] = attrs.field(factory=dict, init=False)
    _tags: dict[type, str] = attrs.field(factory=dict, init=False)
    _walked: set[type] = attrs.field(factory=set, init=False)
    _unresolved: dict[Any, Mapping[str, Any]] = attrs.field(factory=dict, init=False, repr=False)
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)

    def register(self, cls: _Class, name: str | None = None) -> _Class:
        """Let recorded values be restored to `cls` and to what its fields are annotated with; give `cls` back.

        `name` is the tag to record instead of the class's own. A class that was recorded under its own tag before is
        still found under it. Raises `UsageError` where another class has the tag already; the same class defined
        again (a reload, a notebook) takes its place.
        """
        if not isinstance(cls, type):
            raise UsageError(f"`{cls!r}` is not a class; give the class whose values are to be restored")
        with self._lock:
            if name is not None or cls not in self._tags:
                self._claim(cls, name or _own_tag(cls))
        self.allow(cls)
        return cls

    def allow(self, annotation: Any, localns: Mapping[str, Any] | None = None) -> None:
        """Register every class that the annotation reaches: through generics, unions, aliases and nested fields.

        What cannot be resolved yet is tried again when a class or a tag is asked for that is not declared.
        """
        waiting, seen = [annotation], dict[int, Any]()
        for _ in range(ANNOTATIONS_MAX):
            if not waiting:
                return
            part = waiting.pop()
            if id(part) not in seen:
                seen[id(part)] = part
                waiting.extend(self._parts(part, localns))
        raise UsageError(f"an annotation has more than {ANNOTATIONS_MAX} parts; register its classes one by one")

    def allow_callable(self, function: Callable[..., Any], localns: Mapping[str, Any] | None = None) -> None:
        """Register what the annotations of the function's parameters and result reach.

        Annotations that cannot be resolved yet are tried again as in `allow`. `localns` has the names that were
        visible where the function was defined, for annotations that are text and name local classes.
        """
        plain = inspect.unwrap(function)
        while isinstance(plain, functools.partial):
            plain = inspect.unwrap(plain.func)
        for hint in self._resolved(plain, {**_closure_of(plain), **(localns or {})}):
            self.allow(hint, localns)

    def tag_of(self, cls: type) -> str | None:
        """Give the tag under which values of this class are recorded; None when the class is not declared."""
        tag = self._tags.get(cls)
        if tag is None and self._unresolved:
            self._try_again()
            tag = self._tags.get(cls)
        return tag

    def class_of(self, tag: str) -> type | None:
        """Give the class that a recorded tag stands for; None when none is declared."""
        cls = self._classes.get(tag)
        if cls is None and self._unresolved:
            self._try_again()
            cls = self._classes.get(tag)
        return cls

    def _claim(self, cls: type, tag: str) -> None:
        other = self._classes.get(tag)
        if other is not None and other is not cls and not _is_redefinition(other, cls):
            raise UsageError(
                f"`{tag}` names both `{name_of(other)}` and `{name_of(cls)}`; register one of them under another "
                f"`name=`, and do not import the file that is being run"
            )
        self._classes[tag] = cls
        self._tags[cls] = tag

    def _parts(self, part: Any, localns: Mapping[str, Any] | None) -> list[Any]:
        origin = typing.get_origin(part)
        if origin is Annotated:
            return [part.__origin__]
        if origin is Literal:
            return [type(one) for one in typing.get_args(part) if isinstance(one, enum.Enum)]
        if origin is not None:
            return [origin, *typing.get_args(part)]
        if isinstance(part, type):
            return self._class_parts(part, localns)
        return _alias_parts(part)

    def _class_parts(self, cls: type, localns: Mapping[str, Any] | None) -> list[Any]:
        if not _is_declarable(cls):
            return []
        with self._lock:
            if cls not in self._tags:
                self._claim(cls, _own_tag(cls))
            if cls in self._walked:
                return []
            self._walked.add(cls)
        return self._field_hints(cls, localns or {})

    def _field_hints(self, cls: Any, localns: Mapping[str, Any]) -> list[Any]:
        """Give the annotations of a class's fields, resolved as far as they can be."""
        if not (kind_of(cls) or _is_typed_dict(cls)):
            return []
        hints = self._resolved(cls, {cls.__name__: cls, **localns})
        if _is_model(cls):
            hints.extend(field.annotation for field in _pydantic_fields(cls).values())
        elif attrs.has(cls):
            hints.extend(field.type for field in attrs.fields(cls))
        return hints

    def _resolved(self, owner: Any, localns: dict[str, Any]) -> list[Any]:
        """Give those annotations of a class or function that can be resolved; remember that some cannot yet."""
        try:
            return list(typing.get_type_hints(owner, localns=localns, include_extras=True).values())
        except Exception:  # evaluating annotations runs what the user wrote there; anything may come of it
            with self._lock:
                self._unresolved[owner] = localns
            return [hint for base in _owners(owner) for hint in _separate_hints(base, localns)]

    def _try_again(self) -> None:
        with self._lock:
            owners = list(self._unresolved.items())
            self._unresolved.clear()
        for owner, localns in owners:
            for hint in self._resolved(owner, dict(localns)):
                self.allow(hint, localns)


def name_of(cls: type) -> str:
    """Give the name of a class as messages show it."""
    return f"{cls.__module__}.{cls.__qualname__}"


class Kind(enum.Enum):
    """What a class is made with, which decides how its instances are taken apart."""

    ENUM = "enum"
    TUPLE = "named tuple"
    MODEL = "pydantic model"
    RECORD = "attrs class or dataclass"


def kind_of(cls: type) -> Kind | None:
    """Say what a class is made with; None for a class whose instances have no declared fields."""
    if issubclass(cls, enum.Enum):
        return Kind.ENUM
    if issubclass(cls, tuple):
        return Kind.TUPLE if isinstance(getattr(cls, "_fields", None), tuple) else None
    if _is_model(cls):
        return Kind.MODEL
    if attrs.has(cls) or dataclasses.is_dataclass(cls):
        return Kind.RECORD
    return None


@attrs.frozen
class Record:
    """How instances of one class are taken apart and put together without running its code.

    `defaults` gives what a field that was added since has; a field that is in neither may be unset.
    """

    cls: type
    kind: Kind
    names: frozenset[str]
    required: frozenset[str]
    defaults: Mapping[str, Callable[[], Any]]
    slots: Mapping[str, Any]
    dropped: frozenset[str]
    has_dict: bool

    def take(self, value: Any) -> dict[str, Any]:
        """Give the fields of an instance, and what else is set on it, by name."""
        fields = {} if self.kind is not Kind.TUPLE else dict(zip(value._fields, tuple.__iter__(value), strict=True))
        for name, slot in self.slots.items():
            try:
                fields[name] = slot.__get__(value)
            except AttributeError:
                continue
        if self.has_dict:
            fields.update(value.__dict__)
            for name in self.dropped.intersection(fields):
                del fields[name]
        return fields

    def build(self, recorded: Any) -> Any:
        """Give an instance with these fields; raise `UsageError` where the class's fields have changed too much."""
        fields = self.complete(recorded)
        if self.kind is Kind.TUPLE:
            return self._build_tuple(fields)
        return self._fill(object.__new__(self.cls), fields)

    def complete(self, recorded: Any) -> dict[str, Any]:
        """Give the recorded fields and the defaults of those that were added since."""
        if not isinstance(recorded, dict) or not all(type(name) is str for name in recorded):
            raise ValueError("the fields are not named")
        missing = self.names.difference(recorded)
        if not missing:
            return recorded
        gone = sorted(self.required & missing)
        if gone:
            raise UsageError(
                f"a `{name_of(self.cls)}` was recorded without `{gone[0]}`, which now must be given; "
                f"give the field a default"
            )
        return {**recorded, **{name: self.defaults[name]() for name in missing if name in self.defaults}}

    def _build_tuple(self, fields: dict[str, Any]) -> Any:
        names = self.cls._fields  # type: ignore[attr-defined]  # a named tuple has them
        value: Any = tuple.__new__(self.cls, [fields[name] for name in names])
        return self._fill(value, {name: one for name, one in fields.items() if name not in names})

    def _fill(self, value: Any, fields: dict[str, Any]) -> Any:
        """Set the fields past every setter, validator and hook of the class."""
        rest = {}
        for name, one in fields.items():
            slot = self.slots.get(name)
            if slot is None:
                rest[name] = one
            else:
                slot.__set__(value, one)
        if rest:
            self._fill_dict(value, rest)
        if hasattr(self.cls, "_attrs_cached_hash"):
            object.__setattr__(value, "_attrs_cached_hash", None)
        return value

    def _fill_dict(self, value: Any, rest: dict[str, Any]) -> None:
        if not self.has_dict:
            raise UsageError(
                f"a `{name_of(self.cls)}` was recorded with `{next(iter(rest))}`, which the class no longer has; "
                f"restore the field, or roll back to before it"
            )
        value.__dict__.update(rest)


def record_of(cls: type) -> Record:
    """Work out the fields of a class; raise `TypeError` for one that builds on a type with contents of its own."""
    kind = kind_of(cls)
    names, required, defaults = _fields_of(cls, kind)
    has_dict = getattr(cls, "__dictoffset__", 0) != 0
    if kind is Kind.RECORD:
        object.__new__(cls)
    return Record(
        cls=cls,
        kind=kind or Kind.RECORD,
        names=frozenset(names),
        required=frozenset(required),
        defaults=defaults,
        slots=_slots_of(cls, frozenset(names)) if kind is Kind.RECORD else {},
        dropped=_NOT_STATE | _cached_names(cls),
        has_dict=has_dict,
    )


_Fields = tuple[list[str], list[str], dict[str, Callable[[], Any]]]


def _fields_of(cls: type, kind: Kind | None) -> _Fields:
    """Give the names of all fields, those that must be recorded, and the defaults of the others."""
    if kind is Kind.TUPLE:
        return _tuple_fields(cls)
    if kind is Kind.MODEL:
        return _model_fields(cls)
    return _attrs_fields(cls) if attrs.has(cls) else _dataclass_fields(cls)


def _tuple_fields(cls: Any) -> _Fields:
    defaults = {name: _constant(value) for name, value in getattr(cls, "_field_defaults", {}).items()}
    return list(cls._fields), [name for name in cls._fields if name not in defaults], defaults


def _model_fields(cls: Any) -> _Fields:
    required, defaults = [], dict[str, Callable[[], Any]]()
    fields = _pydantic_fields(cls)
    for name, field in fields.items():
        if field.is_required() or getattr(field, "default_factory_takes_validated_data", False):
            required.append(name)
        else:
            defaults[name] = functools.partial(field.get_default, call_default_factory=True)
    return list(fields), required, defaults


def _attrs_fields(cls: type) -> _Fields:
    required, defaults, names = [], dict[str, Callable[[], Any]](), []
    for field in attrs.fields(cls):
        names.append(field.name)
        default: Any = field.default
        if isinstance(default, attrs.Factory) and not default.takes_self:  # type: ignore[arg-type]  # a class at run time
            defaults[field.name] = default.factory
        elif default is not attrs.NOTHING and not isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # as above
            defaults[field.name] = _constant(default)
        elif field.init:
            required.append(field.name)
    return names, required, defaults


def _dataclass_fields(cls: Any) -> _Fields:
    required, defaults, names = [], dict[str, Callable[[], Any]](), []
    for field in dataclasses.fields(cls):
        names.append(field.name)
        if field.default is not dataclasses.MISSING:
            defaults[field.name] = _constant(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory
        elif field.init:
            required.append(field.name)
    return names, required, defaults


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _slots_of(cls: type, names: frozenset[str]) -> dict[str, Any]:
    """Give the descriptors of the slots that hold state, those of hand-written bases included."""
    slots = dict[str, Any]()
    for base in reversed(cls.__mro__):
        # attrs keeps cached properties in slots of their own; they are not state.
        generated = "__attrs_attrs__" in vars(base)
        slots.update(
            (name, member)
            for name, member in vars(base).items()
            if isinstance(member, types.MemberDescriptorType) and (name in names or not generated)
        )
    return {name: member for name, member in slots.items() if name not in _NOT_STATE}


def _cached_names(cls: type) -> frozenset[str]:
    return frozenset(
        name
        for base in cls.__mro__
        for name, member in vars(base).items()
        if isinstance(member, functools.cached_property)
    )


def _is_model(cls: type) -> bool:
    """Say whether this is a pydantic model, without importing pydantic."""
    main = sys.modules.get("pydantic.main")
    base = getattr(main, "BaseModel", None)
    return isinstance(base, type) and issubclass(cls, base)


def _is_typed_dict(cls: type) -> bool:
    """Say whether this is a TypedDict, of `typing` or of `typing_extensions`."""
    return issubclass(cls, dict) and isinstance(getattr(cls, "__total__", None), bool)


def _pydantic_fields(cls: Any) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(cls, "__pydantic_fields__", None) or cls.model_fields
    return fields


def _own_tag(cls: type) -> str:
    return f"{_module_name(cls.__module__)}.{cls.__qualname__}"


def _module_name(module: str) -> str:
    """Give the name the module has when it is imported, also for the file that is being run."""
    if module != "__main__":
        return module
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    name = getattr(spec, "name", None)
    if name:
        return str(name)
    file = getattr(main, "__file__", None)
    return PurePath(file).stem if file else module


def _is_redefinition(old: type, new: type) -> bool:
    return (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)


def _is_declarable(cls: type) -> bool:
    return cls.__module__ not in ("builtins", "typing") or issubclass(cls, BaseException)


def _alias_parts(part: Any) -> list[Any]:
    """Give what a type variable, a new type, an alias or a list of parameters stands for."""
    if isinstance(part, (list, tuple)):
        return list(part)
    if isinstance(part, TypeVar):
        return [part.__bound__, *part.__constraints__]
    for name in ("__supertype__", "__value__"):
        inner = getattr(part, name, _MISSING)
        if inner is not _MISSING:
            return [inner]
    return []


def _owners(owner: Any) -> tuple[Any, ...]:
    return owner.__mro__ if isinstance(owner, type) else (owner,)


def _separate_hints(owner: Any, localns: dict[str, Any]) -> Iterator[Any]:
    """Resolve each annotation alone, so that one that cannot be resolved does not hide the others."""
    module = sys.modules.get(getattr(owner, "__module__", ""), None)
    globalns = getattr(owner, "__globals__", None) or getattr(module, "__dict__", {})
    for name, annotation in (getattr(owner, "__annotations__", None) or {}).items():
        holder = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            yield from typing.get_type_hints(holder, globalns, localns, include_extras=True).values()
        except Exception:  # as above: this one is left out
            continue


def _closure_of(function: Any) -> dict[str, Any]:
    cells = getattr(function, "__closure__", None) or ()
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    found = {}
    for name, cell in zip(names, cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # the variable is not assigned yet
            continue
    return found
