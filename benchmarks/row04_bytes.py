"""Row 4: what a checkpoint of a growing conversation takes on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import attrs
from measuring import Row, main, opened
from texts import Texts

import omium

MESSAGES = 600
# The file grows by whole pages and tree nodes fill up now and then, so growth is read over a hundred messages.
MARKS = (100, 200, 300, 400, 500, 600)
BYTES_MAX = 2_500
# A conversation that is stored anew each time grows sixfold from the first hundred messages to the last.
FLAT_MAX = 1.2

Conversation: TypeAlias = list[dict[str, Any]]


def measure(folder: Path) -> list[Row]:
    """Give row 4 for the three ways in which a workflow keeps a conversation."""
    texts = Texts(4)
    messages = [texts.message(index) for index in range(MESSAGES)]

    @omium.checkpoint("turn")
    def turn(count: int) -> Conversation:
        return messages[:count]

    @omium.checkpoint("reply")
    def reply(conversation: Conversation) -> Conversation:
        return [*conversation, messages[len(conversation)]]

    def returned(mark: Callable[[int], None]) -> None:
        for count in range(1, MESSAGES + 1):
            turn(count)
            mark(count)

    def passed_on(mark: Callable[[int], None]) -> None:
        conversation: Conversation = []
        for count in range(1, MESSAGES + 1):
            conversation = reply(conversation)
            mark(count)

    def saved(mark: Callable[[int], None]) -> None:
        for count in range(1, MESSAGES + 1):
            with omium.Checkpoint("turn") as block:
                block.state = messages[:count]
            mark(count)

    new = sum(len(one["content"]) for one in messages) / MESSAGES
    return [
        _row(folder / "returned", "a step returns the conversation", new, returned),
        _row(folder / "saved", "a `Checkpoint` block saves it", new, saved),
        # The arguments are stored as well, so this is told, and has no target.
        attrs.evolve(_row(folder / "passed", "a step is given it and returns it", new, passed_on), target="", met=None),
    ]


def _row(folder: Path, how: str, new: float, body: Callable[[Callable[[int], None]], None]) -> Row:
    sizes: dict[int, int] = {}
    with opened(folder) as runtime:

        def mark(count: int) -> None:
            if count in MARKS:
                sizes[count] = _stored(folder)

        # Reading the folder's size has no place in a workflow; this one is never gone through a second time.
        @omium.workflow(store=runtime.store.url, name=f"growing {folder.name}")
        def flow() -> None:
            body(mark)

        flow()
    growth = [(sizes[after] - sizes[before]) / (after - before) for before, after in pairwise(MARKS)]
    mean = sum(growth) / len(growth)
    measured = f"{mean:,.0f} bytes; by hundred {', '.join(f'{one:,.0f}' for one in growth)}"
    met = mean <= BYTES_MAX and growth[-1] <= FLAT_MAX * growth[0]
    target = f"<= {BYTES_MAX:,} bytes at {new:,.0f} of new text, flat"
    return Row(4, f"bytes per checkpoint, {MESSAGES} messages: {how}", measured, target, met)


def _stored(folder: Path) -> int:
    """Give the bytes of the database, counting what is still in its WAL where it will lie, and of all blobs.

    The WAL itself does not count: it is as long as it will ever be from the start, and is used again and again.
    """
    database = sqlite3.connect(f"file:{folder}/omium.db?mode=ro", uri=True)
    pages, page_bytes = (int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    database.close()
    return pages * page_bytes + sum(path.stat().st_size for path in (folder / "blobs").rglob("*") if path.is_file())


if __name__ == "__main__":
    main(measure)
