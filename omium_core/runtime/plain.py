"""Values as rules see them: texts, numbers, lists and records, whatever classes a program has for them."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from omium_core.journal.codec import Codec
from omium_core.journal.forms import DEPTH_MAX, ENUM, MODEL, NAMED_TUPLE, RECORD, Refused

__all__ = ["OPAQUE", "plain", "plain_of_view"]

OPAQUE = object()
"""Stands for what is no data: a rule that asks for it cannot tell."""

_AS_THEY_ARE = frozenset({type(None), bool, int, float, str, Decimal, dt.timedelta})


def plain(codec: Codec, value: Any, depth: int = 0) -> Any:
    """Return a value as plain data: objects are records of their fields, dates, paths and UUIDs texts, tuples lists."""
    cls = type(value)
    if cls in _AS_THEY_ARE:
        return value
    if depth > DEPTH_MAX:
        return OPAQUE
    if isinstance(value, dict):
        return {str(key): plain(codec, one, depth + 1) for key, one in value.items()}
    if cls in (list, tuple, set, frozenset):
        return [plain(codec, one, depth + 1) for one in value]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | PurePath):
        return str(value)
    return _taken_apart(codec, value, depth)


def _taken_apart(codec: Codec, value: Any, depth: int) -> Any:
    try:
        code, parts = codec.parts_of(value)
    except Refused:
        return OPAQUE
    if code in (RECORD, NAMED_TUPLE, MODEL):
        return {name: plain(codec, one, depth + 1) for name, one in parts[1].items()}
    return plain(codec, parts[2], depth + 1) if code == ENUM else OPAQUE


def plain_of_view(value: Any) -> Any:
    """Return a recorded value's data view as rules would have seen the value: without the tags of its classes."""
    if isinstance(value, list):
        return [plain_of_view(one) for one in value]
    if not isinstance(value, dict):
        return value
    tag = value.get("@type")
    if tag is None:
        return {key: plain_of_view(one) for key, one in value.items()}
    if "items" in value and tag in ("set", "frozenset", "dict"):
        items = value["items"]
        return [plain_of_view(one) for one in items] if tag != "dict" else {str(k): plain_of_view(v) for k, v in items}
    if tag in ("decimal", "timedelta"):
        return Decimal(value["value"]) if tag == "decimal" else dt.timedelta(seconds=value["value"])
    if tag == "bytes" or tag.startswith("numpy."):
        return OPAQUE
    # A class has a dot in its tag; an enum's member has a name and a value, other types have a value alone.
    if set(value) == ({"@type", "name", "value"} if "." in tag else {"@type", "value"}):
        return plain_of_view(value["value"])
    return {key: plain_of_view(one) for key, one in value.items() if key != "@type"}
