"""Journals and blob stores that are right but for one thing each, which the suites must find."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from omium_core.errors import ExecutionFenced, StoreError
from omium_core.interfaces.checkpoint import Batch, ExecutionRow, JournalRow, StatusChange
from omium_fsspec.blobs import FsspecBlobStore
from omium_sqlite.opening import open_journal

__all__ = ["BLOB_STORES", "JOURNALS"]


@attrs.frozen
class Decided:
    """A commit whose fate is known at once."""

    error: Exception | None = None
    done: bool = True

    def wait(self) -> None:
        if self.error is not None:
            raise self.error

    def on_done(self, callback: Callable[[], None]) -> None:
        callback()


class Around:
    """The real journal, for what a broken one does not break."""

    def __init__(self, url: str, **options: Any) -> None:
        self.inner: Any = open_journal(url, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class IgnoresEpochs(Around):
    def append(self, batch: Batch) -> Any:
        row = self.inner.execution(batch.execution)
        epoch = row.epoch if row is not None else 0
        return self.inner.append(attrs.evolve(batch, expected_epoch=epoch, epoch=max(epoch, batch.epoch)))


class IgnoresHistory(Around):
    def append(self, batch: Batch) -> Any:
        return self.inner.append(attrs.evolve(batch, previous=None))


class AppendsBehindGaps(Around):
    def append(self, batch: Batch) -> Any:
        rows = list(self.inner.rows(batch.execution))
        last = rows[-1].first_seq + len(rows[-1].headers) if rows else batch.first_seq
        return self.inner.append(attrs.evolve(batch, first_seq=max(last, batch.first_seq) if rows else batch.first_seq))


class TearsBatches(Around):
    """Two transactions for one batch: in between a reader sees the half of it."""

    def append(self, batch: Batch) -> Any:
        if len(batch.headers) < 2:
            return self.inner.append(batch)
        first = attrs.evolve(batch, headers=batch.headers[:1], bodies=b"", digest="00" * 32)
        self.inner.append(first).wait()
        rest = {"first_seq": batch.first_seq + 1, "expected_epoch": batch.epoch, "previous": None}
        return self.inner.append(attrs.evolve(batch, headers=batch.headers[1:], **rest))


class StoresBlobsLate(Around):
    def append(self, batch: Batch) -> Any:
        commit = self.inner.append(attrs.evolve(batch, blobs=()))
        commit.wait()
        return self._with_blobs(batch) if batch.blobs else commit

    def _with_blobs(self, batch: Batch) -> Any:
        later = {"first_seq": batch.first_seq + len(batch.headers), "expected_epoch": batch.epoch, "previous": None}
        headers = [batch.headers[-1]]
        return self.inner.append(attrs.evolve(batch, headers=headers, bodies=b"", change=None, **later))


class FailsNeighbours(Around):
    """One fenced batch, and the next one of whatever execution fails with it."""

    failed = False

    def append(self, batch: Batch) -> Any:
        row = self.inner.execution(batch.execution)
        if self.failed:
            self.failed = False
            return Decided(ExecutionFenced(batch.execution))
        self.failed = row is not None and row.epoch != batch.expected_epoch
        return self.inner.append(batch)


class SaysTooEarly(Around):
    """Says that an append is durable when it is only in memory."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.held: list[Batch] = []

    def append(self, batch: Batch) -> Any:
        self.held.append(batch)
        if len(self.held) >= 8:
            self.flush()
        return Decided()

    def flush(self) -> None:
        held, self.held = self.held, []
        for batch in held:
            self.inner.append(batch)

    def close(self) -> None:
        self.flush()
        self.inner.close()


class DropsOnClose(Around):
    """What nobody waited for is lost when the journal is closed."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.held: list[Batch] = []

    def append(self, batch: Batch) -> Any:
        self.held.append(batch)
        return Waiting(self)

    def settle(self) -> None:
        held, self.held = self.held, []
        for batch in held:
            self.inner.append(batch).wait()


@attrs.frozen
class Waiting:
    """A commit that is made when somebody waits."""

    journal: DropsOnClose
    done: bool = False

    def wait(self) -> None:
        if self.journal.held:
            self.journal.settle()

    def on_done(self, callback: Callable[[], None]) -> None:
        self.wait()
        callback()


class ForgetsCallbacks(Around):
    def append(self, batch: Batch) -> Any:
        return Deaf(self.inner.append(batch))


@attrs.frozen
class Deaf:
    """A commit that calls nobody back who asked before it was done."""

    inner: Any

    @property
    def done(self) -> bool:
        return bool(self.inner.done)

    def wait(self) -> None:
        self.inner.wait()

    def on_done(self, callback: Callable[[], None]) -> None:
        if self.inner.done:
            callback()


class KeepsTheEnd(Around):
    """An execution that goes on still has the end that it had."""

    def execution(self, execution: str) -> ExecutionRow | None:
        row = self.inner.execution(execution)
        return attrs.evolve(row, ended=row.ended or 1.0) if row is not None and row.status == "running" else row


class ForgetsTheStatus(Around):
    def append(self, batch: Batch) -> Any:
        change = batch.change and StatusChange(batch.change.status, started=batch.change.started)
        return self.inner.append(attrs.evolve(batch, change=change))


class ListsOldestFirst(Around):
    def executions(self, **asked: Any) -> list[ExecutionRow]:
        return self.inner.executions(**asked)[::-1]


class MatchesPatterns(Around):
    def executions(self, *, prefix: str = "", **asked: Any) -> list[ExecutionRow]:
        rows = self.inner.executions(**{**asked, "limit": 1000})
        found = [row for row in rows if row.id.lower().startswith(prefix.lower())]
        return found[: asked.get("limit", 100)]


class BeginsRowsLate(Around):
    def rows(self, execution: str, *, bodies: bool = True, after: int = 0) -> Iterator[JournalRow]:
        return (row for row in self.inner.rows(execution, bodies=bodies) if row.first_seq > after)


class CutsBodies(Around):
    def rows(self, execution: str, **asked: Any) -> Iterator[JournalRow]:
        for row in self.inner.rows(execution, **asked):
            yield attrs.evolve(row, bodies=row.bodies and row.bodies[:1_000_000])


class TakesTheLivingForDead(Around):
    def is_alive(self, runner: str) -> bool:
        return runner == self.inner.runner() and self.inner.is_alive(runner)


class SharesARunner(Around):
    def runner(self) -> str:
        self.inner.runner()
        return "the only one"

    def is_alive(self, runner: str) -> bool:
        return True


class RaisesWhatItLikes(Around):
    def __init__(self, url: str, **options: Any) -> None:
        if not url.startswith("sqlite:///"):
            raise KeyError(url)
        super().__init__(url, **options)


class TakesAppendsWhenClosed(Around):
    """Takes what is appended after `close`, and nobody ever writes it."""

    closed = False

    def append(self, batch: Batch) -> Any:
        return Decided() if self.closed else self.inner.append(batch)

    def close(self) -> None:
        self.closed = True
        self.inner.close()


class MentionsOldestFirst(Around):
    def mentions(self, topic: str, *, limit: int = 100) -> list[tuple[str, str]]:
        return self.inner.mentions(topic, limit=limit)[::-1]


class PrunesFromTheStart(Around):
    """Shows who decides what was there when the prune was planned, as if it had come since."""

    def prune(self, since: Any, decide: Any) -> Any:
        return self.inner.prune({}, decide)


class ForgetsGenerations(Around):
    def append(self, batch: Batch) -> Any:
        return self.inner.append(attrs.evolve(batch, reliances=()))


class LeavesTheRunner(Around):
    """Appends for an operator in the epoch of the runner, who would not notice."""

    def append_at_end(self, execution: str, make: Any) -> bool:
        def in_the_same_epoch(row: ExecutionRow, last: JournalRow) -> Batch | None:
            batch = make(row, last)
            return batch and attrs.evolve(batch, epoch=row.epoch)

        return self.inner.append_at_end(execution, in_the_same_epoch)


JOURNALS: dict[type, str] = {
    IgnoresEpochs: "what_does_not_fit_is_fenced",
    IgnoresHistory: "what_does_not_fit_is_fenced",
    AppendsBehindGaps: "what_does_not_fit_is_fenced",
    TearsBatches: "a_batch_is_seen_whole_or_not_at_all",
    StoresBlobsLate: "a_batch_is_seen_whole_or_not_at_all",
    FailsNeighbours: "a_fenced_batch_fails_alone",
    SaysTooEarly: "a_kill_loses_nothing_that_was_acknowledged",
    DropsOnClose: "closing_commits_what_was_appended",
    ForgetsCallbacks: "a_commit_tells_its_fate",
    KeepsTheEnd: "the_status_follows_the_changes",
    ForgetsTheStatus: "the_status_follows_the_changes",
    ListsOldestFirst: "executions_are_found",
    MatchesPatterns: "executions_are_found",
    BeginsRowsLate: "rows_begin_where_they_are_asked_to",
    CutsBodies: "large_bodies_come_back",
    TakesTheLivingForDead: "a_runner_is_alive_while_its_process_is",
    SharesARunner: "a_journal_survives_a_fork",
    RaisesWhatItLikes: "other_urls_are_refused",
    TakesAppendsWhenClosed: "closing_commits_what_was_appended",
    MentionsOldestFirst: "mentions_are_found",
    PrunesFromTheStart: "pruning_removes_what_it_names",
    ForgetsGenerations: "after_pruning_blobs_are_asked_for_again",
    LeavesTheRunner: "who_appends_at_the_end_fences_the_runner",
}
"""Each broken journal, and the check that must find it."""


class Overwrites(FsspecBlobStore):
    def put(self, digest: str, data: bytes) -> None:
        place = self._store.root / digest[:2] / digest[2:]
        if place.exists():
            place.write_bytes(data)
        super().put(digest, data)


class InventsBlobs(FsspecBlobStore):
    def get(self, digest: str) -> bytes | None:
        return super().get(digest) or b""


class TakesAnyName(FsspecBlobStore):
    def put(self, digest: str, data: bytes) -> None:
        self._store.put(digest.replace("/", "_") or "empty", data)


class WritesInPlace(FsspecBlobStore):
    """A name that may have a part of its bytes."""

    def put(self, digest: str, data: bytes) -> None:
        place = self._store.root / digest[:2] / digest[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            # A disk that takes its time, so that a reader does come in between.
            time.sleep(0.05)
            file.write(data[len(data) // 2 :])


class ForgetsOnClose(FsspecBlobStore):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.blobs: dict[str, bytes] = {}

    def put(self, digest: str, data: bytes) -> None:
        self.blobs.setdefault(digest, data)

    def get(self, digest: str) -> bytes | None:
        return self.blobs.get(digest)


class FailsForStrangers(FsspecBlobStore):
    def get(self, digest: str) -> bytes | None:
        found = super().get(digest)
        if found is None:
            raise StoreError(f"blob `{digest}` is not there")
        return found


BLOB_STORES: dict[type, str] = {
    Overwrites: "a_blob_that_is_there_stays",
    InventsBlobs: "what_was_never_put_is_missing",
    FailsForStrangers: "what_was_never_put_is_missing",
    TakesAnyName: "only_hashes_are_names",
    WritesInPlace: "threads_put_the_same_at_once",
    ForgetsOnClose: "what_was_put_is_there_when_opened_again",
}
"""Each broken blob store, and the check that must find it."""
