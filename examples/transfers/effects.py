"""Every call to the world outside, declared: what it is, how it is undone, and who knows whether it happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omium import NOT_DONE, current, effect, register
from transfers import ledger, model
from transfers.ledger import Refused
from transfers.orders import Order, read_batch

__all__ = [
    "account",
    "announce",
    "ask_for_risk",
    "ask_for_totals",
    "compare",
    "conclude",
    "pay_out",
    "read_file",
    "register_batch",
    "reserve",
    "send_notice",
]

FEE_PER_MILLE = 3

# A refusal that is on record is raised again as itself, in whatever process.
register(Refused)


@effect(read=True)
def read_file(file: Path, batch: int) -> list[Order]:
    """Read a batch of orders."""
    return read_batch(file, batch)


@effect(read=True)
def account(name: str) -> dict[str, Any] | None:
    """Look an account up."""
    return ledger.account(name)


@effect(read=True)
def compare(batch: int) -> list[str]:
    """Ask the clearing house in what its own count of a batch differs from what it was told."""
    return ledger.differences(batch)


@effect(model="risk-1")
async def ask_for_risk(order: Order, feedback: str) -> int:
    """Ask a model how risky an order is."""
    return model.risk(order, feedback)


@effect(model="sums-1")
async def ask_for_totals(orders: Sequence[Order], batch: int, feedback: str) -> dict[str, int]:
    """Ask a model what a batch adds up to, by currency."""
    return model.totals(orders, batch, feedback)


def key() -> str:
    """Return the key of the effect that is being performed; an effect always has one."""
    found = current().key
    assert found is not None
    return found


def was_announced(key: str) -> object:
    return {"key": key} if ledger.happened(key, "announcement") else NOT_DONE


def withdraw(announced: dict[str, Any]) -> None:
    ledger.withdraw(announced["key"])


def was_booked(key: str) -> object:
    return None if ledger.happened(key, "booking") else NOT_DONE


def release(_: object) -> None:
    """Give a reservation back to its payer: a booking of its own, under the compensation's own key."""
    undoing = current().undoing
    assert undoing is not None
    order = undoing.arguments["order"]
    ledger.book(key(), "release", order.id, {order.payer: order.cents, f"clearing-{order.currency}": -order.cents})


def was_sent(key: str) -> object:
    return None if ledger.happened(key, "notice") else NOT_DONE


# Idempotent: PostgreSQL has rows of these names already, so it may be asked as often as it takes.


@effect(key=lambda batch, orders: f"batch-{batch}", not_done_on=(Refused,))
def register_batch(batch: int, orders: Sequence[Order]) -> None:
    """Take a batch of orders down for this execution, so that no other one settles them too."""
    ledger.register(current().execution, batch, orders)


@effect(key=lambda line, status, reason: f"line-{line}")
def conclude(line: int, status: str, reason: str | None) -> None:
    """Write down what became of an order."""
    ledger.conclude(line, status, reason)


# Compensable: each says how it is undone.


@effect(undo=withdraw, check=was_announced, not_done_on=(Refused,))
def announce(batch: int, totals: dict[str, int]) -> dict[str, Any]:
    """Tell the clearing house what a batch adds up to."""
    ledger.announce(key(), batch, totals)
    return {"key": key()}


@effect(undo=release, key=lambda order: f"reserve-{order.id}", check=was_booked, not_done_on=(Refused,))
def reserve(order: Order) -> None:
    """Take the amount from its payer, for as long as it is not paid out."""
    assert order.cents is not None
    ledger.book(key(), "reserve", order.id, {order.payer: -order.cents, f"clearing-{order.currency}": order.cents})


# Irreversible: money that has arrived and words that were read. `check` is who knows.


@effect(irreversible=True, check=was_booked, not_done_on=(Refused,))
def pay_out(order: Order) -> None:
    """Pay the amount to its payee, without the fee."""
    assert order.cents is not None
    fee = order.cents * FEE_PER_MILLE // 1_000
    entries = {f"clearing-{order.currency}": -order.cents, order.payee: order.cents - fee}
    if fee:
        entries[f"fees-{order.currency}"] = fee
    ledger.book(key(), "payout", order.id, entries)


@effect(irreversible=True, volatile=("body",), check=was_sent, not_done_on=(Refused,))
def send_notice(line: int, recipient: str, body: str) -> None:
    """Tell a customer what became of an order."""
    ledger.send_notice(key(), line, recipient, body)
