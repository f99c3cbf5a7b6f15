"""The tables and views of a store, and how a file is known to be one."""

from __future__ import annotations

import os
import sqlite3
import sys
import time

from omium_core.errors import Corrupted, NotAStore, SchemaTooNew

__all__ = [
    "APPLICATION_ID",
    "PAGE_BYTES",
    "SCHEMA_VERSION",
    "SQLITE_ERRORS",
    "STATEMENTS",
    "STATEMENTS_WITHOUT_TOPICS",
    "has_topics",
    "prepare",
    "recognise",
    "was_store",
]

# What `sqlite3` raises; the second one when a message of SQLite quotes damaged text.
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
SCHEMA_VERSION = 1
APPLICATION_ID = 0x4F6D6975  # "Omiu"
# An append of 10 KB writes 3.3 pages of 8 KB to the WAL, or 5 of 4 KB: more bytes, and less time. The copy that a
# checkpoint makes of them costs 21 us an append instead of 29.
PAGE_BYTES = 8192

# An append's id is `num << 32 | seq of its last event`, so one b-tree gives an execution's appends in their order. The
# bodies come last because SQLite reads a row from its start: headers are read without touching the bodies' pages.
TABLES = (
    """
    CREATE TABLE execution(
        num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL, status TEXT NOT NULL,
        epoch INTEGER NOT NULL, runner TEXT, started REAL NOT NULL, ended REAL)
    """,
    """
    CREATE TABLE append(
        id INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, epoch INTEGER NOT NULL, headers TEXT NOT NULL,
        digest BLOB NOT NULL, bodies BLOB)
    """,
    "CREATE TABLE blob(hash BLOB NOT NULL UNIQUE, key_id TEXT, data BLOB NOT NULL)",
    """
    CREATE TABLE runner(
        name TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL, expires REAL NOT NULL)
    """,
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
)

# Events that other executions look for, by the topic that their headers name. It is an index that the database itself
# keeps, in the transaction of the append; ids rise with the commits. Appends without a topic cost it one look.
MENTIONS = (
    "CREATE TABLE mention(id INTEGER PRIMARY KEY, topic TEXT NOT NULL, num INTEGER NOT NULL, header TEXT NOT NULL)",
    "CREATE INDEX mention_topic ON mention(topic, id)",
    """
    CREATE TRIGGER mention_append AFTER INSERT ON append WHEN instr(NEW.headers, '"topic":') BEGIN
        INSERT INTO mention(topic, num, header) SELECT json_extract(h.value, '$.topic'), NEW.id >> 32, h.value
        FROM json_each(NEW.headers) AS h WHERE json_extract(h.value, '$.topic') IS NOT NULL;
    END
    """,
)

ISO = "strftime('%Y-%m-%dT%H:%M:%fZ', {}, 'unixepoch')"

VIEWS = (
    f"""
    CREATE VIEW executions AS
    WITH counted AS (
        SELECT a.id >> 32 AS num,
            sum(json_extract(h.value, '$.type') = 'CheckpointCommitted') AS checkpoints,
            sum(json_extract(h.value, '$.type') = 'PolicyViolated') AS violations,
            sum(json_extract(h.value, '$.type') = 'RolledBack') AS rollbacks
        FROM append AS a, json_each(a.headers) AS h GROUP BY a.id >> 32)
    SELECT e.id AS execution_id, e.workflow, e.status,
        {ISO.format("e.started")} AS started_at, {ISO.format("e.ended")} AS ended_at,
        round(e.ended - e.started, 3) AS duration_s, e.epoch, e.runner,
        coalesce(c.checkpoints, 0) AS checkpoints, coalesce(c.violations, 0) AS violations,
        coalesce(c.rollbacks, 0) AS rollbacks
    FROM execution AS e LEFT JOIN counted AS c ON c.num = e.num
    """,
    f"""
    CREATE VIEW checkpoints AS
    SELECT json_extract(h.value, '$.checkpoint') AS checkpoint_id, e.id AS execution_id, e.workflow,
        json_extract(h.value, '$.name') AS name, json_extract(h.value, '$.step') AS step,
        json_extract(h.value, '$.agent') AS agent, json_extract(h.value, '$.parent') AS parent_id,
        json_extract(h.value, '$.root') AS state_hash,
        {ISO.format("json_extract(h.value, '$.at')")} AS created_at,
        json_extract(h.value, '$.seq') AS seq, json_extract(h.value, '$.epoch') AS epoch
    FROM execution AS e
    JOIN append AS a ON a.id > e.num << 32 AND a.id < (e.num + 1) << 32
    JOIN json_each(a.headers) AS h
    WHERE json_extract(h.value, '$.type') = 'CheckpointCommitted'
    """,
    # A rollback that was cut short has no end of its own: an end counts only before the next rollback begins.
    f"""
    CREATE VIEW rollbacks AS
    WITH event AS MATERIALIZED (
        SELECT a.id >> 32 AS num, h.value AS header, json_extract(h.value, '$.type') AS type,
            json_extract(h.value, '$.seq') AS seq, json_extract(h.value, '$.target') AS target
        FROM append AS a, json_each(a.headers) AS h
        WHERE json_extract(h.value, '$.type') IN ('RolledBack', 'RollbackFinished')),
    begun AS (
        SELECT *, lead(seq) OVER (PARTITION BY num ORDER BY seq) AS next_seq FROM event WHERE type = 'RolledBack'),
    matched AS (
        SELECT b.*, (SELECT f.header FROM event AS f
            WHERE f.type = 'RollbackFinished' AND f.num = b.num AND f.target IS b.target
                AND f.seq > b.seq AND (b.next_seq IS NULL OR f.seq < b.next_seq)
            ORDER BY f.seq LIMIT 1) AS finish
        FROM begun AS b)
    SELECT e.id AS execution_id, json_extract(m.header, '$.origin') AS from_checkpoint, m.target AS to_checkpoint,
        json_extract(m.header, '$.reason') AS reason, json_extract(m.header, '$.by') AS decided_by,
        {ISO.format("json_extract(m.header, '$.at')")} AS started_at,
        {ISO.format("json_extract(m.finish, '$.at')")} AS finished_at,
        json_extract(m.finish, '$.compensated') AS compensated
    FROM matched AS m JOIN execution AS e ON e.num = m.num
    """,
)

STATEMENTS = (*TABLES, *MENTIONS, *VIEWS)
STATEMENTS_WITHOUT_TOPICS = (*TABLES, *VIEWS)


def was_store(path: str) -> bool:
    """Say whether a runner has used a store at this path, whatever is in the file now."""
    return os.path.isdir(f"{path}.runners")


def prepare(connection: sqlite3.Connection, path: str) -> bool:
    """Make the tables in an empty file, and say whether that was done; raise `NotAStore` for a file of another kind.

    A file that is not a store is left exactly as it was. The caller holds the lock between processes.
    """
    if not recognise(connection, path):
        _create(connection)
        return True
    _add_mentions(connection)
    return False


def recognise(connection: sqlite3.Connection, path: str) -> bool:
    """Say whether the file is a store, and not an empty one yet; raise `NotAStore` for a file of another kind."""
    try:
        found = connection.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as problem:
        if "not a database" in str(problem) and not was_store(path):
            raise NotAStore(f"`{path}` is not a store of Omium ({problem}); give another path") from problem
        raise Corrupted(f"the store `{path}` is damaged: {problem}; restore it from a backup") from problem
    try:
        empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.OperationalError:
        raise
    except (sqlite3.DatabaseError, UnicodeDecodeError) as problem:
        raise Corrupted(f"the store `{path}` is damaged: {problem}; restore it from a backup") from problem
    if empty and not found:
        return False
    if found != APPLICATION_ID and was_store(path):
        raise Corrupted(f"the store `{path}` is damaged: its header is another one; restore it from a backup")
    if found != APPLICATION_ID:
        raise NotAStore(f"`{path}` is the database of another application, not a store of Omium; give another path")
    _check_version(connection, path)
    return True


def has_topics(connection: sqlite3.Connection) -> bool:
    """Say whether a store has its index of topics; an older one gets it when it is first opened to be written."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'mention'").fetchone() is not None


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in STATEMENTS:
        connection.execute(statement)
    creator = f"omium_sqlite on Python {sys.version.split()[0]} and SQLite {sqlite3.sqlite_version}"
    facts = (("schema_version", SCHEMA_VERSION), ("generation", 0), ("created_by", creator), ("created", time.time()))
    connection.executemany("INSERT INTO meta(key, value) VALUES (?, ?)", facts)
    connection.execute("COMMIT")


def _add_mentions(connection: sqlite3.Connection) -> None:
    """Give a store that was made before there were topics their index; no event in it has one."""
    if has_topics(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    for statement in MENTIONS:
        connection.execute(statement)
    connection.execute("COMMIT")


def _check_version(connection: sqlite3.Connection, path: str) -> None:
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as problem:
        raise Corrupted(f"the store `{path}` is damaged: {problem}; restore it from a backup") from problem
    version = row[0] if row else None
    if not isinstance(version, int):
        raise Corrupted(f"the store `{path}` is damaged: it names no schema version; restore it from a backup")
    if version > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"the store `{path}` has schema version {version}, and this Omium knows up to {SCHEMA_VERSION}; "
            f"upgrade Omium, or give another path",
            found=version,
            known=SCHEMA_VERSION,
        )
