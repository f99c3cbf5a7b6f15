"""A store as the runtime sees it: journals that verify, values by event, and executions folded from what is there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from omium_core.engine.state import ExecutionState
from omium_core.errors import Corrupted, UnknownExecution, ValuePruned
from omium_core.interfaces.checkpoint import ExecutionRow, Journal, JournalRow
from omium_core.journal.codec import Codec
from omium_core.journal.tree import expanded, references
from omium_core.journal.wire import GENESIS, body_of, link, read_header, read_row
from omium_core.model.events import Event, ExecutionStarted, Forked, Pruned
from omium_core.runtime.clock import Clock, SystemClock

if TYPE_CHECKING:
    from omium_core.runtime.awaiting import Turn
    from omium_core.runtime.run import Run

__all__ = ["OWN", "Loaded", "Store"]

OWN = "@"
"""Ids of journals that the store itself keeps begin with it; no execution's does."""

FORKS_MAX = 64
CANDIDATES_SHOWN = 5
LAST_MAX = 1000
NEAR = 0.7
BLOBS_READ = 200
LATELY_BYTES_MAX = 4 << 20


@attrs.frozen
class Loaded:
    """An execution as the journal tells it; `digest` is the chain's hash at its end, `epoch` what the store has."""

    state: ExecutionState
    digest: str
    epoch: int


@attrs.frozen
class _Blob:
    """A blob whose hash was checked, in the stored form that is not compressed, with the blobs that it refers to."""

    data: bytes
    references: list[str]


@attrs.define(eq=False)
class Store:
    """Where executions are kept. One object serves all threads of a process.

    `running` are the executions that this process runs at the moment, `turns` those of event loops, by thread.
    """

    url: str
    journal: Journal
    codec: Codec
    clock: Clock = attrs.field(factory=SystemClock)
    running: dict[str, Run] = attrs.field(factory=dict)
    lock: threading.RLock = attrs.field(factory=threading.RLock)
    turns: dict[int, Turn] = attrs.field(factory=dict)
    # How far an execution is pruned, which is never taken back.
    _pruned: dict[str, Pruned] = attrs.field(factory=dict, init=False, repr=False)
    # What a rollback verified is read once more by the resume that follows it.
    _lately: dict[str, _Blob] = attrs.field(factory=dict, init=False, repr=False)
    _lately_bytes: int = attrs.field(default=0, init=False, repr=False)

    def find(self, given: str) -> ExecutionRow:
        """Return the execution that an id, a unique prefix of one, `@last` or `@last-failed` names."""
        if given in ("@last", "@last-failed"):
            rows = self.executions(limit=LAST_MAX)
            failed = ("halted", "paused")
            rows = [row for row in rows if given == "@last" or row.status in failed][:1]
        else:
            exact = self.journal.execution(given)
            # Every id begins with nothing, so nothing must not stand for the only one.
            rows = [exact] if exact else self.executions(prefix=given, limit=CANDIDATES_SHOWN) if given else []
        if not rows:
            raise UnknownExecution(given, self._near(given))
        if len(rows) > 1:
            raise UnknownExecution(given, tuple(row.id for row in rows), ambiguous=True)
        return rows[0]

    def executions(
        self, *, prefix: str = "", status: str | None = None, workflow: str | None = None, limit: int = 100
    ) -> list[ExecutionRow]:
        """Return executions, newest first; what the store itself keeps a journal of is none."""
        asked = limit = max(limit, 0)
        while True:
            rows = self.journal.executions(prefix=prefix, status=status, workflow=workflow, limit=asked)
            found = [row for row in rows if not row.id.startswith(OWN)][:limit]
            if len(found) == limit or len(rows) < asked:
                return found
            asked *= 2

    def load(self, execution: str) -> Loaded:
        """Fold an execution from its journal, checking the chain on the way."""
        return self._load(execution, None, 0)

    def load_until(self, execution: str, seq: int) -> Loaded:
        """Fold an execution up to and with event `seq`."""
        return self._load(execution, seq, 0)

    def events(self, execution: str) -> Iterator[Event]:
        """Give an execution's own events in order, without their bodies, checking the chain on the way."""
        digest = ""
        for row in self.journal.rows(execution, bodies=False):
            events = read_row(row)
            digest = _chained(row, events, digest or self._before(row, events[0], 0).digest)
            yield from events
        if not digest:
            self._refuse_empty(execution)

    def mentions(self, topic: str, limit: int) -> list[tuple[str, Event]]:
        """Return the execution and the event of each that has a topic, those committed last first."""
        found = self.journal.mentions(topic, limit=limit)
        return [(execution, read_header(execution, header)) for execution, header in found]

    def value(self, execution: str, seq: int) -> Any:
        """Return the value that the body of an event holds, as the types it was stored with."""
        body = self.body(execution, seq)
        with _placed(execution, seq):
            return self.codec.open(body, self._below(body))

    def view(self, execution: str, seq: int) -> Any:
        """Return that value as plain data, for readers that do not have its classes; what was pruned says so."""
        try:
            body = self.body(execution, seq)
            with _placed(execution, seq):
                return self.codec.view(body, self._below(body))
        except ValuePruned:
            return {"@type": "pruned"}

    def body(self, execution: str, seq: int) -> bytes:
        """Return the stored body of an event, checked against its hash."""
        row = self.journal.row(execution, seq)
        if row is None:
            raise Corrupted(f"event {seq} of `{execution}` is missing", execution, seq)
        if row.bodies is None:
            pruned = self._pruned_up_to(execution, seq)
            if pruned is not None:
                raise ValuePruned(execution, pruned.until, pruned.by)
        return body_of(row, seq)

    def blob(self, digest: str) -> bytes:
        """Return a stored form of a blob, which was checked against its hash."""
        return self._checked([digest])[digest].data

    def verify_value(self, execution: str, seq: int) -> None:
        """Raise `Corrupted` unless the body of an event and every blob below it are what was written."""
        body = self.body(execution, seq)
        with _placed(execution, seq):
            self.verify_references(body)

    def verify_references(self, data: bytes, seen: set[str] | None = None) -> None:
        """Raise `Corrupted` unless every blob that a body refers to, at any depth, is what was written.

        Blobs in `seen` are taken for verified with all that is below them; those that are verified now are added.
        """
        seen = set() if seen is None else seen
        found: set[str] = set()
        for part in self._levels(references(data), lambda digest: digest in seen or digest in found, self._checked):
            found.update(part)
        seen |= found

    def _pruned_up_to(self, execution: str, seq: int) -> Pruned | None:
        """Return what says that the body of an event was pruned."""
        known = self._pruned.get(execution)
        if known is None or known.until < seq:
            found = (one for one in self.events(execution) if isinstance(one, Pruned) and one.until >= seq)
            known = next(found, None)
            if known is not None:
                self._pruned[execution] = known
        return known

    def _below(self, data: bytes) -> Callable[[str], bytes]:
        """Return what gives the blobs below a body; they are read some hundreds at once, and none twice."""
        below: dict[str, bytes] = {}

        def fetch(digest: str) -> bytes:
            # Most values are in one piece, and are never looked into for what they refer to.
            if not below:
                for part in self._levels(references(data), below.__contains__, self._kept):
                    below.update((name, blob.data) for name, blob in part.items())
            return below[digest]

        return fetch

    def _levels(
        self,
        waiting: list[str],
        known: Callable[[str], bool],
        read: Callable[[list[str]], dict[str, _Blob]],
    ) -> Iterator[dict[str, _Blob]]:
        """Give the blobs named and all below them that are not `known`, in parts of bounded size."""
        while waiting:
            new = [digest for digest in dict.fromkeys(waiting) if not known(digest)]
            part, waiting = read(new[:BLOBS_READ]), new[BLOBS_READ:]
            yield part
            waiting.extend(digest for blob in part.values() for digest in blob.references)

    def _kept(self, digests: list[str]) -> dict[str, _Blob]:
        """Return blobs that were read and checked lately, and read the others."""
        with self.lock:
            kept = {digest: self._lately[digest] for digest in digests if digest in self._lately}
        missing = [digest for digest in digests if digest not in kept]
        return kept | self._checked(missing) if missing else kept

    def _checked(self, digests: list[str]) -> dict[str, _Blob]:
        """Read blobs from the store; raise `Corrupted` for one that is missing or not what was written."""
        found = self.journal.blobs(digests)
        read: dict[str, _Blob] = {}
        for digest in digests:
            data = found.get(digest)
            if data is None:
                raise Corrupted(f"blob `{digest[:16]}` is missing")
            if hashlib.sha256(data).hexdigest() != digest:
                raise Corrupted(f"blob `{digest[:16]}` was changed")
            plain = expanded(data)
            read[digest] = _Blob(plain, references(plain))
        with self.lock:
            self._keep(read)
        return read

    def _keep(self, read: dict[str, _Blob]) -> None:
        self._lately.update(read)
        self._lately_bytes += sum(len(blob.data) for blob in read.values())
        if self._lately_bytes > LATELY_BYTES_MAX:
            self._lately.clear()
            self._lately_bytes = 0

    def close(self) -> None:
        """Commit what was appended and let everything go."""
        self.journal.close()

    def _near(self, given: str) -> tuple[str, ...]:
        """Return the ids of the newest executions that an id may have been meant for."""
        import difflib  # only an id that is not there needs it

        known = [row.id for row in self.executions(limit=LAST_MAX)]
        return tuple(difflib.get_close_matches(given, known, n=CANDIDATES_SHOWN, cutoff=NEAR))

    def _load(self, execution: str, until: int | None, depth: int) -> Loaded:
        if depth > FORKS_MAX:
            raise Corrupted(f"`{execution}` is a fork of forks, more than {FORKS_MAX} deep", execution)
        loaded: Loaded | None = None
        for row in self.journal.rows(execution, bodies=False):
            loaded = self._fold(row, loaded, until, depth)
            if until is not None and loaded.state.seq >= until:
                break
        if loaded is None:
            self._refuse_empty(execution)
            raise UnknownExecution(execution)
        return loaded

    def _refuse_empty(self, execution: str) -> None:
        """Raise `Corrupted` for an execution that is there without a journal: its start was one append with its row."""
        if self.journal.execution(execution) is not None:
            raise Corrupted(f"the events of `{execution}` are missing", execution)

    def _fold(self, row: JournalRow, loaded: Loaded | None, until: int | None, depth: int) -> Loaded:
        events = read_row(row)
        if loaded is None:
            loaded = self._before(row, events[0], depth)
        _chained(row, events, loaded.digest)
        return self._apply(row, events, loaded, until)

    def _before(self, row: JournalRow, first: Event, depth: int) -> Loaded:
        """Return what a journal's first event follows: nothing, or what a fork has from its source."""
        if isinstance(first, ExecutionStarted | Forked) and first.execution != row.execution:
            raise Corrupted(
                f"the journal of `{row.execution}` is that of `{first.execution}`", row.execution, first.seq
            )
        if isinstance(first, Forked):
            return self._load(first.source, first.source_seq, depth + 1)
        return Loaded(ExecutionState(), GENESIS, 0)

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


def _chained(row: JournalRow, events: list[Event], digest: str) -> str:
    """Return the chain's hash after an append; raise `Corrupted` if it is not the one that was written with it."""
    for event, header in zip(events, row.headers, strict=True):
        digest = link(digest, header, event.digest)
    if digest != row.digest:
        reason = f"the chain of `{row.execution}` is broken between events {events[0].seq} and {events[-1].seq}"
        raise Corrupted(reason, row.execution, events[0].seq)
    return digest


@contextmanager
def _placed(execution: str, seq: int) -> Iterator[None]:
    """Let damage below the body of an event say which event it is."""
    try:
        yield
    except Corrupted as error:
        if error.execution:
            raise
        raise Corrupted(f"event {seq} of `{execution}`: {error}", execution, seq) from error
