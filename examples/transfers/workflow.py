"""The workflow: one execution settles one batch of a file, all its orders side by side."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from collections import Counter
from pathlib import Path

from omium import Halt, Pause, Recovery, Retry, checkpoint, workflow
from transfers.agents import RISK_MAX, Analyst, Clerk, Controller, Officer, Secretary, Treasurer
from transfers.ledger import Refused
from transfers.orders import Order

# A connection that is lost and a lock that is not got in time are nobody's mistake: try again, and ask in the end.
PATIENCE = Recovery(Retry(5, backoff="exponential(100ms, 2s)"), Pause("operations"), Halt(), kinds=("error", "timeout"))
# A machine that is taken away says nothing about a batch. One that kills whoever touches it waits for a person.
CRASHES_MAX = 100


@checkpoint("order")
async def settle_order(order: Order) -> str:
    """Take one order from its line in the file to the customer's notice; return its status.

    Who talks to models is awaited. Who talks to PostgreSQL waits, in a thread of its own.
    """
    refusal = await to_thread(Clerk().examine, order)
    if refusal is None:
        risk, refusal = await asyncio.gather(Analyst().score(order), to_thread(Officer().screen, order))
        if refusal is None and risk > RISK_MAX:
            refusal = f"a risk of {risk} is too high"
    if refusal is None:
        try:
            await to_thread(Treasurer().settle, order)
        except Refused as reason:
            refusal = str(reason)
    status = await to_thread(Secretary().file, order, refusal)
    await to_thread(Secretary().notify, order, refusal)
    return status


@workflow(name="transfers", recovery=PATIENCE, crashes_max=CRASHES_MAX)
async def transfers(file: Path, batch: int) -> dict[str, int]:
    """Settle one batch of a file; return how many of its orders ended how."""
    controller = Controller()
    orders = await to_thread(Clerk().read, file, batch)
    totals = await controller.control(orders, batch)
    await to_thread(controller.announce, batch, totals)
    await to_thread(controller.confirm, batch)
    statuses = await asyncio.gather(*(settle_order(order) for order in orders))
    return dict(Counter(statuses))
