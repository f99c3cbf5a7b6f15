"""Time and chance as the runtime sees them; tests and simulations give their own."""

from __future__ import annotations

import os
import random
import time
from typing import Protocol

import attrs

__all__ = ["Clock", "SystemClock", "new_id"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Clock(Protocol):
    """What the runtime asks instead of the system."""

    def now(self) -> float:
        """Return the time in seconds since the epoch, UTC."""

    def chance(self) -> float:
        """Return a random number in [0, 1)."""

    def sleep(self, seconds: float) -> None:
        """Return after that time."""

    async def asleep(self, seconds: float) -> None:
        """Return after that time, without holding the event loop."""


@attrs.frozen
class SystemClock:
    """The system's clock and randomness."""

    def now(self) -> float:
        """Return the system's time, which may go backwards when it is set."""
        # Whole microseconds, so that a header is no longer than it must be.
        return time.time_ns() // 1_000 / 1e6

    def chance(self) -> float:
        """Return a random number that is no secret."""
        return random.random()

    def sleep(self, seconds: float) -> None:
        """Hold this thread for that time."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Hold this task for that time, and no other."""
        from omium_core.runtime import awaiting  # Sync programs never come here.

        await awaiting.asleep(seconds)


def new_id(prefix: str, now: float) -> str:
    """Return a new id: the prefix and a ULID, so that ids sort by time (https://github.com/ulid/spec)."""
    number = int(now * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    return prefix + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
