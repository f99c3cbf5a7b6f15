"""What lanes do at the same time is counted as if they did it one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import omium
from omium import Breaker, checkpoint, effect, transaction, workflow
from omium_core.runtime import judging

Write = Callable[..., str]


def test_reads_in_flight_count(policy: Write) -> None:
    """A read has no intent in the journal, and still is one of those that may be made."""
    made = []

    @effect(name="look", read=True)
    async def look(what: int) -> int:
        made.append(what)
        await asyncio.sleep(0.001)
        return what

    @workflow(name="looks", policy=policy("rule r { at most 2 tool look per run on fail skip }"))
    async def looks() -> list[int | None]:
        return list(await asyncio.gather(*(look(number) for number in range(6))))

    told = asyncio.run(looks())

    assert len(made) == 2
    assert told.count(None) == 4


def test_a_read_that_failed_is_in_flight_no_more(policy: Write) -> None:
    """What came to its end, however it did, makes way for the next one."""

    @effect(name="look", read=True)
    def look(fails: bool) -> int:
        if fails:
            raise ValueError
        return 1

    @checkpoint("act")
    def act() -> int:
        for _ in range(3):
            with contextlib.suppress(ValueError):
                look(True)
        return look(False)

    @workflow(name="looks", policy=policy("rule r { at most 1 tool look per run on fail halt }"))
    def looks() -> int:
        return act()

    assert looks() == 1


def test_between_the_question_and_the_intent_nobody_slips_through(
    policy: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads that are both asked about before either has an intent are two; one of them is left out."""
    made = []
    both = threading.Barrier(2, timeout=5)
    real = judging._screened_effect

    def slowly(*given: Any) -> Any:
        found = real(*given)
        both.wait()
        return found

    monkeypatch.setattr(judging, "_screened_effect", slowly)

    @effect(name="send", irreversible=True)
    def send(to: int) -> int:
        made.append(to)
        return to

    @checkpoint("tell")
    def tell(to: int) -> int | None:
        return send(to)

    @workflow(name="tells", policy=policy("rule r { at most 1 tool send per run on fail skip }"))
    def tells() -> list[int | None]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(omium.bind(tell), (1, 2)))

    told = tells()

    assert len(made) == 1
    assert sorted(told, key=str) == [made[0], None]


def test_a_breaker_that_is_asked_meanwhile_lets_nobody_slip_through(policy: Write) -> None:
    """A circuit is looked up between the policy's answer and the intent; the call is in flight all the time."""
    made = []

    @effect(name="send", irreversible=True, breaker=Breaker())
    async def send(to: int) -> int:
        made.append(to)
        return to

    @checkpoint("tell")
    async def tell(to: int) -> int | None:
        return await send(to)

    @workflow(name="tells", policy=policy("rule r { at most 1 tool send per run on fail skip }"))
    async def tells() -> list[int | None]:
        return list(await asyncio.gather(*(tell(number) for number in range(4))))

    asyncio.run(tells())

    assert len(made) == 1


def test_a_transaction_with_effects_in_it_is_not_in_flight_itself(policy: Write) -> None:
    """Two irreversible calls, each in a transaction, are two and not four; a third is one too many."""
    made = []

    @effect(name="send", irreversible=True)
    def send(to: int) -> int:
        made.append(to)
        return to

    @transaction("book")
    def book(to: int) -> int:
        return send(to)

    @workflow(name="books", policy=policy("rule r { at most 2 event omium.irreversible per run on fail halt }"))
    def books(times: int) -> list[int]:
        return [book(number) for number in range(times)]

    assert books.start(2).status == "completed"
    made.clear()
    assert books.start(3).status == "halted"
    assert made == [0, 1]
