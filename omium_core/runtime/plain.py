"""Values as rules see them: texts, numbers, lists and records, whatever classes a program has for them."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from omium_core.journal.codec import Codec
from omium_core.journal.forms import DEPTH_MAX, ENUM, MODEL, NAMED_TUPLE, RECORD, Refused

__all__ = ["OPAQUE", "plain"]

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
