"""Verification: is everything in the store as it was written, and if not, what is not."""

from __future__ import annotations

import hashlib

import attrs

from omium_core.engine.state import ExecutionState
from omium_core.errors import Corrupted, OmiumError, StoreError
from omium_core.interfaces.checkpoint import ExecutionRow, JournalRow
from omium_core.journal.wire import GENESIS, link, read_row, split_bodies
from omium_core.model import events as e
from omium_core.runtime.store import OWN, Store

__all__ = ["Problem", "Verification", "verify_store"]


@attrs.frozen
class Problem:
    """Something that is not as it was written: in which execution and event (0 when it is neither's), and what."""

    execution: str
    seq: int
    message: str

    def __str__(self) -> str:
        return self.message


@attrs.frozen
class Verification:
    """What was found. `ok` says that nothing was changed, is missing or was reordered; `heads` are the chains' ends.

    `policies` counts the journals of policies, whose events and heads are among the others.

    `pruned` are executions whose values were pruned, each with the last event that has lost its own.

    The chain shows any change up to a head that is known elsewhere: keep `heads` where the store's owner cannot write.
    """

    executions: int
    events: int
    problems: tuple[Problem, ...]
    heads: dict[str, str]
    pruned: dict[str, int] = attrs.field(factory=dict)
    policies: int = 0

    @property
    def ok(self) -> bool:
        """True when nothing was found."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.ok


def verify_store(store: Store, execution: str | None = None, head: str | None = None) -> Verification:
    """Check an execution, or all of a store, and the storage below them."""
    found: list[Problem] = []
    events = 0
    heads: dict[str, str] = {}
    hashes: set[str] = set()
    pruned: dict[str, int] = {}
    try:
        rows = _rows(store, execution)
        found += [Problem("", 0, one) for one in store.journal.check()]
    except StoreError as error:
        return Verification(0, 0, (Problem("", 0, str(error)),), {})
    for row in rows:
        chain = _Chain(store, row)
        try:
            chain.check()
        except OmiumError as error:
            chain.problems.append(_unreadable(row, error))
        found += chain.problems
        events += chain.events
        heads[row.id] = chain.digest
        hashes |= chain.known
        if chain.pruned:
            pruned[row.id] = chain.pruned
    if head is not None and not any(one.startswith(head) for one in hashes):
        found.append(Problem(execution or "", 0, f"the head `{head}` is in no chain: the end of a journal is missing"))
    own = sum(row.id.startswith(OWN) for row in rows)
    return Verification(len(rows) - own, events, tuple(dict.fromkeys(found)), heads, pruned, own)


def _unreadable(row: ExecutionRow, error: OmiumError) -> Problem:
    """Name the execution that cannot be read further, where the error itself is about the storage below."""
    named = getattr(error, "execution", "")
    return Problem(row.id, getattr(error, "seq", 0), str(error) if named else f"`{row.id}` cannot be read: {error}")


def _rows(store: Store, execution: str | None) -> list[ExecutionRow]:
    if execution is not None:
        return [store.find(execution)]
    return store.journal.executions(limit=2**31)


@attrs.define
class _Chain:
    """One execution's journal, checked from its first byte to its last."""

    store: Store
    row: ExecutionRow
    digest: str = GENESIS
    events: int = 0
    problems: list[Problem] = attrs.field(factory=list)
    known: set[str] = attrs.field(factory=set)
    state: ExecutionState | None = None
    broken: bool = False
    absent: list[int] = attrs.field(factory=list)
    blobs: set[str] = attrs.field(factory=set)
    pruned: int = 0

    def check(self) -> None:
        for row in self.store.journal.rows(self.row.id):
            self._append(row)
        # A body may be absent only if a later event names it as pruned.
        for seq in self.absent:
            if seq > self.pruned:
                self._found(seq, f"the body of event {seq} of `{self.row.id}` is missing")
        if self.state is None:
            self._found(0, f"`{self.row.id}` has no events")
        elif not self.broken:
            self._table(self.state)

    def _append(self, row: JournalRow) -> None:
        events = read_row(row)
        if self.state is None:
            self._begin(events[0])
        assert self.state is not None
        bodies = split_bodies(row, events)
        if row.bodies is not None and sum(map(len, bodies.values())) != len(row.bodies):
            self._found(row.first_seq, f"the bodies of event {row.first_seq} of `{row.execution}` have another length")
        for event, header in zip(events, row.headers, strict=True):
            self.events += 1
            self.digest = link(self.digest, header, event.digest)
            self.known.add(self.digest)
            self._event(event, bodies)
        if self.digest != row.digest:
            first, last = events[0].seq, events[-1].seq
            self._found(first, f"the chain of `{row.execution}` is broken between events {first} and {last}")
            self.digest = row.digest

    def _begin(self, first: e.Event) -> None:
        self.state = ExecutionState()
        if isinstance(first, e.Forked):
            source = self.store.load_until(first.source, first.source_seq)
            self.state, self.digest = source.state, source.digest

    def _event(self, event: e.Event, bodies: dict[int, bytes]) -> None:
        assert self.state is not None
        if event.seq != self.state.seq + 1 and not self.broken:
            self._found(event.seq, f"event {self.state.seq + 1} of `{self.row.id}` is missing")
        if event.digest is not None:
            self._body(event, bodies.get(event.seq))
        if isinstance(event, e.Pruned):
            self.pruned = event.until
        if self.broken:
            return
        try:
            self.state.apply(event)
        except (KeyError, TypeError, AttributeError, ValueError, AssertionError):
            self._found(event.seq, f"event {event.seq} of `{self.row.id}` does not fit what is before it")
            return
        if isinstance(event, e.CheckpointCommitted):
            self.known.add(event.checkpoint)
            if self.state.outcomes.root != event.root:
                self._found(event.seq, f"the state at checkpoint `{event.name}` of `{self.row.id}` is not what it was")

    def _body(self, event: e.Event, data: bytes | None) -> None:
        if data is None:
            self.absent.append(event.seq)
            return
        if hashlib.sha256(data).hexdigest() != event.digest:
            self._found(event.seq, f"the body of event {event.seq} of `{self.row.id}` was changed")
            return
        try:
            self.store.verify_references(data, self.blobs)
        except Corrupted as error:
            self._found(event.seq, f"event {event.seq} of `{self.row.id}`: {error}")

    def _table(self, state: ExecutionState) -> None:
        row = self.store.journal.execution(self.row.id) or self.row
        if next(self.store.journal.rows(self.row.id, bodies=False, after=state.seq), None) is not None:
            # Its runner has appended since the journal was read, and the table says what that led to.
            return
        for name in ("id", "workflow", "status", "epoch", "runner", "started", "ended"):
            told, known = getattr(row, name), getattr(state, name)
            if told != known:
                self._found(
                    state.seq, f"the table says `{told}` for the {name} of `{self.row.id}`, its journal `{known}`"
                )

    def _found(self, seq: int, message: str) -> None:
        self.broken = True
        self.problems.append(Problem(self.row.id, seq, message))
