"""A program that kills itself: `python killed.py HOW STORE WORLD MOMENT`. It starts, or goes on where it died.

`MOMENT` counts appends to the journal and calls of the world; 0 lets it live. The world is a file of one line for each
thing that happened, written before the moment after it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import omium
from omium import Halt, Recovery, Retry
from omium_sqlite.journal import SqliteJournal

HOW, STORE, WORLD, MOMENT = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
_moments = itertools.count(1)


def moment() -> None:
    """Die here if this is the moment."""
    if next(_moments) == MOMENT:
        os.kill(os.getpid(), signal.SIGKILL)


def _dying(append: Any) -> Any:
    """Put a moment before and after each append."""

    def around(self: SqliteJournal, batch: Any) -> Any:
        moment()
        commit = append(self, batch)
        moment()
        return commit

    return around


SqliteJournal.append = _dying(SqliteJournal.append)  # type: ignore[method-assign]  # in this process only


def happens(what: str) -> str:
    """Do something in the world, under the current key."""
    moment()
    with WORLD.open("a") as file:
        file.write(f"{what} {omium.current().key}\n")
    moment()
    return what


def happened(key: str) -> Any:
    """Say what was done under a key."""
    found = [line.split() for line in WORLD.read_text().splitlines()] if WORLD.exists() else []
    return next((what for what, its in found if its == key), omium.NOT_DONE)


@omium.effect(undo=lambda value: happens(f"undo-{value}"), check=happened)
def charge(what: str) -> str:
    return happens(f"charge-{what}")


@omium.effect(irreversible=True, check=happened)
def mail(what: str) -> str:
    return happens(f"mail-{what}")


@omium.checkpoint("part")
def part(number: int) -> list[str]:
    return [charge(str(number)), mail(str(number))]


@omium.checkpoint("apart", recovery=Recovery(Retry(2), Halt()))
async def apart(number: int) -> list[str]:
    paid = charge(str(number))
    await asyncio.sleep(0)
    omium.require(omium.current().attempt > 1, "not at once")
    return [paid, mail(str(number))]


@omium.checkpoint("offer", recovery=Recovery(Retry(2), Halt()))
def offer() -> str:
    extra = charge(f"attempt{omium.current().attempt}")
    omium.require(omium.current().attempt > 1, "not at once")
    return extra


@omium.workflow(store=STORE, name="sync")
def sync() -> Any:
    return [part(1), offer(), part(2)]


@omium.workflow(store=STORE, name="threads")
def threads() -> Any:
    with ThreadPoolExecutor(3) as pool:
        lanes = [pool.submit(omium.bind(part), number) for number in (1, 2, 3)]
    return [one.result() for one in lanes] + [offer()]


@omium.workflow(store=STORE, name="tasks")
async def tasks() -> Any:
    return [*await asyncio.gather(apart(1), apart(2), apart(3)), offer()]


def main() -> None:
    workflow = {"sync": sync, "threads": threads, "tasks": tasks}[HOW]
    with omium.open_store(STORE) as store:
        known = [one.id for one in store.executions()]
        found = workflow.resume("one") if known else workflow.start(execution_id="one")
        execution = asyncio.run(_whole(found)) if asyncio.iscoroutine(found) else found
        verified = omium.verify(store=STORE).ok
        print(execution.status, next(_moments), verified, execution.result)


async def _whole(found: Any) -> Any:
    return await found


if __name__ == "__main__":
    main()
