"""What the checks of journals are written with: batches as the engine makes them, and what makes a function a check."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from typing import Any

import attrs

from omium.testing.conforming import Shelf, holds, judged
from omium_core.interfaces.checkpoint import Batch, Journal, JournalRow, StatusChange
from omium_core.model.body import Blob

__all__ = ["BEGINNING", "LARGE_BYTES", "Author", "Check", "Opener", "append", "blob", "check_into", "ids", "same"]

BEGINNING = hashlib.sha256(b"nothing").hexdigest()
LARGE_BYTES = 3_000_000

Opener = Callable[[], Journal]
Check = Callable[[Callable[..., Journal], str], None]


def check_into(checks: list[Check]) -> Callable[[Callable[[Opener], None]], Check]:
    """Return a decorator that adds a check: what the function opens is closed afterwards."""

    def decorate(body: Callable[[Opener], None]) -> Check:
        @functools.wraps(body)
        def check(open_journal: Callable[..., Journal], url: str) -> None:
            shelf = Shelf()
            with judged(body.__name__), ExitStack() as opened:
                body(lambda: opened.enter_context(closing(open_journal(url, durability="process", large=shelf))))

        checks.append(check)
        return check

    return decorate


@attrs.define
class Author:
    """Writes an execution's batches as the engine does: in sequence, chained, under an epoch."""

    execution: str = "exe_a"
    seq: int = 0
    epoch: int = 0
    digest: str = BEGINNING

    def batch(
        self,
        events: int = 1,
        body: bytes = b"body",
        *,
        epoch: int | None = None,
        blobs: tuple[Blob, ...] = (),
        change: StatusChange | None = None,
        note: str = "",
        topic: str | None = None,
    ) -> Batch:
        """Return the next batch; it counts as appended. `note` is in each header, `topic` is that of its last event."""
        first, expected, previous = self.seq + 1, self.epoch, self.digest
        self.seq, self.epoch = self.seq + events, epoch or self.epoch or 1
        headers = [self._header(seq, note, topic if seq == self.seq else None) for seq in range(first, self.seq + 1)]
        self.digest = hashlib.sha256(f"{previous}{headers}".encode() + body).hexdigest()
        return Batch(self.execution, first, expected, self.epoch, headers, body, self.digest, blobs, change, previous)

    def _header(self, seq: int, note: str, topic: str | None) -> str:
        fields = {"type": "StepStarted", "seq": seq, "epoch": self.epoch, "at": 1.5, "note": note}
        if topic is not None:
            fields["topic"] = topic
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def blob(data: bytes) -> Blob:
    """Return a blob under its hash."""
    return Blob(hashlib.sha256(data).hexdigest(), data)


def append(journal: Journal, batches: Iterable[Batch]) -> None:
    """Append batches and wait for each."""
    for commit in [journal.append(one) for one in batches]:
        commit.wait()


def ids(journal: Journal, **asked: Any) -> list[str]:
    """Return the ids of the executions that `executions` gives."""
    return [one.id for one in journal.executions(**asked)]


def same(found: JournalRow | None, given: Batch, sentence: str) -> None:
    """Raise `AssertionError` with the sentence unless a row is the batch that was appended."""
    headers = tuple(given.headers)
    expected = JournalRow(given.execution, given.first_seq, given.epoch, headers, given.bodies, given.digest)
    holds(found == expected, f"{sentence}; `{given.execution}` from event {given.first_seq} came back as another")
