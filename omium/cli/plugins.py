"""`omium plugins`: what is installed, what is not in force and why, and a new plugin to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from omium import runtime
from omium.cli.diagnosing import own_commands
from omium.cli.extending import plugin_commands
from omium.cli.options import common
from omium.cli.output import Output
from omium.cli.templating import new_plugin
from omium.cli.wording import clean

__all__ = ["plugins"]


@click.group(invoke_without_command=True)
@common
@click.pass_context
def plugins(ctx: click.Context) -> None:
    """List the plugins that are installed. Of those that could not be loaded, say why."""
    if ctx.invoked_subcommand is None:
        _show(ctx.ensure_object(Output))


@plugins.command("new")
@click.argument("name")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@common
@click.pass_obj
def new(output: Output, name: str, folder: Path | None) -> None:
    """Write a plugin to begin with, and its tests, into FOLDER (`omium-NAME`)."""
    made = new_plugin(name, folder)
    if output.as_json:
        output.data({"name": made.name, "folder": str(made.folder), "files": list(made.files)})
        return
    click.echo(f"{made.folder}: {len(made.files)} files of a plugin that works; keep what you need of it")
    output.next(f"pip install -e {made.folder} pytest", f"pytest {made.folder}", "omium plugins")


def _show(output: Output) -> None:
    found = runtime.plugins()
    left_out = plugin_commands(own_commands()).left_out
    if output.as_json:
        loaded = [
            {"name": one.name, "distribution": one.distribution, "version": one.version, "hooks": list(one.hooks)}
            for one in found.loaded
        ]
        failed = [{"name": one.name, "distribution": one.distribution, "reason": one.reason} for one in found.failed]
        partly = [{"name": one.plugin, "reason": one.reason} for one in left_out]
        output.data({"loaded": loaded, "failed": failed, "left_out": partly})
        return
    rows = [(one.name, one.distribution, one.version, ", ".join(one.hooks)) for one in found.loaded]
    rows += [(one.name, one.distribution, "", clean(f"not loaded: {one.reason}")) for one in found.failed]
    rows += [(one.plugin, "", "", clean(one.reason)) for one in left_out]
    output.table(("NAME", "DISTRIBUTION", "VERSION", "HOOKS"), rows)
    output.next("omium doctor", "omium plugins new NAME")
