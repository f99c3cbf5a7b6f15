"""Looking at what was pruned."""

from __future__ import annotations

from typing import Any

import pytest

import omium
from omium import checkpoint, workflow
from omium_core.runtime.pruning import Choice, plan, prune
from omium_sqlite.journal import SqliteJournal

STEPS = 30
LATER_S = 1e12


@checkpoint("counts")
def counts(number: int) -> int:
    return number


@workflow(name="counts-up")
def counts_up() -> None:
    for number in range(STEPS):
        counts(number)


def test_the_journal_is_not_searched_once_for_every_value(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """That an execution was pruned is found out once, however many of its values are asked for."""
    counts_up.start(execution_id="x")
    store = omium.runtime_for().store
    prune(store, plan(store, Choice(before=LATER_S)), "ann")
    asked: list[str] = []
    rows = SqliteJournal.rows

    def counted(journal: SqliteJournal, execution: str, **options: Any) -> Any:
        asked.append(execution)
        return rows(journal, execution, **options)

    monkeypatch.setattr(SqliteJournal, "rows", counted)
    events = [one.seq for one in store.events("x") if one.digest is not None]
    shown = [store.view("x", seq) for seq in events]
    assert shown == [{"@type": "pruned"}] * len(events)
    assert len(events) > STEPS
    assert len(asked) == 2
