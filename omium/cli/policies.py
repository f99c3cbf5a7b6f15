"""`omium policy`: check, format, test, explain and name policies; what is in force stands in `governing`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from omium.cli.costs import costs_as_data, costs_in_words
from omium.cli.governing import COMMANDS
from omium.cli.hindsight import replay
from omium.cli.options import common
from omium.cli.output import Output
from omium.cli.status import FAILED
from omium.policies import read_policy
from omium_core.errors import UsageError

__all__ = ["policy"]


@click.group()
def policy() -> None:
    """Check, test, explain and activate `.omp` files."""


_files = click.argument("files", nargs=-1, required=True, metavar="FILE...")


@policy.command()
@_files
@click.option("--program", metavar="FILE[:NAME]", help="The program that the policies are for: can it carry them out?")
@click.option("--sarif", is_flag=True, help="Print SARIF 2.1.0, for code scanners.")
@common
@click.pass_obj
def check(output: Output, files: tuple[str, ...], program: str | None, sarif: bool) -> None:
    """Say everything that is wrong with policies before they run; exit 1 when one cannot be used.

    Names, types and units, bounds that exclude each other, ladders that never end, rules without a test. It also tells
    how long each ladder can wait in all, what each step's rules cost at most, and what a host has to bind; with
    `--program`, what that program lacks.
    """
    from omium.cli.binding import needs_facts, needs_text, with_binding
    from omium_policy.diagnostics import rendered

    loaded = [read_policy(file) for file in files]
    if program is not None:
        loaded = with_binding(loaded, program)
    found = [one for each in loaded for one in each.diagnostics]
    failed = any(each.errors for each in loaded)
    if sarif:
        from omium.cli.sarif import sarif_of

        output.raw(sarif_of(found))
    elif output.as_json:
        output.data(
            {
                "ok": not failed,
                "policies": [{**_facts(one), "needs": needs_facts(one)} for one in loaded],
                "diagnostics": [one.as_data() for one in found],
            }
        )
    else:
        for one in found:
            click.echo(rendered(one) + "\n")
        for each in loaded:
            click.echo(_summary(each))
            for line in needs_text(each) if program is None else ():
                click.echo(line)
        if not failed:
            output.next(f"omium policy test {' '.join(files)}")
    click.get_current_context().exit(FAILED if failed else 0)


@policy.command()
@_files
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit 1 when a file would change.")
@common
@click.pass_obj
def fmt(output: Output, files: tuple[str, ...], only_check: bool) -> None:
    """Lay files out in the canonical form; comments, line breaks and the meaning stay."""
    from omium_policy.diagnostics import rendered
    from omium_policy.formatter import formatted

    changed: list[str] = []
    broken = False
    for file in files:
        source = read_policy(file).source
        text, problems = formatted(source)
        if text is None:
            broken = True
            for one in problems:
                click.echo(rendered(one), err=True)
        elif text != source.text:
            changed.append(file)
            if not only_check:
                Path(file).write_text(text, encoding="utf-8")
    if output.as_json:
        output.data({"ok": not broken and not (only_check and changed), "changed": changed})
    else:
        for file in changed:
            click.echo(f"{'would change' if only_check else 'formatted'}: {file}")
        if not changed and not broken:
            click.echo("nothing to change")
    click.get_current_context().exit(FAILED if broken or (only_check and changed) else 0)


@policy.command()
@_files
@click.option("--junit-xml", metavar="FILE", help="Write the outcome as JUnit XML, for CI servers.")
@common
@click.pass_obj
def test(output: Output, files: tuple[str, ...], junit_xml: str | None) -> None:
    """Run the tests that policies carry; exit 1 when one fails."""
    from omium_policy.diagnostics import rendered
    from omium_policy.testing import run_tests

    outcomes = []
    for file in files:
        loaded = read_policy(file)
        if loaded.errors:
            for one in loaded.errors:
                click.echo(rendered(one), err=True)
            raise UsageError(f"`{file}` has {len(loaded.errors)} errors, so its tests cannot run")
        outcomes += [one for program in loaded.own for one in run_tests(loaded.source, program)]
    failed = [one for one in outcomes if not one.passed]
    if junit_xml is not None:
        from omium.cli.junit import junit_of

        Path(junit_xml).write_text(junit_of("omium policy test", outcomes), encoding="utf-8")
    if output.as_json:
        output.data({"ok": not failed, "tests": [_outcome(one) for one in outcomes]})
    else:
        for outcome in outcomes:
            click.echo(f"{'✔' if outcome.passed else '✘'} {outcome.rule or 'policy'}: {outcome.test}")
            for failure in outcome.failures:
                click.echo(rendered(failure))
        click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} tests pass")
    click.get_current_context().exit(FAILED if failed else 0)


@policy.command()
@click.argument("file", metavar="FILE")
@click.argument("rule", required=False, metavar="[RULE]")
@common
@click.pass_obj
def explain(output: Output, file: str, rule: str | None) -> None:
    """Say in plain English what a policy, or one of its rules, demands."""
    from omium_policy.explaining import explained

    loaded = read_policy(file)
    if loaded.file is None:
        raise UsageError(f"`{file}` does not parse; `omium policy check {file}` says why")
    text = explained(loaded.file, rule)
    if not text:
        raise UsageError(f"`{file}` has no rule `{rule}`")
    if output.as_json:
        output.data({"explanation": text})
    else:
        click.echo(text)


@policy.command()
@click.argument("file", metavar="FILE")
@common
@click.pass_obj
def bench(output: Output, file: str) -> None:
    """Measure what a policy's rules take on this machine, at each step and moment.

    Rules are asked of data that their own tests give, where these hold. Next to it: what calling a function that does
    nothing takes, and the most that the rules can cost, which does not depend on the machine.
    """
    from omium.cli.benching import measured

    loaded = read_policy(file)
    if loaded.errors:
        raise UsageError(f"`{file}` has {len(loaded.errors)} errors; `omium policy check {file}` says which")
    figures = measured(loaded)
    if output.as_json:
        output.data(figures.as_data())
    else:
        for line in figures.in_words():
            click.echo(line)


@policy.command(name="hash")
@_files
@common
@click.pass_obj
def hash_(output: Output, files: tuple[str, ...]) -> None:
    """Print what an execution pins: the hash over a policy's meaning and its packs; formatting does not change it."""
    hashes: dict[str, str] = {}
    for file in files:
        loaded = read_policy(file)
        if loaded.file is None:
            raise UsageError(f"`{file}` does not parse; `omium policy check {file}` says why")
        hashes[file] = loaded.hash
    if output.as_json:
        output.data({"hashes": hashes})
    else:
        for file, digest in hashes.items():
            click.echo(f"sha256:{digest}  {file}")


for command in (*COMMANDS, replay):
    policy.add_command(command)


def _facts(loaded: Any) -> dict[str, Any]:
    return {"file": loaded.source.name, "hash": loaded.hash, "waits": _waits(loaded), "costs": costs_as_data(loaded)}


def _waits(loaded: Any) -> dict[str, float]:
    from omium_policy import syntax
    from omium_policy.checking.ladders import worst_wait_s

    policies = loaded.file.policies if loaded.file is not None else ()
    return {one.name.text: float(worst_wait_s(one)) for each in policies for one in each.of(syntax.Recovery)}


def _summary(loaded: Any) -> str:
    from omium_policy.wording import seconds_in_words

    counts = {
        kind: sum(one.severity == kind for one in loaded.diagnostics) for kind in ("error", "warning", "coverage")
    }
    if counts["error"]:
        return f"{loaded.source.name}: cannot be used: {counts['error']} errors, {counts['warning']} warnings"
    waits = ", ".join(f"`{name}` {seconds_in_words(wait)}" for name, wait in _waits(loaded).items())
    extra = f"; {counts['warning']} warnings, {counts['coverage']} rules not covered by tests"
    said = extra if counts["warning"] or counts["coverage"] else ""
    lines = [
        f"{loaded.source.name}: ok{said}",
        *([f"longest waits: {waits}"] if waits else []),
        *costs_in_words(loaded),
    ]
    return "\n".join(lines)


def _outcome(outcome: Any) -> dict[str, Any]:
    return {
        "test": outcome.test,
        "rule": outcome.rule,
        "where": outcome.where,
        "passed": outcome.passed,
        "failures": [one.as_data() for one in outcome.failures],
    }
