"""`omium` alone: the last executions, what waits for a person, and what to type next."""

from __future__ import annotations

import click

from omium.cli.facts import row_facts
from omium.cli.hints import code_argument, command
from omium.cli.ids import short_id
from omium.cli.looking import print_rows
from omium.cli.opening import existing, last_rows
from omium.cli.output import Output
from omium.cli.wording import clean, value_text
from omium_core.interfaces.checkpoint import ExecutionRow
from omium_core.runtime.store import Store

__all__ = ["home"]

SHOWN = 5
WAITING_SHOWN = 5


def home(output: Output) -> None:
    """Print the home screen."""
    rows = last_rows(SHOWN)
    if not rows:
        _first(output)
        return
    store = existing().store
    waiting = [(row, question) for row, question in _waiting(store) if question]
    if output.as_json:
        asked = [{**row_facts(store, row), "question": question} for row, question in waiting]
        output.data({"executions": [row_facts(store, row) for row in rows], "waiting": asked})
        return
    print_rows(output, store, rows)
    for row, question in waiting:
        click.echo(clean(f"waits for a person: {short_id(store, row.id)}  {question}"))
    commands = [command("show", short_id(store, rows[0].id)), "omium list", "omium --help"]
    if waiting:
        first = waiting[0][0]
        commands.insert(0, command("recover", short_id(store, first.id), code_argument(first.workflow)))
    output.next(*commands[:3])


def _first(output: Output) -> None:
    if output.as_json:
        output.data({"executions": [], "waiting": []})
        return
    click.echo("There are no executions here yet.")
    output.next("omium demo", "omium run FILE", "omium --help")


def _waiting(store: Store) -> list[tuple[ExecutionRow, str]]:
    """Return the paused executions with what they ask; an execution that asks nothing has an empty question."""
    paused = store.executions(status="paused", limit=WAITING_SHOWN)
    return [(row, _question(store, row)) for row in paused]


def _question(store: Store, row: ExecutionRow) -> str:
    review = store.load(row.id).state.review
    if review is None or review.answer is not None:
        return ""
    return value_text(store.view(row.id, review.request.seq)["question"])
