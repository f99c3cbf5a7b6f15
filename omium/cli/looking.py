"""`omium list`, `show` and `checkpoints`: look at executions, from any process and without their code."""

from __future__ import annotations

import click

from omium.cli.facts import checkpoint_facts, row_facts, status_text, story_facts
from omium.cli.hints import code_argument, command
from omium.cli.ids import short_id
from omium.cli.opening import existing, found
from omium.cli.options import common, execution_option, fill, places
from omium.cli.output import Output
from omium.cli.tree import build_story, render
from omium.cli.wording import clean, moment, steps_text
from omium_core.engine.state import CheckpointRecord
from omium_core.interfaces.checkpoint import ExecutionRow
from omium_core.runtime.store import Store

__all__ = ["checkpoints", "going_back", "list_executions", "name_next", "print_rows", "show"]

LIMIT = 20
LIMIT_MAX = 1_000_000
_STATUSES = ("running", "recovering", "paused", "completed", "halted")


@click.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only executions with this status.")
@click.option("--workflow", metavar="NAME", help="Only executions of this workflow.")
@click.option(
    "--limit", type=click.IntRange(1, LIMIT_MAX), default=LIMIT, show_default=True, help="How many, newest first."
)
@common
@click.pass_obj
def list_executions(output: Output, status: str | None, workflow: str | None, limit: int) -> None:
    """List executions, newest first."""
    store = existing().store
    rows = store.executions(status=status, workflow=workflow, limit=limit)
    if output.as_json:
        output.data({"executions": [row_facts(store, row) for row in rows]})
        return
    if not rows:
        output.note("there are no such executions")
        return
    print_rows(output, store, rows)
    output.next(command("show", short_id(store, rows[0].id)))


@click.command()
@places("[ID]")
@execution_option
@common
@click.pass_obj
def show(output: Output, given: tuple[str, ...], execution_id: str | None) -> None:
    """Show what happened in an execution, by default in the last."""
    (execution,) = fill(("id",), given, id=execution_id)
    store = existing().store
    row = found(store, execution)
    story = build_story(store, row.id)
    if output.as_json:
        output.data({**story_facts(story), "status": status_text(store, row)})
        return
    console = output.console()
    render(story, console)
    if story.status in ("paused", "halted"):
        console.print(f"{story.status}: {clean(story.reason)}", soft_wrap=True)
    name_next(output, store, row)


@click.command()
@places("[ID]")
@execution_option
@click.option("--list", "_", is_flag=True, help="List those on the way to the head (the default).")
@click.option("--show-all", is_flag=True, help="List those that were rolled back as well.")
@common
@click.pass_obj
def checkpoints(output: Output, given: tuple[str, ...], execution_id: str | None, _: bool, show_all: bool) -> None:
    """List the checkpoints of an execution, oldest first. By default of the last."""
    (execution,) = fill(("id",), given, id=execution_id)
    store = existing().store
    row = found(store, execution)
    state = store.load(row.id).state
    path = state.path_to_head()
    standing = {one.id for one in path}
    points = sorted(state.checkpoints.values(), key=lambda one: one.seq) if show_all else path
    if output.as_json:
        listed = [checkpoint_facts(one, standing=one.id in standing) for one in points]
        output.data({"execution": row.id, "head": state.head, "checkpoints": listed})
        return
    output.table(
        ("NAME", "STEP", "AGENT", "TIME (UTC)", "ID", ""), [_checkpoint(one, state.head, standing) for one in points]
    )
    if not path:
        # The journal of a policy has none.
        return
    last = path[-2].name if len(path) > 1 else path[-1].name
    output.next(*going_back(store, row, last))


def print_rows(output: Output, store: Store, rows: list[ExecutionRow]) -> None:
    """Print executions as a table."""
    head = ("ID", "WORKFLOW", "STATUS", "STARTED", "TOOK")
    output.table(head, [_row(store, row) for row in rows])


def name_next(output: Output, store: Store, row: ExecutionRow) -> None:
    """Name what is likely next for an execution as it is."""
    short, code = short_id(store, row.id), code_argument(row.workflow)
    status = status_text(store, row)
    if status == "paused":
        review = store.load(row.id).state.review
        asked = review is not None and review.answer is None
        output.next(command("recover" if asked else "resume", short, code))
    elif status == "interrupted":
        output.next(command("resume", short, code))
    elif status == "halted":
        state = store.load(row.id).state
        output.next(*going_back(store, row, state.checkpoints[state.head].name))
    else:
        output.next(command("checkpoints", short))


def going_back(store: Store, row: ExecutionRow, point: str) -> tuple[str, str]:
    """Return the commands that go on from a checkpoint of an execution: in it, and in a new one."""
    short, code = short_id(store, row.id), code_argument(row.workflow)
    return command("rollback", short, point, code), command("fork", short, code, "--at", point)


def _row(store: Store, row: ExecutionRow) -> tuple[str, ...]:
    took = "" if row.ended is None else f"{row.ended - row.started:.1f} s"
    return short_id(store, row.id), clean(row.workflow), status_text(store, row), moment(row.started), took


def _checkpoint(point: CheckpointRecord, head: str, standing: set[str]) -> tuple[str, ...]:
    at = moment(point.at).removesuffix(" UTC")
    state = "head" if point.id == head else "" if point.id in standing else "rolled back"
    return clean(point.name), clean(steps_text(point.step)), clean(point.agent or ""), at, point.id, state
