"""The statements of an append."""

from __future__ import annotations

__all__ = ["APPEND", "BLOB", "CHANGE", "FIRST", "PRESENT", "RAISE", "START"]

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
