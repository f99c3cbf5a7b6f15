"""Pause and halt from outside: whatever process runs an execution, it stops before its next effect."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import omium
from omium import ExecutionHalted, ExecutionPaused, UsageError, checkpoint, effect, workflow
from omium_core.model import events as e

PARALLEL = {"line": ["wire0"], "branches": ["wire0", "wire1", "wire2"], "threads": ["wire0", "wire1", "wire2"]}


def events(execution: str) -> list[e.Event]:
    """The execution's journal, read from this process."""
    return list(omium.open_store().journal(execution))


def of(execution: str, kind: type[Any]) -> list[Any]:
    """Its events of one kind."""
    return [one for one in events(execution) if isinstance(one, kind)]


@pytest.mark.parametrize("name", sorted(PARALLEL))
def test_halt_stops_a_runner_before_its_next_effect(site: Any, name: str) -> None:
    """Effects in flight come to their end and are journaled; no further one begins, in any lane; the caller is told."""
    gates = PARALLEL[name]
    args = ("run", f"flows.py:{name}", "--input", "3", "--execution-id", "x")
    runner = site.start(*args, GATES=",".join(gates))
    site.reached(*gates)

    told = site.omium("halt", "x", "--by", "ann", "--reason", "runaway costs")
    site.open(*gates)
    done = site.end(runner)

    assert told.status == 0, told.err
    assert "runaway costs (by ann)" in told.out
    assert "omium rollback x" in told.err
    assert done.status == 3
    assert "runaway costs (by ann)" in done.err
    assert site.world() == [f"wire {number}" for number in range(len(gates))]
    assert omium.execution_of("x").status == "halted"
    assert [one.done for one in of("x", e.EffectResolved)] == [True] * len(gates)
    assert omium.verify("x").ok


@pytest.mark.parametrize("name", sorted(PARALLEL))
def test_pause_can_be_resumed(site: Any, name: str) -> None:
    """A paused execution goes on where it was stopped: every effect happens once, and nobody is asked anything."""
    gates = PARALLEL[name]
    runner = site.start("run", f"flows.py:{name}", "--input", "3", "--execution-id", "x", GATES=",".join(gates))
    site.reached(*gates)

    assert site.omium("pause", "x", "--by", "ann", "--reason", "a look").status == 0
    site.open(*gates)
    assert site.end(runner).status == 4
    assert omium.execution_of("x").reason == "a look (by ann)"
    done = site.omium("resume", "x")

    assert done.status == 0, done.err
    total = 3 if name == "line" else 4
    assert site.world() == [f"wire {number}" for number in range(total)]
    assert of("x", e.ReviewRequested) == []


def test_a_wait_between_attempts_ends(site: Any) -> None:
    """A runner that waits an hour before its next attempt stops at once, not after the hour."""
    runner = site.start("run", "flows.py:waits", "--execution-id", "x")
    site.until(lambda: Path("flaky.reached").exists() and of("x", e.RecoveryDecided))

    site.omium("halt", "x", "--by", "ann", "--reason", "enough")

    assert site.end(runner).status == 3


@pytest.mark.parametrize(("name", "place"), [("reads", "look"), ("busy", "count")])
def test_a_runner_that_never_waits_is_stopped(site: Any, name: str, place: str) -> None:
    """A step of nothing but reads stops too, and a runner that appends all the time does not outrun its operator."""
    runner = site.start("run", f"flows.py:{name}", "--execution-id", "x")
    site.reached(place)

    assert site.omium("halt", "x", "--by", "ann", "--reason", "enough").status == 0

    assert site.end(runner).status == 3


def test_all_holds_for_living_and_dead_runners(site: Any) -> None:
    """`--all` halts what runs, what is paused and what a killed process left; what ended stays; new ones start."""
    assert site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "done").status == 0
    site.omium("run", "flows.py:asks", "--execution-id", "asks")
    dead = site.start("run", "flows.py:line", "--input", "9", "--execution-id", "dead", GATES="wire1")
    site.reached("wire1")
    dead.kill()
    dead.wait()
    living = site.start("run", "flows.py:line", "--input", "9", "--execution-id", "living", GATES="wire2")
    site.reached("wire2")

    told = site.omium("halt", "--all", "--by", "ann", "--reason", "fire", "--json")
    site.open("wire2")

    assert sorted(one["id"] for one in told.data["halted"]) == ["asks", "dead", "living"]
    assert site.end(living).status == 3
    statuses = {one.id: one.status for one in omium.open_store().executions()}
    assert statuses == {"done": "completed", "asks": "halted", "dead": "halted", "living": "halted"}
    assert site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "new").status == 0
    assert "living" in site.omium("halt", "--workflow", "line", "--by", "ann", "--reason", "x").out or True
    refused = site.omium("review", "asks", "--approve", "--by", "bob")
    assert refused.status == 1
    assert "nothing is asked" in refused.err


def test_workflow_names_only_its_executions(site: Any) -> None:
    """`--workflow` leaves the executions of others alone."""
    runners = [
        site.start("run", f"flows.py:{name}", "--input", "1", "--execution-id", name, GATES="wire0")
        for name in ("line", "branches")
    ]
    site.until(lambda: all(of_running(name) for name in ("line", "branches")))

    told = site.omium("halt", "--workflow", "line", "--by", "ann", "--reason", "x", "--json")
    site.open("wire0")

    assert [one["id"] for one in told.data["halted"]] == ["line"]
    assert [site.end(runner).status for runner in runners] == [3, 0]


def of_running(execution: str) -> bool:
    """Say whether the execution has an effect in flight."""
    row = omium.runtime_for().store.journal.execution(execution)
    return row is not None and bool(of(execution, e.EffectIntended))


def test_two_operators_at_once(site: Any) -> None:
    """However many operators stop an execution at the same moment, it is stopped once, by one of them."""
    runner = site.start("run", "flows.py:line", "--input", "3", "--execution-id", "x", GATES="wire0")
    site.reached("wire0")
    operators = [
        site.start("halt", "x", "--by", f"operator {number}", "--reason", "me first", "--json") for number in range(4)
    ]

    told = [site.end(one) for one in operators]
    site.open("wire0")

    assert [one.status for one in told] == [0] * 4
    assert sum(len(one.data["halted"]) for one in told) == 1
    assert len(of("x", e.ExecutionHalted)) == 1
    assert site.end(runner).status == 3
    assert omium.verify("x").ok


def test_stopping_races_with_the_end(site: Any, pressed: Any) -> None:
    """Where a halt meets the last commits, one of the two comes first: completed and whole, or halted, never both."""

    @checkpoint("short")
    def short(number: int) -> int:
        return number

    @workflow(name="short-ones")
    def shorts() -> int:
        return sum(short(number) for number in range(3))

    for number in range(pressed(30, 1_000)):
        name = f"race-{number}"
        operator = threading.Thread(target=halt_when_there, args=(name,))
        operator.start()
        view = shorts.start(execution_id=name)
        operator.join()
        ends = [one for one in events(name) if isinstance(one, e.ExecutionCompleted | e.ExecutionHalted)]
        assert len(ends) == 1
        assert view.status == ("completed" if isinstance(ends[0], e.ExecutionCompleted) else "halted")
    assert omium.verify().ok


def halt_when_there(name: str) -> None:
    """Halt an execution as soon as it is in the store."""
    while omium.runtime_for().store.journal.execution(name) is None:
        pass
    omium.halt(name, by="ann", reason="race")


def test_what_has_ended_stays(site: Any) -> None:
    """A completed execution is neither paused nor halted, and a second stop changes nothing; each says so."""
    site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "x")
    before = len(events("x"))

    assert "x is completed; it stays as it is" in site.omium("pause", "x").out
    assert "x is completed; it stays as it is" in site.omium("halt", "x", "--by", "ann", "--reason", "y").out
    assert omium.halt("x", by="ann") == []
    assert omium.pause("x").status == "completed"

    assert len(events("x")) == before


def test_a_halted_execution_goes_on_after_a_rollback(site: Any) -> None:
    """`resume` of a halted one says by whom and why; a rollback, as `omium halt` and `show` name it, goes on."""
    runner = site.start("run", "flows.py:line", "--input", "2", "--execution-id", "x", GATES="wire1")
    site.reached("wire1")
    site.omium("halt", "x", "--by", "ann", "--reason", "stop")
    site.open("wire1")
    site.end(runner)

    again = site.omium("resume", "x")
    shown = site.omium("show", "x")

    assert again.status == 3
    assert "stop (by ann)" in again.err
    assert "omium rollback x" in shown.err
    assert site.omium("rollback", "x", "pay", "--yes").status == 0
    assert site.omium("resume", "x").status == 0
    assert site.world() == ["wire 0", "wire 1"]


def test_callers_in_python_see_who_and_why(site: Any) -> None:
    """The caller of a workflow, and a `with` block, get `ExecutionPaused` or `ExecutionHalted`, not a fence."""

    @effect(irreversible=True)
    def stop_me(how: str) -> None:
        if how == "pause":
            omium.pause(omium.current().execution, by="ann", reason="lunch")
        else:
            omium.halt(omium.current().execution, by="ann", reason="lunch")

    @checkpoint("stopping")
    def stopping(how: str) -> None:
        stop_me(how)

    @workflow(name="stops-itself")
    def flow(how: str) -> None:
        stopping(how)

    with pytest.raises(ExecutionPaused, match=r"lunch \(by ann\)"):
        flow("pause")
    with pytest.raises(ExecutionHalted, match=r"lunch \(by ann\)"):
        flow("halt")
    with pytest.raises(ExecutionHalted, match=r"lunch \(by ann\)"), omium.execution("block"):
        stopping("halt")


def test_an_effect_in_flight_is_not_guessed_when_its_runner_dies(site: Any) -> None:
    """Halted, and the runner killed before its effect answered: the effect stays unresolved, for a person to say."""
    runner = site.start("run", "flows.py:line", "--input", "2", "--execution-id", "x", GATES="wire0")
    site.reached("wire0")
    site.omium("pause", "x")
    runner.kill()
    runner.wait()

    done = site.omium("resume", "x")

    assert done.status == 4
    assert [one.kind for one in of("x", e.ReviewRequested)] == ["effect_unresolved"]
    assert site.world() == []


def test_a_taken_over_runner_is_fenced_not_paused(site: Any) -> None:
    """Paused and resumed by another process meanwhile: the first runner says that it lost the execution."""
    runner = site.start("run", "flows.py:line", "--input", "2", "--execution-id", "x", GATES="wire0")
    site.reached("wire0")
    site.omium("pause", "x")
    other = site.omium("resume", "x")
    site.open("wire0")
    done = site.end(runner)

    assert other.status == 4, "the effect in flight is another runner's, so a person is asked"
    assert done.status == 1
    assert "another runner" in done.err
    assert site.world() == ["wire 0"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("halt", "--by", "ann", "--reason", "x"), "say what to halt: ID, `--workflow W` or `--all`"),
        (("halt", "x", "--all", "--by", "ann", "--reason", "x"), "say what to halt"),
        (("halt", "x"), "missing option '--by'"),
        (("halt", "nobody", "--by", "ann", "--reason", "x"), "there is no execution `nobody`"),
        (("pause",), "ID (or `--execution-id ID`) is missing"),
    ],
)
def test_wrong_requests_are_refused(site: Any, args: tuple[str, ...], message: str) -> None:
    """A request that names nothing, or two things, is a usage error in one sentence, and stops nothing."""
    site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "x")

    done = site.omium(*args)

    assert done.status == 2
    assert message in done.err
    assert done.err.count("error: ") == 1


def test_halt_in_python_takes_one_target(site: Any) -> None:
    """`omium.halt` without or with two targets is refused."""
    with pytest.raises(UsageError, match="say what to halt"):
        omium.halt(by="ann")
    with pytest.raises(UsageError, match="say what to halt"):
        omium.halt("x", all=True, by="ann")


def test_the_kill_switch_does_not_need_a_readable_journal(site: Any) -> None:
    """A halt reads only the last append, so a journal that is damaged further up can still be stopped."""
    runner = site.start("run", "flows.py:line", "--input", "9", "--execution-id", "x", GATES="wire5")
    site.reached("wire5")
    damage = "import sqlite3; c = sqlite3.connect('.omium/omium.db'); c.execute("
    damage += "\"UPDATE append SET headers = '[]' WHERE id = (SELECT min(id) + 1 FROM append)\"); c.commit()"
    subprocess.run([sys.executable, "-c", damage], check=True)

    halted = omium.halt("x", by="ann", reason="y")
    site.open("wire5")
    site.end(runner)

    assert [one.id for one in halted] == ["x"]
    assert "wire 6" not in site.world()
