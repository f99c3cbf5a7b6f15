"""Writes `accounts.csv` and `orders.csv`, always the same ones: `python -m transfers.generate`.

Most orders are ordinary; one in six is awkward. No order's fate depends on which other comes first: an account either
has funds for all that is asked of it, or an order asks for more than it could ever have. So however many processes work
on the file, and whatever happens to them, there is one right outcome.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

from transfers.orders import FOLDER, text_of

SEED = 20_260
LINES = 600
ACCOUNTS = 60
CURRENCIES = ("CHF", "EUR", "USD")
OPENING = 5_000_000
TOO_MUCH = 100_000_000_000
NAMES = ("Adler", "Blum", "Costa", "Dahl", "Egger", "Frei", "Gomez", "Huber", "Ito", "Jansen", "Kaya", "Lind")
SANCTIONED = "Mordrake"


def write(folder: Path = FOLDER) -> None:
    """Write both files."""
    chance = random.Random(SEED)
    accounts = [_account(number) for number in range(ACCOUNTS)]
    _write(folder / "accounts.csv", ("account", "owner", "currency", "opening", "closed"), accounts)
    orders: list[tuple[str, ...]] = []
    for number in range(LINES):
        orders.append(_order(chance, number, orders))
    _write(folder / "orders.csv", ("order", "payer", "payee", "currency", "amount", "reference"), orders)


def _account(number: int) -> tuple[str, ...]:
    owner = SANCTIONED if _sanctioned(number) else NAMES[number % len(NAMES)]
    opening = OPENING + number * 12_345
    return _name(number), owner, _currency(number), text_of(opening), "yes" if _closed(number) else "no"


def _order(chance: random.Random, number: int, before: list[tuple[str, ...]]) -> tuple[str, ...]:
    if number % 37 == 36:
        return chance.choice(before)
    ordinary = [one for one in range(ACCOUNTS) if not _closed(one) and not _sanctioned(one)]
    payer = chance.choice(ordinary)
    payees = [one for one in range(ACCOUNTS) if one != payer and _currency(one) == _currency(payer)]
    payee = chance.choice([one for one in payees if one in ordinary])
    amount = text_of(chance.choice((1, 99, 100, 12_345, 33_333, chance.randrange(1, 100_000))))
    currency = _currency(payer)
    match chance.randrange(36):
        case 0:
            amount = text_of(TOO_MUCH)
        case 1:
            payee = chance.choice([one for one in payees if _closed(one)])
        case 2:
            amount = chance.choice(("12.345", "-5.00", "0.00", "1,200.00", "ten"))
        case 3:
            currency = CURRENCIES[(payer + 1) % len(CURRENCIES)]
        case 4:
            payee = chance.choice([one for one in payees if _sanctioned(one)])
        case 5:
            payer = chance.choice([one for one in range(ACCOUNTS) if _closed(one)])
            currency = _currency(payer)
    to = "A-999" if number % 101 == 100 else _name(payee)
    return f"T{number:05}", _name(payer), to, currency, amount, f"invoice {chance.randrange(10_000):04}"


def _closed(number: int) -> bool:
    return number % 14 == 13


def _sanctioned(number: int) -> bool:
    return number % 20 == 6


def _name(number: int) -> str:
    return f"A-{number:03}"


def _currency(number: int) -> str:
    return CURRENCIES[number % len(CURRENCIES)]


def _write(file: Path, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


if __name__ == "__main__":
    write()
