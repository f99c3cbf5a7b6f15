"""Values as data: the stored form of what users return and pass, and back to the same types.

msgpack writes plain values. Every other value is an extension type of its own, whose data is a packed value too:
standard types have a form each (forms.py); instances of declared classes are their tag and their fields. Nothing is
imported or run for recorded bytes but the constructors of declared classes' instances, past their `__init__`.

The data view, for readers without the classes, has dicts, lists and scalars: an object is `{"@type": tag, **fields}`,
an enum member `{"@type": tag, "name": ..., "value": ...}`, other types `{"@type": "decimal", "value": "1.20"}` with
text, a number of seconds, or base64 for bytes; sets have `"items"`, and so has a dict whose keys are not all text, as
pairs. A tuple is a list.
"""

from __future__ import annotations

import base64
import enum
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

import attrs
import msgpack  # type: ignore[import-untyped]  # it ships no types

from omium_core.errors import OmiumError, StoreError, UnknownType, Unstorable, UsageError
from omium_core.journal.canon import canonical
from omium_core.journal.forms import (
    DEPTH_MAX,
    ENUM,
    EXTRA,
    FROZENSET,
    MODEL,
    NAMED_TUPLE,
    PLAIN,
    RECORD,
    SET,
    Refused,
    form_of,
    forms,
    packer,
)
from omium_core.journal.tree import INLINE_BYTES, RAW, Memory, Reader, Splitter, Squeezer, array
from omium_core.journal.types import Kind, Record, Types, kind_of, name_of, record_of
from omium_core.model.body import Blob, Body, Reliance

__all__ = ["Codec", "ExtraCodec"]

VALUE_BYTES_MAX: Final = 512 << 20
LEVELS_MAX: Final = 1_100
"""More than msgpack packs lists and dicts deep."""

PATH_STEPS_MAX: Final = 2_000
PATH_CHARS_MAX: Final = 160

_NESTS: Final = frozenset({list, dict})
_Parts = tuple[int, Callable[[Any], Any]]


@attrs.frozen
class ExtraCodec:
    """How a plugin stores a class and its subclasses: `encode` gives a plain storable value, `decode` the instance.

    `tag` is what is recorded; it MUST stay the same for as long as values are to be restored. `decode` MUST give the
    same class back and MUST NOT import or run what the value names.
    """

    tag: str
    matches: type
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


@attrs.define
class Codec:
    """Gives values their stored form and restores them. Safe to use from many threads."""

    types: Types
    extras: Sequence[ExtraCodec] = ()
    _plans: dict[type, _Parts] = attrs.field(factory=dict, init=False, repr=False)
    _records: dict[type, Record] = attrs.field(factory=dict, init=False, repr=False)
    _builders: dict[int, Callable[[Any], Any]] = attrs.field(init=False, repr=False)
    _viewers: dict[int, Callable[[Any], Any]] = attrs.field(init=False, repr=False)
    _memory: Memory = attrs.field(factory=Memory, init=False, repr=False)
    _squeezer: Squeezer = attrs.field(factory=Squeezer, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._builders = {form.code: form.build for form in forms()} | {
            ENUM: self._build_enum,
            RECORD: self._build_record,
            NAMED_TUPLE: self._build_record,
            MODEL: self._build_model,
            EXTRA: self._build_extra,
        }
        self._viewers = {form.code: form.view for form in forms()} | {
            ENUM: lambda parts: {"@type": parts[0], "name": parts[1], "value": parts[2]},
            RECORD: lambda parts: {"@type": parts[0], **parts[1]},
            NAMED_TUPLE: lambda parts: {"@type": parts[0], **parts[1]},
            MODEL: lambda parts: {"@type": parts[0], **parts[1], **(parts[2] or {})},
            EXTRA: _view_extra,
        }

    def seal(self, value: Any) -> Body:
        """Give the stored form of a value; `blobs` are those parts that are not known to be durable.

        Raises `Unstorable` for a value that a fresh process could not restore, naming where it is.
        """
        packing = _Packing(self.parts_of)
        try:
            packed = packing.pack(value)
            if len(packed) <= INLINE_BYTES:
                data = RAW + packed
                return Body(data, hashlib.sha256(data).hexdigest())
            if len(packed) > VALUE_BYTES_MAX:
                raise Refused(f"it has more than {VALUE_BYTES_MAX} bytes; store it elsewhere and keep its name")
            # Read BEFORE anything is looked up: what is known of a later generation holds for this one as well.
            generation = self._memory.generation
            splitter = Splitter(packing.pack_unchecked, self._take_apart, self._memory, self._squeezer)
            data = self._squeezer.wrap(splitter.split(value, packed), INLINE_BYTES)
        except (Refused, RecursionError) as refusal:
            raise self._explain(value, refusal) from refusal.__cause__
        digest = hashlib.sha256(data).hexdigest()
        reliance = Reliance(generation, partial(self._again, value, digest))
        return Body(data, digest, tuple(splitter.blobs.values()), reliance=reliance)

    def _again(self, value: Any, digest: str, generation: int) -> tuple[Blob, ...]:
        """Give the blobs below a body that are not known to be durable in a generation of the store."""
        self._memory.forget(generation)
        body = self.seal(value)
        if body.digest != digest:
            raise StoreError("a value was changed while it was being stored and blobs of it were pruned; resume it")
        return body.blobs

    def open(self, data: bytes, fetch: Callable[[str], bytes]) -> Any:
        """Give the value of a body, of the same types; `fetch` gives a blob's stored bytes, its digest checked.

        Raises `UnknownType` for a class that is not declared, `UsageError` for one whose fields do not fit any more,
        `Corrupted` for bytes that do not parse.
        """
        return Reader(self._squeezer, fetch, self._builders).read(data)

    def view(self, data: bytes, fetch: Callable[[str], bytes]) -> Any:
        """Give the data view of a body; it needs no class. Raises `Corrupted` for bytes that do not parse."""
        hooks = {"list_hook": _view_list, "object_pairs_hook": _view_pairs}
        return _view_bytes(Reader(self._squeezer, fetch, self._viewers, hooks).read(data))

    def digest(self, value: Any) -> tuple[str, bool]:
        """Give the sha256 of a value in hex, and whether the value is storable.

        Values that differ only in the order of dicts and sets have the same digest, in every process. What is not
        storable counts as `opaque:` and its type's name; so does what is nested deeper than 100 levels.
        """
        packed, storable = canonical(value, self.parts_of)
        return hashlib.sha256(packed).hexdigest(), storable and len(packed) <= VALUE_BYTES_MAX

    def stored(self, digests: Iterable[str], generation: int | None = None) -> None:
        """Be told that blobs are durable, ALL those of a body at once; later bodies leave them out.

        `generation` is the one that the body was sealed in.
        """
        self._memory.stored(digests, generation)

    def forget(self) -> None:
        """Take no blob for durable any more; call it BEFORE blobs are removed, and after a store failed."""
        self._memory.forget()

    def parts_of(self, value: Any) -> tuple[int, Any]:
        """Give the extension code of a value that is not plain, and what stands for it; raise `Refused`."""
        cls = type(value)
        plan = self._plans.get(cls)
        if plan is None:
            plan = self._plans[cls] = self._plan(cls)
        return plan[0], plan[1](value)

    def _take_apart(self, value: Any) -> tuple[int, Any] | None:
        if type(value) in PLAIN or type(value) in (float, set, frozenset):
            return None
        return self.parts_of(value)

    def _plan(self, cls: type) -> _Parts:
        for extra in self.extras:
            if issubclass(cls, extra.matches):
                return EXTRA, _taker_of_extra(extra)
        form = form_of(cls)
        if form is not None:
            return form.code, form.take
        kind = kind_of(cls)
        tag = self.types.tag_of(cls)
        if kind is None or issubclass(cls, BaseException):
            raise Refused(_why_not(cls))
        if tag is None:
            raise Refused(
                f"`{name_of(cls)}` is not declared; declare it in an annotation of the step, "
                f"or call `omium.register({cls.__name__})`"
            )
        return self._plan_of_declared(cls, kind, tag)

    def _plan_of_declared(self, cls: type, kind: Kind, tag: str) -> _Parts:
        if kind is Kind.ENUM:
            return ENUM, lambda member: _take_enum(tag, member)
        record = self._record_of(cls)
        if kind is Kind.MODEL:
            return MODEL, lambda model: _take_model(tag, record, model)
        code = NAMED_TUPLE if kind is Kind.TUPLE else RECORD
        return code, lambda value: [tag, record.take(value)]

    def _record_of(self, cls: type) -> Record:
        record = self._records.get(cls)
        if record is None:
            try:
                record = self._records[cls] = record_of(cls)
            except TypeError:
                raise Refused(
                    f"`{name_of(cls)}` builds on a built-in type, whose contents would be lost; make that a field"
                ) from None
        return record

    def _class_of(self, tag: str, *kinds: Kind) -> type:
        cls = self.types.class_of(tag)
        if cls is None:
            raise UnknownType(tag)
        if kind_of(cls) not in kinds:
            raise UsageError(f"`{tag}` was recorded as a {kinds[0].value}, which it is no longer")
        return cls

    def _build_enum(self, parts: list[Any]) -> Any:
        tag, name, value = parts
        cls: Any = self._class_of(tag, Kind.ENUM)
        member = cls.__members__.get(name)
        if member is not None:
            return member
        if issubclass(cls, enum.Flag) and type(value) is int:
            return cls(value)
        raise UsageError(f"`{tag}` no longer has the member `{name}`, which was recorded; restore it")

    def _build_record(self, parts: list[Any]) -> Any:
        tag, fields = parts
        return self._record_of(self._class_of(tag, Kind.RECORD, Kind.TUPLE)).build(fields)

    def _build_model(self, parts: list[Any]) -> Any:
        tag, fields, extra, private, fields_set = parts
        cls = self._class_of(tag, Kind.MODEL)
        record = self._record_of(cls)
        complete = record.complete(fields)
        unknown = sorted(complete.keys() - record.names)
        if unknown:
            raise UsageError(f"a `{tag}` was recorded with `{unknown[0]}`, which the class no longer has; restore it")
        model: Any = object.__new__(cls)
        object.__setattr__(model, "__dict__", complete)
        object.__setattr__(model, "__pydantic_fields_set__", set(fields_set))
        object.__setattr__(model, "__pydantic_extra__", extra)
        object.__setattr__(model, "__pydantic_private__", private)
        return model

    def _build_extra(self, parts: list[Any]) -> Any:
        tag, plain = parts
        for extra in self.extras:
            if extra.tag == tag:
                return extra.decode(plain)
        raise UnknownType(tag)

    def _explain(self, value: Any, refusal: BaseException) -> Unstorable:
        """Find the innermost part that cannot be packed, and say why."""
        path, trail = "$", {id(value): value}
        for _ in range(PATH_STEPS_MAX):
            found = self._first_refused(value)
            if found is None:
                break
            step, value, refusal = found
            path += step
            if id(value) in trail:
                return Unstorable(_shortened(path), "it contains itself")
            trail[id(value)] = value
        reason = str(refusal) if isinstance(refusal, Refused) else "it is nested too deep"
        return Unstorable(_shortened(path), reason)

    def _first_refused(self, value: Any) -> tuple[str, Any, BaseException] | None:
        for step, child in self._children(value):
            try:
                _Packing(self.parts_of).pack(child)
            except (Refused, RecursionError) as refusal:
                return step, child, refusal
        return None

    def _children(self, value: Any) -> Iterator[tuple[str, Any]]:
        cls = type(value)
        if cls in (list, tuple):
            yield from ((f"[{index}]", one) for index, one in enumerate(value))
        elif cls is dict:
            yield from ((".keys()", key) for key in value)
            yield from ((_step(key), one) for key, one in value.items())
        elif cls in (set, frozenset):
            yield from (("[*]", one) for one in value)
        elif cls not in PLAIN and cls is not float:
            yield from self._fields(value)

    def _fields(self, value: Any) -> Iterator[tuple[str, Any]]:
        try:
            code, parts = self.parts_of(value)
        except Refused:
            return
        if code in (RECORD, NAMED_TUPLE, MODEL):
            for fields in parts[1:4]:
                yield from ((_step(name), one) for name, one in (fields or {}).items())
        elif isinstance(parts, list):
            yield from (("", one) for one in parts)


@attrs.define
class _Packing:
    """Packs one value. Each call has a packer of its own: one packer can neither be shared nor entered again."""

    _parts_of: Callable[[Any], tuple[int, Any]]
    _depth: int = 0
    _surrogates: bool = False

    def pack(self, value: Any) -> bytes:
        """Give the packed value; raise `Refused` for what would not come back as it is."""
        packed = self.pack_unchecked(value)
        if _may_hide_lookalikes(packed):
            _refuse_lookalikes(value)
        return packed

    def pack_unchecked(self, value: Any) -> bytes:
        """Give the packed value of what `pack` has taken before."""
        try:
            packed: bytes = packer(self._default, surrogates=self._surrogates).pack(value)
        except UnicodeEncodeError:
            # It is remembered, because what is around this part is packed anew as well.
            self._surrogates = True
            return self.pack_unchecked(value)
        except (ValueError, OverflowError) as error:
            # msgpack's own limits; it has no types for them.
            reason = "it is nested too deep" if "recursion" in str(error) else f"it is too large: {error}"
            raise Refused(reason) from None
        return packed

    def _default(self, value: Any) -> Any:
        # The depth is not put back when something is raised: nothing more is packed then.
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise Refused(f"its objects are nested deeper than {DEPTH_MAX} levels")
        cls = type(value)
        if cls is set or cls is frozenset:
            # The order of a set differs between processes; its stored form does not.
            payload = array([(1, one) for one in sorted(map(self.pack, value))])
            code = SET if cls is set else FROZENSET
        else:
            code, parts = self._parts_of(value)
            payload = self.pack(parts)
        self._depth -= 1
        return msgpack.ExtType(code, payload)


_LOOKALIKES: Final = frozenset({bytearray, memoryview, msgpack.ExtType, msgpack.Timestamp})
_SIGNS: Final = (*range(0xC4, 0xCA), *range(0xD4, 0xD9))


def _may_hide_lookalikes(packed: bytes) -> bool:
    """Say whether bytes or an extension type may be in there; far quicker than looking through the value."""
    # A plain loop over numbers: it runs for every value, and `any` or `bytes.find` would take twice as long.
    for sign in _SIGNS:  # noqa: SIM110
        if sign in packed:
            return True
    return False


def _refuse_lookalikes(value: Any) -> None:
    """Refuse what the packer takes for bytes or an extension type although it is another type."""
    level = [value]
    for _ in range(LEVELS_MAX):
        kinds = set(map(type, level))
        _refuse_kinds(kinds)
        if kinds.isdisjoint(_NESTS):
            return
        dicts = [one for one in level if type(one) is dict]
        lists = [one for one in level if type(one) is list]
        _refuse_kinds(set(map(type, chain.from_iterable(dicts))))
        level = [*chain.from_iterable(map(dict.values, dicts)), *chain.from_iterable(lists)]
    raise Refused("it is nested too deep")


def _refuse_kinds(kinds: set[type]) -> None:
    if not kinds.isdisjoint(_LOOKALIKES):
        cls = next(iter(kinds & _LOOKALIKES))
        raise Refused(f"a `{cls.__name__}` would come back as another type; convert it, for example to `bytes`")


def _why_not(cls: type) -> str:
    if issubclass(cls, BaseException):
        return f"`{name_of(cls)}` is an exception; raise it, or return what it says"
    for base in (dict, list, tuple, set, frozenset, str, bytes, int, float):
        if issubclass(cls, base):
            return f"`{name_of(cls)}` is a kind of `{base.__name__}` that would come back as another type; convert it"
    if cls in _LOOKALIKES:
        return f"a `{cls.__name__}` would come back as another type; convert it, for example to `bytes`"
    return f"`{name_of(cls)}` is not data; keep what it was made from, or install a codec plugin for it"


def _taker_of_extra(extra: ExtraCodec) -> Callable[[Any], Any]:
    def take(value: Any) -> list[Any]:
        try:
            return [extra.tag, extra.encode(value)]
        except OmiumError:
            raise
        except Exception as error:  # a plugin's code raises what it likes
            raise Refused(f"the codec `{extra.tag}` cannot store it: {error}") from error

    return take


def _take_enum(tag: str, member: Any) -> list[Any]:
    """Give the member's name, and its value for readers and for flags that have no name."""
    name, value = member._name_, member._value_
    if type(member).__members__.get(name) is not member:
        name = None
        if not (isinstance(member, enum.Flag) and type(value) is int):
            raise Refused(f"it is not one of the members that `{tag}` declares")
    return [tag, name, value if type(value) in PLAIN or type(value) is float else None]


def _take_model(tag: str, record: Record, model: Any) -> list[Any]:
    fields = {name: value for name, value in model.__dict__.items() if name in record.names}
    return [tag, fields, model.__pydantic_extra__, model.__pydantic_private__, sorted(model.__pydantic_fields_set__)]


def _view_extra(parts: list[Any]) -> dict[str, Any]:
    tag, plain = parts
    return {"@type": tag, **plain} if isinstance(plain, dict) else {"@type": tag, "value": plain}


def _view_bytes(value: Any) -> Any:
    if type(value) is bytes:
        return {"@type": "bytes", "value": base64.b64encode(value).decode("ascii")}
    return value


def _view_list(elements: list[Any]) -> list[Any]:
    return [_view_bytes(one) for one in elements]


def _view_pairs(pairs: list[tuple[Any, Any]]) -> Any:
    if all(type(key) is str for key, _ in pairs):
        return {key: _view_bytes(value) for key, value in pairs}
    return {"@type": "dict", "items": [[_view_bytes(key), _view_bytes(value)] for key, value in pairs]}


def _step(key: Any) -> str:
    if type(key) is not str:
        return f"[{key!r}]" if type(key) in PLAIN or type(key) is float else f"[{name_of(type(key))}]"
    return f".{key}" if key.isidentifier() else f"[{key!r}]"


def _shortened(path: str) -> str:
    if len(path) <= PATH_CHARS_MAX:
        return path
    half = PATH_CHARS_MAX // 2
    return f"{path[:half]}...{path[-half:]}"
