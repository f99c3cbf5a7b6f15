"""Simulated processes over one real SQLite file: each can die at any write or call, and the next one goes on.

A process has its own runtime, codec and runner name. What nobody waited for may be lost when it dies, always from the
end; what an append returned for never is.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from omium import runtime as process_side
from omium.config import load_config
from omium.hooks import PluginHooks
from omium.plugins import load_plugins
from omium.runtime import Runtime, registry, types
from omium_core.engine.state import ExecutionState
from omium_core.errors import OmiumError
from omium_core.interfaces.checkpoint import Batch, ExecutionRow, JournalRow
from omium_core.journal.codec import Codec
from omium_core.journal.wire import read_row
from omium_core.model import events as e
from omium_core.runtime.store import Store
from omium_sqlite.journal import SqliteJournal


class Crash(BaseException):
    """The process is dead; nothing that it does from here on reaches anybody."""


@attrs.define
class Clock:
    """Virtual time: sleeping costs nothing, and every look takes a moment."""

    seed: int = 0
    time: float = 1_800_000_000.0
    lock: Any = attrs.field(factory=threading.Lock)

    def now(self) -> float:
        with self.lock:
            self.time += 0.001
            return round(self.time, 6)

    def chance(self) -> float:
        return random.Random(f"{self.seed}/{self.time}").random()

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.time += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@attrs.define(eq=False)
class Fate:
    """When a process dies: at its n-th moment, never if None. `keep` of what nobody waited for is written, in 1/8."""

    at: int | None = None
    keep: int = 0
    moments: int = 0
    dead: bool = False
    lock: Any = attrs.field(factory=threading.RLock)
    last_words: Callable[[int], None] | None = None

    def moment(self) -> None:
        """Pass a moment at which the process can die."""
        with self.lock:
            self.alive()
            self.moments += 1
            if self.moments == self.at:
                self.die()

    def alive(self) -> None:
        if self.dead:
            raise Crash

    def die(self) -> None:
        with self.lock:
            if self.last_words is not None:
                self.last_words(self.keep)
            self.dead = True
        raise Crash


@attrs.define(eq=False)
class SimCommit:
    """The fate of one append of a simulated process."""

    journal: SimJournal
    batch: Batch
    done: bool = False
    error: OmiumError | None = None
    callbacks: list[Callable[[], None]] = attrs.field(factory=list)

    def wait(self) -> None:
        if not self.done:
            self.journal.land(self)
        if self.error is not None:
            raise self.error

    def on_done(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)
        if self.done:
            self.announce()

    def announce(self) -> None:
        while self.callbacks:
            self.callbacks.pop()()


@attrs.define(eq=False)
class SimJournal:
    """The journal as one process sees it: what nobody waits for stays in its memory as long as it may."""

    disk: SqliteJournal
    fate: Fate
    name: str
    living: set[str]
    pending: list[SimCommit] = attrs.field(factory=list)
    lock: Any = attrs.field(factory=threading.RLock)
    refusal: OmiumError | None = None

    def append(self, batch: Batch) -> SimCommit:
        self.fate.moment()
        if self.refusal is not None:
            raise self.refusal
        commit = SimCommit(self, batch)
        with self.lock:
            self.pending.append(commit)
        return commit

    def flush(self) -> None:
        with self.lock:
            last = self.pending[-1] if self.pending else None
        if last is not None:
            self.land(last)

    def land(self, commit: SimCommit) -> None:
        """Write what was appended up to and with this."""
        self.fate.moment()
        landed = []
        with self.lock:
            while not commit.done and self.pending:
                landed.append(self._write(self.pending.pop(0)))
        for one in landed:
            one.announce()
        self.fate.moment()

    def last_words(self, keep: int) -> None:
        with self.lock:
            for one in self.pending[: len(self.pending) * keep // 8]:
                self._write(one)
            self.pending.clear()
            self.living.discard(self.name)

    def _write(self, one: SimCommit) -> SimCommit:
        try:
            self.disk.append(one.batch).wait()
        except OmiumError as error:
            one.error = error
        one.done = True
        return one

    def rows(self, execution: str, *, bodies: bool = True, after: int = 0) -> Iterator[JournalRow]:
        self.fate.alive()
        return self.disk.rows(execution, bodies=bodies, after=after)

    def row(self, execution: str, seq: int) -> JournalRow | None:
        self.fate.alive()
        return self.disk.row(execution, seq)

    def blob(self, digest: str) -> bytes | None:
        self.fate.alive()
        return self.disk.blob(digest)

    def execution(self, execution: str) -> ExecutionRow | None:
        self.fate.alive()
        return self.disk.execution(execution)

    def executions(self, **given: Any) -> list[ExecutionRow]:
        self.fate.alive()
        return self.disk.executions(**given)

    def runner(self) -> str:
        self.fate.alive()
        self.living.add(self.name)
        return self.name

    def is_alive(self, runner: str) -> bool:
        return runner in self.living

    def check(self) -> list[str]:
        return self.disk.check()

    def close(self) -> None:
        self.flush()


class Runs(dict[str, Any]):
    """The executions that a process runs, and in `ended` also those that it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[Any] = []

    def __setitem__(self, name: str, run: Any) -> None:
        self.ended.append(run)
        super().__setitem__(name, run)


@attrs.define(eq=False)
class Lab:
    """One database, and one simulated process after the other over it."""

    folder: Path
    disk: SqliteJournal
    url: str
    clock: Clock = attrs.field(factory=Clock)
    fate: Fate = attrs.field(factory=Fate)
    living: set[str] = attrs.field(factory=set)
    born: int = 0
    store: Store = attrs.field(init=False)
    runs: Runs = attrs.field(init=False)
    _events: dict[str, list[e.Event]] = attrs.field(factory=dict)
    _lock: Any = attrs.field(factory=threading.RLock)

    def process(self, at: int | None = None, keep: int = 0) -> Runtime:
        """Start a process in the place of the one before, which is as good as dead; `at` is the moment of its death."""
        self.fate.dead = True
        self.living.clear()
        return self.another(at, keep)

    def another(self, at: int | None = None, keep: int = 0) -> Runtime:
        """Start a process beside the one before; from here on it is the one that this Python process is."""
        self.born += 1
        self.fate = Fate(at, keep)
        journal = SimJournal(self.disk, self.fate, f"sim:{self.born}", self.living)
        self.fate.last_words = journal.last_words
        self.runs = Runs()
        self.store = Store(self.url, journal, Codec(types()), self.clock, self.runs)
        runtime = Runtime(_config(self.url), _plugins(), self.store, registry(), _hooks(self.url))
        process_side._PROCESS.runtimes[self.url] = runtime
        return runtime

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
        return Store(self.url, self.disk, Codec(types())).load(execution).state


@contextmanager
def lab(seed: int = 0) -> Iterator[Lab]:
    """Give a lab on a file in memory, and forget it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="omium-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    url = f"sqlite:///{folder}/omium.db"
    url = load_config(store=url).store
    made = Lab(folder, SqliteJournal(folder / "omium.db", durability="process"), url, Clock(seed))
    try:
        yield made
    finally:
        process_side._PROCESS.runtimes.pop(url, None)
        _CONFIGS.pop(url, None)
        made.disk.close()
        shutil.rmtree(folder, ignore_errors=True)


_CONFIGS: dict[str, Any] = {}
_PLUGINS: list[Any] = []


def _plugins() -> Any:
    if not _PLUGINS:
        _PLUGINS.append(load_plugins())
    return _PLUGINS[0]


def _config(url: str) -> Any:
    if url not in _CONFIGS:
        _CONFIGS[url] = load_config(store=url)
    return _CONFIGS[url]


def _hooks(url: str) -> PluginHooks:
    return PluginHooks.of(_plugins(), _config(url))
