"""What is wrong with the storage itself, below the chain of hashes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import attrs

from omium_core.errors import OmiumError
from omium_sqlite import schema
from omium_sqlite.connections import Connections
from omium_sqlite.reading import SEQ_MASK, split_headers

__all__ = ["check"]

FINDINGS_MAX = 1000
# Blobs are small, because larger ones are kept elsewhere; this many are read at once.
CHUNK_ROWS = 100


def check(connections: Connections) -> list[str]:
    """Give one sentence for each thing that is wrong, up to a bound."""
    findings: list[str] = []
    for part in (_integrity, _definitions, _blobs, _appends, _executions, _mentions):
        try:
            findings.extend(islice(part(connections), FINDINGS_MAX - len(findings)))
        except OmiumError as problem:
            findings.append(str(problem))
    return list(dict.fromkeys(findings))


def _integrity(connections: Connections) -> Iterator[str]:
    for (line,) in _fetch(connections, f"PRAGMA integrity_check({FINDINGS_MAX})"):
        if line != "ok":
            yield f"SQLite finds in the database: {line}"


def _definitions(connections: Connections) -> Iterator[str]:
    """Tables, indexes, triggers and views are those that Omium makes: a changed view would answer all the same."""
    sql = "SELECT name, type, tbl_name, sql FROM sqlite_master"
    with closing(sqlite3.connect(":memory:")) as model:
        for statement in schema.STATEMENTS_WITHOUT_TOPICS if _lacks_topics(connections) else schema.STATEMENTS:
            model.execute(statement)
        made = model.execute(sql).fetchall()
    found = set(_fetch(connections, sql))
    for definition in made:
        if definition not in found:
            yield f"the {definition[1]} `{definition[0]}` is not the one that Omium makes"


def _blobs(connections: Connections) -> Iterator[str]:
    sql = "SELECT rowid, hash, data FROM blob WHERE rowid > ? ORDER BY rowid LIMIT ?"
    for _, hash, data in _scan(connections, sql):
        name = hash.hex() if isinstance(hash, bytes) else str(hash)
        if not isinstance(data, bytes) or hashlib.sha256(data).hexdigest() != name:
            yield f"blob `{name}` does not have the bytes that its name is the hash of"


@attrs.define
class Place:
    """Where the execution that is being read has come to."""

    num: int = 0
    name: str = ""
    seq: int = 0
    epoch: int = 0


def _appends(connections: Connections) -> Iterator[str]:
    sql = """
        SELECT a.id, e.id, a.first_seq, a.epoch, a.headers, e.epoch
        FROM append AS a LEFT JOIN execution AS e ON e.num = a.id >> 32 WHERE a.id > ? ORDER BY a.id LIMIT ?
    """
    place = Place()
    for id, name, first_seq, epoch, headers, epoch_now in _scan(connections, sql):
        num, seq = id >> 32, id & SEQ_MASK
        if num != place.num:
            place = Place(num, str(name))
            if name is None:
                yield f"appends of execution number {num} have no execution"
        text = f"the append of `{place.name}` that ends with event {seq}"
        if not isinstance(first_seq, int) or not isinstance(epoch, int) or not isinstance(headers, str):
            yield f"{text} has fields of another kind than were written"
        else:
            yield from (f"{text} {wrong}" for wrong in _append_faults(place, seq, first_seq, epoch, headers))
            if isinstance(epoch_now, int) and epoch > epoch_now:
                yield f"{text} has epoch {epoch}, and the execution has only {epoch_now}"
            place.epoch = epoch
        place.seq = seq


def _append_faults(place: Place, seq: int, first_seq: int, epoch: int, headers: str) -> Iterator[str]:
    # A fork begins after the event of its source that it starts from; the chain says which.
    if place.seq and first_seq != place.seq + 1:
        yield f"begins with event {first_seq}, and the one before it ends with event {place.seq}"
    if epoch < place.epoch:
        yield f"has epoch {epoch}, and the one before it has {place.epoch}"
    count = len(split_headers(headers))
    if first_seq + count - 1 != seq:
        yield f"begins with event {first_seq} and has {count} headers"
    try:
        events = json.loads(headers)
    except ValueError:
        yield "has headers that are not JSON"
        return
    if [one.get("seq") if isinstance(one, dict) else None for one in events] != list(range(first_seq, seq + 1)):
        yield "has headers whose own sequence numbers are others"


def _executions(connections: Connections) -> Iterator[str]:
    sql = """
        SELECT num, id FROM execution AS e WHERE num > ? AND NOT EXISTS (
            SELECT 1 FROM append WHERE id > e.num << 32 AND id < (e.num + 1) << 32) ORDER BY num LIMIT ?
    """
    for _, id in _scan(connections, sql):
        yield f"execution `{id}` has no appends"


def _mentions(connections: Connections) -> Iterator[str]:
    """The index of topics has exactly what the headers say."""
    if _lacks_topics(connections):
        unindexed = """
            SELECT a.id, e.id FROM append AS a JOIN execution AS e ON e.num = a.id >> 32
            WHERE a.id > ? AND instr(a.headers, '"topic":') ORDER BY a.id LIMIT ?
        """
        for _, name in _scan(connections, unindexed):
            yield f"there is no index of topics, and an event of `{name}` has one"
        return
    said = """
        SELECT a.id, e.id, h.value FROM append AS a JOIN execution AS e ON e.num = a.id >> 32
        JOIN json_each(iif(instr(a.headers, '"topic":') AND json_valid(a.headers), a.headers, '[]')) AS h
        WHERE a.id > ? AND json_extract(h.value, '$.topic') IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM mention AS m WHERE m.num = e.num AND m.header = h.value
                AND m.topic = json_extract(h.value, '$.topic'))
        ORDER BY a.id LIMIT ?
    """
    for _, name, _ in _scan(connections, said):
        yield f"the index of topics lacks an event of `{name}`"
    indexed = """
        SELECT m.id, e.id FROM mention AS m LEFT JOIN execution AS e ON e.num = m.num WHERE m.id > ?
            AND NOT EXISTS (SELECT 1 FROM append AS a WHERE a.id > m.num << 32 AND a.id < (m.num + 1) << 32
                AND instr(a.headers, m.header))
        ORDER BY m.id LIMIT ?
    """
    for _, name in _scan(connections, indexed):
        yield f"the index of topics has an event of `{name}` that its journal does not have"


def _lacks_topics(connections: Connections) -> bool:
    return connections.read_only and not connections.read(schema.has_topics)


def _scan(connections: Connections, sql: str) -> Iterator[tuple[Any, ...]]:
    """Give all rows of a query by key; its first column is the key."""
    last = -1
    while True:
        found = _fetch(connections, sql, (last, CHUNK_ROWS))
        yield from found
        if len(found) < CHUNK_ROWS:
            return
        last = found[-1][0]


def _fetch(connections: Connections, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    def query(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
        return connection.execute(sql, values).fetchall()

    return connections.read(query)
