"""Commands that plugins add."""

from __future__ import annotations

from typing import Any

import attrs
import click

from omium.runtime import plugins

__all__ = ["Added", "LeftOut", "plugin_commands"]


@attrs.frozen
class LeftOut:
    """Something that a plugin wanted to add to the command line and could not, and why in one sentence."""

    plugin: str
    reason: str


@attrs.frozen
class Added:
    """The commands of all plugins by name, and what is left out of them."""

    commands: dict[str, click.Command] = attrs.field(factory=dict)
    left_out: list[LeftOut] = attrs.field(factory=list)


def plugin_commands(taken: frozenset[str]) -> Added:
    """Return what plugins add; a plugin cannot replace what is `taken`, nor what another one added before it."""
    added = Added()
    owners: dict[str, str] = {}
    for one in plugins().manager.hook.register_commands.get_hookimpls():
        for name, command in _commands_of(one, added.left_out).items():
            if name in taken:
                reason = f"the command `{name}` is one of Omium's own, so it is left out"
                added.left_out.append(LeftOut(one.plugin_name, reason))
            elif name in owners:
                reason = f"the command `{name}` is already one of plugin `{owners[name]}`, so it is left out"
                added.left_out.append(LeftOut(one.plugin_name, reason))
            else:
                added.commands[name], owners[name] = command, one.plugin_name
    return added


def _commands_of(hook: Any, left_out: list[LeftOut]) -> dict[str, click.Command]:
    """Let one plugin add to a group of its own, where it can neither see nor replace others' commands."""
    group = click.Group()
    try:
        hook.function(*([group] if hook.argnames else []))
    except (Exception, SystemExit) as error:  # A plugin may raise anything.
        text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        left_out.append(LeftOut(hook.plugin_name, f"it failed in `register_commands`: {text}"))
    return dict(group.commands)
