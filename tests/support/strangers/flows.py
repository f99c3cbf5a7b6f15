"""Workflows that strangers' plugins take part in; run as a program, it prints what became of them."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import omium
from omium import Apply, Halt, Notify, Pause, Recovery, Retry, Skip, agent, checkpoint, workflow
from omium_core.model.events import PluginFailed

# Whatever squeezes blobs cannot make this small.
LONG = random.Random(7).randbytes(400_000).hex()


class RateLimitError(Exception):
    """What a client raises when a service asks to be left alone for a while."""


def failing(times: int) -> Any:
    """Return something that raises as often, and then gives `fine`."""
    left = iter(range(times))

    def call() -> str:
        if next(left, None) is not None:
            raise RateLimitError("slow down")
        return "fine"

    return call


# What a stranger's plugin `tide` does when it works.


@checkpoint("write", ensures="tide", recovery=Recovery(Notify("ops"), Pause("editor"), kinds=("unfilled",)))
def write(name: str) -> str:
    return f"Dear {name if omium.current().feedback_text else '[customer name]'}, {LONG}"


@workflow
def mails(name: str) -> int:
    return len(write(name))


@checkpoint("plain")
def plain(text: str) -> dict[str, str]:
    return {"text": text}


@workflow
def unruled(text: str) -> str:
    return plain(text)["text"]


def patiently() -> Any:
    """A ladder that names the strategy, and an agent whose configuration does."""
    first, second = failing(2), failing(1)

    @checkpoint("fetch", recovery=Recovery(Apply("tide", times=3, options={"first_s": 0.001}), Halt()))
    def fetch() -> str:
        return str(first())

    @agent
    class Fetcher:
        config = {"max_retries": 0, "on_failure": "apply:tide"}

        @checkpoint("fetch once more")
        def again(self) -> str:
            return str(second())

    @workflow
    def patient() -> list[str]:
        return [fetch(), Fetcher().again()]

    return told(patient.start())


# What happens when a plugin, `moody`, fails whenever it is used.


def judged(detector: str) -> Any:
    """A step whose outcome nobody can judge."""

    @checkpoint(f"{detector} one", ensures=detector, recovery=Recovery(Retry(1), Skip(), kinds=("verification",)))
    def one() -> str:
        return "an outcome"

    @workflow(name=f"judged by {detector}")
    def judge() -> str | None:
        return one()

    return told(judge.start())


def decided(strategy: str, times: int = 2) -> Any:
    """A step that fails three times, with a strategy and a rung behind it."""
    call = failing(3)

    @checkpoint(f"{strategy} two", recovery=Recovery(Apply(strategy, times=times), Retry(3), Halt()))
    def two() -> str:
        return str(call())

    @workflow(name=f"decided by {strategy}")
    def decide() -> str:
        return two()

    return told(decide.start())


def beside() -> Any:
    """Three steps in lanes of their own: two that a strategy helps, one whose outcome nobody can judge."""
    calls = [failing(1), failing(2)]

    @checkpoint("lane", recovery=Recovery(Apply("tide", times=3, options={"first_s": 0.001}), Halt()))
    async def lane(number: int) -> str:
        await asyncio.sleep(0)
        return f"{calls[number]()} {number}"

    @checkpoint("unjudged", ensures="moody.rubbish", recovery=Recovery(Skip()))
    async def unjudged() -> str:
        return "an outcome"

    @workflow
    async def wide() -> list[str | None]:
        return list(await asyncio.gather(lane(0), lane(1), unjudged()))

    return told(asyncio.run(wide.start()))


@checkpoint("live", recovery=Recovery(Apply("moody.dying", times=2), Halt()))
def live() -> str:
    if omium.current().attempt == 1:
        raise RateLimitError("slow down")
    return "lived"


@workflow
def mortal() -> str:
    return live()


@checkpoint("first")
def first() -> int:
    return 1


@checkpoint("second")
def second() -> int:
    Path("beside").touch()
    return 2


def beside_it() -> int:
    while not Path("asked").exists():
        time.sleep(0.001)
    return first() + second()


@workflow
def mortal_beside() -> str:
    """While a strategy is asked about one lane, another one commits, and takes the failure into the journal with it."""
    with ThreadPoolExecutor() as pool:
        failing_lane = pool.submit(omium.bind(live))
        other_lane = pool.submit(omium.bind(beside_it))
        return f"{failing_lane.result()} beside {other_lane.result()}"


def untold() -> Any:
    """A channel whose notifier raises."""
    call = failing(1)

    @checkpoint("three", recovery=Recovery(Notify("moody"), Retry(1), Halt()))
    def three() -> str:
        return str(call())

    @workflow
    def tell() -> str:
        return three()

    execution = tell.start()
    # The channel is told in a thread of its own, which has an end when the store is closed.
    omium.open_store().close()
    return told(omium.execution_of(execution.id))


def told(execution: Any) -> dict[str, Any]:
    """Return what became of an execution, and which plugins failed in it."""
    events = list(omium.open_store().journal(execution.id))
    return {
        "status": execution.status,
        "result": execution.result,
        "messages": [one.message for one in execution.violations],
        "recoveries": [one.strategy for one in execution.recoveries],
        "failed": [[one.plugin, one.hook, one.message] for one in events if isinstance(one, PluginFailed)],
        "verified": omium.verify(execution.id).ok,
    }


if __name__ == "__main__":
    with omium.open_store():
        print(json.dumps([eval(one) for one in sys.argv[1:]]))
