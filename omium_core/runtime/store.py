"""A store as the runtime sees it: journals that verify, values by event, and executions folded from what is there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from omium_core.engine.state import ExecutionState
from omium_core.errors import Corrupted, UnknownExecution
from omium_core.interfaces.checkpoint import ExecutionRow, Journal, JournalRow
from omium_core.journal.codec import Codec
from omium_core.journal.tree import references
from omium_core.journal.wire import GENESIS, body_of, link, read_row
from omium_core.model.events import Event, Forked
from omium_core.runtime.clock import Clock, SystemClock

if TYPE_CHECKING:
    from omium_core.runtime.run import Run

__all__ = ["Loaded", "Store"]

FORKS_MAX = 64
CANDIDATES_SHOWN = 5


@attrs.frozen
class Loaded:
    """An execution as the journal tells it; `digest` is the chain's hash at its end, `epoch` what the store has."""

    state: ExecutionState
    digest: str
    epoch: int


@attrs.define(eq=False)
class Store:
    """Where executions are kept. One object serves all threads of a process.

    `running` are the executions that this process runs at the moment.
    """

    url: str
    journal: Journal
    codec: Codec
    clock: Clock = attrs.field(factory=SystemClock)
    running: dict[str, Run] = attrs.field(factory=dict)
    lock: threading.RLock = attrs.field(factory=threading.RLock)

    def find(self, given: str) -> ExecutionRow:
        """Return the execution that an id, a unique prefix of one, `@last` or `@last-failed` names."""
        if given in ("@last", "@last-failed"):
            rows = self.journal.executions(limit=1000)
            failed = ("halted", "paused")
            rows = [row for row in rows if given == "@last" or row.status in failed][:1]
        else:
            exact = self.journal.execution(given)
            rows = [exact] if exact else self.journal.executions(prefix=given, limit=CANDIDATES_SHOWN)
        if len(rows) != 1:
            near = rows or self.journal.executions(limit=3)
            raise UnknownExecution(given, tuple(row.id for row in near))
        return rows[0]

    def load(self, execution: str) -> Loaded:
        """Fold an execution from its journal, checking the chain on the way."""
        return self._load(execution, None, 0)

    def load_until(self, execution: str, seq: int) -> Loaded:
        """Fold an execution up to and with event `seq`."""
        return self._load(execution, seq, 0)

    def events(self, execution: str) -> Iterator[Event]:
        """Give an execution's own events in order, without their bodies."""
        for row in self.journal.rows(execution, bodies=False):
            yield from read_row(row)

    def value(self, execution: str, seq: int) -> Any:
        """Return the value that the body of an event holds, as the types it was stored with."""
        return self.codec.open(self.body(execution, seq), self.blob)

    def view(self, execution: str, seq: int) -> Any:
        """Return that value as plain data, for readers that do not have its classes."""
        return self.codec.view(self.body(execution, seq), self.blob)

    def body(self, execution: str, seq: int) -> bytes:
        """Return the stored body of an event, checked against its hash."""
        row = self.journal.row(execution, seq)
        if row is None:
            raise Corrupted(f"event {seq} of `{execution}` is missing", execution, seq)
        return body_of(row, seq)

    def blob(self, digest: str) -> bytes:
        """Return a blob, checked against its hash."""
        data = self.journal.blob(digest)
        if data is None:
            raise Corrupted(f"blob `{digest[:16]}` is missing")
        if hashlib.sha256(data).hexdigest() != digest:
            raise Corrupted(f"blob `{digest[:16]}` was changed")
        return data

    def verify_value(self, execution: str, seq: int) -> None:
        """Raise `Corrupted` unless the body of an event and every blob below it are what was written."""
        self.verify_references(self.body(execution, seq))

    def verify_references(self, data: bytes) -> None:
        """Raise `Corrupted` unless every blob that a body refers to, at any depth, is what was written."""
        waiting = references(data)
        seen: set[str] = set()
        while waiting:
            digest = waiting.pop()
            if digest not in seen:
                seen.add(digest)
                waiting.extend(references(self.blob(digest)))

    def close(self) -> None:
        """Commit what was appended and let everything go."""
        self.journal.close()

    def _load(self, execution: str, until: int | None, depth: int) -> Loaded:
        if depth > FORKS_MAX:
            raise Corrupted(f"`{execution}` is a fork of forks, more than {FORKS_MAX} deep", execution)
        loaded: Loaded | None = None
        for row in self.journal.rows(execution, bodies=False):
            loaded = self._fold(row, loaded, until, depth)
            if until is not None and loaded.state.seq >= until:
                break
        if loaded is None:
            raise UnknownExecution(execution)
        return loaded

    def _fold(self, row: JournalRow, loaded: Loaded | None, until: int | None, depth: int) -> Loaded:
        events = read_row(row)
        if loaded is None:
            first = events[0]
            if isinstance(first, Forked):
                loaded = self._load(first.source, first.source_seq, depth + 1)
            else:
                loaded = Loaded(ExecutionState(), GENESIS, 0)
        digest = loaded.digest
        for event, header in zip(events, row.headers, strict=True):
            digest = link(digest, header, event.digest)
        if digest != row.digest:
            reason = f"the chain of `{row.execution}` is broken between events {events[0].seq} and {events[-1].seq}"
            raise Corrupted(reason, row.execution, events[0].seq)
        return self._apply(row, events, loaded, until)

    def _apply(self, row: JournalRow, events: list[Event], loaded: Loaded, until: int | None) -> Loaded:
        state, digest = loaded.state, loaded.digest
        for event, header in zip(events, row.headers, strict=True):
            if until is not None and event.seq > until:
                break
            if event.seq != state.seq + 1:
                raise Corrupted(f"event {state.seq + 1} of `{row.execution}` is missing", row.execution, event.seq)
            digest = link(digest, header, event.digest)
            try:
                state.apply(event)
            except (KeyError, TypeError, AttributeError, ValueError, AssertionError) as error:
                reason = f"event {event.seq} of `{row.execution}` does not fit what is before it"
                raise Corrupted(reason, row.execution, event.seq) from error
        return Loaded(state, digest, row.epoch)
