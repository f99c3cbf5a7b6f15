"""Loops without progress, and runners that die again and again, are failures: recovery ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import omium
from omium import Halt, Pause, Recovery, Rollback, UsageError, checkpoint, effect, workflow
from omium_core.model import events as e


def test_a_step_that_repeats_itself_halts_with_a_sentence(events: Any, body: Any) -> None:
    """The same arguments and the same outcome, more often than allowed: the step is not attempted again."""
    done = []

    @checkpoint("search")
    def search(query: str) -> str:
        done.append(query)
        return "nothing"

    @workflow(loops_max=5)
    def loops() -> None:
        while True:
            search("the same")

    execution = loops.start()

    assert (execution.status, len(done)) == ("halted", 5)
    (failed,) = events(execution.id, e.StepFailed)
    assert failed.kind == "loop"
    assert "`search` was called 5 times in a row with the same arguments" in body(execution.id, failed)["message"]


def test_a_ladder_takes_a_loop(events: Any) -> None:
    """It is a failure kind like others, and a rung of its own can be named for it."""

    @checkpoint("search", recovery=Recovery(Pause("owner"), kinds=("loop",)))
    def search() -> str:
        return "nothing"

    @workflow(loops_max=3)
    def loops() -> None:
        for _ in range(10):
            search()

    execution = loops.start()
    assert execution.status == "paused"
    omium.review(execution.id, skip=True, by="ann")
    assert loops.resume(execution.id).status == "paused", "the fifth call is a loop as well"


@pytest.mark.parametrize("progress", ["arguments", "outcome", "allowed"])
def test_progress_is_no_loop(progress: str) -> None:
    """Other arguments, another outcome, or a workflow that allows it."""
    outcomes = iter(range(100))

    @checkpoint("poll")
    def poll(number: int) -> int:
        return next(outcomes) // 4 if progress == "outcome" else 0

    @workflow(loops_max=None if progress == "allowed" else 5)
    def polls() -> int:
        return sum(poll(number if progress == "arguments" else 0) for number in range(20))

    assert polls.start().status == "completed"


def test_a_loop_that_was_resumed_is_found_all_the_same() -> None:
    """Recorded calls count, also after a crash in the middle."""
    dies = [True]

    @effect(name="die", read=True)
    def die() -> None:
        if dies.pop() if dies else False:
            raise KeyboardInterrupt

    @checkpoint("work")
    def work() -> int:
        return 1

    @workflow(loops_max=4)
    def loops() -> None:
        for number in range(10):
            work()
            if number == 2:
                die()

    with pytest.raises(KeyboardInterrupt):
        loops.start(execution_id="l")
    assert loops.resume("l").status == "halted"


CRASHING = """
import os, signal, sys
import omium
from omium import {names}, checkpoint, workflow

def die(name):
    with open("lives.txt", "a") as file:
        file.write(name + "\\n")
    if os.environ.get("DIE") == name:
        os.kill(os.getpid(), signal.SIGKILL)

@checkpoint("first")
def first():
    return 1

@checkpoint("poison"{ladder})
def poison():
    die("poison")
    return 2

@workflow{options}
def crashing():
    die("body")
    first()
    return poison()

if not omium.runtime_for().store.journal.executions():
    crashing.start(execution_id="c")
else:
    crashing.resume("c")
print(omium.execution_of("c").status)
"""


class Crashing:
    """A program whose process is killed where `DIE` says."""

    def __init__(self, folder: Path, ladder: str = "", options: str = "", names: str = "Recovery") -> None:
        self.folder = folder
        program = CRASHING.format(ladder=ladder, options=options, names=names)
        (folder / "program.py").write_text(program)

    def live(self, die: str = "") -> str:
        """Run it once; give the status that it printed, or `killed`."""
        env = {**os.environ, "DIE": die}
        program = [sys.executable, "program.py"]
        done = subprocess.run(program, cwd=self.folder, env=env, capture_output=True, text=True, timeout=60)
        if done.returncode == -signal.SIGKILL:
            return "killed"
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def lives(self) -> int:
        """How often the poison was taken."""
        return (self.folder / "lives.txt").read_text().split().count("poison")


def test_three_resumes_without_a_checkpoint_ask_a_person(tmp_path: Path, events: Any, body: Any) -> None:
    """The process is killed at the same place again and again; the fourth resume asks instead of dying once more."""
    program = Crashing(tmp_path)

    assert [program.live("poison") for _ in range(4)] == ["killed"] * 4
    assert program.live("poison") == "paused"
    assert program.lives() == 4

    (failed,) = events("c", e.StepFailed)
    assert (failed.kind, failed.step) == ("crashed", "poison")
    message = "the process died 4 times without a new checkpoint, last in step `poison`, attempt 1"
    assert body("c", failed)["message"] == message
    assert program.live("poison") == "paused", "nobody has answered"

    omium.review("c", approve=True, by="ann", reason="more memory")
    assert program.live() == "completed"
    assert omium.verify("c").ok


def test_a_person_gives_it_as_many_tries_once_more(tmp_path: Path) -> None:
    """An answer counts as progress; a second crash loop of the step ends its ladder, so recovery ends."""
    program = Crashing(tmp_path)
    for _ in range(4):
        program.live("poison")
    assert program.live("poison") == "paused"
    omium.review("c", approve=True, by="ann")

    assert [program.live("poison") for _ in range(4)] == ["killed"] * 4
    assert program.live("poison") == "halted"
    assert "the process died 4 times" in omium.execution_of("c").reason


def test_the_steps_ladder_takes_it(tmp_path: Path, events: Any) -> None:
    """With a ladder for it nobody is asked: what its rung says is done."""
    ladder = ', recovery=Recovery(Skip(), kinds=("crashed",))'
    program = Crashing(tmp_path, ladder, names="Recovery, Skip")
    for _ in range(4):
        program.live("poison")

    assert program.live("poison") == "completed"
    (decided,) = events("c", e.RecoveryDecided)
    assert (decided.failure, decided.strategy) == ("crashed", "skip")


def test_killed_between_the_failure_and_its_decision(tmp_path: Path, events: Any) -> None:
    """The failure is on disk before the code is entered; a kill before the ladder decides loses it not."""
    program = Crashing(tmp_path)
    for _ in range(4):
        program.live("poison")

    assert program.live("body") == "killed"
    assert program.live("poison") == "paused"
    assert len(events("c", e.StepFailed)) == 1
    assert program.lives() == 4


def test_dying_outside_of_a_step_asks_about_the_execution(tmp_path: Path, events: Any) -> None:
    """Where no step is at work there is no ladder; a person lets it go on, or gives it up."""
    program = Crashing(tmp_path)
    assert [program.live("body") for _ in range(4)] == ["killed"] * 4
    assert program.live("body") == "paused"
    (asked,) = events("c", e.ReviewRequested)
    assert (asked.kind, asked.step) == ("crashed", "")

    omium.review("c", reject=True, by="ann", reason="it never worked")
    assert program.live() == "halted"
    assert omium.execution_of("c").status == "halted"


def test_dying_outside_of_a_step_can_be_gone_on_with(tmp_path: Path) -> None:
    """The other answer."""
    program = Crashing(tmp_path)
    for _ in range(5):
        program.live("body")
    omium.review("c", approve=True, by="ann")
    assert program.live() == "completed"


def test_a_new_checkpoint_is_progress(tmp_path: Path) -> None:
    """Deaths at different places, each behind another checkpoint, are no loop; and a workflow can allow any number."""
    program = Crashing(tmp_path, options="(crashes_max=None)")
    assert [program.live("poison") for _ in range(6)] == ["killed"] * 6
    assert program.live() == "completed"

    other = tmp_path / "other"
    other.mkdir()
    (other / "omium.toml").touch()
    second = Crashing(other)
    assert [second.live("body") for _ in range(3)] == ["killed"] * 3
    assert [second.live("poison") for _ in range(3)] == ["killed"] * 3
    assert second.live() == "completed"


@pytest.mark.parametrize("given", [0, -1, True, "3"])
@pytest.mark.parametrize("name", ["loops_max", "crashes_max"])
def test_limits_are_numbers(name: str, given: Any) -> None:
    """What cannot be a limit is refused where it is written."""
    with pytest.raises(UsageError, match=f"`{name}` cannot be `{given!r}`"):
        workflow(**{name: given})(len)


def test_rollback_by_a_ladder_is_no_crash() -> None:
    """Rolling back, pausing and resuming in one process never looks like a crash."""

    @checkpoint("a")
    def a() -> int:
        return 1

    @checkpoint("b", recovery=Recovery(Rollback(), Pause(), Pause(), Pause(), Pause(), Pause(), Halt()))
    def b() -> None:
        raise ValueError("no")

    @workflow
    def pauses() -> None:
        a()
        b()

    execution = pauses.start()
    for _ in range(4):
        omium.review(execution.id, approve=True, by="ann")
        assert pauses.resume(execution.id).status == "paused"
    kinds = {json.loads(header)["kind"] for header in _failures(execution.id)}
    assert kinds == {"error"}


def _failures(execution: str) -> list[str]:
    rows = omium.runtime_for().store.journal.rows(execution)
    return [header for row in rows for header in row.headers if '"StepFailed"' in header]
