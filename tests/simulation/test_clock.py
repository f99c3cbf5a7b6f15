"""Virtual time: sleeps cost nothing, and everything that waits on the runtime's clock waits on it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import omium
from omium import Halt, Pause, Recovery, Retry, UsageError
from omium.testing import VirtualClock, opened

DAY_S = 86_400.0


def test_a_sleep_passes_at_once() -> None:
    """And the time is later afterwards, by as much as was slept."""
    clock = VirtualClock()
    before = clock.now()
    clock.sleep(DAY_S)
    assert clock.now() == pytest.approx(before + DAY_S, abs=0.1)
    assert clock.slept == [DAY_S]


async def test_tasks_wake_in_the_order_of_their_times() -> None:
    """Whatever order they begin in; the time that passes is the longest sleep, not the sum."""
    clock = VirtualClock(tick_s=0.0)
    woken: list[float] = []

    async def sleeper(seconds: float) -> None:
        await clock.asleep(seconds)
        woken.append(seconds)

    before = clock.now()
    await asyncio.gather(*(sleeper(one) for one in (30.0, 10.0, 20.0, 10.5)))
    assert woken == [10.0, 10.5, 20.0, 30.0]
    assert clock.now() == before + 30.0


async def test_a_sleeper_that_is_cancelled_holds_nobody() -> None:
    """The others wake, and time is theirs."""
    clock = VirtualClock(tick_s=0.0)
    first = asyncio.create_task(clock.asleep(1.0))
    second = asyncio.create_task(clock.asleep(DAY_S))
    await asyncio.sleep(0)
    first.cancel()
    before = clock.time
    await second
    assert clock.time == pytest.approx(before + DAY_S)


async def test_a_jump_wakes_nobody() -> None:
    """A sleep lasts as long as it should when the clock is set; only what the clock shows is another."""
    clock = VirtualClock(tick_s=0.0)
    sleeping = asyncio.create_task(clock.asleep(100.0))
    clock.jump(-DAY_S)
    before = clock.now()
    await sleeping
    assert clock.now() == before + 100.0


def test_threads_share_the_time() -> None:
    """Every sleep and every look is counted once."""
    clock = VirtualClock(tick_s=0.5)
    before = clock.time
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: (clock.sleep(1.0), clock.now()), range(200)))
    assert clock.time == before + 200 * 1.5


def test_backoffs_pass_on_the_clock(tmp_path: Path) -> None:
    """Minutes between attempts take no time, and the seed decides the jitter."""
    slept = []
    for name in ("one", "two"):
        clock = VirtualClock(seed=7)
        with opened(tmp_path / f"{name}.db", clock=clock):

            @omium.checkpoint("flaky", recovery=Recovery(Retry(3, backoff="exponential(600s, 3600s)"), Halt()))
            async def flaky() -> int:
                omium.require(omium.current().attempt > 2, "not yet")
                return omium.current().attempt

            @omium.workflow(store=str(tmp_path / f"{name}.db"), name=f"flow {name}")
            async def flow() -> int:
                return await flaky()

            assert asyncio.run(flow()) == 3
        assert sum(clock.slept) > 60
        slept.append(clock.slept)
    assert slept[0] == slept[1]


@pytest.mark.parametrize("pass_time", ["advance", "jump"])
def test_a_deadline_passes_on_the_clock(tmp_path: Path, pass_time: str) -> None:
    """An answer after a review's deadline is refused, however the time came to be."""
    clock = VirtualClock()
    with opened(tmp_path / "omium.db", clock=clock) as store:

        @omium.checkpoint("asks", recovery=Recovery(Pause(timeout_s="4h"), Halt()))
        def asks() -> None:
            raise ValueError("ask somebody")

        @omium.workflow(store=str(tmp_path / "omium.db"))
        def flow() -> None:
            asks()

        assert flow.start(execution_id="one").status == "paused"
        getattr(clock, pass_time)(5 * 3600.0)
        with pytest.raises(omium.OmiumError, match="deadline"):
            omium.review("one", approve=True, by="ann", store=store.url)
        assert flow.resume("one").status == "halted"


def test_a_clock_that_goes_back_stops_nothing(tmp_path: Path) -> None:
    """Sequence and epoch order events, not the time: a step after a jump of a day backwards follows as any other."""
    clock = VirtualClock()
    with opened(tmp_path / "omium.db", clock=clock) as store:

        @omium.checkpoint("back")
        def step(number: int) -> int:
            clock.jump(-DAY_S)
            return number

        @omium.workflow(store=str(tmp_path / "omium.db"))
        def flow() -> list[int]:
            return [step(number) for number in range(3)]

        assert flow.start(execution_id="one").result == [0, 1, 2]
        assert flow.start(execution_id="two").result == [0, 1, 2]
        assert omium.verify(store=store.url).ok


def test_a_store_that_is_open_keeps_its_clock(tmp_path: Path) -> None:
    """Two runtimes over one store in one process would be two writers."""
    url = tmp_path / "omium.db"
    with opened(url), pytest.raises(UsageError, match="open in this process"), opened(url, clock=VirtualClock()):
        pass
