"""Row 1: what one durable step costs, all in, next to what the disk can do and next to DBOS."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import attrs
import msgpack
from measuring import Limit, Row, Times, main, of_limit, opened, timed
from peer_dbos import Dbos
from texts import Texts

import omium

ROUNDS = 15
WARM_UP = 2
# Within a round all take turns every few steps, so that a busy moment of the machine meets all of them. A round has
# as many steps as there are between two WAL checkpoints, so each has its share of that.
SLICES = 10
STEPS = 25
DBOS_STEPS = 4
VALUES = 200
LIMIT_MAX = 2.0
DBOS_MAX = 0.2


@attrs.define
class Measured:
    """What was measured side by side: our steps, the limit, a bare insert and DBOS's steps."""

    ours: Times = attrs.field(factory=Times)
    limit: Times = attrs.field(factory=Times)
    insert: Times = attrs.field(factory=Times)
    dbos: Times = attrs.field(factory=Times)

    def next_round(self) -> None:
        """Begin a round for all of them."""
        for times in (self.ours, self.limit, self.insert, self.dbos):
            times.next_round()


def measure(folder: Path) -> list[Row]:
    """Give row 1."""
    texts = Texts(1)
    values = [texts.result(index) for index in range(VALUES)]
    dbos: Dbos | None = None
    try:
        dbos = Dbos(folder, values)
        name = dbos.name
    except RuntimeError as error:
        name = str(error)
    measured = _measured(folder, values, dbos)
    if dbos is not None:
        dbos.close()
    return _rows(measured, name, compared=dbos is not None)


def _measured(folder: Path, values: list[dict[str, Any]], dbos: Dbos | None) -> Measured:
    limit, insert = Limit(folder), _Insert(folder, values)
    measured = Measured()

    @omium.checkpoint("research")
    def research(index: int) -> dict[str, Any]:
        return values[index % VALUES]

    with opened(folder / "ours") as runtime:
        # A clock and peers have no place in a workflow; this one is never gone through a second time.
        @omium.workflow(store=runtime.store.url)
        def flow() -> None:
            measured.next_round()
            for start in range(0, SLICES * STEPS, STEPS):
                measured.limit.extend(limit.times(STEPS))
                measured.ours.extend([timed(research, index) for index in range(start, start + STEPS)])
                measured.insert.extend([timed(insert.write, index) for index in range(start, start + STEPS)])
                if dbos is not None:
                    measured.dbos.extend(dbos.times(DBOS_STEPS))

        for _ in range(WARM_UP):
            flow()
        measured = Measured()
        for _ in range(ROUNDS):
            flow()
    return measured


class _Insert:
    """The same values as one row each in a database without anything else: what SQLite itself costs."""

    def __init__(self, folder: Path, values: list[dict[str, Any]]) -> None:
        self._rows = [msgpack.packb(value) for value in values]
        self._connection = sqlite3.connect(folder / "insert.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE step(id INTEGER PRIMARY KEY, data BLOB)")

    def write(self, index: int) -> None:
        """Insert one row, which is a transaction of its own."""
        self._connection.execute("INSERT INTO step(data) VALUES (?)", (self._rows[index % VALUES],))


def _rows(measured: Measured, name: str, *, compared: bool) -> list[Row]:
    ours, limit, dbos = measured.ours, measured.limit, measured.dbos
    what = "a durable `@checkpoint` step with a 10 KB value"
    notes = (f"limit: p50 {limit.p50_us():,.0f} us", f"a bare SQLite insert: {of_limit(measured.insert, limit)}")
    within = ours.p50_times(limit) <= LIMIT_MAX and ours.mean_times(limit) <= LIMIT_MAX
    rows = [Row(1, what, of_limit(ours, limit), "<= 2.0x the limit, p50 and mean", within, notes)]
    if not compared:
        return [*rows, Row(1, "the same next to DBOS", "not measured", "<= 0.2x", None, (name,))]
    share = f"p50 {ours.p50_times(dbos):.2f}x, mean {ours.mean_times(dbos):.2f}x of {name}"
    met = ours.p50_times(dbos) <= DBOS_MAX and ours.mean_times(dbos) <= DBOS_MAX
    return [*rows, Row(1, "the same next to DBOS", share, "<= 0.2x", met, (f"DBOS: {of_limit(dbos, limit)}",))]


if __name__ == "__main__":
    main(measure)
