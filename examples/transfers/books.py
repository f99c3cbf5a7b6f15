"""The auditor: says from PostgreSQL alone, without Omium, whether the books balance and nothing happened twice."""

from __future__ import annotations

import attrs

from transfers.ledger import Row, database
from transfers.orders import text_of

__all__ = ["Books", "audit", "show"]

# Each finds what must not be; the first column says what it is about.
RULES = {
    "money appeared or vanished": """
        SELECT currency, sum(balance - opening) FROM account GROUP BY currency HAVING sum(balance) <> sum(opening)""",
    "a balance is not what was booked": """
        SELECT id, balance FROM account LEFT JOIN entry ON account = id
        GROUP BY id HAVING balance <> opening + coalesce(sum(cents), 0)""",
    "a booking does not add up to nothing": """
        SELECT key, sum(cents) FROM booking LEFT JOIN entry ON booking = key
        GROUP BY key HAVING coalesce(sum(cents), 1) <> 0""",
    "a payer's money is still on its way": """
        SELECT id, balance FROM account WHERE id LIKE 'clearing-%' AND balance <> 0""",
    "an order has no end": """
        SELECT order_id, line FROM instruction WHERE status IS NULL""",
    "an order is not booked as its status says": """
        SELECT order_id, string_agg(line || ' ' || status, ', ') FROM instruction
        LEFT JOIN (SELECT order_id, count(*) AS paid FROM booking WHERE kind = 'payout' GROUP BY order_id) AS payout
        USING (order_id) GROUP BY order_id, paid
        HAVING count(*) FILTER (WHERE status = 'booked') <> coalesce(paid, 0) OR coalesce(paid, 0) > 1""",
    "an order is reserved more than once": """
        SELECT order_id, string_agg(kind, ', ') FROM booking GROUP BY order_id
        HAVING count(*) FILTER (WHERE kind = 'reserve') - count(*) FILTER (WHERE kind = 'release')
            <> count(*) FILTER (WHERE kind = 'payout')""",
    "an order is booked with another amount": """
        SELECT order_id, key FROM booking JOIN entry ON booking = key AND account LIKE 'clearing-%'
        JOIN instruction USING (order_id)
        GROUP BY order_id, key, entry.cents HAVING bool_and(abs(entry.cents) IS DISTINCT FROM instruction.cents)""",
    "a customer was not told once": """
        SELECT instruction.line, count(notice.id) FROM instruction LEFT JOIN notice USING (line)
        WHERE status IS NOT NULL GROUP BY instruction.line HAVING count(notice.id) <> 1""",
    "the clearing house was not told once": """
        SELECT batch, count(DISTINCT key) FILTER (WHERE NOT withdrawn) FROM instruction
        LEFT JOIN announcement USING (batch) WHERE instruction.cents IS NOT NULL
        GROUP BY batch HAVING count(DISTINCT key) FILTER (WHERE NOT withdrawn) <> 1""",
}
COUNTS = {
    "orders": "SELECT count(*) FROM instruction",
    "booked": "SELECT count(*) FROM instruction WHERE status = 'booked'",
    "rejected": "SELECT count(*) FROM instruction WHERE status = 'rejected'",
    "notices": "SELECT count(*) FROM notice",
    "given back": "SELECT count(*) FROM booking WHERE kind = 'release'",
    "asked again": "SELECT coalesce(sum(asked - 1), 0) FROM booking",
    "given up": "SELECT count(*) FROM void",
}


@attrs.frozen
class Books:
    """What the auditor found: all that is wrong, counts by name, and the sum of all balances by currency."""

    wrong: list[str]
    counts: dict[str, int]
    sums: dict[str, int]


def audit() -> Books:
    """Go through the books."""
    wrong = [f"{rule}: {_words(row)}" for rule, sql in RULES.items() for row in _rows(sql)]
    counts = {name: int(_rows(sql)[0][0]) for name, sql in COUNTS.items()}
    sums = {row[0]: int(row[1]) for row in _rows("SELECT currency, sum(balance) FROM account GROUP BY 1 ORDER BY 1")}
    return Books(wrong, counts, sums)


def show() -> int:
    """Print what the auditor found; return the exit status."""
    books = audit()
    print(", ".join(f"{count} {name}" for name, count in books.counts.items()))
    print(", ".join(f"{currency} {text_of(cents)}" for currency, cents in books.sums.items()))
    print("\n".join(books.wrong) or "the books balance")
    return 1 if books.wrong else 0


def _rows(sql: str) -> list[Row]:
    with database().connection() as connection:
        found: list[Row] = connection.execute(sql.encode()).fetchall()
    return found


def _words(row: Row) -> str:
    return " ".join(str(one) for one in row)
