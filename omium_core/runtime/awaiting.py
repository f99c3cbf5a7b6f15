"""What only async programs need: waiting on the event loop. Importing asyncio costs more than all of Omium's engine."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from omium_core.interfaces.checkpoint import Commit

if TYPE_CHECKING:
    from omium_core.runtime.store import Store

__all__ = ["Turn", "asleep", "cancel_all", "in_thread", "landed", "result_of"]

T = TypeVar("T")
R = TypeVar("R")


async def asleep(seconds: float) -> None:
    """Return after that time, without holding the event loop."""
    await asyncio.sleep(seconds)


async def landed(store: Store, commit: Commit) -> None:
    """Await a commit; those that tasks of one loop wait for at the same moment go to the disk as one group."""
    if not commit.done:
        await Turn.of(store, asyncio.get_running_loop()).wait_for(commit)
    commit.wait()


async def cancel_all(tasks: Iterable[asyncio.Task[Any]], within_s: float) -> None:
    """Cancel tasks, but for the one that asks, and wait until they ended."""
    current = asyncio.current_task()
    others = [task for task in tasks if task is not current and not task.done()]
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=within_s)


async def in_thread(call: Callable[[T], R], given: T) -> R:
    """Return what a call gives that may wait for the disk, without holding the event loop."""
    return await asyncio.to_thread(call, given)


def result_of(value: Awaitable[Any]) -> Any:
    """Wait for an awaitable in this thread, in a loop of its own where one runs already."""

    async def whole() -> Any:
        return await value

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(whole())
    answer: list[tuple[Any, BaseException | None]] = []
    # A thread begins without the context that says which execution the code belongs to.
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: answer.append(context.run(_ended, whole)), daemon=True)
    thread.start()
    thread.join()
    result, error = answer[0]
    if error is not None:
        raise error
    return result


def _ended(whole: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return asyncio.run(whole()), None
    except BaseException as error:  # It is raised again in the thread that waits.
        return None, error


@attrs.define(eq=False)
class Turn:
    """One turn of an event loop: what its tasks append and wait for is committed, and they are told, all at once.

    A wake-up of the loop from another thread costs more than a step, so there is one for all of them.
    """

    _store: Store
    loop: asyncio.AbstractEventLoop
    _open: bool = attrs.field(default=True, init=False)
    _waiting: list[tuple[Commit, asyncio.Future[None]]] = attrs.field(factory=list, init=False)

    @classmethod
    def of(cls, store: Store, loop: asyncio.AbstractEventLoop) -> Turn:
        """Give the present turn of the loop that runs in this thread."""
        thread = threading.get_ident()
        turn = store.turns.get(thread)
        if turn is None or not turn._open or turn.loop is not loop:
            turn = store.turns[thread] = cls(store, loop)
            loop.call_soon(turn._end)
        return turn

    def wait_for(self, commit: Commit) -> asyncio.Future[None]:
        """Give what arrives with the commit's fate."""
        arrived = self.loop.create_future()
        self._waiting.append((commit, arrived))
        return arrived

    def _end(self) -> None:
        self._open = False
        try:
            self._store.journal.flush()
        except Exception as error:  # Whatever it is, it is for those who wait: a loop's callback has nobody to tell.
            for _, arrived in self._waiting:
                if not arrived.done():
                    arrived.set_exception(error)
            return
        self._tell()

    def _tell(self) -> None:
        """Tell those whose commit has its fate, and come back with the first one of the others.

        A journal sets all fates of a group BEFORE it tells anybody, so whoever comes first brings the whole group.
        """
        for commit, arrived in self._waiting:
            # A task that was cancelled meanwhile waits no more.
            if commit.done and not arrived.done():
                arrived.set_result(None)
        self._waiting = [one for one in self._waiting if not one[1].done()]
        if self._waiting:
            self._waiting[0][0].on_done(self._wake)

    def _wake(self) -> None:
        # A loop that was closed meanwhile has nobody who waits.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._tell)
