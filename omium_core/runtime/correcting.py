"""Set values at paths of an outcome that a rule refused: what a person types as `offer.output.apr=4.5`."""

from __future__ import annotations

import copy
import re
from typing import Any

import attrs

from omium_core.errors import UsageError

__all__ = ["corrected"]

_PART = re.compile(r"([A-Za-z_]\w*)|\[(\d+)\]|\['([^']*)'\]")


def corrected(value: Any, changes: dict[str, Any]) -> Any:
    """Return a copy of `value` with each path set; the empty path replaces it whole.

    Raises `UsageError` naming a path that the value does not have.
    """
    for path, new in changes.items():
        value = _with(value, _parts(path), new, path)
    return value


def _parts(path: str) -> list[str | int]:
    parts: list[str | int] = []
    at = 0
    while at < len(path):
        match = _PART.match(path, at + (path[at] == "."))
        if match is None:
            raise UsageError(f"`{path}` is not a path; write it like `apr`, `items[0].price` or `['a key']`")
        parts.append(int(match[2]) if match[2] is not None else match[1] if match[1] is not None else match[3])
        at = match.end()
    return parts


def _with(value: Any, parts: list[str | int], new: Any, path: str) -> Any:
    if not parts:
        return new
    first, rest = parts[0], parts[1:]
    try:
        inner = _with(_get(value, first), rest, new, path)
        return _replace(value, first, inner)
    except (KeyError, IndexError, AttributeError, TypeError) as error:
        raise UsageError(f"the outcome has nothing at `{path}`") from error


def _get(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value[part]
    return value[part] if isinstance(part, int) else getattr(value, part)


def _replace(value: Any, part: str | int, inner: Any) -> Any:
    if isinstance(value, dict):
        return {**value, part: inner}
    if isinstance(value, list):
        return [*value[: int(part)], inner, *value[int(part) + 1 :]]
    if isinstance(value, tuple) and isinstance(part, int):
        items = [*value[:part], inner, *value[part + 1 :]]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if hasattr(value, "_replace"):
        return value._replace(**{str(part): inner})
    if attrs.has(type(value)):
        return attrs.evolve(value, **{str(part): inner})
    if hasattr(value, "model_copy"):
        return value.model_copy(update={str(part): inner})
    other = copy.copy(value)
    object.__setattr__(other, str(part), inner)
    return other
