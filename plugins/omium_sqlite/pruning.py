"""Let bodies and blobs go, in one transaction under the lock; the chain of headers stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress

from omium_core.errors import StoreError
from omium_core.interfaces.checkpoint import Batch, BlobStore, JournalRow
from omium_core.interfaces.upkeep import Pruning, Removed
from omium_sqlite import reading, upkeep
from omium_sqlite.connections import Connections
from omium_sqlite.reading import SEQ_MASK
from omium_sqlite.schema import SQLITE_ERRORS

__all__ = ["prune"]

CHANGED_ROWS = """
SELECT id, first_seq, epoch, headers, digest, bodies FROM append WHERE id > ? AND id < ? ORDER BY id
"""
NUMBERS = "SELECT num, id FROM execution"
BODIES = "SELECT coalesce(sum(length(bodies)), 0) FROM append WHERE id > ? AND id < ?"
EMPTY = "UPDATE append SET bodies = NULL WHERE id > ? AND id < ? AND length(bodies) > 0"
RAISE = "UPDATE meta SET value = value + 1 WHERE key = 'generation'"


def prune(connections: Connections, large: BlobStore | None, since: Mapping[str, int], decide: Pruning) -> Removed:
    """Remove what `decide` says; a crash leaves either all of it or nothing of it.

    Large blobs go last, with the lock still held: a crash there leaves files that nothing refers to, and no harm.
    """
    connections.enter()
    try:
        connection = connections.writer()
        connection.execute("BEGIN IMMEDIATE")
        removal = decide(_later(connection, since), lambda digest: _blob(connection, large, digest))
        bodies_bytes = sum(_empty(connection, batch) for batch in removal.batches)
        sizes = {digest: _remove(connection, digest) for digest in removal.blobs}
        if removal.blobs:
            connection.execute(RAISE)
        connection.execute("COMMIT")
        elsewhere = [digest for digest, size in sizes.items() if size is None]
        freed = sum(size or 0 for size in sizes.values()) + sum(_remove_large(large, one) for one in elsewhere)
        with suppress(*SQLITE_ERRORS):
            connections.checkpoint()
    except BaseException as problem:
        connections.poison()
        if isinstance(problem, SQLITE_ERRORS):
            raise StoreError(f"the store `{connections.path}` could not be pruned: {problem}") from problem
        raise
    finally:
        connections.leave()
    return Removed(tuple(one.execution for one in removal.batches), bodies_bytes, len(sizes), freed)


def _later(connection: sqlite3.Connection, since: Mapping[str, int]) -> Iterator[JournalRow]:
    """Give the appends that came after `since`, execution by execution."""
    for num, id in connection.execute(NUMBERS).fetchall():
        after = num << 32 | since.get(id, 0)
        for stored in connection.execute(CHANGED_ROWS, (after, (num + 1) << 32)).fetchall():
            yield reading.journal_row(id, stored)


def _blob(connection: sqlite3.Connection, large: BlobStore | None, digest: str) -> bytes | None:
    found = connection.execute("SELECT data FROM blob WHERE hash = ?", (bytes.fromhex(digest),)).fetchone()
    if found is not None:
        return bytes(found[0])
    return large.get(digest) if large is not None else None


def _empty(connection: sqlite3.Connection, batch: Batch) -> int:
    """Remove an execution's bodies and append the event that names them; give their bytes."""
    num = connection.execute("SELECT num FROM execution WHERE id = ?", (batch.execution,)).fetchone()[0]
    span = (num << 32, (num + 1) << 32)
    last = upkeep.last_append(connection, num)
    if last[0] & SEQ_MASK != batch.first_seq - 1:
        raise StoreError(f"`{batch.execution}` is not where it was when its prune was decided; try again")
    freed: int = connection.execute(BODIES, span).fetchone()[0]
    connection.execute(EMPTY, span)
    upkeep.put(connection, batch)
    return freed


def _remove(connection: sqlite3.Connection, digest: str) -> int | None:
    """Remove a blob from the table; give its bytes, or None where the table does not have it."""
    key = (bytes.fromhex(digest),)
    found = connection.execute("SELECT length(data) FROM blob WHERE hash = ?", key).fetchone()
    if found is None:
        return None
    connection.execute("DELETE FROM blob WHERE hash = ?", key)
    return int(found[0])


def _remove_large(large: BlobStore | None, digest: str) -> int:
    """Remove a blob from the store of large ones; give its bytes. One that cannot be removed stays, unreferenced."""
    remove = getattr(large, "remove", None)
    if large is None or remove is None:
        return 0
    try:
        data = large.get(digest)
        remove(digest)
    except Exception:  # A blob store is a plugin's, and may raise anything; the prune itself is done.
        return 0
    return len(data or b"")
