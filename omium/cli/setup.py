"""`omium config show` and `completion`: what is in force, and the shell."""

from __future__ import annotations

from typing import Any

import attrs
import click

from omium.cli.group import LazyGroup
from omium.cli.options import common
from omium.cli.output import Output
from omium.cli.wording import clean
from omium.config import Config, load_config

__all__ = ["completion", "config"]

_SHELLS = ("bash", "zsh", "fish")
_SET_UP = {
    "bash": 'eval "$(omium completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(omium completion zsh)"    # in ~/.zshrc',
    "fish": "omium completion fish > ~/.config/fish/completions/omium.fish",
}


@click.group(invoke_without_command=True)
@click.pass_context
def config(ctx: click.Context) -> None:
    """Show the configuration that is in force here."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_config, origin=False)


@config.command("show")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@common
@click.pass_obj
def show_config(output: Output, origin: bool) -> None:
    """Show every value that is in force."""
    found = load_config()
    values = _values(found)
    if output.as_json:
        origins = {"origins": dict(found.origins)} if origin else {}
        output.data({"config": values, **origins, "warnings": list(found.warnings)})
        return
    rows = [(name, clean(_text(value)), found.origins.get(name, "")) for name, value in values.items()]
    output.table(("KEY", "VALUE", "FROM") if origin else ("KEY", "VALUE"), [row if origin else row[:2] for row in rows])
    for warning in found.warnings:
        output.note(f"warning: {warning}")
    output.next("omium doctor" if origin else "omium config show --origin")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the code that completes `omium` in a shell."""
    from click.shell_completion import get_completion_class

    root = ctx.find_root()
    assert isinstance(root.command, LazyGroup)
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(root.command, {}, "omium", "_OMIUM_COMPLETE").source())
    ctx.ensure_object(Output).next(_SET_UP[shell])


def _values(config: Config) -> dict[str, Any]:
    """Return the fields that have an origin, and the project's folder."""
    found = attrs.asdict(config, recurse=False)
    return {name: found[name] for name in ("project", "home", *sorted(set(config.origins) - {"home"}))}


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {one}" for key, one in value.items()) or "none"
    return "none" if value is None else str(value)
