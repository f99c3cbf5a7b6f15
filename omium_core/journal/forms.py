"""How values that msgpack does not know are written down: their extension codes, what stands for them, and back.

What stands for a value is again a value, packed like any other. Only exact types have a form; an instance of a
subclass is refused, since it would come back as something else.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final

import attrs
import msgpack  # type: ignore[import-untyped]  # it ships no types

from omium_core.errors import UnknownType, UsageError

__all__ = [
    "DEPTH_MAX",
    "ENUM",
    "EXTRA",
    "FROZENSET",
    "MODEL",
    "NAMED_TUPLE",
    "PLAIN",
    "RECORD",
    "SET",
    "Form",
    "Refused",
    "form_of",
    "forms",
    "packer",
]

DEPTH_MAX: Final = 64
"""How deep objects, tuples and sets may be nested. Lists and dicts in between have msgpack's bound, 511 or 1,024."""

PLAIN: Final = frozenset({type(None), bool, int, str, bytes})
"""Exact types that msgpack writes as they are, and that compare as they are written; a float may be no number."""

TUPLE: Final = 1
SET: Final = 2
FROZENSET: Final = 3
INT: Final = 4
DATETIME: Final = 5
DATE: Final = 6
TIME: Final = 7
TIMEDELTA: Final = 8
TIMEZONE: Final = 9
ZONEINFO: Final = 10
PYDANTIC_ZONE: Final = 11
DECIMAL: Final = 12
UUID: Final = 13
PATH: Final = 14
NDARRAY: Final = 15
NUMPY_SCALAR: Final = 16
ENUM: Final = 32
RECORD: Final = 33
MODEL: Final = 34
NAMED_TUPLE: Final = 35
EXTRA: Final = 36

_ZONE_KEY: Final = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_PATHS: Final[Mapping[str, tuple[type[PurePath], type[PurePath]]]] = {
    "PurePosixPath": (PurePosixPath, PurePosixPath),
    "PureWindowsPath": (PureWindowsPath, PureWindowsPath),
    "PosixPath": (PosixPath, PurePosixPath),
    "WindowsPath": (WindowsPath, PureWindowsPath),
}


class Refused(Exception):
    """Why a value cannot be stored; private, since the caller adds where it is."""


@attrs.frozen
class Form:
    """One way to write values down: `take` gives what stands for a value, `build` the value, `view` its data view."""

    code: int
    take: Callable[[Any], Any]
    build: Callable[[Any], Any]
    view: Callable[[Any], Any]


def form_of(cls: type) -> Form | None:
    """Give the form of exactly this type, from the standard library or from numpy."""
    form = _STANDARD.get(cls)
    if form is not None:
        return form
    if cls.__module__.startswith("zoneinfo") and cls is getattr(sys.modules.get("zoneinfo"), "ZoneInfo", None):
        return _ZONEINFO
    if cls.__module__.startswith("pydantic_core") and cls.__name__ == "TzInfo":
        return _PYDANTIC_ZONE
    return _numpy_form(cls)


def forms() -> list[Form]:
    """Give all forms, for reading."""
    return [*_STANDARD.values(), _ZONEINFO, _PYDANTIC_ZONE, _NDARRAY, _NUMPY_SCALAR]


def packer(default: Callable[[Any], Any], *, surrogates: bool = True) -> Any:
    """Give a packer that takes no subclass for its base; `default` is given what msgpack does not know.

    One that takes text with lone surrogates is slower with every text; without, it raises `UnicodeEncodeError`.
    """
    errors = "surrogatepass" if surrogates else None
    return msgpack.Packer(default=default, strict_types=True, unicode_errors=errors)


def _same(parts: Any) -> Any:
    return parts


def _typed(name: str, text: Callable[[Any], Any] = _same) -> Callable[[Any], Any]:
    return lambda parts: {"@type": name, "value": text(parts)}


def _items(name: str) -> Callable[[Any], Any]:
    return lambda parts: {"@type": name, "items": parts}


def _take_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _build_int(parts: bytes) -> int:
    return int.from_bytes(parts, "big", signed=True)


def _take_datetime(value: dt.datetime) -> Any:
    text = value.replace(tzinfo=None).isoformat()
    return text if value.tzinfo is None and not value.fold else [text, value.fold, value.tzinfo]


def _build_datetime(parts: Any) -> dt.datetime:
    if isinstance(parts, str):
        return dt.datetime.fromisoformat(parts)
    text, fold, zone = parts
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def _take_time(value: dt.time) -> Any:
    text = value.replace(tzinfo=None).isoformat()
    return text if value.tzinfo is None and not value.fold else [text, value.fold, value.tzinfo]


def _build_time(parts: Any) -> dt.time:
    if isinstance(parts, str):
        return dt.time.fromisoformat(parts)
    text, fold, zone = parts
    return dt.time.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def _zoned_text(parts: Any) -> str:
    """Give `2026-01-02T03:04:05+01:00`, or with a named zone `2026-01-02T03:04:05[Europe/Berlin]`."""
    if isinstance(parts, str):
        return parts
    text, _, zone = parts
    if zone is None:
        return str(text)
    return f"{text}[{zone['value']}]" if zone["@type"] == "zoneinfo" else f"{text}{zone['value']}"


def _take_timedelta(value: dt.timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _take_timezone(value: dt.timezone) -> list[Any]:
    offset, name = value.utcoffset(None), value.tzname(None)
    own_name = [] if name == dt.timezone(offset).tzname(None) else [name]
    return [*_take_timedelta(offset), *own_name]


def _build_timezone(parts: list[Any]) -> dt.timezone:
    return dt.timezone(dt.timedelta(*parts[:3]), *parts[3:])


def _offset_text(offset: dt.timedelta) -> str:
    return str(dt.timezone(offset))[3:] or "+00:00"


def _take_zoneinfo(value: Any) -> str:
    if not isinstance(value.key, str) or not _ZONE_KEY.fullmatch(value.key):
        raise Refused("its time zone has no name; make the zone with its name, as `ZoneInfo(name)`")
    return str(value.key)


def _build_zoneinfo(parts: str) -> Any:
    # Looking a zone up may open files that its name leads to, so only names of zones get there.
    if not _ZONE_KEY.fullmatch(parts):
        raise ValueError("not a name of a time zone")
    import zoneinfo  # it is needed by those who use it

    try:
        return zoneinfo.ZoneInfo(parts)
    except zoneinfo.ZoneInfoNotFoundError as error:
        raise UsageError(f"this machine does not know the time zone `{parts}`; run: pip install tzdata") from error


def _take_pydantic_zone(value: dt.tzinfo) -> int:
    offset = value.utcoffset(None)
    if offset is None:
        raise Refused("its time zone has no offset")
    return int(offset.total_seconds())


def _build_pydantic_zone(parts: int) -> dt.tzinfo:
    zone = getattr(sys.modules.get("pydantic_core"), "TzInfo", None)
    return zone(parts) if zone is not None else dt.timezone(dt.timedelta(seconds=parts))


def _build_decimal(parts: str) -> Decimal:
    if not isinstance(parts, str):
        raise ValueError("not the text of a number")
    return Decimal(parts)


def _take_path(value: PurePath) -> list[str]:
    return [type(value).__name__, str(value)]


def _build_path(parts: list[str]) -> PurePath:
    """Give the path; one of another operating system comes back as its pure form."""
    name, text = parts
    concrete, pure = _PATHS[name]
    try:
        return concrete(text)
    except NotImplementedError:
        return pure(text)


def _numpy() -> Any:
    try:
        import numpy  # only those who stored an array need it
    except ImportError:
        raise UnknownType("numpy.ndarray") from None
    return numpy


def _numpy_form(cls: type) -> Form | None:
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "ndarray"):
        return None
    if cls is numpy.ndarray:
        return _NDARRAY
    return _NUMPY_SCALAR if issubclass(cls, numpy.generic) else None


def _dtype_parts(dtype: Any) -> Any:
    """Give what describes a dtype; refuse one whose values are objects or that would come back as another."""
    numpy = _numpy()
    if dtype.hasobject:
        raise Refused("an array of objects is not data; give it a number or text type, or use a list")
    parts = numpy.lib.format.dtype_to_descr(dtype)
    if numpy.lib.format.descr_to_dtype(parts) != dtype:
        raise Refused(f"an array of `{dtype}` would come back as another type; convert it")
    return parts


def _build_dtype(parts: Any) -> Any:
    dtype = _numpy().lib.format.descr_to_dtype(parts)
    if dtype.hasobject:
        raise ValueError("an array of objects is not data")
    return dtype


def _take_ndarray(value: Any) -> list[Any]:
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    return [_dtype_parts(value.dtype), list(value.shape), order, value.tobytes(order)]


def _build_ndarray(parts: list[Any]) -> Any:
    descr, shape, order, raw = parts
    array = _numpy().ndarray(tuple(shape), _build_dtype(descr), buffer=bytearray(raw), order=order)
    if array.nbytes != len(raw):
        raise ValueError("an array has another size than its shape says")
    return array


def _view_ndarray(parts: list[Any]) -> dict[str, Any]:
    descr, shape, order, raw = parts
    return {"@type": "numpy.ndarray", "dtype": descr, "shape": shape, "order": order, "value": raw}


def _take_numpy_scalar(value: Any) -> list[Any]:
    # numpy drops zeros at the end of text and bytes, also in `str(value)`, so they are taken past it.
    if value.dtype.kind == "U":
        return ["U", str.__str__(value)]
    if value.dtype.kind == "S":
        return ["S", bytes.__getitem__(value, slice(None))]
    parts = _dtype_parts(value.dtype)
    if _build_dtype(parts).type is not type(value):
        raise Refused(f"a `{type(value).__name__}` would come back as another type; convert it")
    return [parts, value.tobytes()]


def _build_numpy_scalar(parts: list[Any]) -> Any:
    descr, raw = parts
    if descr == "U":
        return _numpy().str_(raw)
    if descr == "S":
        return _numpy().bytes_(raw)
    return _build_ndarray([descr, [], "C", raw])[()]


def _view_numpy_scalar(parts: list[Any]) -> dict[str, Any]:
    return {"@type": "numpy.generic", "dtype": parts[0], "value": parts[1]}


_PATH = Form(PATH, _take_path, _build_path, _typed("path", lambda parts: parts[1]))
_ZONEINFO = Form(ZONEINFO, _take_zoneinfo, _build_zoneinfo, _typed("zoneinfo"))
_PYDANTIC_ZONE = Form(
    PYDANTIC_ZONE,
    _take_pydantic_zone,
    _build_pydantic_zone,
    _typed("timezone", lambda parts: _offset_text(dt.timedelta(seconds=parts))),
)
_NDARRAY = Form(NDARRAY, _take_ndarray, _build_ndarray, _view_ndarray)
_NUMPY_SCALAR = Form(NUMPY_SCALAR, _take_numpy_scalar, _build_numpy_scalar, _view_numpy_scalar)

_STANDARD: Final[Mapping[type, Form]] = {
    tuple: Form(TUPLE, list, tuple, _same),
    set: Form(SET, list, set, _items("set")),
    frozenset: Form(FROZENSET, list, frozenset, _items("frozenset")),
    int: Form(INT, _take_int, _build_int, _build_int),
    dt.datetime: Form(DATETIME, _take_datetime, _build_datetime, _typed("datetime", _zoned_text)),
    dt.date: Form(DATE, dt.date.isoformat, dt.date.fromisoformat, _typed("date")),
    dt.time: Form(TIME, _take_time, _build_time, _typed("time", _zoned_text)),
    dt.timedelta: Form(
        TIMEDELTA,
        _take_timedelta,
        lambda parts: dt.timedelta(*parts),
        _typed("timedelta", lambda parts: dt.timedelta(*parts).total_seconds()),
    ),
    dt.timezone: Form(
        TIMEZONE,
        _take_timezone,
        _build_timezone,
        _typed("timezone", lambda parts: _offset_text(dt.timedelta(*parts[:3]))),
    ),
    Decimal: Form(DECIMAL, str, _build_decimal, _typed("decimal")),
    uuid.UUID: Form(
        UUID,
        lambda value: value.bytes,
        lambda parts: uuid.UUID(bytes=parts),
        _typed("uuid", lambda parts: str(uuid.UUID(bytes=parts))),
    ),
    PurePosixPath: _PATH,
    PureWindowsPath: _PATH,
    PosixPath: _PATH,
    WindowsPath: _PATH,
}
"""The forms by exact type. An int gets here only when it has more than 64 bits."""
