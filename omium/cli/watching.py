"""`omium watch`: what happens, as it happens, in one execution or in the whole store, from any process.

It reads what was appended since the last look, by sequence number. Nothing is locked while it waits, and a runner does
not know that it is watched.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import click

from omium.cli.facts import iso, row_facts, status_text
from omium.cli.hints import code_argument, command
from omium.cli.ids import short_id
from omium.cli.lines import event_line
from omium.cli.opening import existing
from omium.cli.options import common, execution_option, fill, places
from omium.cli.output import SCHEMA_VERSION, Output, plain
from omium.cli.status import FAILED, HALTED, PAUSED
from omium.cli.tree import build_story, render
from omium.cli.wording import clean, moment
from omium_core.interfaces.checkpoint import ExecutionRow
from omium_core.journal.wire import read_row
from omium_core.model.events import Event
from omium_core.runtime.store import Store

__all__ = ["watch"]

LOOK_S = 0.25
# A journal that nobody appends to is looked at less often, down to once in two seconds.
LOOK_S_MAX = 2.0
# Of a whole store, the executions that are followed at once: the newest ones.
FOLLOWED_MAX = 50
_OVER = ("completed", "halted", "paused", "interrupted")


@click.command()
@places("[ID]")
@execution_option
@common
@click.pass_obj
def watch(output: Output, given: tuple[str, ...], execution_id: str | None) -> None:
    """Watch an execution until it ends or waits for a person. Without an ID, the whole store until Ctrl-C.

    On a terminal it shows the tree as it grows. Elsewhere it prints a line for each event, with `--json` an object.
    """
    (execution,) = fill(("id",), given, id=execution_id)
    store = existing().store
    row = store.find(execution) if execution is not None else None
    live = not output.as_json and sys.stdout.isatty()
    if row is not None:
        _one(output, store, row, live)
    else:
        _all(output, store, live)


@attrs.define
class _Follower:
    """Where the reader of an execution's journal has come to."""

    store: Store
    execution: str
    seq: int = 0

    def news(self) -> Iterator[Event]:
        """Give the events that were appended since the last look."""
        for row in self.store.journal.rows(self.execution, bodies=False, after=self.seq):
            for event in read_row(row):
                # A store may give a whole append where its last event is new.
                if event.seq > self.seq:
                    self.seq = event.seq
                    yield event


def _one(output: Output, store: Store, row: ExecutionRow, live: bool) -> None:
    """Follow one execution to its end, and leave with the exit status that it means."""
    follower = _Follower(store, row.id)
    tree = _tree(output, store, row.id) if live else None

    def look() -> tuple[bool, str]:
        # The status is read BEFORE the events, so that what led to it is shown, too.
        status = status_text(store, store.find(row.id))
        news = list(follower.news())
        if tree is None:
            _print(output, store, row.id, news)
        elif news:
            tree.update()
        return bool(news), status if status in _OVER else ""

    _conclude(output, store, row.id, _followed(tree, look))


def _conclude(output: Output, store: Store, execution: str, status: str) -> None:
    if output.as_json:
        facts = {"schema_version": SCHEMA_VERSION, "ended": row_facts(store, store.find(execution))}
        click.echo(json.dumps(plain(facts)))
    short, code = short_id(store, execution), code_argument(store.find(execution).workflow)
    next_one = {"paused": command("recover", short, code), "interrupted": command("resume", short, code)}
    output.next(next_one.get(status, command("show", short)))
    click.get_current_context().exit({"paused": PAUSED, "halted": HALTED, "interrupted": FAILED}.get(status, 0))


def _all(output: Output, store: Store, live: bool) -> None:
    """Follow the newest executions of a store, and those that begin, until somebody interrupts."""
    followers: dict[str, _Follower] = {}
    ends = {row.id: _end(store, row.id) for row in store.executions(limit=FOLLOWED_MAX)}
    table = _table(output, store) if live else None
    output.note("watching the store; Ctrl-C ends it")

    def look() -> tuple[bool, str]:
        rows = store.executions(limit=FOLLOWED_MAX)
        anything = False
        for row in reversed(rows):
            # What was there when the watch began is followed from its end, what begins from its start.
            follower = followers.setdefault(row.id, _Follower(store, row.id, ends.get(row.id, 0)))
            news = list(follower.news())
            anything = anything or bool(news)
            if table is None:
                _print(output, store, row.id, news)
        if table is not None:
            table.update()
        return anything, ""

    _followed(table, look)


def _followed(picture: _Picture | None, look: Callable[[], tuple[bool, str]]) -> str:
    """Look until it is over, less often while there is nothing to see; give the status that it ended with."""
    if picture is not None:
        picture.start()
    try:
        wait_s, over = LOOK_S, ""
        while not over:
            anything, over = look()
            wait_s = LOOK_S if anything else min(wait_s * 1.5, LOOK_S_MAX)
            if not over:
                time.sleep(wait_s)
        return over
    finally:
        if picture is not None:
            picture.stop()


def _end(store: Store, execution: str) -> int:
    return max((event.seq for event in store.events(execution)), default=0)


def _print(output: Output, store: Store, execution: str, events: list[Event]) -> None:
    for event in events:
        if output.as_json:
            fields = attrs.asdict(event, filter=lambda field, _: field.name not in ("body", "at"), recurse=False)
            facts = {"execution": execution, "type": type(event).__name__, "at": iso(event.at), **fields}
            click.echo(json.dumps(plain({"schema_version": SCHEMA_VERSION, **facts})))
        else:
            click.echo(clean(f"{moment(event.at)}  {short_id(store, execution)}  {event_line(event)}"))
    # Whoever reads a pipe line by line wants them now.
    sys.stdout.flush()


@attrs.define(eq=False)
class _Picture:
    """A picture on a terminal that is drawn again where it stands."""

    draw: Callable[[], Any]
    live: Any

    def start(self) -> None:
        """Take the terminal."""
        self.live.start()
        self.update()

    def update(self) -> None:
        """Draw it as it is now."""
        self.live.update(self.draw(), refresh=True)

    def stop(self) -> None:
        """Leave the last picture where it is."""
        self.update()
        self.live.stop()


def _picture(output: Output, draw: Callable[[], Any]) -> _Picture:
    from rich.live import Live

    return _Picture(draw, Live(console=output.console(), auto_refresh=False, vertical_overflow="ellipsis"))


def _tree(output: Output, store: Store, execution: str) -> _Picture:
    """Give the picture of an execution: its tree, as `omium show` draws it."""
    from rich.text import Text

    def draw() -> Any:
        console = output.console()
        with console.capture() as captured:
            render(build_story(store, execution), console, details=False)
        return Text.from_ansi(captured.get())

    return _picture(output, draw)


def _table(output: Output, store: Store) -> _Picture:
    """Give the picture of a store: its newest executions and how they stand."""

    def draw() -> Any:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
        for name in ("ID", "WORKFLOW", "STATUS", "STARTED"):
            table.add_column(name, overflow="fold")
        for row in store.executions(limit=20):
            table.add_row(short_id(store, row.id), clean(row.workflow), status_text(store, row), moment(row.started))
        return table

    return _picture(output, draw)
