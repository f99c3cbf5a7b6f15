"""Effects that several rely on: steps that share a user's key, and transactions inside of each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import omium
from omium import Halt, Recovery, Retry, Transaction, UsageError, checkpoint, effect, transaction, workflow

RETRY = Recovery(Retry(1), Halt())


def charging(world: list[str]) -> Callable[[str], str]:
    """Return an effect that a key names, and whose value says under which key it was done."""

    @effect(undo=lambda value: world.append(f"undo {value}"), key=lambda order: order)
    def charge(order: str) -> str:
        world.append(omium.current().key or "")
        return world[-1]

    return charge


def test_all_that_share_what_is_undone_are_done_again() -> None:
    """No step is answered from its record with an effect that was undone with another one's."""
    world: list[str] = []
    charge = charging(world)

    @checkpoint("pay")
    def pay() -> str:
        return charge("order")

    @transaction("book", recovery=RETRY)
    def book() -> list[str]:
        paid = [pay(), pay()]
        if omium.current().attempt == 1:
            raise ValueError("no room")
        return paid

    @workflow
    def flow() -> list[str]:
        return book()

    assert flow() == ["order~1", "order~1"]
    assert world == ["order", "undo order", "order~1"]


def test_what_a_finished_step_relies_on_outlives_the_attempt_that_did_it() -> None:
    """The attempt that did it failed, the next one does not ask for it; the inner step is answered from its record."""
    world: list[str] = []
    charge = charging(world)

    @checkpoint("inner")
    def inner() -> str:
        return charge("order")

    @checkpoint("outer", recovery=RETRY)
    def outer() -> str:
        if omium.current().attempt == 1:
            charge("order")
            inner()
            raise ValueError("once more")
        return inner()

    @workflow
    def flow() -> str:
        return outer()

    assert flow() == "order"
    assert world == ["order"]


def test_a_transaction_that_failed_leaves_what_a_step_outside_of_it_relies_on() -> None:
    """The step in another lane is finished, and its value is in use; the transaction did it first."""
    world: list[str] = []
    charge = charging(world)

    @checkpoint("pay")
    async def pay() -> str:
        return charge("order")

    @workflow
    async def flow() -> list[str]:
        charged, paid = asyncio.Event(), asyncio.Event()

        @transaction("book")
        async def book() -> str:
            charge("order")
            charge("other")
            charged.set()
            await paid.wait()
            raise ValueError("no room")

        async def outside() -> str:
            await charged.wait()
            try:
                return await pay()
            finally:
                paid.set()

        said = await asyncio.gather(book(), outside(), return_exceptions=True)
        return [str(one) for one in said]

    assert asyncio.run(flow()) == ["no room", "order"]
    assert world == ["order", "other", "undo other"]


@pytest.mark.parametrize("block", [False, True])
def test_a_transaction_that_failed_undoes_the_ones_inside_of_it(block: bool) -> None:
    """Also those that ended well: everything inside happens, or nothing does."""
    world: list[str] = []
    charge = charging(world)

    @transaction("seat")
    def seat() -> str:
        return charge("seat")

    def seat_block() -> str:
        with Transaction("seat"):
            return charge("seat")

    @transaction("trip", recovery=RETRY)
    def trip() -> list[str]:
        booked = [seat_block() if block else seat(), charge("bed")]
        if omium.current().attempt == 1:
            raise ValueError("the plane is full")
        return booked

    @workflow
    def flow() -> list[str]:
        return trip()

    assert flow() == ["seat~1", "bed~1"]
    assert world == ["seat", "bed", "undo bed", "undo seat", "seat~1", "bed~1"]


@pytest.mark.parametrize("inside", [False, True])
def test_the_irreversible_effect_is_the_last_of_all_transactions_around_it(inside: bool) -> None:
    """Nothing follows it, in the inner transaction or the outer one, and what came before it is not undone."""
    world: list[str] = []
    charge = charging(world)

    @effect(irreversible=True)
    def send() -> None:
        world.append("sent")

    @transaction("first")
    def first() -> None:
        charge("seat")
        if inside:
            send()

    @transaction("second")
    def second() -> None:
        charge("bed")

    @transaction("trip")
    def trip() -> None:
        first()
        if not inside:
            send()
        second()

    @workflow
    def flow() -> None:
        with pytest.raises(UsageError, match="comes after the irreversible `send` in transaction `trip`"):
            trip()

    flow()
    assert world == ["seat", "sent"]
