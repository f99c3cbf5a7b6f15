"""`omium prune`: let the values of old executions go; what happened, and that it verifies, stays."""

from __future__ import annotations

from typing import Any

import click

from omium.cli.durations import span
from omium.cli.ids import short_id
from omium.cli.opening import check_workflow, existing
from omium.cli.options import common
from omium.cli.output import Output, interactive
from omium.cli.wording import clean, counted, moment
from omium_core.runtime.pruning import FINAL, Choice, PrunePlan, plan
from omium_core.runtime.pruning import prune as remove
from omium_core.runtime.store import Store

__all__ = ["prune"]

NAMED_MAX = 20


@click.command()
@click.option("--older-than", metavar="SPAN", callback=span, help="Only what ended that long ago, such as `30d`.")
@click.option("--status", type=click.Choice(FINAL), multiple=True, help="Only what ended so; by default both.")
@click.option("--workflow", metavar="W", help="Only executions of this workflow.")
@click.option("--keep-last", metavar="N", type=click.IntRange(0), default=0, help="Keep the newest N that ended.")
@click.option("--by", metavar="WHO", default="a person", help="Who decides; it is kept in the journals.")
@click.option("--reason", metavar="TEXT", default="", help="Why; it is kept in the journals.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
@click.pass_obj
def prune(
    output: Output,
    older_than: float | None,
    status: tuple[str, ...],
    workflow: str | None,
    keep_last: int,
    by: str,
    reason: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Remove the values of executions that ended. Arguments, outcomes and evidence go; their events stay and verify.

    What others need stays as well: unfinished executions, shared values, and what a fork that stays started from.
    """
    if older_than is None and not keep_last and not status and workflow is None:
        raise click.UsageError(
            "say what may go: `--older-than SPAN`, `--keep-last N`, `--status` or `--workflow`",
            click.get_current_context(),
        )
    store = existing().store
    check_workflow(store, workflow)
    choice = Choice(store.clock.now() - (older_than or 0.0), status or FINAL, workflow, keep_last)
    planned = plan(store, choice)
    if dry_run or not output.as_json:
        _show(output, store, planned, dry_run)
    if dry_run:
        return
    if planned.chosen:
        _ask(yes)
    removed = remove(store, planned, by, reason)
    if output.as_json:
        done = {"executions": list(removed.executions), "bodies_bytes": removed.bodies_bytes}
        output.data({**done, "blobs": removed.blobs, "blobs_bytes": removed.blobs_bytes})
        return
    freed = _bytes(removed.bodies_bytes + removed.blobs_bytes)
    click.echo(f"pruned {counted(len(removed.executions), 'execution')}: {freed} can be used again")
    output.next("omium verify")


def _show(output: Output, store: Store, planned: PrunePlan, dry_run: bool) -> None:
    """Print the plan: as data where that is all there will be, else as a message before the question."""
    if output.as_json:
        output.data({"dry_run": True, "plan": _facts(planned)})
        return
    for line in _lines(store, planned):
        click.echo(line, err=not dry_run)
    if dry_run:
        output.next("omium prune ... --yes" if planned.chosen else "omium list")


def _facts(planned: PrunePlan) -> dict[str, Any]:
    return {
        "executions": [row.id for row in planned.executions],
        "bodies_bytes": planned.bodies_bytes,
        "blobs": len(planned.blobs),
        "blobs_bytes": sum(planned.blobs.values()),
        "kept_for_forks": list(planned.kept),
    }


def _lines(store: Store, planned: PrunePlan) -> list[str]:
    rows = planned.executions
    lines = [f"prune the values of {counted(len(rows), 'execution')}"]
    lines += [
        f"  {short_id(store, row.id)}  {clean(row.workflow)}  {row.status} {moment(row.ended or row.started)}"
        for row in rows[:NAMED_MAX]
    ]
    lines += [f"  and {len(rows) - NAMED_MAX} more"] if len(rows) > NAMED_MAX else []
    size = planned.bodies_bytes + sum(planned.blobs.values())
    lines.append(f"  {_bytes(size)}: {_bytes(planned.bodies_bytes)} in journals, {counted(len(planned.blobs), 'blob')}")
    lines += [
        f"  stays, a fork or advice for always needs it: {short_id(store, one)}" for one in planned.kept[:NAMED_MAX]
    ]
    return lines


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1_000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} GB"


def _ask(yes: bool) -> None:
    if yes:
        return
    if not interactive():
        raise click.UsageError("nobody can be asked here; give `--yes` to prune, or `--dry-run` to look")
    if not click.confirm("Prune?", err=True):
        raise click.Abort
