"""A batch as rows: the form in which it is written, and the statements that compare and write."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from functools import cache

import attrs

from omium_core.errors import StoreError, UsageError
from omium_core.interfaces.checkpoint import Batch, StatusChange
from omium_sqlite.reading import SEQ_MASK
from omium_sqlite.schema import PAGE_BYTES

__all__ = ["BLOB", "Entry", "extend", "extend_all", "is_present", "start"]

# SQLite refuses a row of more than 1e9 bytes; half of that leaves room for the row's other parts.
APPEND_BYTES_MAX = 500_000_000
NO_CHANGE = StatusChange()

# One statement compares and appends: where the epoch, the last event or its hash is another, `first_seq` is null, which
# its column does not take, and the row is passed over. An `INSERT ... SELECT` would first copy the row into a temporary
# table, because it reads from the table that it writes to.
APPEND = """
INSERT OR IGNORE INTO append(id, first_seq, epoch, headers, digest, bodies) VALUES (
    (SELECT num << 32 | ? FROM execution WHERE id = ?),
    (SELECT ? FROM execution AS e JOIN append AS a ON a.id = (SELECT max(id) FROM append WHERE id < (e.num + 1) << 32)
        WHERE e.id = ? AND e.epoch = ? AND a.id = (e.num << 32 | ?) AND a.digest = coalesce(?, a.digest)),
    ?, ?, ?, ?)
"""
# The same for many executions at once. One that does not fit leaves `first_seq` null, and so undoes the statement: they
# are written one by one then.
APPEND_ALL = """
INSERT INTO append(id, first_seq, epoch, headers, digest, bodies)
WITH given(execution, expected, first_seq, previous, last_seq, epoch, headers, digest, bodies) AS (VALUES {})
SELECT e.num << 32 | g.last_seq, CASE WHEN a.id NOT NULL THEN g.first_seq END, g.epoch, g.headers, g.digest, g.bodies
FROM given AS g
LEFT JOIN execution AS e ON e.id = g.execution AND e.epoch = g.expected
LEFT JOIN append AS a ON a.id = (SELECT max(id) FROM append WHERE id < (e.num + 1) << 32)
    AND a.id = (e.num << 32 | g.first_seq - 1) AND a.digest = coalesce(g.previous, a.digest)
"""
START = """
INSERT INTO execution(id, epoch, workflow, status, runner, started, ended) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT(id) DO NOTHING
"""
FIRST = "INSERT INTO append(id, first_seq, epoch, headers, digest, bodies) VALUES (?, ?, ?, ?, ?, ?)"
CHANGE = """
UPDATE execution SET epoch = ?, workflow = coalesce(?, workflow), status = coalesce(?, status),
    runner = coalesce(?, runner), started = coalesce(?, started), ended = ? WHERE id = ?
"""
RAISE = "UPDATE execution SET epoch = ? WHERE id = ?"
BLOB = "INSERT INTO blob(hash, data) VALUES (?, ?) ON CONFLICT(hash) DO NOTHING"
PRESENT = """
SELECT 1 FROM append WHERE id = (SELECT num << 32 | ? FROM execution WHERE id = ?) AND first_seq = ? AND digest = ?
"""


@attrs.define(eq=False)
class Entry:
    """A batch in the form in which it is written, made in the thread that appends it."""

    batch: Batch
    last_seq: int
    headers: str
    previous: bytes | None
    digest: bytes
    blobs: Sequence[tuple[bytes, bytes]]
    large: Sequence[tuple[str, bytes]]
    pages: int
    # Set when a transaction with this entry was cut short, so that it may be there already.
    tried: bool = False
    failure: StoreError | None = None

    @property
    def plain(self) -> bool:
        """True when one statement is all that it takes."""
        batch = self.batch
        special = self.blobs or batch.reliances or batch.change is not None or self.failure is not None or self.tried
        return not special and 0 < batch.expected_epoch == batch.epoch

    @classmethod
    def of(cls, batch: Batch, large_bytes: int | None = None) -> Entry:
        """Return a batch so; blobs of `large_bytes` or more go elsewhere. Raise `UsageError` for one that cannot be."""
        headers = "[" + ",\n".join(batch.headers) + "]"
        count = len(batch.headers)
        last_seq = batch.first_seq + count - 1
        if not count or batch.first_seq < 1 or last_seq > SEQ_MASK or headers.count("\n") != count - 1:
            raise UsageError(f"a batch of `{batch.execution}` needs one line for each event, and a sequence from 1")
        if not 0 <= batch.expected_epoch <= batch.epoch or batch.epoch < 1:
            raise UsageError(
                f"a batch of `{batch.execution}` cannot go from epoch {batch.expected_epoch} to {batch.epoch}"
            )
        blobs: list[tuple[bytes, bytes]] = []
        large: list[tuple[str, bytes]] = []
        size = len(headers) + len(batch.bodies)
        try:
            headers.encode()
            digest = bytes.fromhex(batch.digest)
            previous = bytes.fromhex(batch.previous) if batch.previous is not None else None
            for one in batch.blobs:
                if large_bytes is not None and len(one.data) >= large_bytes:
                    large.append((one.digest, one.data))
                else:
                    blobs.append((bytes.fromhex(one.digest), one.data))
                    size += len(one.data)
        except ValueError as problem:
            raise UsageError(f"a batch of `{batch.execution}` cannot be stored: {problem}") from problem
        if size > APPEND_BYTES_MAX:
            raise UsageError(f"a batch of `{batch.execution}` has {size} bytes, and {APPEND_BYTES_MAX} is the most")
        pages = 3 + 2 * len(blobs) + size // PAGE_BYTES
        return cls(batch, last_seq, headers, previous, digest, blobs, large, pages)


def start(connection: sqlite3.Connection, entry: Entry) -> bool:
    """Write an execution's first append; say False, having written nothing, where there is one."""
    batch, change = entry.batch, entry.batch.change or NO_CHANGE
    started = time.time() if change.started is None else change.started
    workflow, status = change.workflow or "", change.status or "running"
    cursor = connection.execute(
        START, (batch.execution, batch.epoch, workflow, status, change.runner, started, change.ended)
    )
    if not cursor.rowcount:
        return False
    id = (cursor.lastrowid or 0) << 32 | entry.last_seq
    connection.execute(FIRST, (id, batch.first_seq, batch.epoch, entry.headers, entry.digest, batch.bodies))
    return True


def extend(connection: sqlite3.Connection, entry: Entry) -> bool:
    """Write an append behind the end that it was made for; say False, having written nothing, where that is another."""
    batch, change = entry.batch, entry.batch.change
    cursor = connection.execute(
        APPEND,
        (
            entry.last_seq,
            batch.execution,
            batch.first_seq,
            batch.execution,
            batch.expected_epoch,
            batch.first_seq - 1,
            entry.previous,
            batch.epoch,
            entry.headers,
            entry.digest,
            batch.bodies,
        ),
    )
    if not cursor.rowcount:
        return False
    if change is not None:
        new = (change.workflow, change.status, change.runner, change.started, change.ended)
        connection.execute(CHANGE, (batch.epoch, *new, batch.execution))
    elif batch.epoch != batch.expected_epoch:
        connection.execute(RAISE, (batch.epoch, batch.execution))
    return True


def extend_all(connection: sqlite3.Connection, entries: Sequence[Entry]) -> bool:
    """Write plain appends of different executions, each behind the end that it was made for, in one transaction.

    Say False, having written nothing, where one of them does not fit.
    """
    given: list[object] = []
    for entry in entries:
        batch = entry.batch
        given += (batch.execution, batch.expected_epoch, batch.first_seq, entry.previous)
        given += (entry.last_seq, batch.epoch, entry.headers, entry.digest, batch.bodies)
    try:
        connection.execute(_append_all(len(entries)), given)
    except sqlite3.IntegrityError:
        return False
    return True


@cache
def _append_all(count: int) -> str:
    return APPEND_ALL.format(", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?)"] * count))


def is_present(connection: sqlite3.Connection, entry: Entry) -> bool:
    """Say whether an append is there already."""
    batch = entry.batch
    key = (entry.last_seq, batch.execution, batch.first_seq, entry.digest)
    return connection.execute(PRESENT, key).fetchone() is not None
