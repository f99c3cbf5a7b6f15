"""The files that customers and the bank keep: orders, line by line, and accounts."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import attrs

FOLDER = Path(__file__).parent
ORDERS = FOLDER / "orders.csv"
ACCOUNTS = FOLDER / "accounts.csv"
BATCH_LINES = 24

_AMOUNT = re.compile(r"(\d{1,12})\.(\d\d)")


@attrs.frozen
class Order:
    """One line of a customer's file, as it was written. `repeats` is the line that gave the same order first."""

    line: int
    id: str
    payer: str
    payee: str
    currency: str
    amount: str
    reference: str
    repeats: int | None = None

    @property
    def cents(self) -> int | None:
        """The amount in cents; None where it is not one."""
        return cents_of(self.amount)


@attrs.frozen
class Account:
    """An account as the bank opens it."""

    id: str
    owner: str
    currency: str
    opening: int
    closed: bool = False
    own: bool = False


def cents_of(amount: str) -> int | None:
    """Return `1234.50` as 123450; None for what is not a positive amount with two decimals."""
    match = _AMOUNT.fullmatch(amount)
    return (int(match[1]) * 100 + int(match[2]) or None) if match else None


def text_of(cents: int) -> str:
    """Return 123450 as `1234.50`."""
    sign, cents = ("-" if cents < 0 else ""), abs(cents)
    return f"{sign}{cents // 100}.{cents % 100:02}"


def read_orders(file: Path) -> list[Order]:
    """Return every order of a file."""
    first: dict[str, int] = {}
    orders = []
    with file.open(newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=1):
            repeats = first.get(row["order"])
            first.setdefault(row["order"], number)
            about = row["currency"], row["amount"], row["reference"]
            orders.append(Order(number, row["order"], row["payer"], row["payee"], *about, repeats))
    return orders


def batches_of(file: Path) -> int:
    """Return how many batches a file has."""
    return -(-len(read_orders(file)) // BATCH_LINES)


def read_batch(file: Path, batch: int) -> list[Order]:
    """Return the orders of one batch; the first batch is number 1."""
    return read_orders(file)[(batch - 1) * BATCH_LINES : batch * BATCH_LINES]


def read_accounts(file: Path = ACCOUNTS) -> Iterator[Account]:
    """Give the customers' accounts, and the bank's own: one to clear payments and one for fees in each currency."""
    currencies = []
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            currencies.append(row["currency"])
            opening = cents_of(row["opening"]) or 0
            yield Account(row["account"], row["owner"], row["currency"], opening, row["closed"] == "yes")
    for currency in sorted(set(currencies)):
        yield Account(f"clearing-{currency}", "the bank", currency, 0, own=True)
        yield Account(f"fees-{currency}", "the bank", currency, 0, own=True)
