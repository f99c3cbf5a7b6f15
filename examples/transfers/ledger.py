"""The bank, in plain SQL: bookings under idempotency keys, notices, and an answer to whether something happened.

Nothing here knows Omium. What makes it fit is that every write happens under the caller's key, and that `happened` is
an answer for good:

* A write takes the key's lock BEFORE it does anything, and keeps it until its transaction ends. Whoever asks about the
  key takes the same lock, so a commit that a dead process has sent is waited for, not overlooked.
* A key under which nothing was found becomes void. A process that slept through all this, and wakes up to write under
  that key, is refused.
"""

from __future__ import annotations

import atexit
import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from psycopg import Cursor, OperationalError
from psycopg_pool import ConnectionPool

from transfers.orders import Account, Order

VARIABLE = "TRANSFERS_DATABASE"
CONNECTIONS_MAX = 8
CONNECT_TIMEOUT_S = 60.0
ASKED_MAX = 5
# A session that hangs between two statements, its process stopped or its machine gone, lets go of its locks.
LIMITS = "-c idle_in_transaction_session_timeout=5s -c lock_timeout=30s"

Row: TypeAlias = tuple[Any, ...]


class Refused(Exception):
    """The bank will not do it, and nothing has happened."""

    failure_kind = "refused"


@functools.cache
def database() -> ConnectionPool:
    """Return this process's connections to the database that `TRANSFERS_DATABASE` names."""
    pool = ConnectionPool(
        os.environ[VARIABLE],
        kwargs={"options": LIMITS},
        min_size=1,
        max_size=CONNECTIONS_MAX,
        timeout=CONNECT_TIMEOUT_S,
        check=ConnectionPool.check_connection,
        open=True,
    )
    atexit.register(pool.close)
    return pool


def open_bank(accounts: Iterable[Account]) -> None:
    """Make the tables, with these accounts and their opening balances."""
    rows = [(one.id, one.owner, one.currency, one.opening, one.opening, one.closed, one.own) for one in accounts]
    with database().connection() as connection, connection.cursor() as cursor:
        cursor.execute((Path(__file__).parent / "schema.sql").read_bytes())
        cursor.executemany("INSERT INTO account VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)


def account(name: str) -> dict[str, Any] | None:
    """Return an account's owner and currency, and whether it is closed; None where there is none."""
    found = _ask("SELECT owner, currency, closed FROM account WHERE id = %s", name)
    return dict(zip(("owner", "currency", "closed"), found[0], strict=True)) if found else None


def register(owner: str, batch: int, orders: Iterable[Order]) -> None:
    """Take a batch of orders down, once; raise `Refused` where somebody else has done so."""
    rows = [(one.line, owner, batch, one.id, one.currency, one.cents) for one in orders]
    sql = "INSERT INTO instruction VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
    others = "SELECT line, owner FROM instruction WHERE line = ANY(%s) AND owner <> %s ORDER BY line"
    with database().connection() as connection, connection.cursor() as cursor:
        cursor.executemany(sql, rows)
        found = cursor.execute(others, ([row[0] for row in rows], owner)).fetchone()
        if found is not None:
            raise Refused("line {} is {}'s".format(*found))


def conclude(line: int, status: str, reason: str | None) -> None:
    """Write down what became of an order."""
    with database().connection() as connection:
        connection.execute("UPDATE instruction SET status = %s, reason = %s WHERE line = %s", (status, reason, line))


def book(key: str, kind: str, order: str, entries: Mapping[str, int]) -> None:
    """Book these cents by account, once for each key; raise `Refused` where an account does not allow it."""
    assert sum(entries.values()) == 0
    with _under(key) as cursor:
        if cursor.execute("UPDATE booking SET asked = asked + 1 WHERE key = %s RETURNING 1", (key,)).fetchone():
            return
        cursor.execute("INSERT INTO booking (key, kind, order_id) VALUES (%s, %s, %s)", (key, kind, order))
        # In one order for all, so that no two bookings wait for each other.
        for name, cents in sorted(entries.items()):
            _move(cursor, name, cents)
            cursor.execute("INSERT INTO entry VALUES (%s, %s, %s)", (key, name, cents))


def announce(key: str, batch: int, totals: Mapping[str, int]) -> None:
    """Tell the clearing house what a batch adds up to, by currency."""
    rows = [(key, batch, currency, cents) for currency, cents in sorted(totals.items())]
    with _under(key) as cursor:
        cursor.executemany("INSERT INTO announcement VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING", rows)


def withdraw(key: str) -> None:
    """Take back what was announced under that key."""
    with database().connection() as connection:
        connection.execute("UPDATE announcement SET withdrawn = true WHERE key = %s", (key,))


def differences(batch: int) -> list[str]:
    """Return in what the clearing house's own count of a batch differs from what it was told."""
    sql = """
    SELECT currency, coalesce(told.cents, 0), coalesce(counted.cents, 0)
    FROM (SELECT currency, cents FROM announcement WHERE batch = %s AND NOT withdrawn) AS told
    FULL JOIN (SELECT currency, sum(cents)::bigint AS cents FROM instruction WHERE batch = %s AND cents IS NOT NULL
               GROUP BY currency) AS counted USING (currency)
    WHERE told.cents IS DISTINCT FROM counted.cents ORDER BY currency
    """
    return [f"{currency}: told {told}, counted {counted}" for currency, told, counted in _ask(sql, batch, batch)]


def send_notice(key: str, line: int, recipient: str, body: str) -> None:
    """Send a customer a notice. Like any mail server, it sends as often as it is asked to."""
    with _under(key) as cursor:
        cursor.execute(
            "INSERT INTO notice (key, line, recipient, body) VALUES (%s, %s, %s, %s)", (key, line, recipient, body)
        )


def happened(key: str, table: str) -> bool:
    """Say whether there is something under this key in `booking`, `announcement` or `notice`.

    If there is nothing, there never will be: the key is void from now on.
    """
    for left in reversed(range(ASKED_MAX)):
        try:
            return _happened(key, table)
        except OperationalError:
            # It is a question, so it can be asked again as often as the connection is lost.
            if not left:
                raise
    raise AssertionError("unreachable")


def _happened(key: str, table: str) -> bool:
    with database().connection() as connection, connection.cursor() as cursor:
        _lock(cursor, key)
        if cursor.execute(f"SELECT 1 FROM {table} WHERE key = %s", (key,)).fetchone():
            return True
        cursor.execute("INSERT INTO void VALUES (%s) ON CONFLICT DO NOTHING", (key,))
        return False


@contextmanager
def _under(key: str) -> Iterator[Cursor[Row]]:
    """A transaction in which nobody else does anything under this key."""
    with database().connection() as connection, connection.cursor() as cursor:
        _lock(cursor, key)
        if cursor.execute("SELECT 1 FROM void WHERE key = %s", (key,)).fetchone():
            raise Refused(f"`{key}` was given up")
        yield cursor


def _lock(cursor: Cursor[Row], key: str) -> None:
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))


def _move(cursor: Cursor[Row], name: str, cents: int) -> None:
    found = cursor.execute("SELECT own, closed, balance FROM account WHERE id = %s FOR UPDATE", (name,)).fetchone()
    if found is None:
        raise Refused(f"there is no account {name}")
    own, closed, balance = found
    if closed:
        raise Refused(f"account {name} is closed")
    if balance + cents < 0 and not own:
        raise Refused(f"account {name} has not enough funds")
    cursor.execute("UPDATE account SET balance = balance + %s WHERE id = %s", (cents, name))


def _ask(sql: str, *values: object) -> list[Row]:
    with database().connection() as connection:
        found: list[Row] = connection.execute(sql, values).fetchall()
    return found
