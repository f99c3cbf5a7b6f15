"""`omium rollback` and `omium fork`: go back to a checkpoint, or start anew from one."""

from __future__ import annotations

import click

from omium import operating
from omium.cli.code import code_of
from omium.cli.facts import execution_facts
from omium.cli.hints import code_argument, command
from omium.cli.ids import short_id
from omium.cli.opening import existing
from omium.cli.options import common, execution_option, fill, places
from omium.cli.output import Output, interactive
from omium.cli.planning import Plan, plan_rollback
from omium.cli.tree import build_story, render
from omium.cli.wording import clean

__all__ = ["fork", "rollback"]


@click.command()
@places("ID CHECKPOINT [FILE[:NAME]]")
@execution_option
@click.option("--to-checkpoint", metavar="NAME", help="The checkpoint, instead of by place.")
@click.option("--code", metavar="FILE[:NAME]", help="The code of the workflow, which knows how effects are undone.")
@click.option("--reason", metavar="TEXT", default="", help="Why; it is kept in the journal.")
@click.option("--by", metavar="WHO", default="a person", help="Who decides; it is kept in the journal.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
@click.pass_obj
def rollback(
    output: Output,
    given: tuple[str, ...],
    execution_id: str | None,
    to_checkpoint: str | None,
    code: str | None,
    reason: str,
    by: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Roll an execution back to a checkpoint. Effects since then are undone where they can be; it is paused then."""
    names = ("id", "checkpoint", "file")
    execution, point, file = fill(names, given, names[:2], id=execution_id, checkpoint=to_checkpoint, file=code)
    runtime = existing()
    row = runtime.store.find(execution)
    state = runtime.store.load(row.id).state
    plan = plan_rollback(state, operating.target(state, point))
    if not output.as_json or dry_run:
        _show(output, row.id, plan, dry_run)
    if dry_run:
        return
    code_of(runtime, row.id, row.workflow, file, "rollback")
    _ask(yes)
    operating.rollback(row.id, plan.target.id, reason=reason, by=by)
    if output.as_json:
        output.data({"plan": plan.as_data(), "execution": execution_facts(runtime.store, row.id)})
        return
    render(build_story(runtime.store, row.id), output.console(), details=False)
    output.next(command("resume", short_id(runtime.store, row.id), code_argument(row.workflow, file)))


@click.command()
@places("ID [FILE[:NAME]]")
@execution_option
@click.option("--at", metavar="NAME", required=True, help="The checkpoint to start from.")
@click.option("--new-id", metavar="ID", help="The id of the new execution.")
@click.option("--code", metavar="FILE[:NAME]", help="The code of the workflow, instead of by place.")
@common
@click.pass_obj
def fork(
    output: Output, given: tuple[str, ...], execution_id: str | None, at: str, new_id: str | None, code: str | None
) -> None:
    """Start a new execution from a checkpoint of another. That one stays as it is."""
    execution, file = fill(("id", "file"), given, ("id",), id=execution_id, file=code)
    if not at:
        raise click.UsageError("`--at` is empty", click.get_current_context())
    runtime = existing()
    row = runtime.store.find(execution)
    code_of(runtime, row.id, row.workflow, file, "fork")
    made = operating.fork(row.id, at, execution_id=new_id)
    if output.as_json:
        output.data({"source": row.id, "execution": execution_facts(runtime.store, made.id)})
        return
    click.echo(made.id)
    output.next(command("resume", short_id(runtime.store, made.id), code_argument(row.workflow, file)))


def _show(output: Output, execution: str, plan: Plan, dry_run: bool) -> None:
    """Print the plan: as data where that is all there will be, else as a message before the question."""
    if output.as_json:
        output.data({"execution": execution, "dry_run": True, "plan": plan.as_data()})
        return
    for line in plan.lines():
        click.echo(_line(line), err=not dry_run)


def _line(line: str) -> str:
    """Return a line with its indent, and nothing in it that steers a terminal."""
    return " " * (len(line) - len(line.lstrip())) + clean(line)


def _ask(yes: bool) -> None:
    if yes:
        return
    if not interactive():
        raise click.UsageError("nobody can be asked here; give `--yes` to roll back, or `--dry-run` to look")
    if not click.confirm("Roll back?", err=True):
        raise click.Abort
