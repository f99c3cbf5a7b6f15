"""A journal and a blob store that do to their writes what a plan of faults says, around real ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from omium.testing import tearing
from omium_core.errors import ExecutionFenced, OmiumError, StoreError, UsageError
from omium_core.interfaces.checkpoint import Batch, BlobStore, Commit, Journal

if TYPE_CHECKING:
    from omium.testing.faults import Fault, Faults

__all__ = ["FaultyBlobStore", "FaultyJournal"]


@attrs.frozen
class FailedCommit:
    """The fate of an append that failed."""

    error: OmiumError
    done: bool = True

    def wait(self) -> None:
        """Raise what it failed with."""
        raise self.error

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` at once."""
        callback()


@attrs.frozen
class Lost:
    """An append that failed."""

    first_seq: int
    error: StoreError


@attrs.define(eq=False)
class FaultyCommit:
    """The fate of an append that a real journal took."""

    inner: Commit
    batch: Batch
    journal: FaultyJournal

    @property
    def done(self) -> bool:
        """True once the append is durable or has failed."""
        return self.inner.done and not self.journal.dying

    def wait(self) -> None:
        """Return when the append is durable; raise why it is not there."""
        try:
            self.inner.wait()
        except ExecutionFenced:
            lost = self.journal.lost.get(self.batch.execution)
            if lost is None:
                raise
            raise lost.error from None
        self.journal.survive()
        self.journal.found(self.batch)

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when the fate is known."""

        def unless_dying() -> None:
            if not self.journal.dying:
                callback()

        self.inner.on_done(unless_dying)


@attrs.define(eq=False)
class FaultyJournal:
    """A real journal whose appends meet faults; everything else of it is the real one's.

    `lost` are the executions of which an append failed: what follows it does not fit, and the journal says why, as a
    real one does that could not write. `dying` is set BEFORE the write that the process dies in: nobody hears of a
    commit from there on, because its bytes may be taken back.
    """

    inner: Journal
    faults: Faults
    files: tuple[Path, ...] = ()
    lost: dict[str, Lost] = attrs.field(factory=dict, init=False)
    dying: bool = attrs.field(default=False, init=False)
    _last: dict[str, FaultyCommit] = attrs.field(factory=dict, init=False)
    _written: threading.Event = attrs.field(factory=threading.Event, init=False)

    def append(self, batch: Batch) -> Commit:
        """Take a batch, unless the plan says what happens to it."""
        self.survive()
        for fault in self.faults.take("journal"):
            answer = self._suffer(fault, batch)
            if answer is not None:
                return answer
        commit = self._last[batch.execution] = FaultyCommit(self.inner.append(batch), batch, self)
        return commit

    def found(self, batch: Batch) -> None:
        """Take note that an append is stored: where one was lost, it has been made again."""
        lost = self.lost.get(batch.execution)
        if lost is not None and batch.first_seq >= lost.first_seq:
            del self.lost[batch.execution]

    def survive(self) -> None:
        """Return unless the process is dying; then die with it, once its last write is what the plan says."""
        if self.dying:
            self._written.wait()
            self.faults.die()

    def __getattr__(self, name: str) -> Any:
        # Reads, runners and whatever a journal has beside the protocol: a fault is a matter of writes.
        return getattr(self.inner, name)

    def _suffer(self, fault: Fault, batch: Batch) -> Commit | None:
        match fault.kind:
            case "delay":
                self.faults.clock.sleep(fault.seconds)
                return None
            case "fail":
                return self._failed(fault, batch)
            case "tear" if not self.files:
                raise UsageError("a write of this journal cannot be torn; give its files to `Faults.journal`")
        self.dying = True
        try:
            self._last_write(fault, batch)
        finally:
            self._written.set()
        return self.faults.die()

    def _failed(self, fault: Fault, batch: Batch) -> Commit:
        error = _failure(fault)
        # A journal decides the fates of an execution's appends in their order.
        if batch.execution in self._last:
            with suppress(OmiumError):
                self._last[batch.execution].wait()
        if fault.after:
            self.inner.append(batch).wait()
        else:
            self.lost[batch.execution] = Lost(batch.first_seq, error)
        return FailedCommit(error)

    def _last_write(self, fault: Fault, batch: Batch) -> None:
        if fault.kind == "tear":
            # What was appended before is written BEFORE the write that is torn, so the tear reaches no further.
            self.inner.flush()
            with tearing.torn(self.files, fault.part):
                self.inner.append(batch).wait()
        elif fault.after:
            self.inner.append(batch).wait()


@attrs.define(eq=False)
class FaultyBlobStore:
    """A real blob store whose puts meet faults; everything else of it is the real one's."""

    inner: BlobStore
    faults: Faults
    folder: Path | None = None

    def put(self, digest: str, data: bytes) -> None:
        """Put the blob, unless the plan says what happens to it."""
        for fault in self.faults.take("blobs"):
            self._suffer(fault, digest, data)
        self.inner.put(digest, data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def _suffer(self, fault: Fault, digest: str, data: bytes) -> None:
        if fault.kind == "delay":
            self.faults.clock.sleep(fault.seconds)
            return
        if fault.kind == "tear":
            if self.folder is None:
                raise UsageError("a blob of this store cannot be torn; give the store's folder to `Faults.blobs`")
            tearing.tear_blob(self.folder, fault.part, lambda: self.inner.put(digest, data), self.faults.die)
        elif fault.after:
            self.inner.put(digest, data)
        if fault.kind == "fail":
            raise _failure(fault)
        self.faults.die()


def _failure(fault: Fault) -> StoreError:
    how = "and every one after it fail" if fault.for_good else "fails"
    return StoreError(f"the plan of faults says that write {fault.write} to the {fault.to} {how}")
