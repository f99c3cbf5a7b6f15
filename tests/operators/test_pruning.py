"""Prune: values of old executions go, every chain still verifies, and nobody else misses anything."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import omium
from omium import StoreError, checkpoint, workflow
from omium_core.interfaces.upkeep import Removal
from omium_core.runtime.pruning import Choice, plan, prune

LATER_S = 1e12
# Nothing compresses this below the size from which a blob is kept elsewhere.
LARGE = [random.Random(1).randbytes(400_000).hex()]
TEXT = [f"line {number} " + "x" * 700 for number in range(100)]

TWO_RUNS = """
import sys
import flows, omium
flows.stores.start("same", execution_id="first")
flows.gate("between")
view = flows.stores.start("same", execution_id="second")
assert view.status == "completed"
"""


@pytest.fixture
def store(site: Any) -> Any:
    """The store of the project."""
    return omium.runtime_for().store


@checkpoint("hold")
def hold(text: list[str]) -> list[str]:
    return text


@workflow(name="holds")
def holds(text: list[str], fail: bool = False) -> int:
    held = hold(text)
    if fail:
        raise ValueError("no")
    return len(held)


def blobs() -> int:
    with sqlite3.connect(".omium/omium.db") as connection:
        return int(connection.execute("SELECT count(*) FROM blob").fetchone()[0])


def test_values_go_and_the_chain_verifies(site: Any, store: Any) -> None:
    """After a prune the events are all there, `verify` says what is gone, and every reader copes with it."""
    holds.start(TEXT, execution_id="old")
    head = omium.verify("old").heads["old"]
    events = len(list(omium.open_store().journal("old")))

    told = site.omium("prune", "--keep-last", "0", "--status", "completed", "--yes", "--by", "ann", "--json")

    assert told.status == 0, told.err
    assert told.data["executions"] == ["old"]
    assert told.data["blobs"] > 0
    assert blobs() == 0
    result = omium.verify(head=head)
    assert result.ok, result.problems
    assert result.pruned == {"old": events}
    assert "pruned: the values of 1 execution" in site.omium("verify").out
    shown = site.omium("show", "old")
    assert shown.status == 0
    assert "values were pruned  by ann" in shown.out
    assert site.omium("show", "old", "--json").status == 0
    with pytest.raises(StoreError, match="pruned by ann"):
        _ = omium.execution_of("old").result
    with pytest.raises(StoreError, match="pruned by ann"):
        omium.rollback("old", "start")
    with pytest.raises(StoreError, match="pruned by ann"):
        omium.fork("old", "hold")
    assert plan(store, Choice(LATER_S)).executions == ()


def test_a_pruned_execution_stays_as_it_ended(site: Any, store: Any) -> None:
    """Going on with an execution whose result is gone says so, and appends nothing: completed is final."""
    holds.start(TEXT, execution_id="old")
    prune(store, plan(store, Choice(LATER_S)), "ann")
    events = len(list(omium.open_store().journal("old")))

    with pytest.raises(StoreError, match="pruned by ann"):
        holds.resume("old")

    assert omium.execution_of("old").status == "completed"
    assert len(list(omium.open_store().journal("old"))) == events


def test_what_others_need_stays(site: Any, store: Any) -> None:
    """Unfinished executions, blobs that they share, and what a fork that stays began with are not touched."""
    holds.start(TEXT, execution_id="old")
    holds.start([*TEXT, "one more"], execution_id="shares")
    omium.rollback("shares", "hold")
    holds.start(["other" + line for line in TEXT], execution_id="source")
    omium.fork("source", "hold", execution_id="fork")

    planned = plan(store, Choice(LATER_S))
    removed = prune(store, planned, "ann")

    assert [row.id for row in planned.executions] == ["old"]
    assert planned.kept == ("source",)
    assert removed.executions == ("old",)
    assert omium.verify().ok
    assert holds.resume("shares").result == 101
    assert holds.resume("fork").result == 100


def test_a_plan_changes_nothing(site: Any, store: Any) -> None:
    """`--dry-run` only tells; without a terminal and without `--yes` nothing is removed; the choice has to be said."""
    holds.start(TEXT, execution_id="old")
    before = blobs()

    dry = site.omium("prune", "--status", "completed", "--dry-run")
    asked = site.omium("prune", "--status", "completed")
    unsaid = site.omium("prune", "--yes")
    young = site.omium("prune", "--older-than", "1h", "--yes", "--json")
    wrong = site.omium("prune", "--older-than", "soon", "--yes")

    assert "prune the values of 1 execution" in dry.out
    assert (asked.status, unsaid.status, wrong.status) == (2, 2, 2)
    assert "give `--yes`" in asked.err
    assert "say what may go" in unsaid.err
    assert "`soon` is not a span of time" in wrong.err
    assert young.data["executions"] == []
    assert blobs() == before
    assert omium.verify().pruned == {}


def test_keep_last_keeps_the_newest(site: Any, store: Any) -> None:
    """`keep_last` counts what ended, the newest first; statuses and workflows are chosen among the rest."""
    for number in range(4):
        holds.start([str(number)], execution_id=f"n{number}")
    holds.start(["x"], True, execution_id="failed")

    assert [row.id for row in plan(store, Choice(LATER_S, keep_last=2)).executions] == ["n2", "n1", "n0"]
    assert [row.id for row in plan(store, Choice(LATER_S, statuses=("halted",))).executions] == ["failed"]
    assert plan(store, Choice(LATER_S, workflow="other")).executions == ()


def test_a_writer_that_takes_a_pruned_blob_for_stored_writes_it_again(site: Any, store: Any) -> None:
    """Another process stored a value, which is pruned; when it stores an equal one, the blobs come with it."""
    program = [sys.executable, "-c", TWO_RUNS]
    runner = subprocess.Popen(program, cwd=site.folder, env={**os.environ, "GATES": "between"}, stderr=subprocess.PIPE)
    site.started.append(runner)
    site.reached("between")
    stored = blobs()

    told = site.omium("prune", "--status", "completed", "--yes", "--json")
    gone = blobs()
    site.open("between")
    _, error = runner.communicate(timeout=60)

    assert runner.returncode == 0, error
    assert (stored > 0, told.data["blobs"], gone, blobs()) == (True, stored, 0, stored)
    assert omium.verify().ok
    assert [len(one) for one in omium.open_store().load("second").values()] == [100]


def test_large_blobs_are_removed_and_written_again(site: Any, store: Any) -> None:
    """What lies in the store for large blobs goes as well, and comes back when it is stored again."""
    files = Path(".omium/blobs")

    holds.start(LARGE, execution_id="one")
    assert len([one for one in files.rglob("*") if one.is_file()]) == 1
    prune(store, plan(store, Choice(LATER_S)), "ann")
    assert [one for one in files.rglob("*") if one.is_file()] == []
    view = holds.start(LARGE, execution_id="two")

    assert view.status == "completed"
    assert omium.verify().ok
    assert omium.open_store().load("two")["hold"] == LARGE


def test_what_comes_between_plan_and_prune_is_seen(site: Any, store: Any) -> None:
    """Taken up again, forked or shared after the plan: the prune leaves it alone."""
    for name in ("again", "forked", "shared", "alone"):
        holds.start([name + line for line in TEXT], execution_id=name)
    holds.start(["source" + line for line in TEXT], execution_id="source")
    omium.fork("source", "hold", execution_id="fork-of-source")
    holds.resume("fork-of-source")
    planned = plan(store, Choice(LATER_S))

    omium.rollback("again", "hold")
    omium.rollback("fork-of-source", "hold")
    omium.fork("forked", "hold", execution_id="fork")
    holds.start([*("shared" + line for line in TEXT), "more"], execution_id="sharing")
    removed = prune(store, planned, "ann")

    assert sorted(removed.executions) == ["alone", "shared"]
    assert omium.verify().ok
    assert holds.resume("again").result == 100
    assert holds.resume("fork").result == 100
    assert holds.resume("fork-of-source").result == 100
    assert len(omium.open_store().load("sharing")["hold"]) == 101


KILLED = """
import os, signal, sys
import omium
from omium_core.runtime import pruning
from omium_sqlite import pruning as mechanics
store, left = omium.runtime_for().store, [int(sys.argv[1])]
def die(frame, kind, argument):
    if frame.f_code.co_filename == mechanics.__file__ and kind == "line":
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
    return die
planned = pruning.plan(store, pruning.Choice(1e12))
sys.settrace(die)
pruning.prune(store, planned, "ann")
sys.settrace(None)
print("through")
"""


def test_a_kill_leaves_either_state(site: Any, store: Any, pressed: Any) -> None:
    """Killed at any line of the prune, all is pruned or nothing is, and the store verifies either way."""
    holds.start(TEXT[:24], execution_id="old")
    holds.start(LARGE, execution_id="large")
    events = {name: len(list(omium.open_store().journal(name))) for name in ("old", "large")}
    omium.runtime_for().close()
    saved = {one: one.read_bytes() for one in Path(".omium").rglob("*") if one.is_file() and one.suffix != ".lock"}
    states = set()
    line = 1
    while True:
        for file, data in saved.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        for extra in Path(".omium").glob("omium.db-*"):
            extra.unlink()
        done = subprocess.run([sys.executable, "-c", KILLED, str(line)], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        result = omium.verify()
        omium.runtime_for().close()
        assert result.ok, (line, result.problems)
        assert result.pruned in ({}, events), line
        states.add(bool(result.pruned))
        if done.returncode == 0:
            break
        line += pressed(29, 1)
    assert states == {False, True}


def test_writers_and_prunes_at_once(site: Any, store: Any, pressed: Any) -> None:
    """While one thread prunes again and again, another stores values that share parts with what goes: all verify."""
    stop = threading.Event()
    failed: list[BaseException] = []

    def prune_on() -> None:
        try:
            while not stop.is_set():
                prune(store, plan(store, Choice(LATER_S)), "ann")
        except BaseException as error:
            failed.append(error)

    pruner = threading.Thread(target=prune_on)
    pruner.start()
    for number in range(pressed(20, 500)):
        text = [*TEXT[: number % 7 * 10 + 30], str(number)]
        assert holds.start(text, execution_id=f"w{number}").status == "completed"
    stop.set()
    pruner.join()

    assert failed == []
    assert omium.verify().ok


def test_a_refused_prune_changes_nothing(site: Any, store: Any) -> None:
    """Where the decision fails, in the transaction, everything is as it was."""
    holds.start(TEXT, execution_id="old")
    before = blobs()

    def fails(later: Any, blob: Any) -> Removal:
        list(later)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.journal.prune({}, fails)

    assert blobs() == before
    assert omium.verify().ok
    assert holds.start(TEXT, execution_id="next").status == "completed"


def test_rollback_of_a_pruned_execution_is_refused_by_the_command_line(site: Any, store: Any) -> None:
    """`omium rollback` says who pruned it, in one sentence."""
    site.omium("run", "flows.py:stores", "--input", '"a"', "--execution-id", "old")
    site.omium("prune", "--status", "completed", "--yes", "--by", "ann")

    done = site.omium("rollback", "old", "start", "--yes")

    assert done.status == 1
    assert "pruned by ann" in done.err
