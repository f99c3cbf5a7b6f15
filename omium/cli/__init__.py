"""The command line, `omium`."""

from __future__ import annotations

import click

from omium.cli.group import LazyGroup
from omium.cli.options import common
from omium.cli.output import Output

__all__ = ["cli", "main"]

_COMMANDS = {
    "demo": "omium.cli.demo:demo",
    "run": "omium.cli.running:run",
    "list": "omium.cli.looking:list_executions",
    "show": "omium.cli.looking:show",
    "checkpoints": "omium.cli.looking:checkpoints",
    "resume": "omium.cli.running:resume",
    "recover": "omium.cli.recovering:recover",
    "review": "omium.cli.reviewing:review",
    "fixes": "omium.cli.standing:fixes",
    "rollback": "omium.cli.changing:rollback",
    "fork": "omium.cli.changing:fork",
    "pause": "omium.cli.stopping:pause",
    "halt": "omium.cli.stopping:halt",
    "watch": "omium.cli.watching:watch",
    "stats": "omium.cli.stats:stats",
    "export": "omium.cli.exporting:export",
    "prune": "omium.cli.pruning:prune",
    "verify": "omium.cli.checking:verify",
    "test": "omium.cli.testing:test",
    "doctor": "omium.cli.checking:doctor",
    "policy": "omium.cli.policies:policy",
    "lsp": "omium.cli.lsp:lsp",
    "plugins": "omium.cli.plugins:plugins",
    "explain": "omium.cli.explaining:explain",
    "config": "omium.cli.setup:config",
    "completion": "omium.cli.setup:completion",
}


@click.group(
    cls=LazyGroup,
    commands_at=_COMMANDS,
    open_to_plugins=True,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None},
)
@common
@click.version_option(package_name="omium", message="omium %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Recovery for multi-agent workflows: when a step goes wrong, go back to the last good state and try again.

    Ids take any unique prefix, `@last` and `@last-failed`. Exit status: 0 fine, 1 failed, 2 usage, 3 halted by policy,
    4 paused for a person, 5 diverged, 6 the journal is broken, 130 interrupted.
    """
    if ctx.invoked_subcommand is None:
        from omium.cli.home import home

        home(ctx.ensure_object(Output))


def main() -> None:
    """Run the command line and leave the process with its exit status."""
    cli.main(prog_name="omium")
