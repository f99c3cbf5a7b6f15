"""Simulated processes over one real store: each can die at any write or call, and the next one goes on.

A process has its own runtime, journal, connections, codec and runner. What nobody waited for may be lost when it dies,
always from the end; what an append returned for never is. The next process finds the files as they were at its death.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import attrs

from omium.runtime import Parts, Runtime, open_runtime
from omium.testing import tearing
from omium.testing.clock import VirtualClock
from omium.testing.simulation.image import Image, half_copied, shuffle
from omium_core.engine.state import ExecutionState
from omium_core.errors import OmiumError
from omium_core.interfaces.checkpoint import Batch, Journal
from omium_core.journal.wire import read_row
from omium_core.model import events as e
from omium_core.runtime.store import Store

__all__ = ["Crash", "Death", "Fate", "Lab", "lab"]

LEASE_S = 30.0


class Crash(BaseException):
    """The process is dead; nothing that it does from here on reaches anybody."""


@attrs.frozen
class Death:
    """How a process dies: at its moment `at`, never if None. Of what nobody waited for, `keep` eighths are written.

    With `torn`, a write that it dies in leaves that part of its bytes; with `scattered`, some of its blocks. With
    `copied`, the process dies in a checkpoint of the WAL, which has copied some pages into the database.
    """

    at: int | None = None
    keep: int = 0
    torn: float | None = None
    scattered: int | None = None
    copied: int | None = None


@attrs.define(eq=False)
class Fate:
    """The life of a process: it passes moments, and dies at one of them."""

    death: Death = attrs.field(factory=Death)
    moments: int = 0
    dead: bool = False
    lock: Any = attrs.field(factory=threading.RLock)
    last_words: Callable[[], None] | None = None

    def moment(self, write: Callable[[], None] | None = None) -> None:
        """Pass a moment at which the process can die; `write` is what it is about to write."""
        with self.lock:
            self.alive()
            self.moments += 1
            if self.moments == self.death.at:
                self.die(write)

    def alive(self) -> None:
        """Raise `Crash` when the process is dead."""
        if self.dead:
            raise Crash

    def die(self, write: Callable[[], None] | None = None) -> None:
        """Die now, in the middle of `write` if there is one."""
        with self.lock:
            if not self.dead:
                if write is not None and (self.death.torn is not None or self.death.scattered is not None):
                    write()
                if self.last_words is not None:
                    self.last_words()
            self.dead = True
        raise Crash


@attrs.define(eq=False)
class SimCommit:
    """The fate of one append of a simulated process."""

    journal: SimJournal
    batch: Batch
    done: bool = False
    error: BaseException | None = None
    callbacks: list[Callable[[], None]] = attrs.field(factory=list)

    def wait(self) -> None:
        """Write it, with what was appended before it; raise why it is not there."""
        if not self.done:
            self.journal.land(self)
        if self.error is not None:
            raise self.error

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` when it is written."""
        self.callbacks.append(callback)
        if self.done:
            self.announce()

    def announce(self) -> None:
        """Call those who asked, each once."""
        while self.callbacks:
            self.callbacks.pop()()


@attrs.define(eq=False)
class SimJournal:
    """A real journal as one process sees it: what nobody waits for stays in its memory as long as it may.

    `refusal` is what every append raises from here on.
    """

    lab: Lab
    inner: Journal
    fate: Fate
    pending: list[SimCommit] = attrs.field(factory=list)
    lock: Any = attrs.field(factory=threading.RLock)
    refusal: OmiumError | None = None
    name: str = ""

    def append(self, batch: Batch) -> SimCommit:
        """Take a batch."""
        self.fate.moment()
        if self.refusal is not None:
            raise self.refusal
        commit = SimCommit(self, batch)
        with self.lock:
            self.pending.append(commit)
        return commit

    def flush(self) -> None:
        """Write what was appended. Who waits for it hears of the process's death; an event loop would not."""
        with self.lock:
            last = self.pending[-1] if self.pending else None
        if last is not None:
            with suppress(Crash):
                self.land(last)

    def land(self, commit: SimCommit) -> None:
        """Write what was appended up to and with this."""
        self.fate.moment(lambda: self._tear(commit))
        landed: list[SimCommit] = []
        with self.lock:
            while not commit.done and self.pending:
                landed.append(self._write(self.pending.pop(0)))
        for one in landed:
            one.announce()
        self.fate.moment()

    def last_words(self) -> None:
        """Write the part of what nobody waited for that reaches the disk before the process dies."""
        with self.lock:
            for one in self.pending[: len(self.pending) * self.fate.death.keep // 8]:
                self._write(one)
            self._lose()

    def runner(self) -> str:
        """Give the process's name as a runner."""
        self.fate.alive()
        self.name = self.inner.runner()
        return self.name

    def is_alive(self, runner: str) -> bool:
        """Say whether a runner can still be running; one on a machine that sleeps is, until its lease ends."""
        self.fate.alive()
        until = self.lab.asleep.get(runner)
        return self.inner.is_alive(runner) if until is None else self.lab.clock.now() < until

    def close(self) -> None:
        """Write what was appended; the lab closes the real journal."""
        self.flush()

    def __getattr__(self, name: str) -> Any:
        # Reads, and whatever a journal has beside the protocol: a dead process gets no answer.
        found = getattr(self.inner, name)
        return found if not callable(found) else self._living(found)

    def _living(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def living(*args: Any, **kwargs: Any) -> Any:
            self.fate.alive()
            return call(*args, **kwargs)

        return living

    def _write(self, one: SimCommit) -> SimCommit:
        try:
            self.inner.append(one.batch).wait()
        except OmiumError as error:
            one.error = error
        one.done = True
        return one

    def _tear(self, commit: SimCommit) -> None:
        """Write what was appended before, and of this only a part."""
        with self.lock:
            while self.pending and self.pending[0] is not commit:
                self._write(self.pending.pop(0))
            before = self.lab.wal_bytes()
            with suppress(OmiumError):
                self.inner.append(commit.batch).wait()
            self.lab.tear_wal(before, self.fate.death)
            self._lose()

    def _lose(self) -> None:
        """Let what is not written be lost with the process, and whoever waits for it as well."""
        left, self.pending = self.pending, []
        for one in left:
            one.error, one.done = Crash(), True
            with suppress(Crash):
                one.announce()


class Runs(dict[str, Any]):
    """The executions that a process runs, and in `ended` also those that it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[Any] = []

    def __setitem__(self, name: str, run: Any) -> None:
        self.ended.append(run)
        super().__setitem__(name, run)


@attrs.define(eq=False)
class Process:
    """One simulated process: its fate, its runtime, and the journal that it has open."""

    fate: Fate
    runtime: Runtime
    journal: SimJournal
    image: Image | None = None


@attrs.define(eq=False)
class Lab:
    """A folder with one store, and one simulated process after the other over it, or beside it.

    `asleep` are the runners whose machines sleep, each with the time at which its lease ends; `slept` are those that
    ever did. `torn` counts how often
    the disk lost something that had been read: what was known of it is to be read again.
    """

    folder: Path
    url: str
    clock: VirtualClock
    asleep: dict[str, float] = attrs.field(factory=dict)
    slept: set[str] = attrs.field(factory=set)
    processes: list[Process] = attrs.field(factory=list)
    torn: int = 0
    unused: bool = False
    runs: Runs = attrs.field(factory=Runs)
    _events: dict[str, list[e.Event]] = attrs.field(factory=dict)
    _lock: Any = attrs.field(factory=threading.RLock)

    @property
    def present(self) -> Process:
        """The process that this one is at the moment."""
        return self.processes[-1]

    @property
    def fate(self) -> Fate:
        """Its fate."""
        return self.present.fate

    @property
    def store(self) -> Store:
        """Its store."""
        return self.present.runtime.store

    @property
    def disk(self) -> Journal:
        """The real journal, which also answers when the process is dead."""
        return self.present.journal.inner

    def process(self, at: int | None = None, keep: int = 0, death: Death | None = None) -> Runtime:
        """Start a process after all others are dead; `at` is the moment of its death."""
        if self.unused:
            self.fate.death, self.unused = death or Death(at, keep), False
            return self.present.runtime
        self.bury()
        return self.another(at, keep, death)

    def another(self, at: int | None = None, keep: int = 0, death: Death | None = None) -> Runtime:
        """Start a process beside the others; from here on it is the one that this Python process is."""
        death = death or Death(at, keep)
        if self.processes:
            self.present.runtime.abandon()
            # The files go on to be used by the living: nobody but the kernel's end could tear them.
            death = Death(death.at, death.keep)
        fate = Fate(death)
        opened: list[SimJournal] = []

        def around(inner: Journal, url: str) -> Journal:
            opened.append(SimJournal(self, inner, fate))
            return cast(Journal, opened[0])

        runtime = open_runtime(self.url, Parts(clock=self.clock, journal=around), durability="process")
        self.runs = Runs()
        runtime.store.running = self.runs
        process = Process(fate, runtime, opened[0])
        fate.last_words = lambda: self._died(process)
        self.processes.append(process)
        return runtime

    def bury(self) -> None:
        """Let all processes be dead, and the files be as the last one left them."""
        alone = len(self.processes) == 1
        for process in reversed(self.processes):
            if alone and process.image is None:
                process.image = Image.of(self.folder)
            process.fate.dead = True
            self._close(process)
        for process in self.processes:
            if process.image is not None:
                self._restore(process)
        self.processes.clear()
        self.asleep.clear()

    def bury_present(self) -> None:
        """Let the present process be dead; the one that was there before it is the present one again."""
        process = self.processes.pop()
        process.fate.dead = True
        self._close(process)
        self.present.runtime.come_back()
        # It is awake again, and renews its lease: whoever did not take over in time does not any more.
        self.asleep.clear()
        self.runs = cast(Runs, self.store.running)

    def rest(self) -> None:
        """See to it that the disk can be read: after a crash its files are what the crash left of them."""
        if self.fate.dead:
            self.bury()
            self.another()
            self.unused = True

    def sleep(self) -> None:
        """Let the machine of the present process sleep for longer than its lease: others take it for dead."""
        self.slept.add(self.present.journal.name)
        self.asleep[self.present.journal.name] = self.clock.now() + LEASE_S
        self.clock.jump(2 * LEASE_S)

    def events(self, execution: str) -> list[e.Event]:
        """Give the events that are on the disk now."""
        with self._lock:
            found = self._events.setdefault(execution, [])
            after = found[-1].seq if found else 0
            for row in self.disk.rows(execution, bodies=False, after=after):
                found.extend(one for one in read_row(row) if one.seq > after)
            return found

    def state(self, execution: str) -> ExecutionState:
        """Fold what is on the disk."""
        return Store(self.url, self.disk, self.store.codec).load(execution).state

    def wal_bytes(self) -> bytes:
        """Return what is in the WAL."""
        return self._wal.read_bytes() if self._wal.exists() else b""

    def tear_wal(self, before: bytes, death: Death) -> None:
        """Leave of what was written to the WAL only what this death leaves."""
        if death.scattered is not None:
            self._wal.write_bytes(shuffle(before, self.wal_bytes(), random.Random(death.scattered)))
        elif death.torn is not None:
            tearing.tear_file(self._wal, before, death.torn)

    @property
    def _database(self) -> Path:
        return self.folder / "omium.db"

    @property
    def _wal(self) -> Path:
        return self.folder / "omium.db-wal"

    def _died(self, process: Process) -> None:
        process.journal.last_words()
        if len(self.processes) == 1:
            process.image = Image.of(self.folder)

    def _close(self, process: Process) -> None:
        process.runtime.abandon()
        # A torn store fails to be tidied up, which a dead process does not do in any case.
        with suppress(OmiumError):
            process.journal.inner.close()

    def _restore(self, process: Process) -> None:
        image, death = process.image, process.fate.death
        assert image is not None
        if death.copied is not None and self._database.exists():
            # Closing has copied the WAL; of its pages only some had reached the database.
            name, after = self._database.name, self._database.read_bytes()
            wal, chance = image.content(self._wal.name), random.Random(death.copied)
            image = image.with_file(name, half_copied(image.content(name), wal, after, chance))
        image.restore(self.folder)
        if death.torn is not None or death.scattered is not None:
            self.torn += 1
            self._events.clear()


@contextmanager
def lab(seed: int = 0) -> Iterator[Lab]:
    """Give a lab on a file in memory, and forget it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="omium-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    made = Lab(folder, f"sqlite:///{folder}/omium.db", VirtualClock(seed=seed))
    try:
        yield made
    finally:
        for process in reversed(made.processes):
            process.fate.dead = True
            made._close(process)
        shutil.rmtree(folder, ignore_errors=True)
