"""A clock that never waits: it stands still until somebody sleeps on it, looks at it, or moves it."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from typing import Any

import attrs

__all__ = ["VirtualClock"]

BEGINNING = 1_800_000_000.0
# Every look takes a moment, so that what happens later also has a later time.
TICK_S = 0.001


@attrs.define(eq=False)
class VirtualClock:
    """Time for the runtime of a test: backoffs, deadlines and leases pass without waiting. Safe in many threads.

    `time` is where it stands, in seconds since the epoch; each look at it takes `tick_s`. `slept` are the sleeps that
    were asked for, in order. The random numbers of backoffs come from `seed`.

    Tasks that sleep at the same time wake in the order of their times, whatever order they began in.
    """

    time: float = BEGINNING
    seed: int = 0
    tick_s: float = TICK_S
    slept: list[float] = attrs.field(factory=list, init=False)
    # Like the monotonic clock of a system: sleeps are measured on it, so a jump neither wakes nor holds a sleeper.
    _elapsed: float = attrs.field(default=0.0, init=False)
    _chance: random.Random = attrs.field(init=False)
    _sleepers: list[tuple[float, int]] = attrs.field(factory=list, init=False)
    _order: Any = attrs.field(factory=itertools.count, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def now(self) -> float:
        """Return the time, one tick after the look before."""
        with self._lock:
            self._pass(self.tick_s)
            return round(self.time, 6)

    def chance(self) -> float:
        """Return the next random number of the seed, in [0, 1)."""
        with self._lock:
            return self._chance.random()

    def sleep(self, seconds: float) -> None:
        """Let that time have passed, at once."""
        with self._lock:
            self.slept.append(seconds)
            self._pass(max(0.0, seconds))

    async def asleep(self, seconds: float) -> None:
        """Let that time have passed, after the tasks that sleep for less."""
        import asyncio  # A sync test never comes here.

        with self._lock:
            self.slept.append(seconds)
            sleeper = (self._elapsed + max(0.0, seconds), next(self._order))
            heapq.heappush(self._sleepers, sleeper)
        try:
            # The turn of the loop lets the tasks that are about to sleep say so first.
            await asyncio.sleep(0)
            while self._sleepers[0] != sleeper:
                await asyncio.sleep(0)
            with self._lock:
                self._pass(max(0.0, sleeper[0] - self._elapsed))
        finally:
            with self._lock:
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)

    def advance(self, seconds: float) -> None:
        """Let time pass: deadlines and leases that end within it have ended."""
        with self._lock:
            self._pass(seconds)

    def jump(self, seconds: float) -> None:
        """Set the clock forwards, or backwards when `seconds` is negative, as a person or a time server does."""
        with self._lock:
            self.time += seconds

    def _pass(self, seconds: float) -> None:
        self._elapsed += seconds
        self.time += seconds
