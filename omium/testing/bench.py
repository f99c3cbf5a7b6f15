"""A real store for one test or scenario, whose process can die and be followed by another."""

from __future__ import annotations

from typing import NoReturn

import attrs

from omium.runtime import Runtime, open_runtime
from omium.stores import OpenStore
from omium.testing.clock import VirtualClock
from omium.testing.faults import Faults
from omium.testing.opening import parts_of
from omium_core.runtime import performing

__all__ = ["Bench", "Killed", "die"]


class Killed(BaseException):
    """The process that a test plays is dead: nothing that it would still have done happens."""


def die() -> NoReturn:
    """End the process that a test plays."""
    raise Killed


@attrs.define(eq=False)
class Bench:
    """An open store with a clock that never waits and a plan of faults, in which a kill raises `Killed`.

    `invocation` makes the calls of user code, see `omium.runtime.Parts`.
    """

    url: str
    clock: VirtualClock = attrs.field(factory=VirtualClock)
    invocation: performing.Invoker = performing.invocation
    faults: Faults = attrs.field(init=False)
    runtime: Runtime = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._open()

    @property
    def store(self) -> OpenStore:
        """The store as users open it."""
        return OpenStore(self.runtime)

    def restart(self) -> OpenStore:
        """Open the store again as the next process does: the time goes on, the plan of faults is empty."""
        self.close()
        self._open()
        return self.store

    def close(self) -> None:
        """Let everything go."""
        self.runtime.close()

    def _open(self) -> None:
        self.faults = Faults(clock=self.clock, die=die)
        parts = attrs.evolve(parts_of(self.clock, self.faults), invocation=self.invocation)
        self.runtime = open_runtime(self.url, parts, durability="process")
