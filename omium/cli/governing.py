"""`omium policy activate`, `override`, `history`, `drift`: who changes policies, and is what runs what they say."""

from __future__ import annotations

from typing import Any

import attrs
import click

from omium import governing
from omium.activation import short
from omium.cli.binding import lacking
from omium.cli.facts import iso
from omium.cli.opening import existing
from omium.cli.options import common
from omium.cli.output import Output
from omium.cli.status import FAILED
from omium.cli.wording import clean, counted, moment
from omium.governing import Drift
from omium.runtime import runtime_for
from omium_core.errors import PolicyError
from omium_core.model import events as e
from omium_policy.diagnostics import rendered

__all__ = ["COMMANDS"]

_by = click.option("--by", metavar="WHO", required=True, help="Who does it; it is kept in the journal.")


@click.command()
@click.argument("file", metavar="FILE")
@_by
@click.option("--reason", metavar="TEXT", default="", help="Why; it is kept in the journal.")
@click.option("--program", metavar="FILE[:NAME]", help="The program that the policy is for: can it carry it out?")
@common
@click.pass_obj
def activate(output: Output, file: str, by: str, reason: str, program: str | None) -> None:
    """Bring a policy's file into force, if the version in force lets it in now. Executions that run keep theirs."""
    runtime = runtime_for()
    version = governing.usable(runtime, file)
    problems = lacking(version.loaded, program) if program is not None else []
    if problems:
        for one in problems:
            output.note(rendered(one) + "\n")
        raise PolicyError(file, len(problems), problems[0].message, tuple(rendered(one) for one in problems))
    brought = governing.activate(runtime, version, by, reason)
    active = brought.record.of(version.loaded.hash)
    assert active is not None
    if output.as_json:
        output.data({"new": brought.new, **_facts(active)})
        return
    said = "is in force" if brought.new else "was in force already"
    click.echo(f"version sha256:{short(active.hash)} of `{clean(active.name)}` {said}")
    if brought.overridden:
        click.echo(f"overridden by {', '.join(map(clean, brought.overridden))}")
    output.next(f"omium policy history {active.name}")


@click.command()
@click.argument("file", metavar="FILE")
@_by
@click.option("--reason", metavar="TEXT", required=True, help="Why; it is kept in the journal.")
@common
@click.pass_obj
def override(output: Output, file: str, by: str, reason: str) -> None:
    """Let a policy's file in, as one person of the role that may, at a time when it may not change.

    It holds for the file as it is now, and for as long as the version in force says.
    """
    runtime = existing()
    made, missing = governing.override(runtime, governing.usable(runtime, file), by, reason)
    if output.as_json:
        output.data({"allowed": not missing, "missing": missing, **_facts(made)})
        return
    click.echo(f"{clean(made.by)} lets sha256:{short(made.hash)} in, as one of `{clean(made.role)}`")
    if missing:
        output.note(f"it may not come into force yet: {clean(missing)}")
    else:
        output.next(f"omium policy activate {file} --by {clean(made.by)}")


@click.command()
@click.argument("policy", metavar="FILE|NAME")
@common
@click.pass_obj
def history(output: Output, policy: str) -> None:
    """List the versions of a policy that came into force, and who let them in."""
    record = governing.policy_named(existing(), policy)
    if output.as_json:
        output.data({"policy": record.name, "changes": [_facts(one) for one in record.changes]})
        return
    rows = [
        (
            moment(one.at),
            "activated" if isinstance(one, e.PolicyActivated) else "overridden",
            short(one.hash),
            clean(one.version) if isinstance(one, e.PolicyActivated) else "",
            clean(one.by),
            clean(one.reason),
        )
        for one in record.changes
    ]
    output.table(("AT", "WHAT", "HASH", "VERSION", "BY", "REASON"), rows)
    output.next("omium policy drift")


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--git", "ref", metavar="REF", help="Compare with the files at a git revision, not on the disk.")
@common
@click.pass_obj
def drift(output: Output, files: tuple[str, ...], ref: str | None) -> None:
    """Say whether executions run under what the files say; exit 1 where one that has not ended, or a new one, does not.

    Executions that ended keep what they pinned, which is listed and is no drift.
    """
    found = governing.drift(existing(), files, ref)
    drifted = any(one.drifted for one in found)
    if output.as_json:
        facts = [{**attrs.asdict(one), "drifted": one.drifted} for one in found]
        output.data({"ok": not drifted, "policies": facts})
    elif not found:
        output.note("no policy was ever in force here")
    else:
        for one in found:
            _tell(one)
        if drifted:
            output.next(f"omium policy history {next(one.name for one in found if one.drifted)}")
    click.get_current_context().exit(FAILED if drifted else 0)


def _tell(one: Drift) -> None:
    says = f"sha256:{short(one.says)}" if one.says else f"nothing that can be used ({clean(one.problem)})"
    click.echo(f"{clean(one.name)}: `{clean(one.file)}` says {says}" + (": DRIFT" if one.drifted else ""))
    if one.active is None:
        click.echo("  in force: no version yet")
    elif one.active != one.says:
        why = f" ({clean(one.refused)})" if one.refused else ""
        click.echo(f"  in force: sha256:{short(one.active)}{why}")
    for pin in one.pinned:
        same = "" if pin.hash == one.says else ", another version"
        counts = f"{counted(pin.executions, 'execution')}, {pin.unfinished} not ended"
        click.echo(f"  {clean(pin.workflow)} pinned sha256:{short(pin.hash)}: {counts}{same}")


def _facts(change: e.PolicyActivated | e.PolicyOverridden) -> dict[str, Any]:
    shared = {"at": iso(change.at), "hash": change.hash, "by": change.by, "reason": change.reason}
    if isinstance(change, e.PolicyOverridden):
        return {"what": "overridden", **shared, "role": change.role}
    own = {"name": change.name, "version": change.version, "file": change.file, "overridden": list(change.overridden)}
    return {"what": "activated", **shared, **own}


COMMANDS = (activate, override, history, drift)
