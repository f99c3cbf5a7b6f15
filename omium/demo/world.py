"""The outside world of the demo: a mail provider that keeps every message it sent, in a SQLite file of its own.

Omium's store knows what the workflow believes; this file knows what happened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

import omium
from omium.config import load_config

__all__ = ["Message", "outbox", "send", "sent", "was_sent"]

TABLE = """
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, recipient TEXT NOT NULL, subject TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT
"""
BUSY_S = 10.0


@attrs.frozen
class Message:
    """A message that was sent."""

    number: int
    key: str
    recipient: str
    subject: str
    body: str


def outbox() -> Path:
    """Return the file of the messages that were sent: beside the project's store."""
    return load_config().home / "demo-outbox.db"


def send(key: str, recipient: str, subject: str, body: str) -> int:
    """Send a message and return its number. A key is accepted once; a second message under it is an error."""
    with _open() as connection:
        row = (key, recipient, subject, body)
        cursor = connection.execute("INSERT INTO message(key, recipient, subject, body) VALUES (?, ?, ?, ?)", row)
        return cursor.lastrowid or 0


def was_sent(key: str) -> object:
    """Return the number of the message that was sent under a key, or `omium.NOT_DONE`."""
    with _open() as connection:
        row = connection.execute("SELECT number FROM message WHERE key = ?", (key,)).fetchone()
    return omium.NOT_DONE if row is None else row[0]


def sent() -> list[Message]:
    """Return every message that was ever sent, oldest first."""
    with _open() as connection:
        return [Message(*row) for row in connection.execute("SELECT * FROM message ORDER BY number").fetchall()]


@contextmanager
def _open() -> Iterator[sqlite3.Connection]:
    path = outbox()
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=BUSY_S)
    try:
        with connection:
            connection.execute(TABLE)
            yield connection
    finally:
        connection.close()
