"""Options that commands share, and arguments that can be given by place or by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from omium.cli.output import Output

__all__ = ["common", "execution_option", "fill", "places"]

F = TypeVar("F", bound=Callable[..., Any])


def common(command: F) -> F:
    """Add `--json`, `--no-color`, `--store` and `--traceback`; the command itself does not see them."""
    for option in (
        click.option("--json", is_flag=True, expose_value=False, callback=_json, help="Print one object of JSON."),
        click.option("--no-color", is_flag=True, expose_value=False, callback=_color, help="Print without color."),
        click.option(
            "--store",
            metavar="URL",
            expose_value=False,
            callback=_store,
            help="Where executions are kept, instead of the configured store.",
        ),
        click.option(
            "--traceback", is_flag=True, expose_value=False, callback=_traceback, help="Print where an error came from."
        ),
    ):
        command = option(command)
    return command


def execution_option(command: F) -> F:
    """Add `--execution-id`, the named form of the ID."""
    return click.option("--execution-id", metavar="ID", help="The execution, instead of by place.")(command)


def places(metavar: str) -> Callable[[F], F]:
    """Add arguments by place, to be filled with `fill`."""
    return click.argument("given", nargs=-1, metavar=metavar, shell_complete=_ids)


def fill(names: Sequence[str], given: Sequence[str], required: Sequence[str] = (), **named: str | None) -> list[Any]:
    """Return a value for each name: the named one, else the next by place; exit 2 where one is missing or too many are.

    `required` says how each must be given, such as `ID`; a name that is not in it may stay None.
    """
    left = list(given)
    values: list[str | None] = []
    for name in names:
        value = named.get(name)
        values.append(value if value is not None else left.pop(0) if left else None)
        # It is what a script gives whose variable is not set, and must not stand for the newest execution.
        if values[-1] == "":
            raise click.UsageError(f"{_shown(name)} is empty", click.get_current_context())
    if left:
        raise click.UsageError(f"there is nothing that `{left[0]}` could be", click.get_current_context())
    for name, value in zip(names, values, strict=True):
        if value is None and name in required:
            raise click.UsageError(f"{_shown(name)} is missing", click.get_current_context())
    return values


def _shown(name: str) -> str:
    by_name = {"id": "--execution-id ID", "checkpoint": "--to-checkpoint NAME", "file": "--code FILE[:NAME]"}
    return f"{name.upper()} (or `{by_name[name]}`)"


def _json(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    if given:
        ctx.ensure_object(Output).as_json = True


def _color(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    if given:
        ctx.ensure_object(Output).color = False


def _traceback(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    if given:
        ctx.ensure_object(Output).traceback = True


def _store(ctx: click.Context, option: click.Parameter, given: str | None) -> None:
    if given == "":
        raise click.BadParameter("it is empty", ctx, option)
    # User code that runs in this process opens the configured store by itself, so it has to be this one.
    if given is not None:
        os.environ["OMIUM_STORE"] = given


def _ids(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Complete the ids of executions; a shell's completion never fails."""
    from omium.cli.opening import known_ids

    try:
        return known_ids(incomplete)
    except Exception:  # An error here would be printed into the line that is being typed.
        return []
