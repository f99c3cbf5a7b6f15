"""Verification: any byte that was changed, is missing or was moved is found and named."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import omium
from omium import checkpoint, effect, workflow
from omium_sqlite.journal import SqliteJournal

SEED = 20


@effect(undo=lambda value: None)
def charge(amount: int) -> dict[str, int]:
    return {"amount": amount}


@checkpoint("grow")
def grow(words: list[str]) -> list[str]:
    charge(len(words))
    return [*words, *(f"word {number} of a longer list" for number in range(400))]


@checkpoint("text")
def text() -> str:
    return "".join(map(chr, random.Random(SEED).choices(range(32, 0x2FFF), k=150_000)))


@workflow
def flow() -> int:
    return len(grow(grow([]))) + len(text())


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A closed store with a finished execution, a rolled back one and a fork, with small and large blobs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "omium.toml").write_text('durability = "process"\n')
    flow.start(execution_id="one")
    flow.start(execution_id="two")
    omium.rollback("two", to="grow", reason="test", by="ann")
    flow.resume("two")
    omium.fork("one", at="grow", execution_id="three")
    flow.resume("three")
    assert omium.verify().ok
    omium.runtime_for().close()
    yield tmp_path / ".omium" / "omium.db"
    omium.runtime_for().close()


def changed(database: Path, statement: str, *values: object) -> list[str]:
    """Change the closed database behind Omium's back; return what verification says."""
    with sqlite3.connect(database) as connection:
        done = connection.execute(statement, values)
        assert done.rowcount > 0
    connection.close()
    found = omium.verify()
    omium.runtime_for().close()
    return [str(one) for one in found.problems]


def cell(database: Path, table: str, column: str, rowid: int) -> bytes:
    with sqlite3.connect(database) as connection:
        (value,) = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
    connection.close()
    return value.encode() if isinstance(value, str) else bytes(value)


def rowids(database: Path, table: str) -> list[int]:
    with sqlite3.connect(database) as connection:
        found = [row[0] for row in connection.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]
    connection.close()
    return found


@pytest.mark.parametrize(
    ("table", "column"), [("append", "headers"), ("append", "bodies"), ("append", "digest"), ("blob", "data")]
)
def test_any_flipped_bit_is_found(database: Path, table: str, column: str) -> None:
    """A bit of a header, a body, a hash or a blob that is another one is named."""
    chance = random.Random(f"{SEED}{table}{column}")
    for rowid in chance.sample(rowids(database, table), 8):
        before = cell(database, table, column, rowid)
        if not before:
            continue
        at = chance.randrange(len(before))
        after = bytearray(before)
        after[at] ^= 1 << chance.randrange(7)
        value: object = after.decode("utf-8", "replace") if column == "headers" else bytes(after)
        original: object = before.decode() if column == "headers" else before

        problems = changed(database, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", value, rowid)
        restored = changed(database, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", original, rowid)

        assert problems, f"bit {at} of {table}.{column} in row {rowid}"
        assert restored == []


def test_missing_append_is_named(database: Path) -> None:
    """A journal without one of its appends says which event is missing."""
    middle = rowids(database, "append")[2]

    problems = changed(database, "DELETE FROM append WHERE id = ?", middle)

    assert any("missing" in one or "ends with event" in one for one in problems)


def test_missing_end_is_found_with_a_head_that_is_known_elsewhere(database: Path) -> None:
    """The chain alone cannot see that its end is gone; a head that was kept elsewhere can."""
    head = omium.verify("one").heads["one"]
    assert omium.verify("one", head=head).ok
    omium.runtime_for().close()
    last = [one for one in rowids(database, "append") if one >> 32 == 1][-1]
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM append WHERE id = ?", (last,))
        connection.execute("UPDATE execution SET status = 'running' WHERE num = 1")
    connection.close()

    found = omium.verify("one", head=head)

    assert not found.ok
    assert any("the end of a journal is missing" in str(one) for one in found.problems)


def test_reordered_appends_are_found(database: Path) -> None:
    """Two appends that changed places break the chain."""
    first, second = rowids(database, "append")[1:3]
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE append SET id = -1 WHERE id = ?", (first,))
        connection.execute("UPDATE append SET id = ? WHERE id = ?", (first, second))
        connection.execute("UPDATE append SET id = ? WHERE id = -1", (second,))
    connection.close()

    assert not omium.verify().ok


@pytest.mark.parametrize(
    ("column", "value"),
    [("status", "running"), ("workflow", "other"), ("epoch", 77), ("runner", "r"), ("started", 7.5), ("ended", None)],
)
def test_changed_table_is_found(database: Path, column: str, value: object) -> None:
    """The table of executions says what the journals say."""
    problems = changed(database, f"UPDATE execution SET {column} = ? WHERE id = 'one'", value)

    assert any(f"for the {column} of `one`" in one for one in problems)


def test_an_execution_that_goes_on_meanwhile_is_no_damage(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is appended between two looks of a verification is not held against the table as it was before."""
    omium.fork("one", at="grow", execution_id="four")
    check = SqliteJournal.check

    def meanwhile(journal: SqliteJournal) -> list[str]:
        omium.halt("four", by="ann")
        return check(journal)

    monkeypatch.setattr(SqliteJournal, "check", meanwhile)
    assert omium.verify().problems == ()


def test_journal_of_another_execution_is_found(database: Path) -> None:
    """An execution whose id is another one is named, and nobody is given its journal under that name."""
    assert changed(database, "UPDATE execution SET id = 'oxe' WHERE id = 'one'")

    with pytest.raises(omium.StoreError, match="is that of `one`"):
        omium.open_store().load("oxe")


def test_changed_view_is_found(database: Path) -> None:
    """A view that answers something else is named, although SQLite finds nothing wrong with it."""
    with sqlite3.connect(database) as connection:
        (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'rollbacks'").fetchone()
        connection.execute("DROP VIEW rollbacks")
        connection.execute(sql.replace("'$.reason'", "'$.season'"))
    connection.close()

    assert "the view `rollbacks` is not the one that Omium makes" in [str(one) for one in omium.verify().problems]


def test_missing_journal_is_not_an_empty_one(database: Path) -> None:
    """An execution that lost all of its appends is damaged, for whoever reads it in whatever way."""
    assert changed(database, "DELETE FROM append WHERE id >> 32 = 1")

    with pytest.raises(omium.StoreError, match="events of `one` are missing"):
        omium.execution_of("one").status  # noqa: B018  # reading it is what is tried
    with pytest.raises(omium.StoreError, match="events of `one` are missing"):
        list(omium.open_store().journal("one"))


def test_events_are_given_only_as_they_were_written(database: Path) -> None:
    """Whoever goes through a journal is not told of a changed event, also where no state is folded."""
    headers = cell(database, "append", "headers", rowids(database, "append")[2]).decode()
    changed(database, "UPDATE append SET headers = ? WHERE headers = ?", headers.replace("grow", "grew"), headers)

    with pytest.raises(omium.StoreError, match="chain"):
        list(omium.open_store().journal("one"))


def test_missing_blob_is_found(database: Path) -> None:
    """A part of a large value that is gone is named."""
    assert changed(database, "DELETE FROM blob WHERE rowid = ?", rowids(database, "blob")[0])


def test_wrong_bytes_are_never_given_out(database: Path) -> None:
    """Reading a value whose bytes were changed raises; it does not return another value."""
    for rowid in rowids(database, "blob"):
        data = bytearray(cell(database, "blob", "data", rowid))
        data[-1] ^= 1
        with sqlite3.connect(database) as connection:
            connection.execute("UPDATE blob SET data = ? WHERE rowid = ?", (bytes(data), rowid))
        connection.close()

    with pytest.raises(omium.StoreError, match="was changed"):
        omium.open_store().load("one")


def test_newer_schema_is_refused(database: Path) -> None:
    """A store of a newer Omium is not touched, and the message says what to do."""
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE meta SET value = 99 WHERE key = 'schema_version'")
    connection.close()

    with pytest.raises(omium.StoreError, match="newer"):
        omium.open_store(str(database))
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE meta SET value = 1 WHERE key = 'schema_version'")
    connection.close()
