"""`omium fixes`: which advice reaches every execution of a workflow, and its revocation."""

from __future__ import annotations

import attrs
import click

from omium import reviewing
from omium.cli.facts import iso
from omium.cli.hints import command
from omium.cli.ids import short_id
from omium.cli.opening import existing
from omium.cli.options import common
from omium.cli.output import Output
from omium.cli.wording import clean, value_text
from omium_core.runtime.standing import Standing

__all__ = ["fixes"]

REVIEW_CHARS = 12


@click.command()
@click.option("--workflow", metavar="NAME", help="Only those of this workflow.")
@click.option("--revoke", metavar="REVIEW", help="Let this one reach no later execution any more.")
@click.option("--by", metavar="WHO", help="Who revokes it; it is kept in the journal.")
@click.option("--reason", metavar="TEXT", default="", help="Why; it is kept in the journal.")
@common
@click.pass_obj
def fixes(output: Output, workflow: str | None, revoke: str | None, by: str | None, reason: str) -> None:
    """List the advice that was approved for always, or revoke one. It reaches later executions."""
    runtime = existing()
    if revoke is not None:
        if by is None:
            raise click.UsageError("missing option `--by`: who revokes it is kept in the journal")
        gone = reviewing.revoke(revoke, by=by, reason=reason)
        if output.as_json:
            output.data({"revoked": _facts(gone)})
            return
        output.note(f"`{gone.fix.review}` reaches no later execution of `{gone.workflow}` any more")
        output.next(command("show", short_id(runtime.store, gone.execution)))
        return
    found = reviewing.fixes(workflow)
    if output.as_json:
        output.data({"fixes": [_facts(one) for one in found]})
        return
    if not found:
        output.note("no fix was approved for always; `omium review ID --fix N --always` does that")
        return
    rows = [
        (
            one.fix.review[:REVIEW_CHARS],
            clean(one.workflow),
            clean(one.place),
            clean(one.by),
            value_text(one.fix.change),
        )
        for one in found
    ]
    output.table(("REVIEW", "WORKFLOW", "STEP", "BY", "ADVICE"), rows)
    output.next(f"omium fixes --revoke {found[-1].fix.review[:REVIEW_CHARS]} --by WHO")


def _facts(one: Standing) -> dict[str, object]:
    facts = attrs.asdict(one, recurse=False)
    fix = facts.pop("fix")
    return {**facts, "review": fix.review, "kind": fix.kind, "advice": fix.change, "at": iso(one.at)}
