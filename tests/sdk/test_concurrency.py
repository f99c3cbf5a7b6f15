"""What happens at the same time: requests, pauses, processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import omium
from omium import Halt, Pause, Recovery, checkpoint, effect, workflow


async def test_one_key_in_two_lanes_is_sent_once() -> None:
    """A user's key names one effect: the second lane waits for the first one's outcome and gets it."""
    keys: list[str | None] = []

    @effect(key=lambda order: order)
    async def charge(order: str) -> str:
        keys.append(omium.current().key)
        await asyncio.sleep(0.02)
        return f"charged {len(keys)}"

    @checkpoint("pay")
    async def pay() -> list[str]:
        return await asyncio.gather(charge("p1"), charge("p1"))

    @workflow
    async def flow() -> list[str]:
        return await pay()

    assert (await flow.start()).result == ["charged 1", "charged 1"]
    assert keys == ["p1"]


def test_retry_loop_in_a_step_sends_a_keyed_effect_under_its_key() -> None:
    """Code that catches a lost answer and asks again sends the same key, not a new one."""
    keys: list[str | None] = []

    @effect(key=lambda order: order)
    def charge(order: str) -> str:
        keys.append(omium.current().key)
        if len(keys) == 1:
            raise TimeoutError("no answer")
        return "charged"

    @checkpoint("pay")
    def pay() -> str:
        for _ in range(3):
            try:
                return charge("p1")
            except TimeoutError:
                continue
        return "given up"

    @workflow
    def flow() -> str:
        return pay()

    assert flow.start().result == "charged"
    assert keys == ["p1", "p1"]


def test_retry_loop_in_a_step_asks_about_an_irreversible_effect() -> None:
    """Code that catches a lost answer and asks again does not perform an irreversible effect a second time."""
    calls: list[int] = []

    @effect
    def mail() -> str:
        calls.append(1)
        raise TimeoutError("no answer")

    @checkpoint("send")
    def send() -> str:
        for _ in range(3):
            try:
                return mail()
            except TimeoutError:
                continue
        return "given up"

    @workflow
    def flow() -> str:
        return send()

    execution = flow.start(execution_id="x")
    assert execution.status == "paused"
    assert calls == [1]

    omium.review("x", choice=0, value="it arrived", by="ann", reason="asked the recipient")
    assert flow.resume("x").result == "it arrived"
    assert calls == [1]


def test_effect_inside_an_effect_is_part_of_it() -> None:
    """What an effect calls in its turn is not compensated while the outer one stands."""
    log: list[str] = []

    @effect(undo=lambda value: log.append("undo inner"))
    def inner() -> str:
        log.append("inner")
        return "i"

    @effect
    def outer() -> str:
        log.append("outer")
        return inner()

    @checkpoint("one", recovery=Recovery(omium.Retry(1), Halt()))
    def one() -> str:
        value = outer()
        if omium.current().attempt == 1:
            raise ValueError("again")
        return value

    @workflow
    def flow() -> str:
        return one()

    assert flow.start().result == "i"
    assert log == ["outer", "inner"]


def test_two_lanes_that_pause_ask_one_after_the_other() -> None:
    """No question is lost: the second lane asks when the execution comes to it again."""
    both = threading.Barrier(2, timeout=30)
    first = [True]

    def fail() -> None:
        if first[0]:
            both.wait()
        raise ValueError("no")

    @checkpoint("a", recovery=Recovery(Pause(), Halt()))
    def a() -> None:
        fail()

    @checkpoint("b", recovery=Recovery(Pause(), Halt()))
    def b() -> None:
        fail()

    @workflow
    def flow() -> list[None]:
        with ThreadPoolExecutor(2) as pool:
            lanes = [pool.submit(omium.bind(step)) for step in (a, b)]
            return [lane.result() for lane in lanes]

    assert flow.start(execution_id="x").status == "paused"
    first[0] = False
    omium.review("x", skip=True, by="ann", reason="not needed")
    assert flow.resume("x").status == "paused"
    omium.review("x", skip=True, by="ann", reason="not needed")

    assert flow.resume("x").result == [None, None]
    assert omium.verify("x").ok


def test_fork_of_a_fork() -> None:
    """A fork of a fork has its own effects and verifies."""
    done: list[str | None] = []

    @effect
    def act() -> None:
        done.append(omium.current().key)

    @checkpoint("one")
    def one() -> None:
        act()

    @checkpoint("two")
    def two() -> None:
        act()

    @workflow
    def flow() -> None:
        one()
        two()

    flow.start(execution_id="x")
    omium.fork("x", at="one", execution_id="y")
    flow.resume("y")
    omium.fork("y", at="one", execution_id="z")

    assert flow.resume("z").status == "completed"
    assert len(set(done)) == len(done) == 4
    assert omium.verify().ok


RACE = """
import sys, time
import omium

@omium.checkpoint("one")
def one():
    time.sleep(0.05)

@omium.workflow
def flow():
    one()
    one()

print(flow.start(execution_id="race").status)
"""


def test_two_processes_that_start_one_id(project: Path) -> None:
    """One of them runs it, the other is told that it is there; the journal is whole."""
    (project / "race.py").write_text(RACE)
    racers = [
        subprocess.Popen([sys.executable, "race.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    ended = [racer.communicate(timeout=60) for racer in racers]

    assert sorted(racer.returncode for racer in racers) == [0, 1, 1, 1], ended
    assert all("race" in error for _, error in ended if error)
    assert omium.verify().ok
    assert omium.execution_of("race").status == "completed"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_of_the_process_inside_a_step() -> None:
    """A child that goes on by itself can neither append nor perform; the parent's journal stays whole."""
    performed: list[int] = []

    @effect
    def act() -> None:
        performed.append(os.getpid())

    @checkpoint("one")
    def one() -> int:
        child = os.fork()
        if child == 0:
            try:
                act()
            except BaseException:  # The point is how it ends: not by performing the effect.
                os._exit(7)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        act()
        return os.waitstatus_to_exitcode(status)

    @workflow
    def flow() -> int:
        return one()

    execution = flow.start(execution_id="x")

    assert execution.result == 7
    assert performed == [os.getpid()]
    assert omium.verify().ok
