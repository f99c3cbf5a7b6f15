"""The agents: what each of them does, what must hold of it, and what is done when it does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omium import (
    NOT_DONE,
    Fallback,
    Halt,
    Recovery,
    Retry,
    agent,
    checkpoint,
    current,
    require,
    rollback_on,
    transaction,
)
from transfers import effects
from transfers.orders import Order, text_of

RISK_MAX = 90
SANCTIONED = frozenset({"Mordrake"})


def is_a_score(score: int) -> None:
    require(0 <= score <= 100, f"a risk of {score} is not between 0 and 100.")


def agrees(found: list[str]) -> None:
    require(not found, f"the clearing house does not agree: {'; '.join(found)}.")


@agent
class Clerk:
    """Reads what customers send, and refuses what cannot be done before anybody touches money."""

    @checkpoint("read")
    def read(self, file: Path, batch: int) -> list[Order]:
        orders = effects.read_file(file, batch)
        effects.register_batch(batch, orders)
        return orders

    @checkpoint("examine")
    def examine(self, order: Order) -> str | None:
        """Return why an order cannot be done, if it cannot."""
        if order.repeats is not None:
            return f"order {order.id} is on line {order.repeats} already"
        if order.cents is None:
            return f"`{order.amount}` is not an amount"
        payer, payee = effects.account(order.payer), effects.account(order.payee)
        for name, found in ((order.payer, payer), (order.payee, payee)):
            if found is None:
                return f"there is no account {name}"
            if found["currency"] != order.currency:
                return f"account {name} is not in {order.currency}"
        return None


@agent
class Controller:
    """Announces to the clearing house what a batch adds up to."""

    @checkpoint("control")
    async def control(self, orders: Sequence[Order], batch: int) -> dict[str, int]:
        return await effects.ask_for_totals(orders, batch, current().feedback_text)

    @checkpoint("announce")
    def announce(self, batch: int, totals: dict[str, int]) -> None:
        effects.announce(batch, totals)

    # That the totals are wrong shows only here. The announcement is withdrawn, and `control` is told why.
    @rollback_on(violation_detected=True, to="read")
    @checkpoint("confirm", ensures=agrees)
    def confirm(self, batch: int) -> list[str]:
        return effects.compare(batch)


@agent
class Analyst:
    """Scores the risk of an order with a model; where the model makes no sense twice, by rules."""

    @checkpoint("score", ensures=is_a_score, recovery=Recovery(Retry(1), Fallback("score-by-rules"), Halt()))
    async def score(self, order: Order) -> int:
        return await effects.ask_for_risk(order, current().feedback_text)

    @checkpoint("score-by-rules")
    async def score_by_rules(self, order: Order) -> int:
        return 95 if (order.cents or 0) > 1_000_000 else 10


@agent
class Officer:
    """Keeps the bank from paying whom it must not pay."""

    @checkpoint("screen")
    def screen(self, order: Order) -> str | None:
        """Return why an order must not be done, if it must not."""
        for name in (order.payer, order.payee):
            found = effects.account(name)
            if found is not None and found["owner"] in SANCTIONED:
                return f"the owner of account {name} is on the sanctions list"
        return None


@agent
class Treasurer:
    """Moves the money: reserved and paid out, or neither."""

    # Until its first effect is on record it has done nothing, and there is nobody to ask.
    @transaction("settle", check=lambda key: NOT_DONE)
    def settle(self, order: Order) -> None:
        effects.reserve(order)
        effects.pay_out(order)


@agent
class Secretary:
    """Files what became of an order, and tells the customer once."""

    @checkpoint("file")
    def file(self, order: Order, refusal: str | None) -> str:
        status = "booked" if refusal is None else "rejected"
        effects.conclude(order.line, status, refusal)
        return status

    @checkpoint("notify")
    def notify(self, order: Order, refusal: str | None) -> None:
        amount = f"{order.currency} {text_of(order.cents)}" if order.cents is not None else order.amount
        said = f"was not done: {refusal}" if refusal is not None else "is done"
        effects.send_notice(order.line, order.payer, f"Your order {order.id} ({amount}, {order.reference}) {said}.")
