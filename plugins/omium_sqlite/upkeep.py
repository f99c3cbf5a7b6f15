"""What operators do to a store beside its executions, in transactions of their own under the lock."""

from __future__ import annotations

import sqlite3
from typing import Any

from omium_core.errors import Corrupted, ExecutionFenced
from omium_core.interfaces.checkpoint import Batch
from omium_core.interfaces.upkeep import Intervention
from omium_sqlite import reading
from omium_sqlite.connections import Connections
from omium_sqlite.reading import SEQ_MASK
from omium_sqlite.rows import Entry, extend

__all__ = ["append_at_end", "ends", "last_append", "put"]

LAST = f"""
SELECT {reading.COLUMNS} FROM execution WHERE id = ?
"""
LAST_APPEND = """
SELECT id, first_seq, epoch, headers, digest, NULL FROM append WHERE id > ? AND id < ? ORDER BY id DESC LIMIT 1
"""
ENDS = """
SELECT e.id, (SELECT max(a.id) FROM append AS a WHERE a.id > e.num << 32 AND a.id < (e.num + 1) << 32)
FROM execution AS e
"""


def append_at_end(connections: Connections, execution: str, make: Intervention) -> bool:
    """Append what `make` gives for the execution as it is at that moment; say whether anything was appended."""

    def change(connection: sqlite3.Connection) -> bool:
        found = connection.execute(LAST, (execution,)).fetchone()
        if found is None:
            return False
        row = reading.execution_row(connections, found)
        batch = make(row, reading.journal_row(execution, last_append(connection, found[0])))
        if batch is None:
            return False
        put(connection, batch)
        return True

    return connections.write(change)


def last_append(connection: sqlite3.Connection, num: int) -> tuple[Any, ...]:
    """Give the last append of an execution, as it is stored, without its bodies."""
    found: tuple[Any, ...] | None = connection.execute(LAST_APPEND, (num << 32, (num + 1) << 32)).fetchone()
    if found is None:
        raise Corrupted(f"the store is damaged: row {num} of `execution` has no appends; see `omium doctor`")
    return found


def put(connection: sqlite3.Connection, batch: Batch) -> None:
    """Write a batch without blobs; the caller has the lock, and made it for the execution's end as it is."""
    if not extend(connection, Entry.of(batch)):
        raise ExecutionFenced(batch.execution)


def ends(connections: Connections) -> dict[str, int]:
    """Give each execution's last sequence number."""

    def query(connection: sqlite3.Connection) -> dict[str, int]:
        return {id: last & SEQ_MASK for id, last in connection.execute(ENDS) if last is not None}

    return connections.read(query)
