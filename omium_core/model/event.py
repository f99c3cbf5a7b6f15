"""What every event has."""

from __future__ import annotations

from omium_core.model.body import Body
from omium_core.model.immutable import immutable

__all__ = ["EventBase"]


@immutable(kw_only=True)
class EventBase:
    """What all events have. `seq` counts from 1 in an execution, `at` is seconds since the epoch, UTC.

    `body` is the value's stored form; of an event that was read back it is None, and `digest` still names it.
    """

    body: Body | None = None
    digest: str | None = None
    size: int = 0
    seq: int = 0
    epoch: int = 0
    at: float = 0.0
