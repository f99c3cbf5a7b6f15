"""JSON values into annotated types: classes with fields, enums, decimals, times, collections; nothing is guessed."""

from __future__ import annotations

import base64
import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
from cattrs import Converter
from cattrs.errors import (
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.strategies import configure_union_passthrough
from cattrs.v import transform_error

from omium_core.errors import UsageError

__all__ = ["fields_of", "kind_text", "structured"]

_TEXTS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    bytes: "text in base64",
    Decimal: "a number, or a number as text",
    datetime: "a time such as 2026-12-31T12:00:00+00:00",
    date: "a date such as 2026-12-31",
    time: "a time of day such as 12:00:00",
    UUID: "a UUID",
    Path: "a path",
}
_UNKNOWN_FIELD = "has no field"
_BUILDERS: dict[Any, Callable[[Any], Any]] = {
    list: list,
    Sequence: list,
    MutableSequence: list,
    tuple: tuple,
    set: set,
    AbstractSet: set,
    frozenset: frozenset,
}


def structured(value: Any, annotation: Any, path: str) -> Any:
    """Return the value as the annotation says; raise `UsageError` naming the path that does not fit, and what would."""
    if annotation is Any or annotation is object:
        return value
    try:
        return _converter().structure(value, annotation)
    except UsageError:
        raise
    except Exception as error:  # Constructors and validators are user code and may raise anything.
        raise UsageError(_sentence(error, annotation, path)) from error


def kind_text(annotation: Any) -> str:
    """Say in words what an annotation takes; empty where it takes anything."""
    if annotation in (None, Any, object):
        return ""
    if annotation in _TEXTS:
        return _TEXTS[annotation]
    origin: Any = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(kind_text(one) or "anything" for one in typing.get_args(annotation) if one is not type(None))
    if origin is typing.Literal:
        return f"one of {', '.join(str(one) for one in typing.get_args(annotation))}"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return f"one of {', '.join(str(one.value) for one in annotation)}"
    if (origin or annotation) in _BUILDERS:
        return "a list"
    names = fields_of(annotation)
    return f"an object with {', '.join(names)}" if names else "an object"


def fields_of(annotation: Any) -> tuple[str, ...]:
    """Return the fields of a class whose values are written as objects."""
    if not isinstance(annotation, type):
        return ()
    if attrs.has(annotation):
        return tuple(one.name for one in attrs.fields(annotation) if one.init)
    if dataclasses.is_dataclass(annotation):
        return tuple(one.name for one in dataclasses.fields(annotation) if one.init)
    names: Any = getattr(annotation, "model_fields", None) or getattr(annotation, "__annotations__", ())
    return tuple(names)


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for cls, hook in _hooks().items():
        converter.register_structure_hook(cls, hook)
    converter.register_structure_hook_func(_is_model, lambda value, cls: cls.model_validate(value))
    converter.register_structure_hook_func(
        lambda cls: isinstance(cls, type) and issubclass(cls, enum.Enum), lambda value, cls: cls(value)
    )
    converter.register_structure_hook_func(_is_list, lambda value, one: _list(converter, value, one))
    configure_union_passthrough(bool | int | float | str | None, converter)
    return converter


def _hooks() -> dict[Any, Callable[[Any, Any], Any]]:
    return {
        bool: lambda value, _: _only(value, bool),
        int: lambda value, _: _whole(value),
        float: lambda value, _: float(_only(value, int, float)),
        str: lambda value, _: _only(value, str),
        bytes: lambda value, _: base64.b64decode(_only(value, str), validate=True),
        Decimal: lambda value, _: _decimal(value),
        datetime: lambda value, _: datetime.fromisoformat(_zone(_only(value, str))),
        date: lambda value, _: date.fromisoformat(_only(value, str)),
        time: lambda value, _: time.fromisoformat(_only(value, str)),
        UUID: lambda value, _: UUID(_only(value, str)),
        Path: lambda value, _: Path(_only(value, str)),
    }


def _only(value: Any, *kinds: type) -> Any:
    """Return a value of these kinds; JSON's true and false are not numbers."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise TypeError("is of another kind")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    number: int = _only(value, int)
    return number


def _decimal(value: Any) -> Decimal:
    try:
        return Decimal(str(_only(value, int, float, str)))
    except InvalidOperation as error:
        raise ValueError("is not a number") from error


def _zone(text: str) -> str:
    """Return a time as Python 3.10 reads it, which does not know `Z`."""
    return f"{text[:-1]}+00:00" if text.endswith("Z") else text


def _is_model(cls: Any) -> bool:
    return isinstance(cls, type) and hasattr(cls, "model_validate")


def _is_list(annotation: Any) -> bool:
    origin: Any = typing.get_origin(annotation)
    return (annotation if origin is None else origin) in _BUILDERS


def _list(converter: Converter, value: Any, annotation: Any) -> Any:
    """Structure a list; cattrs by itself takes text and objects for lists too."""
    _only(value, list)
    kinds = typing.get_args(annotation)
    build = _BUILDERS[typing.get_origin(annotation) or annotation]
    fixed = build is tuple and kinds and kinds[-1] is not Ellipsis
    if fixed and len(kinds) != len(value):
        raise ValueError(f"has {len(value)} items")
    items, wrong = [], []
    for index, one in enumerate(value):
        kind = kinds[index] if fixed else kinds[0] if kinds else Any
        try:
            items.append(converter.structure(one, kind))
        except Exception as error:  # As in `structured`.
            # `add_note` is there from Python 3.11 on; cattrs reads the attribute.
            error.__notes__ = [*getattr(error, "__notes__", []), IterableValidationNote("item", index, kind)]  # type: ignore[attr-defined]  # as above
            wrong.append(error)
    if wrong:
        raise IterableValidationError("items do not fit", wrong, annotation)
    return build(items)


def _sentence(error: Exception, annotation: Any, path: str) -> str:
    if isinstance(error, (ClassValidationError, IterableValidationError)):
        wrong = transform_error(error, path, _reason)
    else:
        wrong = [f"{_reason(error, annotation)} @ {path}"]
    # A field that is not there under its name is often there under another one, so that is said first.
    wrong.sort(key=lambda one: not one.startswith(_UNKNOWN_FIELD))
    reason, _, where = wrong[0].rpartition(" @ ")
    more = f" ({len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"`{where}` of the input {reason}{more}"


def _reason(error: BaseException, annotation: Any) -> str:
    """Say what is wrong with one value."""
    if isinstance(error, KeyError):
        return "is missing"
    if isinstance(error, ForbiddenExtraKeysError):
        known = ", ".join(fields_of(error.cl)) or "none"
        return f"{_UNKNOWN_FIELD} `{min(error.extra_fields)}`; it has {known}"
    if hasattr(error, "errors") and callable(error.errors):
        return _model_reason(error)
    kind = kind_text(annotation)
    return f"is not {kind}" if kind else f"does not fit: {error}"


def _model_reason(error: Any) -> str:
    """Say the first thing that pydantic found."""
    first: Mapping[str, Any] = error.errors()[0]
    where = ".".join(str(one) for one in first.get("loc", ()))
    message = str(first.get("msg", "does not fit"))
    return f"does not fit at `{where}`: {message[:1].lower()}{message[1:]}" if where else f"does not fit: {message}"
