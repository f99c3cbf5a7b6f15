"""Stands for your models: the answers depend on the question alone, so one run can be compared with another.

Like yours, they are wrong now and then, mostly until they are told what was wrong, and sometimes for good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from zlib import crc32

from transfers.orders import Order


def risk(order: Order, feedback: str) -> int:
    """Say how risky an order is, from 0 to 100."""
    number = crc32(order.id.encode())
    if number % 31 == 0 or (number % 9 == 0 and not feedback):
        return 100 + number % 7 * 10 + 1
    return number % 97


def totals(orders: Sequence[Order], batch: int, feedback: str) -> dict[str, int]:
    """Add a batch up, by currency."""
    found: Counter[str] = Counter()
    for order in orders:
        found[order.currency] += order.cents or 0
    if batch % 5 == 0 and not feedback:
        found[max(found)] += 900
    return {currency: cents for currency, cents in sorted(found.items()) if cents}
