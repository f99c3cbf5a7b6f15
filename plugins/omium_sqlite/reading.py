"""What a store answers: appends, executions and blobs, each checked for the form in which it was written."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from omium_core.errors import Corrupted
from omium_core.interfaces.checkpoint import ExecutionRow, JournalRow
from omium_sqlite.connections import Connections
from omium_sqlite.schema import has_topics

__all__ = [
    "COLUMNS",
    "blobs",
    "execution",
    "execution_row",
    "executions",
    "journal_row",
    "mentions",
    "row",
    "rows",
    "split_headers",
]

SEQ_MASK = 0xFFFF_FFFF
# Rows that one query fetches. No query outlives its fetch: an open one would hold up the checkpoints.
ROWS_MAX = 256
BODIES_MAX = 32
# An older SQLite takes at most 999 values in a statement.
BLOBS_MAX = 500

DIGEST = re.compile(r"[0-9a-f]{64}")

COLUMNS = "num, id, workflow, status, epoch, runner, started, ended"


def rows(connections: Connections, execution: str, *, bodies: bool, after: int) -> Iterator[JournalRow]:
    """Give the appends of an execution in order, from the one that holds the event after `after`."""
    num = _num(connections, execution)
    if num is None:
        return
    shown, limit = ("bodies", BODIES_MAX) if bodies else ("NULL", ROWS_MAX)
    sql = f"""
        SELECT id, first_seq, epoch, headers, digest, {shown} FROM append WHERE id > ? AND id < ? ORDER BY id LIMIT ?
    """
    last = num << 32 | max(after, 0)
    while True:
        found = _fetch(connections, sql, (last, (num + 1) << 32, limit))
        for one in found:
            yield journal_row(execution, one)
        if len(found) < limit:
            return
        last = found[-1][0]


def row(connections: Connections, execution: str, seq: int) -> JournalRow | None:
    """Give the append that holds event `seq`, with its bodies."""
    sql = """
        SELECT a.id, a.first_seq, a.epoch, a.headers, a.digest, a.bodies FROM execution AS e JOIN append AS a
        ON a.id >= (e.num << 32 | ?) AND a.id < (e.num + 1) << 32 WHERE e.id = ? ORDER BY a.id LIMIT 1
    """
    if not 0 < seq <= SEQ_MASK:
        return None
    found = _fetch(connections, sql, (seq, execution))
    if not found:
        return None
    last = journal_row(execution, found[0])
    return last if last.first_seq <= seq else None


def blobs(connections: Connections, digests: Collection[str]) -> dict[str, bytes]:
    """Give the bytes of those of the blobs that are in the table, by digest."""
    found: dict[str, bytes] = {}
    keys = iter({bytes.fromhex(one): one for one in digests if DIGEST.fullmatch(one)}.items())
    while part := dict(islice(keys, BLOBS_MAX)):
        places = ", ".join("?" * len(part))
        for key, data in _fetch(connections, f"SELECT hash, data FROM blob WHERE hash IN ({places})", tuple(part)):
            if not isinstance(data, bytes):
                what = f"blob `{part[key]}` is not bytes"
                raise Corrupted(f"the store `{connections.path}` is damaged: {what}; see `omium doctor`")
            found[part[key]] = data
    return found


def execution(connections: Connections, id: str) -> ExecutionRow | None:
    """Give the row of one execution."""
    found = _fetch(connections, f"SELECT {COLUMNS} FROM execution WHERE id = ?", (id,))
    return execution_row(connections, found[0]) if found else None


def executions(
    connections: Connections, *, prefix: str, status: str | None, workflow: str | None, limit: int
) -> list[ExecutionRow]:
    """Give executions in the opposite order of their start."""
    conditions: list[tuple[str, tuple[str, ...]]] = [("1", ())]
    if prefix:
        # A range instead of LIKE, so that `_` and `%` are themselves and the index on the id can be used.
        conditions.append(("id >= ? AND id < ? || char(1114111)", (prefix, prefix)))
    if status is not None:
        conditions.append(("status = ?", (status,)))
    if workflow is not None:
        conditions.append(("workflow = ?", (workflow,)))
    where = " AND ".join(condition for condition, _ in conditions)
    values = [value for _, given in conditions for value in given]
    sql = f"SELECT {COLUMNS} FROM execution WHERE {where} ORDER BY num DESC LIMIT ?"
    found = _fetch(connections, sql, (*values, max(limit, 0)))
    return [execution_row(connections, one) for one in found]


def mentions(connections: Connections, topic: str, *, limit: int) -> list[tuple[str, str]]:
    """Give the execution and the header of each event with a topic, the last one first."""
    sql = """
        SELECT e.id, m.header FROM mention AS m JOIN execution AS e ON e.num = m.num
        WHERE m.topic = ? ORDER BY m.id DESC LIMIT ?
    """
    if connections.read_only and not connections.read(has_topics):
        return []
    found = _fetch(connections, sql, (topic, max(limit, 0)))
    if not all(isinstance(id, str) and isinstance(header, str) for id, header in found):
        raise Corrupted(f"the store `{connections.path}` is damaged: topic `{topic}` is unreadable; see `omium doctor`")
    return found


def split_headers(text: str) -> tuple[str, ...]:
    """Give the headers of an append exactly as they were given; JSON has no line break inside."""
    return tuple(text[1:-1].split(",\n"))


def _fetch(connections: Connections, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    def query(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
        return connection.execute(sql, values).fetchall()

    return connections.read(query)


def _num(connections: Connections, execution: str) -> int | None:
    found = _fetch(connections, "SELECT num FROM execution WHERE id = ?", (execution,))
    return int(found[0][0]) if found else None


def journal_row(execution: str, stored: tuple[Any, ...]) -> JournalRow:
    """Give an append; raise `Corrupted` where it does not have the form in which it was written."""
    id, first_seq, epoch, headers, digest, bodies = stored
    seq = id & SEQ_MASK
    well_formed = (
        isinstance(first_seq, int)
        and isinstance(epoch, int)
        and isinstance(headers, str)
        and isinstance(digest, bytes)
        and isinstance(bodies, bytes | None)
    )
    if well_formed:
        lines = split_headers(headers)
        if first_seq + len(lines) - 1 == seq:
            return JournalRow(execution, first_seq, epoch, lines, bodies, digest.hex())
    raise Corrupted(
        f"the append of `{execution}` that ends with event {seq} is damaged; see `omium doctor`", execution, seq
    )


def execution_row(connections: Connections, stored: tuple[Any, ...]) -> ExecutionRow:
    """Give an execution; raise `Corrupted` where its row does not have the form in which it was written."""
    num, id, workflow, status, epoch, runner, started, ended = stored
    well_formed = (
        isinstance(id, str)
        and isinstance(workflow, str)
        and isinstance(status, str)
        and isinstance(epoch, int)
        and isinstance(runner, str | None)
        and isinstance(started, float)
        and isinstance(ended, float | None)
    )
    if not well_formed:
        raise Corrupted(f"the store `{connections.path}` is damaged: row {num} of `execution`; see `omium doctor`")
    return ExecutionRow(id, workflow, status, epoch, runner, started, ended)
