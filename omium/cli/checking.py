"""`omium verify` and `omium doctor`: is what was written still there, and can this machine be relied on."""

from __future__ import annotations

import click

from omium import operating
from omium.cli.diagnosing import BROKEN as SICK
from omium.cli.diagnosing import as_data, diagnose
from omium.cli.hints import command
from omium.cli.ids import short_id
from omium.cli.opening import existing
from omium.cli.options import common, execution_option, fill, places
from omium.cli.output import Output
from omium.cli.status import BROKEN, FAILED
from omium.cli.wording import clean, counted

__all__ = ["doctor", "verify"]


@click.command()
@places("[ID]")
@execution_option
@click.option("--head", metavar="HASH", help="A chain hash or checkpoint id, noted elsewhere, that must be there.")
@common
@click.pass_obj
def verify(output: Output, given: tuple[str, ...], execution_id: str | None, head: str | None) -> None:
    """Check that what is stored is as it was written. Journals, bodies and blobs; of one execution, or of all."""
    (execution,) = fill(("id",), given, id=execution_id)
    if head == "":
        raise click.UsageError("`--head` is empty", click.get_current_context())
    store = existing().store
    result = operating.verify(execution, head=head)
    if output.as_json:
        problems = [{"execution": one.execution, "seq": one.seq, "message": str(one)} for one in result.problems]
        sizes = {"executions": result.executions, "policies": result.policies, "events": result.events}
        found = {"problems": problems, "pruned": result.pruned, "heads": result.heads}
        output.data({"ok": result.ok, **sizes, **found})
    elif result.ok:
        policies = f", {counted(result.policies, 'policy journal')}" if result.policies else ""
        checked = f"{counted(result.executions, 'execution')}{policies}, {counted(result.events, 'event')}"
        click.echo(f"ok: {checked}, all as they were written")
        if result.pruned:
            click.echo(
                f"pruned: the values of {counted(len(result.pruned), 'execution')} are gone, as their journals say"
            )
        for id, digest in result.heads.items() if execution is not None else ():
            click.echo(f"head: {digest}")
            output.next(command("verify", short_id(store, id), "--head", digest[:16]))
    else:
        for one in result.problems:
            click.echo(clean(f"broken: {one}"))
        output.note("restore the store from a backup, or keep it as evidence")
        output.next("omium doctor")
    click.get_current_context().exit(0 if result.ok else BROKEN)


@click.command()
@common
@click.pass_obj
def doctor(output: Output) -> None:
    """Check Python, the store, the clock, plugins, configuration. Exit status 1 when something is broken."""
    findings = diagnose()
    sick = [one for one in findings if one.status == SICK]
    if output.as_json:
        output.data({"ok": not sick, "findings": [as_data(one) for one in findings]})
    else:
        output.table(("", "WHAT", "FOUND"), [(one.status, one.name, clean(one.message)) for one in findings])
        output.next("omium doctor" if sick else "omium list")
    click.get_current_context().exit(FAILED if sick else 0)
