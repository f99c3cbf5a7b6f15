"""Workflows that leave everything in a store that there can be, and a world of files that sees what they do.

    python mixed_work.py calm|cut      in the folder of the store, `omium.db`, and the world, `world.txt`

`calm` runs several executions and closes the store. `cut` runs more and kills itself in the middle of one, with what
the store knows since then in its WAL.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from contextlib import suppress
from pathlib import Path

import omium
from omium import Checkpoint, Halt, Pause, Recovery, Retry, Transaction, checkpoint, effect, require, workflow

STORE = "omium.db"
WORLD = "world.txt"
TEXT_CHARACTERS = 150_000
PRICE_MAX = 100.0


def act(line: str) -> str:
    """Write into the outside world, and die there when a test says so."""
    with Path(WORLD).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    if os.environ.get("MIXED_WORK_KILL") == line:
        os.kill(os.getpid(), signal.SIGKILL)
    return f"did {line}"


@effect(read=True, name="mixed_look")
def look(item: str) -> dict[str, object]:
    return {"item": item, "stock": len(item), "words": [f"word {number} of {item}" for number in range(40)]}


@effect(model=True, name="mixed_guess_price")
def guess_price(item: str) -> float:
    return float(len(item) * 10)


@effect(key=lambda item: f"stock-{item}", name="mixed_reserve")
def reserve(item: str) -> str:
    return act(f"reserve {item}")


@effect(undo=lambda value: act(f"refund: {value}"), name="mixed_charge")
def charge(item: str, amount: float) -> str:
    return act(f"charge {amount} for {item}")


@effect(irreversible=True, name="mixed_send")
def send(item: str) -> str:
    return act(f"send {item}")


def is_affordable(price: float) -> None:
    require(price < PRICE_MAX, f"{price} is too much")


@checkpoint("mixed_looked")
def looked(item: str) -> list[object]:
    return [look(item), *[f"line {number} of what is known of {item}" for number in range(600)]]


@checkpoint("valued", ensures=is_affordable, recovery=Recovery(Retry(2), Pause("a buyer"), Halt()))
def priced(item: str) -> float:
    return guess_price(item)


@checkpoint("mixed_paid")
def paid(item: str, amount: float) -> list[str]:
    return [reserve(item), charge(item, amount)]


@checkpoint("mixed_described")
def described(item: str) -> str:
    return "".join(map(chr, random.Random(item).choices(range(32, 0x2FFF), k=TEXT_CHARACTERS)))


@checkpoint("mixed_sent")
def sent(item: str) -> str:
    return send(item)


@workflow(name="mixed_sell")
def sell(item: str) -> dict[str, object]:
    known = looked(item)
    price = priced(item)
    receipt = paid(item, price)
    with Checkpoint("noted") as note:
        note.state = {"price": price, "receipt": receipt}
    text = described(item)
    with Transaction("both"):
        charge(f"wrapping of {item}", 1.0)
        send(f"label of {item}")
    return {"known": len(known), "price": price, "receipt": receipt, "text": len(text), "sent": sent(item)}


def calm() -> None:
    """Run some executions of every fate, one after the other, and close the store."""
    with omium.open_store(STORE):
        selling = sell
        selling.start("a map", execution_id="sold")
        selling.start("a lamp", execution_id="undone")
        omium.rollback("undone", to="mixed_looked", reason="the lamp is broken", by="ann")
        selling.resume("undone")
        omium.fork("sold", at="valued", execution_id="forked")
        selling.resume("forked")
        with suppress(omium.ExecutionPaused):
            selling.start("a very large wardrobe", execution_id="asked")
        with suppress(omium.ExecutionPaused):
            selling.start("an even larger wardrobe", execution_id="halted")
        omium.halt("halted", by="ann", reason="nobody wants it")


def cut() -> None:
    """Run more, and die after a payment that is not on record yet."""
    sell.start("a cup", execution_id="late")
    os.environ["MIXED_WORK_KILL"] = "send a pot"
    sell.start("a pot", execution_id="cut")


if __name__ == "__main__":
    os.environ["OMIUM_STORE"] = STORE
    {"calm": calm, "cut": cut}[sys.argv[1]]()
