"""Values of a policy as a program's data has them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

from omium_policy.types import ANYTHING, ValueType

__all__ = ["evidence", "like", "shortened", "storable", "stored"]

TEXT_KEPT_MAX = 1_000
PARTS_KEPT_MAX = 20
DEPTH_KEPT_MAX = 4
DEPTH_STORABLE_MAX = 50


def evidence(value: Any, depth: int = 0) -> Any:
    """Return what is journaled of a value that broke a rule: enough to see why, always storable and never much of it.

    The whole value is in the evidence of the attempt that failed.
    """
    if value is None or isinstance(value, bool | float | Decimal | dt.timedelta):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        return shortened(value)
    if not isinstance(value, list | tuple | Mapping):
        return "something that is no data"
    if depth == DEPTH_KEPT_MAX:
        return f"{len(value)} parts"
    if isinstance(value, Mapping):
        kept = {str(name): evidence(one, depth + 1) for name, one in islice(value.items(), PARTS_KEPT_MAX)}
        return kept if len(value) <= PARTS_KEPT_MAX else {**kept, "...": f"{len(value)} parts"}
    some = [evidence(one, depth + 1) for one in islice(value, PARTS_KEPT_MAX)]
    return some if len(value) <= PARTS_KEPT_MAX else [*some, f"... ({len(value)} parts)"]


def shortened(text: str) -> str:
    """Return a text that says how long it was, where it is too long to be read."""
    return text if len(text) <= TEXT_KEPT_MAX else f"{text[:TEXT_KEPT_MAX]}... ({len(text)} characters)"


def storable(value: Any, depth: int = 0) -> bool:
    """Say whether a value is plain data all the way down."""
    if value is None or isinstance(value, bool | int | float | str | Decimal | dt.timedelta):
        return True
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else None
    return parts is not None and depth < DEPTH_STORABLE_MAX and all(storable(one, depth + 1) for one in parts)


def stored(value: Any, kind: ValueType) -> Any:
    """Return a value as data has it: a ratio of 6.9% is 0.069."""
    if kind.kind == "ratio":
        return value / 100
    if isinstance(value, dict) and kind.fields is not None:
        return {name: stored(one, kind.fields.get(name, ANYTHING)) for name, one in value.items()}
    if isinstance(value, list) and kind.of is not None:
        return [stored(one, kind.of) for one in value]
    return value


def like(value: Any, present: Any) -> Any:
    """Return a number as the kind of number, or the text, that stands in its place."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    if isinstance(present, float) and not isinstance(value, float):
        return float(value)
    if isinstance(present, int) and math.isfinite(value) and value == int(value):
        return int(value)
    if isinstance(present, Decimal) and not isinstance(value, Decimal):
        return Decimal(repr(value))
    return str(value) if isinstance(present, str) else value
