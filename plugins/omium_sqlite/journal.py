"""Journals of executions in one SQLite file."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from omium_core.errors import OmiumError, StoreError
from omium_core.interfaces.checkpoint import Batch, BlobStore, ExecutionRow, JournalRow
from omium_core.interfaces.upkeep import Intervention, Pruning, Removed
from omium_sqlite import checking, pruning, reading, upkeep
from omium_sqlite.commit import GroupWriter, SqliteCommit
from omium_sqlite.connections import Connections, Durability
from omium_sqlite.forks import at_fork
from omium_sqlite.runners import Runners

__all__ = ["LARGE_BYTES", "SqliteJournal"]

LARGE_BYTES = 256 * 1024
_LOG = logging.getLogger("omium")


class SqliteJournal:
    """A `Journal` in one SQLite file on a local disk, for any number of threads and processes.

    With `durability="power"` a committed append survives a power loss. With `"process"` it survives the end of the
    process in every form, but a power loss may take the last appends of the store, always from the end.

    Blobs of at least `large_bytes` go to `large`, where one is given, before the append that refers to them; `close`
    closes it. What was appended is committed when the interpreter ends, also without `close`.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        durability: Durability = "power",
        large: BlobStore | None = None,
        large_bytes: int = LARGE_BYTES,
    ) -> None:
        self._connections = Connections(os.path.realpath(path), durability)
        self._connections.open()
        self._writer = GroupWriter(self._connections, large, large_bytes)
        self._runners = Runners(self._connections)
        self._large = large
        at_fork("before", self._before_fork)
        at_fork("after_in_parent", self._after_fork_in_parent)
        at_fork("after_in_child", self._after_fork_in_child)
        atexit.register(self.close)

    def append(self, batch: Batch) -> SqliteCommit:
        """Take a batch in order and return at once; the commit tells its fate."""
        return self._writer.append(batch)

    def flush(self) -> None:
        """Commit what was appended now, in this thread, if nobody else is writing; never wait."""
        self._writer.flush()

    def rows(self, execution: str, *, bodies: bool = True, after: int = 0) -> Iterator[JournalRow]:
        """Give the appends of an execution in order, from the one that holds the event after `after`."""
        return reading.rows(self._connections, execution, bodies=bodies, after=after)

    def row(self, execution: str, seq: int) -> JournalRow | None:
        """Give the append that holds event `seq`, with its bodies."""
        return reading.row(self._connections, execution, seq)

    def blobs(self, digests: Collection[str]) -> dict[str, bytes]:
        """Give the bytes of those of the blobs that the table or the store for large blobs has."""
        found = reading.blobs(self._connections, digests)
        if self._large is not None:
            for digest in digests:
                data = None if digest in found else self._fetched(self._large, digest)
                if data is not None:
                    found[digest] = data
        return found

    def execution(self, execution: str) -> ExecutionRow | None:
        """Give the row of the execution with exactly this id."""
        return reading.execution(self._connections, execution)

    def executions(
        self, *, prefix: str = "", status: str | None = None, workflow: str | None = None, limit: int = 100
    ) -> list[ExecutionRow]:
        """Give executions, newest first."""
        return reading.executions(self._connections, prefix=prefix, status=status, workflow=workflow, limit=limit)

    def mentions(self, topic: str, *, limit: int = 100) -> list[tuple[str, str]]:
        """Give the execution and the header of each event whose header has this `topic`, the last one first."""
        return reading.mentions(self._connections, topic, limit=limit)

    def runner(self) -> str:
        """Give the name of this process's runner; from now on its lease is kept until `close` or the process's end."""
        return self._runners.name()

    def is_alive(self, runner: str) -> bool:
        """Say whether that runner can still be running; on this machine its lock decides, elsewhere its lease."""
        return self._runners.is_alive(runner)

    def append_at_end(self, execution: str, make: Intervention) -> bool:
        """Append what `make` gives, durably, with every other writer kept out; say whether anything was appended."""
        return upkeep.append_at_end(self._connections, execution, make)

    def ends(self) -> dict[str, int]:
        """Give each execution's last sequence number."""
        return upkeep.ends(self._connections)

    def prune(self, since: Mapping[str, int], decide: Pruning) -> Removed:
        """Remove bodies and blobs in one transaction, with every other writer kept out; `decide` says which."""
        return pruning.prune(self._connections, self._large, since, decide)

    def check(self) -> list[str]:
        """Give one sentence for each thing that is wrong with the storage itself, below the chain."""
        return checking.check(self._connections)

    def close(self) -> None:
        """Commit what was appended and let everything go; a second call does nothing."""
        atexit.unregister(self.close)
        if self._connections.is_inherited:
            return
        try:
            self._writer.close()
            self._runners.close()
        finally:
            self._connections.close()
            self._close_large()

    def _close_large(self) -> None:
        try:
            if self._large is not None:
                self._large.close()
        # A blob store is a plugin's. What it put is durable, so this is no reason to fail while a process ends.
        except Exception as problem:
            _LOG.error("the store for large blobs could not be closed: %s", problem)

    def _fetched(self, large: BlobStore, digest: str) -> bytes | None:
        try:
            return large.get(digest)
        except OmiumError:
            raise
        # A blob store is a plugin's, and may raise anything.
        except Exception as problem:
            raise StoreError(f"the large blob `{digest[:16]}` could not be fetched: {problem}") from problem

    def _before_fork(self) -> None:
        self._connections.before_fork()

    def _after_fork_in_parent(self) -> None:
        self._connections.after_fork_in_parent()

    def _after_fork_in_child(self) -> None:
        self._connections.after_fork_in_child()
        self._writer.after_fork_in_child()
        self._runners.after_fork_in_child()
