"""Where journals and blobs are kept: the Protocols that a store plugin implements."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

import attrs

from omium_core.model.body import Blob, Reliance
from omium_core.model.immutable import immutable

__all__ = ["Batch", "BlobStore", "Commit", "ExecutionRow", "Journal", "JournalRow", "StatusChange"]


@immutable
class StatusChange:
    """What an execution's row says from this append on. None leaves a field as it is, but for `ended`: not ended."""

    status: str | None = None
    workflow: str | None = None
    runner: str | None = None
    started: float | None = None
    ended: float | None = None


@immutable
class Batch:
    """Events of one execution that are appended together or not at all.

    `first_seq` is the sequence number of the first event: an execution's first event has 1, a fork's goes on from its
    source's. `headers` are the events' headers, each one line of JSON; `bodies` are their stored bodies in the same
    order, concatenated. `digest` is the chain's hash after the last event, in hex. `expected_epoch` is the epoch that
    the execution MUST have in the store (0 for one that is not there yet), `epoch` the one it has afterwards.
    `previous` is the hash that the chain MUST have before the first event, or None; `reliances` are for `Upkeep.prune`.
    """

    execution: str
    first_seq: int
    expected_epoch: int
    epoch: int
    headers: Sequence[str]
    bodies: bytes
    digest: str
    blobs: tuple[Blob, ...] = ()
    change: StatusChange | None = None
    previous: str | None = None
    reliances: tuple[Reliance, ...] = ()


@attrs.frozen
class JournalRow:
    """One append as it is stored; `bodies` is None where they were not asked for or are gone."""

    execution: str
    first_seq: int
    epoch: int
    headers: tuple[str, ...]
    bodies: bytes | None
    digest: str


@attrs.frozen
class ExecutionRow:
    """What the store knows of an execution without reading its journal. Times are seconds since the epoch, UTC."""

    id: str
    workflow: str
    status: str
    epoch: int
    runner: str | None
    started: float
    ended: float | None


class Commit(Protocol):
    """The fate of one append."""

    @property
    def done(self) -> bool:
        """True once the append is durable or has failed."""

    def wait(self) -> None:
        """Return when the append is durable; raise `ExecutionFenced` or `StoreError` when it is not there."""

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, from any thread, when the fate is known; at once when it already is."""


class Journal(Protocol):
    """Append-only, fenced journals of executions, and the small blobs that their bodies refer to.

    An implementation MUST be safe to use from many threads and many processes at once, and after a fork.
    """

    def append(self, batch: Batch) -> Commit:
        """Take a batch in order and return at once.

        Batches of one execution MUST be committed in the order they were given, each completely or not at all, with
        its blobs BEFORE or with it. A batch whose `first_seq`, `expected_epoch` or `previous` is not what the store has
        MUST fail with `ExecutionFenced`, alone. What nobody waits for MUST be durable within 10 ms.
        """

    def flush(self) -> None:
        """Commit what was appended now, in this thread, if nobody else is writing; never wait."""

    def rows(self, execution: str, *, bodies: bool = True, after: int = 0) -> Iterator[JournalRow]:
        """Give the appends of an execution in order, from the one that holds the event after `after`."""

    def row(self, execution: str, seq: int) -> JournalRow | None:
        """Give the append that holds event `seq`, with its bodies."""

    def blobs(self, digests: Collection[str]) -> dict[str, bytes]:
        """Give the bytes of those of the blobs that the store has, by digest. The caller checks the digests."""

    def execution(self, execution: str) -> ExecutionRow | None:
        """Give the row of the execution with exactly this id."""

    def executions(
        self, *, prefix: str = "", status: str | None = None, workflow: str | None = None, limit: int = 100
    ) -> list[ExecutionRow]:
        """Give executions, newest first."""

    def mentions(self, topic: str, *, limit: int = 100) -> list[tuple[str, str]]:
        """Give execution and header of the events whose header has this `topic`, those committed last first."""

    def runner(self) -> str:
        """Give the name of this process's runner; from now on its lease is kept until `close` or the process's end."""

    def is_alive(self, runner: str) -> bool:
        """Say whether that runner can still be running; False only when it certainly is not."""

    def check(self) -> list[str]:
        """Give one sentence for each thing that is wrong with the storage itself, below the chain."""

    def close(self) -> None:
        """Commit what was appended and let everything go."""


class BlobStore(Protocol):
    """Content-addressed blobs under a URL, for parts too large for the journal."""

    def put(self, digest: str, data: bytes) -> None:
        """Return when the blob survives a power loss; a blob that is there already stays as it is."""

    def get(self, digest: str) -> bytes | None:
        """Give the blob's bytes; None when it is not there. The caller checks the digest."""

    def close(self) -> None:
        """Let everything go."""
