"""Workflows that operators stop: each tells the world what it did, and waits where a test tells it to."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import omium
from omium import Backoff, Halt, Notify, Pause, Recovery, Retry, checkpoint, effect, workflow


def world(line: str) -> None:
    """Write into the outside world."""
    with open("world.txt", "a", encoding="utf-8") as file:
        file.write(line + "\n")


def gate(name: str) -> None:
    """Say that this place was reached; where the test wants it, wait until it opens the gate."""
    Path(f"{name}.reached").touch()
    while name in os.environ.get("GATES", "").split(",") and not Path(f"{name}.open").exists():
        time.sleep(0.005)


async def agate(name: str) -> None:
    """Wait like `gate`, on the event loop."""
    Path(f"{name}.reached").touch()
    while name in os.environ.get("GATES", "").split(",") and not Path(f"{name}.open").exists():
        await asyncio.sleep(0.005)


@effect(irreversible=True)
def wire(number: int) -> str:
    gate(f"wire{number}")
    world(f"wire {number}")
    return f"sent {number}"


@effect(irreversible=True)
async def awire(number: int) -> str:
    await agate(f"wire{number}")
    world(f"wire {number}")
    return f"sent {number}"


@checkpoint("pay")
def pay(number: int) -> str:
    return wire(number)


@checkpoint("apay")
async def apay(number: int) -> str:
    return await awire(number)


@workflow(name="line")
def line(count: int) -> list[str]:
    return [pay(number) for number in range(count)]


@workflow(name="branches")
async def branches(count: int) -> list[str]:
    first = await asyncio.gather(*(apay(number) for number in range(count)))
    return [*first, await apay(count)]


@workflow(name="threads")
def threads(count: int) -> list[str]:
    with ThreadPoolExecutor(count) as pool:
        first = list(pool.map(omium.bind(pay), range(count)))
    return [*first, pay(count)]


@checkpoint("flaky", recovery=Recovery(Retry(3, backoff=Backoff("constant", 3_600.0, jitter=False)), Halt()))
def flaky() -> str:
    gate("flaky")
    raise ValueError("not this time")


@workflow(name="waits")
def waits() -> str:
    return flaky()


@effect(read=True)
def look(number: int) -> int:
    world("look")
    gate("look")
    time.sleep(0.001)
    return number


@checkpoint("watch")
def watch() -> int:
    number = 0
    while not Path("enough").exists():
        number = look(number + 1)
    return number


@workflow(name="reads")
def reads() -> int:
    return watch()


@checkpoint("count")
def count(number: int) -> int:
    gate("count")
    return number


@workflow(name="busy")
def busy() -> int:
    number = 0
    while not Path("enough").exists():
        number = count(number + 1)
    return number


@checkpoint("ask", recovery=Recovery(Notify("on_call"), Pause("officer"), Halt()))
def ask() -> str:
    raise ValueError("nobody knows")


@workflow(name="asks")
def asks() -> str:
    return ask()


@checkpoint("large")
def large(text: str) -> list[str]:
    return [f"{text} {number} " + "x" * 700 for number in range(100)]


@workflow(name="stores")
def stores(text: str) -> int:
    return len(large(text))
