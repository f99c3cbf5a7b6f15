"""How values and their blobs are read: in parts, none twice, and each checked."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

import omium
from omium import checkpoint, workflow
from omium.runtime import runtime_for
from omium_core.errors import Corrupted
from omium_core.interfaces.checkpoint import Batch
from omium_core.runtime import store as reading
from omium_sqlite.journal import SqliteJournal

MESSAGES = 700


@attrs.define(eq=False)
class Counting:
    """A journal that notes which blobs it is asked for."""

    journal: Any
    asked: list[list[str]] = attrs.field(factory=list)

    def blobs(self, digests: Collection[str]) -> dict[str, bytes]:
        self.asked.append(list(digests))
        found: dict[str, bytes] = self.journal.blobs(digests)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)


@pytest.fixture
def large(tmp_path: Path) -> Any:
    """A store with one large value: give it, the journal that counts, and where the value is."""

    @checkpoint("gather")
    def gather() -> list[dict[str, Any]]:
        return [{"index": one, "text": f"{one:04} " * 200} for one in range(MESSAGES)]

    url = f"sqlite:///{tmp_path}/omium.db"

    @workflow(store=url)
    def flow() -> int:
        return len(gather())

    execution = flow.start().id
    runtime = runtime_for(url)
    counting = runtime.store.journal = Counting(runtime.store.journal)
    entry = runtime.store.load(execution).state.outcomes.get("gather")
    yield runtime.store, counting, (execution, entry.seq)
    runtime.close()


def test_a_value_is_read_in_parts_and_no_blob_twice(large: Any) -> None:
    """Hundreds of blobs are a few questions; one that is referred to twice is asked for once."""
    store, counting, place = large

    assert [one["index"] for one in store.value(*place)] == list(range(MESSAGES))

    asked = [digest for part in counting.asked for digest in part]
    assert len(asked) > MESSAGES
    assert len(set(asked)) == len(asked)
    assert max(map(len, counting.asked)) <= reading.BLOBS_READ
    assert len(counting.asked) < 20


def test_what_was_verified_is_not_read_again(large: Any) -> None:
    """A rollback verifies a state, and the resume after it gets the value from there."""
    store, counting, place = large
    store.verify_value(*place)
    counting.asked.clear()

    assert len(store.value(*place)) == MESSAGES
    assert counting.asked == []


def test_verification_always_looks_at_the_disk(large: Any) -> None:
    """What was read lately says nothing about what is there now."""
    store, _, place = large
    store.value(*place)
    found = store.journal.journal._connections
    found.write(lambda connection: connection.execute("UPDATE blob SET data = x'00' WHERE rowid = 3"))

    with pytest.raises(Corrupted, match=rf"event {place[1]} of `{place[0]}`: blob `[0-9a-f]+` was changed"):
        store.verify_value(*place)
    assert not omium.verify(place[0], store=store.url).ok


def test_what_is_kept_is_bounded(large: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound, blobs are read again rather than kept."""
    store, counting, place = large
    monkeypatch.setattr(reading, "LATELY_BYTES_MAX", 10_000)

    assert len(store.value(*place)) == len(store.value(*place)) == MESSAGES

    asked = [digest for part in counting.asked for digest in part]
    assert len(asked) > len(set(asked))
    assert store._lately_bytes <= 10_000


def test_a_store_from_before_topics_can_be_read_where_it_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be added to it there, so there are no topics; what has one all the same is named."""
    path = tmp_path / "omium.db"
    header = '{"type":"FixRevoked","seq":1,"epoch":1,"at":1.0,"topic":"fixes:w"}'
    with closing(SqliteJournal(path)) as journal:
        journal.append(Batch("exe_1", 1, 0, 1, ['{"type":"X","seq":1}'], b"", "00" * 32)).wait()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for dropped in ("TRIGGER mention_append", "TABLE mention"):
            connection.execute(f"DROP {dropped}")

    def looked_at() -> tuple[list[tuple[str, str]], list[str]]:
        with closing(SqliteJournal(path)) as journal:
            return journal.mentions("fixes:w"), journal.check()

    monkeypatch.setattr("omium_sqlite.connections._is_read_only", lambda path: True)
    assert looked_at() == ([], [])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE append SET headers = ?", (f"[{header}]",))
    assert looked_at() == ([], ["there is no index of topics, and an event of `exe_1` has one"])
