"""`omium pause` and `omium halt`: stop executions from outside, whatever process runs them."""

from __future__ import annotations

import click

from omium import operating
from omium.cli.facts import row_facts
from omium.cli.hints import code_argument, command
from omium.cli.ids import short_id
from omium.cli.looking import going_back
from omium.cli.opening import check_workflow, existing
from omium.cli.options import common, execution_option, fill, places
from omium.cli.output import Output
from omium.cli.wording import clean, counted
from omium_core.interfaces.checkpoint import ExecutionRow
from omium_core.runtime.store import Store

__all__ = ["halt", "pause"]

NAMED_MAX = 20


@click.command()
@places("ID")
@execution_option
@click.option("--by", metavar="WHO", default="a person", help="Who decides; it is kept in the journal.")
@click.option("--reason", metavar="TEXT", default="", help="Why; it is kept in the journal.")
@common
@click.pass_obj
def pause(output: Output, given: tuple[str, ...], execution_id: str | None, by: str, reason: str) -> None:
    """Pause an execution. Its runner stops before its next effect that is not a read, or at its next append."""
    (execution,) = fill(("id",), given, ("id",), id=execution_id)
    store = existing().store
    row = store.find(execution)
    operating.pause(row.id, by=by, reason=reason)
    now = store.find(row.id)
    short = short_id(store, row.id)
    if output.as_json:
        output.data({"execution": row_facts(store, now)})
    elif now.status == "paused":
        click.echo(clean(f"{short} is paused: {store.load(row.id).state.reason}"))
        output.next(command("resume", short, code_argument(row.workflow)), command("show", short))
    else:
        click.echo(f"{short} is {now.status}; it stays as it is")
        output.next(command("show", short))


@click.command()
@places("[ID]")
@execution_option
@click.option("--workflow", metavar="W", help="Every unfinished execution of this workflow.")
@click.option("--all", "everything", is_flag=True, help="Every unfinished execution in the store.")
@click.option("--by", metavar="WHO", required=True, help="Who decides; it is kept in the journal.")
@click.option("--reason", metavar="TEXT", required=True, help="Why; it is kept in the journal.")
@common
@click.pass_obj
def halt(
    output: Output,
    given: tuple[str, ...],
    execution_id: str | None,
    workflow: str | None,
    everything: bool,
    by: str,
    reason: str,
) -> None:
    """Halt executions, the kill switch. Each stops before its next effect that is not a read, or at its next append.

    What has ended stays as it ended, what is done stays done, and new executions start as before.
    """
    (execution,) = fill(("id",), given, id=execution_id)
    if [execution is not None, workflow is not None, everything].count(True) != 1:
        raise click.UsageError("say what to halt: ID, `--workflow W` or `--all`", click.get_current_context())
    store = existing().store
    row = store.find(execution) if execution is not None else None
    check_workflow(store, workflow)
    halted = operating.halt(row.id if row else None, workflow=workflow, all=everything, by=by, reason=reason)
    rows = [store.find(one.id) for one in halted]
    if output.as_json:
        output.data({"halted": [row_facts(store, one) for one in rows]})
        return
    if row is not None and not rows:
        click.echo(f"{short_id(store, row.id)} is {store.find(row.id).status}; it stays as it is")
    elif row is not None:
        click.echo(clean(f"{short_id(store, row.id)} is halted: {store.load(row.id).state.reason}"))
    else:
        _tell(output, store, rows)
    _name_next(output, store, rows)


def _tell(output: Output, store: Store, rows: list[ExecutionRow]) -> None:
    click.echo(f"halted {counted(len(rows), 'execution')}; new ones start as before")
    named = [(short_id(store, one.id), clean(one.workflow)) for one in rows[:NAMED_MAX]]
    for short, workflow in named:
        click.echo(f"  {short.ljust(max(len(one) for one, _ in named))}  {workflow}")
    if len(rows) > NAMED_MAX:
        click.echo(f"  and {len(rows) - NAMED_MAX} more")


def _name_next(output: Output, store: Store, rows: list[ExecutionRow]) -> None:
    """Name how a halted execution can go on after all."""
    if not rows:
        output.next("omium list")
        return
    state = store.load(rows[0].id).state
    output.next(*going_back(store, rows[0], state.checkpoints[state.head].name))
