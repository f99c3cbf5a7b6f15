"""Whether a tool was called as its schema says: a JSON schema that was declared, else the function's annotations."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

__all__ = ["mismatches", "schema_of"]

DEPTH_MAX = 20
PROBLEMS_MAX = 20
_NAMES: dict[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string", Decimal: "number"}
_WORDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
}


def schema_of(fn: Callable[..., Any], signature: inspect.Signature) -> dict[str, Any]:
    """Return what a function takes as a JSON schema; an annotation that JSON has no word for takes anything."""
    try:
        hints = typing.get_type_hints(fn)
    except Exception:  # Annotations may name anything, also what is not there at runtime.
        hints = {}
    properties, required, open_to_more = {}, [], False
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            open_to_more = True
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            properties[name] = _schema(hints.get(name), 0)
            if parameter.default is inspect.Parameter.empty:
                required.append(name)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": open_to_more,
    }


def mismatches(schema: Mapping[str, Any], value: Any, path: str = "") -> list[str]:
    """Say in words where a value is not what a JSON schema asks for, up to a bound.

    It reads `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `anyOf`, `minimum`,
    `maximum`, `minLength`, `maxLength`, `minItems` and `maxItems`; any other keyword asks for nothing.
    """
    found = []
    for one in _problems(schema, value, path, 0):
        found.append(one)
        if len(found) == PROBLEMS_MAX:
            break
    return found


def _schema(annotation: Any, depth: int) -> dict[str, Any]:
    if annotation in _NAMES:
        return {"type": _NAMES[annotation]}
    if annotation is type(None):
        return {"type": "null"}
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return {"enum": [one.value for one in annotation]}
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if depth > DEPTH_MAX:
        return {}
    if origin is typing.Literal:
        return {"enum": list(args)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(one, depth + 1) for one in args]}
    if origin is typing.Annotated:
        return _schema(args[0], depth + 1)
    kind = origin or annotation
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return {"type": "object"}
    if isinstance(kind, type) and issubclass(kind, Sequence | AbstractSet) and kind not in (bytes, bytearray):
        return {"type": "array", **({"items": _schema(args[0], depth + 1)} if len(args) == 1 else {})}
    return {}


def _problems(schema: Any, value: Any, path: str, depth: int) -> Iterator[str]:
    if not isinstance(schema, Mapping) or depth > DEPTH_MAX:
        return
    said = path or "the call"
    wanted = schema.get("type")
    kinds = [wanted] if isinstance(wanted, str) else list(wanted or ())
    if kinds and not any(_is(kind, value) for kind in kinds):
        words = " or ".join(_WORDS.get(one, str(one)) for one in kinds)
        yield f"`{said}` is {_shown(value)}, expected {words}"
        return
    if "anyOf" in schema and all(list(_problems(one, value, path, depth + 1)) for one in schema["anyOf"]):
        yield f"`{said}` is {_shown(value)}, which is none of what is expected"
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if allowed is not None and getattr(value, "value", value) not in allowed:
        yield f"`{said}` is {_shown(value)}, expected one of {', '.join(_shown(one) for one in allowed)}"
    yield from _bounds(schema, value, said)
    if isinstance(value, Mapping):
        yield from _members(schema, value, path, depth)
    if _is("array", value) and "items" in schema:
        for number, one in enumerate(value):
            yield from _problems(schema["items"], one, f"{path}[{number}]", depth + 1)


def _members(schema: Mapping[str, Any], value: Mapping[Any, Any], path: str, depth: int) -> Iterator[str]:
    properties: Mapping[str, Any] = schema.get("properties") or {}
    for name in schema.get("required") or ():
        if name not in value:
            yield f"`{_joined(path, name)}` is missing"
    for name, one in value.items():
        if name in properties:
            yield from _problems(properties[name], one, _joined(path, str(name)), depth + 1)
        elif schema.get("additionalProperties", True) is False:
            known = ", ".join(f"`{each}`" for each in properties) or "none"
            yield f"`{_joined(path, str(name))}` is not an argument; there are {known}"


def _bounds(schema: Mapping[str, Any], value: Any, said: str) -> Iterator[str]:
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    sized = len(value) if isinstance(value, str) or _is("array", value) else None
    kind = "Length" if isinstance(value, str) else "Items"
    for measured, low, high in ((value if number else None, "minimum", "maximum"), (sized, f"min{kind}", f"max{kind}")):
        if measured is None:
            continue
        if low in schema and measured < schema[low]:
            yield f"`{said}` is {_shown(value)}, expected at least {schema[low]}"
        if high in schema and measured > schema[high]:
            yield f"`{said}` is {_shown(value)}, expected at most {schema[high]}"


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes)
        case "object":
            return isinstance(value, Mapping)
        case "null":
            return value is None
    return True


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
