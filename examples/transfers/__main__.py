"""The command line: `python -m transfers open | work | books`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from transfers import books, ledger, pool
from transfers.orders import ORDERS, batches_of, read_accounts


def main() -> int:
    """Do what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m transfers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("open", help="make the tables and the accounts in an empty database")
    work = commands.add_parser("work", help="settle the orders of a file")
    work.add_argument("--file", type=Path, default=ORDERS, metavar="FILE", help="orders, as in orders.csv")
    work.add_argument("--batches", type=int, metavar="N", help="only the first N batches")
    work.add_argument("--processes", type=int, default=4, metavar="N", help="how many work at once (4)")
    commands.add_parser("books", help="say whether the books balance, from PostgreSQL alone")
    given = parser.parse_args()
    match given.command:
        case "open":
            ledger.open_bank(read_accounts())
        case "work":
            there = batches_of(given.file)
            return pool.supervise(given.file.resolve(), min(given.batches or there, there), given.processes)
        case "books":
            return books.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
