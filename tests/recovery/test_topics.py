"""The index of topics: kept by the database itself, compared with the headers, added to older stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import omium
from omium import Pause, Recovery, checkpoint, require, workflow
from omium.testing import VirtualClock
from omium_core.runtime import pruning


@checkpoint("topic-step", recovery=Recovery(Pause()))
def step() -> str:
    require(bool(omium.current().fixes), "no advice")
    return " ".join(omium.current().fixes)


@workflow(name="topical")
def topical() -> str:
    return step()


@pytest.fixture
def advised() -> None:
    """A store in which advice was approved for always, and worked."""
    topical.start(execution_id="first")
    omium.review("first", edit="be brief", always=True, by="ann")
    assert topical.resume("first").result == "be brief"


def change(sql: str) -> None:
    """Change the store as no process of Omium does."""
    with closing(sqlite3.connect(Path(".omium") / "omium.db", isolation_level=None)) as connection:
        connection.execute(sql)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM mention", "the index of topics lacks an event of `first`"),
        ("UPDATE mention SET topic = 'fixes:other'", "the index of topics lacks an event of `first`"),
        ("UPDATE mention SET header = replace(header, 'ann', 'bob')", "that its journal does not have"),
        ("UPDATE mention SET num = 7", "the index of topics lacks an event of `first`"),
    ],
)
@pytest.mark.usefixtures("advised")
def test_an_index_that_says_something_else_is_found(sql: str, said: str) -> None:
    """What decides about later executions is what the journals say, or `verify` names it."""
    assert omium.verify().ok
    change(sql)
    assert any(said in str(one) for one in omium.verify().problems)


@pytest.mark.usefixtures("advised")
def test_a_store_from_before_there_were_topics_is_used_as_it_is(tmp_path: Path, clock: VirtualClock) -> None:
    """Its index is made when it is opened next, and holds what comes."""
    omium.runtime_for().close()
    for sql in ("DROP TRIGGER mention_append", "DROP TABLE mention"):
        change(sql)

    topical.start(execution_id="second")
    omium.review("second", edit="be kind", always=True, by="ann")
    assert [one.fix.change for one in omium.fixes("topical")] == ["be kind"]
    omium.runtime_for().close()


@pytest.mark.usefixtures("advised")
def test_advice_for_always_outlives_a_prune(clock: VirtualClock) -> None:
    """The values of the execution in which it was approved stay, until it is revoked."""
    topical.start(execution_id="second")
    store = omium.runtime_for().store
    everything = pruning.Choice(before=clock.now() + 1)

    planned = pruning.plan(store, everything)
    assert [row.id for row in planned.executions] == ["second"]
    pruning.prune(store, planned, "ann")
    assert topical.start(execution_id="third").result == "be brief"

    omium.revoke(omium.fixes()[0].fix.review, by="ann")
    after = pruning.plan(store, pruning.Choice(before=clock.now() + 1))
    assert {row.id for row in after.executions} == {"first", "third"}
    pruning.prune(store, after, "ann")
    topical.start(execution_id="fourth")
    fourth = omium.execution_of("fourth")
    assert (fourth.status, fourth.reason) == ("paused", "no advice")
    assert omium.verify().ok


@pytest.mark.usefixtures("advised")
def test_a_topic_is_found_by_its_index(explained: Callable[[str], str]) -> None:
    """However large the store is, a topic's last events are looked up and not searched for."""
    plan = explained(
        "SELECT e.id, m.header FROM mention AS m JOIN execution AS e ON e.num = m.num "
        "WHERE m.topic = 'x' ORDER BY m.id DESC LIMIT 100"
    )
    assert "USING INDEX mention_topic (topic=?)" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.fixture
def explained() -> Callable[[str], str]:
    """Give how the database answers a query."""

    def plan(sql: str) -> str:
        with closing(sqlite3.connect(Path(".omium") / "omium.db")) as connection:
            return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))

    return plan
