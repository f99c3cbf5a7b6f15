"""What only async programs need: waiting on the event loop. Importing asyncio costs more than all of Omium's engine."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from omium_core.interfaces.checkpoint import Commit, Journal

__all__ = ["asleep", "cancel_all", "landed", "result_of"]


async def asleep(seconds: float) -> None:
    """Return after that time, without holding the event loop."""
    await asyncio.sleep(seconds)


async def landed(journal: Journal, commit: Commit) -> None:
    """Await a commit. One turn of the loop lets the other tasks append to the same group first."""
    await asyncio.sleep(0)
    if not commit.done:
        journal.flush()
    if not commit.done:
        loop = asyncio.get_running_loop()
        arrived = loop.create_future()
        commit.on_done(lambda: _tell(loop, arrived))
        await asyncio.shield(arrived)
    commit.wait()


async def cancel_all(tasks: Iterable[asyncio.Task[Any]], within_s: float) -> None:
    """Cancel tasks, but for the one that asks, and wait until they ended."""
    current = asyncio.current_task()
    others = [task for task in tasks if task is not current and not task.done()]
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=within_s)


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


def _tell(loop: asyncio.AbstractEventLoop, arrived: asyncio.Future[None]) -> None:
    # A loop that was closed meanwhile has nobody who waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_set, arrived)


def _set(arrived: asyncio.Future[None]) -> None:
    if not arrived.done():
        arrived.set_result(None)
