"""Commands that plugins add."""

from __future__ import annotations

from typing import Any

import click

from omium.runtime import plugins

__all__ = ["plugin_commands"]


def plugin_commands(taken: frozenset[str]) -> dict[str, click.Command]:
    """Return the commands of all plugins by name; say which are left out because their names are `taken`."""
    added: dict[str, click.Command] = {}
    for one in plugins().manager.hook.register_commands.get_hookimpls():
        for name, command in _commands_of(one).items():
            if name in taken or name in added:
                whose = "one of Omium's own commands" if name in taken else "another plugin's command"
                click.echo(
                    f"warning: the command `{name}` of plugin `{one.plugin_name}` is {whose}, so it is left out",
                    err=True,
                )
            else:
                added[name] = command
    return added


def _commands_of(hook: Any) -> dict[str, click.Command]:
    """Let one plugin add to a group of its own, where it can neither see nor replace others' commands."""
    group = click.Group()
    try:
        hook.function(*([group] if hook.argnames else []))
    except Exception as error:  # A plugin may raise anything.
        click.echo(f"warning: plugin `{hook.plugin_name}` failed in `register_commands`: {error}", err=True)
    return dict(group.commands)
