"""What goes wrong with which write of a store: a plan, readable at first sight, around the real journal and blobs."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias, cast

import attrs

from omium.testing.faulty import FaultyBlobStore, FaultyJournal
from omium_core.errors import UsageError
from omium_core.interfaces.checkpoint import BlobStore, Journal
from omium_core.runtime.clock import Clock, SystemClock

__all__ = ["Fault", "Faults"]

Place: TypeAlias = Literal["journal", "blobs"]


@attrs.frozen
class Fault:
    """One thing that goes wrong: with write `write`, and with every later one when it is `for_good`."""

    kind: Literal["fail", "tear", "delay", "kill"]
    to: Place
    write: int
    after: bool = False
    for_good: bool = False
    part: float = 0.5
    seconds: float = 0.0

    def hits(self, to: Place, write: int) -> bool:
        """Say whether it happens in that write."""
        return self.to == to and (write == self.write or (self.for_good and write > self.write))


def _kill() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable: nobody survives SIGKILL")


@attrs.define(eq=False)
class Faults:
    """A plan of faults. The appends to a journal are its writes, counted from 1; so are the puts to a blob store.

        faults = Faults().fail(3).delay(5, seconds=2).kill(7, after=True)

    `to="blobs"` means the blob store instead of the journal. `clock` is what delays pass on. `die` is how the process
    ends, by default with SIGKILL; what it raises instead ends a simulated one.
    """

    clock: Clock = attrs.field(factory=SystemClock)
    die: Callable[[], NoReturn] = _kill
    plan: list[Fault] = attrs.field(factory=list, init=False)
    _counts: Counter[Place] = attrs.field(factory=Counter, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def fail(self, write: int, *, after: bool = False, to: Place = "journal") -> Faults:
        """Let one write fail with `StoreError`, and nothing of it be stored; with `after` it is stored all the same."""
        return self._with(Fault("fail", to, write, after=after))

    def fail_from(self, write: int, *, to: Place = "journal") -> Faults:
        """Let that write and every one after it fail, until `heal`."""
        return self._with(Fault("fail", to, write, for_good=True))

    def tear(self, write: int, *, part: float = 0.5, to: Place = "journal") -> Faults:
        """Kill the process in the middle of a write: the first `part` of its bytes are in the file, the others not."""
        if not 0 <= part <= 1:
            raise UsageError(f"`part` is {part}, expected what is written of a torn write, from 0 to 1")
        return self._with(Fault("tear", to, write, part=part))

    def delay(self, write: int, seconds: float, *, to: Place = "journal") -> Faults:
        """Let a write begin that much later."""
        return self._with(Fault("delay", to, write, seconds=seconds))

    def kill(self, write: int, *, after: bool = False, to: Place = "journal") -> Faults:
        """Kill the process before that write, or when it is durable and its caller has not heard of it yet."""
        return self._with(Fault("kill", to, write, after=after))

    def heal(self) -> None:
        """Forget what is left of the plan: from here on every write succeeds."""
        with self._lock:
            self.plan.clear()

    def writes(self, to: Place = "journal") -> int:
        """Return how many writes there were so far."""
        with self._lock:
            return self._counts[to]

    def take(self, to: Place) -> Sequence[Fault]:
        """Count a write, and return what goes wrong with it."""
        with self._lock:
            self._counts[to] += 1
            return [one for one in self.plan if one.hits(to, self._counts[to])]

    def journal(self, inner: Journal, files: Sequence[str | Path] = ()) -> Journal:
        """Return a journal with these faults around a real one; `files` are those that `tear` finds its bytes in."""
        return cast(Journal, FaultyJournal(inner, self, tuple(map(Path, files))))

    def blobs(self, inner: BlobStore, folder: str | Path | None = None) -> BlobStore:
        """Return a blob store with these faults around a real one; `folder` is where `tear` finds its files."""
        return cast(BlobStore, FaultyBlobStore(inner, self, None if folder is None else Path(folder)))

    def _with(self, fault: Fault) -> Faults:
        if fault.write < 1:
            raise UsageError(f"write {fault.write} cannot fail; writes are counted from 1")
        with self._lock:
            self.plan.append(fault)
        return self
