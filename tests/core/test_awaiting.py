"""Waiting on the event loop for what other threads commit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from omium_core.errors import StoreError
from omium_core.runtime.awaiting import landed


@attrs.define(eq=False)
class Commit:
    """A commit whose fate the test decides."""

    done: bool = False
    error: StoreError | None = None
    callbacks: list[Callable[[], None]] = attrs.field(factory=list)

    def wait(self) -> None:
        assert self.done
        if self.error is not None:
            raise self.error

    def on_done(self, callback: Callable[[], None]) -> None:
        if self.done:
            callback()
        else:
            self.callbacks.append(callback)

    def decide(self, error: StoreError | None = None) -> None:
        self.done, self.error = True, error
        self.announce()

    def announce(self) -> None:
        for callback in self.callbacks:
            callback()


def _decide(group: list[Commit]) -> None:
    """Do as a journal with group commit does: all fates of a group are set before anybody is told."""
    for one in group:
        one.done = True
    for one in group:
        one.announce()


@attrs.define(eq=False)
class Store:
    """A store with a journal whose `flush` does what the test says, and is counted."""

    flushed: Callable[[], None] = lambda: None
    turns: dict[int, Any] = attrs.field(factory=dict)
    flushes: int = 0

    @property
    def journal(self) -> Store:
        return self

    def flush(self) -> None:
        self.flushes += 1
        self.flushed()


async def _waiting(store: Any, commits: list[Commit]) -> list[asyncio.Task[None]]:
    tasks = [asyncio.ensure_future(landed(store, one)) for one in commits]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


@pytest.mark.parametrize("groups", [1, 2, 5])
async def test_one_wake_for_each_group_that_a_turn_waits_for(monkeypatch: pytest.MonkeyPatch, groups: int) -> None:
    """What a hundred tasks wait for is flushed once; another thread wakes the loop for each group, and not for each."""
    store, commits = Store(), [Commit() for _ in range(100)]
    loop = asyncio.get_running_loop()
    wakes: list[Any] = []
    wake = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda call, *args: (wakes.append(call), wake(call, *args)))
    tasks = await _waiting(store, commits)

    size = len(commits) // groups
    for start in range(0, len(commits), size):
        writer = threading.Thread(target=_decide, args=(commits[start : start + size],))
        writer.start()
        while not all(task.done() for task in tasks[start : start + size]):
            await asyncio.sleep(0)
        writer.join()

    assert (store.flushes, len(wakes)) == (1, groups)


async def test_whatever_order_the_fates_come_in_each_gets_its_own() -> None:
    """Commits that are decided last first, some of them badly, wake everybody who waits, with what is theirs."""
    store, commits = Store(), [Commit() for _ in range(10)]
    tasks = await _waiting(store, commits)

    for number, one in reversed(list(enumerate(commits))):
        one.decide(StoreError(f"{number}") if number % 3 == 0 else None)
        await asyncio.sleep(0)
    ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)

    assert [str(one) for one in ended] == [str(n) if n % 3 == 0 else "None" for n in range(10)]


async def test_who_is_cancelled_takes_nobody_along() -> None:
    """A task that gives up waiting, even the last one, does not keep the others from being told."""
    store, commits = Store(), [Commit() for _ in range(3)]
    tasks = await _waiting(store, commits)

    tasks[-1].cancel()
    tasks[0].cancel()
    await asyncio.sleep(0)
    for one in commits:
        one.decide()

    ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    assert [type(one) for one in ended] == [asyncio.CancelledError, type(None), asyncio.CancelledError]


async def test_a_flush_that_fails_is_told_to_all() -> None:
    """A store that was closed meanwhile leaves nobody waiting for ever."""

    def closed() -> None:
        raise StoreError("the store is closed")

    tasks = await _waiting(Store(closed), [Commit(), Commit()])

    for task in tasks:
        with pytest.raises(StoreError, match="is closed"):
            await asyncio.wait_for(task, 10)


def test_every_loop_has_turns_of_its_own() -> None:
    """A loop that ended in the middle of a turn does not hold up the next one in the same thread."""
    store = Store()

    async def leaves() -> None:
        waiting = asyncio.ensure_future(landed(store, Commit()))  # type: ignore[arg-type]  # as much of one as it needs
        await asyncio.sleep(0)
        waiting.cancel()

    async def waits() -> None:
        commit = Commit()
        (task,) = await _waiting(store, [commit])
        commit.decide()
        await asyncio.wait_for(task, 10)

    asyncio.run(leaves())
    asyncio.run(waits())
