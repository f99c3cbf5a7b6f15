"""Paths inside of recorded values, as `set` takes them: `apr`, `items[0].price`, `['a key'].x`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["Leaf", "field_of", "inside", "leaves"]

Leaf = tuple[str, Any]

LEAVES_MAX = 10_000
TEXT_OF_JSON_CHARS_MAX = 100_000


def leaves(data: Any, path: str = "") -> Iterator[Leaf]:
    """Give the path and the value of everything in a data view that has no parts, up to a bound."""
    waiting = [(path, data)]
    for _ in range(LEAVES_MAX):
        if not waiting:
            return
        at, value = waiting.pop()
        parts = _parts(at, value)
        if parts is None:
            yield at, value
        else:
            waiting.extend(reversed(parts))


def inside(text: Any) -> Any:
    """Return what a text says as JSON, as models answer; the text itself where it is none."""
    if not isinstance(text, str) or len(text) > TEXT_OF_JSON_CHARS_MAX or text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def field_of(path: str) -> str:
    """Return the last field that a path names: `price` of `items[0].price`, `apr` of `['apr']`."""
    parts = [one for one in path.replace("]", "").replace("['", ".").replace("'", "").split(".") if one]
    return parts[-1].partition("[")[0] if parts else ""


def _parts(path: str, value: Any) -> list[Leaf] | None:
    if isinstance(value, list):
        return [(f"{path}[{number}]", one) for number, one in enumerate(value)]
    if not isinstance(value, dict):
        return None
    if set(value) == {"@type", "value"}:
        return [(path, value["value"])]
    return [(_joined(path, key), one) for key, one in value.items() if key != "@type"]


def _joined(path: str, key: str) -> str:
    if not key.isidentifier():
        return f"{path}['{key}']"
    return f"{path}.{key}" if path else key
