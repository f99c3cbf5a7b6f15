"""`omium policy replay`: what a policy would have said of recorded executions."""

from __future__ import annotations

import attrs
import click

from omium.cli.ids import short_id
from omium.cli.opening import check_workflow, existing
from omium.cli.options import common
from omium.cli.output import Output
from omium.cli.wording import clean, counted
from omium.policies import load_policy
from omium_core.runtime.store import Store

__all__ = ["replay"]

FINDINGS_SHOWN_MAX = 50
# The newest ones, where nobody says which.
EXECUTIONS_MAX = 1_000


@click.command()
@click.argument("file", metavar="FILE")
@click.argument("executions", nargs=-1, metavar="EXECUTION...")
@click.option("--workflow", metavar="NAME", help="All executions of this workflow, instead of by id.")
@common
@click.pass_obj
def replay(output: Output, file: str, executions: tuple[str, ...], workflow: str | None) -> None:
    """Say what a policy would have decided on recorded executions, and which rules never or always fire.

    Without ids, of the newest thousand. Nothing is performed and nothing changes: what the steps took and gave,
    and which tools they used, is read from the journal.
    """
    from omium.hindsight import look_back

    store = existing().store
    check_workflow(store, workflow)
    chosen = [store.find(one).id for one in executions] or _all(store, workflow)
    found = look_back(load_policy(file), store, chosen)
    warnings = {rule: tally.warning for rule, tally in found.rules.items() if tally.warning}
    if output.as_json:
        output.data(
            {
                "executions": chosen,
                "rules": {rule: attrs.asdict(tally) for rule, tally in found.rules.items()},
                "findings": [attrs.asdict(one) for one in found.findings],
                "warnings": warnings,
                "unread": found.unread,
            }
        )
        return
    width = max((len(rule) for rule in found.rules), default=0)
    for rule, tally in found.rules.items():
        share = f"{tally.fired / tally.asked:>5.0%}" if tally.asked else "     "
        hint = f"   {warnings[rule]}" if rule in warnings else ""
        click.echo(f"{rule:<{width}}  asked {tally.asked:>6}  fires {tally.fired:>6} {share}{hint}")
    for one in found.findings[:FINDINGS_SHOWN_MAX]:
        mode = "" if one.mode == "blocking" else f" ({one.mode})"
        place = f"{short_id(store, one.execution)} {one.step or 'the workflow'}, attempt {one.attempt}"
        click.echo(f"✘ {place}: {one.rule}{mode}: {clean(one.message)}")
    if len(found.findings) > FINDINGS_SHOWN_MAX:
        output.note(f"{len(found.findings) - FINDINGS_SHOWN_MAX} more; `--json` has them all")
    for execution, why in found.unread.items():
        output.note(f"{execution} could not be read: {why}")
    click.echo(f"{counted(len(chosen), 'execution')}, {counted(len(found.findings), 'finding')}")


def _all(store: Store, workflow: str | None) -> list[str]:
    return [row.id for row in store.executions(workflow=workflow, limit=EXECUTIONS_MAX)]
