"""Workflows that the tests of the command line run, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import omium
from omium import Halt, Pause, Recovery, Retry, checkpoint, effect, require, rollback_on, workflow


@dataclass
class Application:
    applicant: str
    income: Decimal


@dataclass
class Offer:
    apr: float


def world(line: str) -> None:
    """Write into the outside world, and die there when a test says so."""
    with open("world.txt", "a", encoding="utf-8") as file:
        file.write(line + "\n")
    if os.environ.get("KILL") == line:
        os.kill(os.getpid(), signal.SIGKILL)


def in_band(offer: Offer) -> None:
    require(2.5 <= offer.apr <= 8.5, f"APR {offer.apr}% is outside the band of 2.5% to 8.5%.")


@effect(undo=lambda value: world(f"release {value}"))
def reserve(amount: int) -> int:
    world(f"reserve {amount}")
    return amount


@effect(irreversible=True)
def send_email(to: str) -> str:
    world(f"email {to}")
    return "sent"


@effect(model="scripted")
def think(attempt: int) -> float:
    return 0.0 if attempt == 1 else 5.0


@checkpoint("credit")
def credit(income: int) -> int:
    return income * 2


@rollback_on(violation=True, hallucination=True, to="credit")
@checkpoint("offer", ensures=in_band)
def make_offer(score: int) -> Offer:
    reserve(score)
    return Offer(think(omium.current().attempt))


@checkpoint("email")
def email(offer: Offer) -> str:
    if os.environ.get("KILL") == "email":
        os.kill(os.getpid(), signal.SIGKILL)
    return send_email(f"apr {offer.apr}")


@workflow(name="loan")
def loan(income: int) -> str:
    print("from the workflow")
    return email(make_offer(credit(income)))


@checkpoint("draft", ensures=in_band, recovery=Recovery(Retry(1), Pause("officer"), Halt()))
def draft(score: int) -> Offer:
    return Offer(5.0) if omium.current().fixes else Offer(11.9)


@workflow(name="asks")
def asks(income: int) -> str:
    return email(draft(credit(income)))


@checkpoint("part")
async def part(number: int) -> int:
    await asyncio.sleep(0)
    return number


@workflow(name="lanes")
async def lanes(number: int = 3) -> int:
    return sum(await asyncio.gather(*(part(one) for one in range(number))))


@checkpoint("never", ensures=in_band, recovery=Recovery(Halt()))
def never() -> Offer:
    return Offer(0.0)


@workflow(name="halts")
def halts() -> None:
    never()


@workflow(name="raises")
def raises() -> None:
    credit(1)
    raise ValueError("no such thing")


@workflow(name="typed")
def typed(application: Application, times: int = 1) -> str:
    assert isinstance(application.income, Decimal)
    return f"{application.applicant} {application.income * times}"


@checkpoint("slow")
def slow() -> str:
    Path("begun").touch()
    if os.environ.get("WAIT"):
        time.sleep(30)
    return "done"


@workflow(name="waits")
def waits() -> str:
    credit(1)
    return slow()


@checkpoint("aslow")
async def aslow() -> str:
    Path("begun").touch()
    if os.environ.get("WAIT"):
        await asyncio.sleep(30)
    return "done"


@workflow(name="awaits")
async def awaits() -> str:
    await part(1)
    return await aslow()
