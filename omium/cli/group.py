"""The command line's group: commands are imported when they are used, errors become one line and an exit status."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from omium.cli.output import Output

__all__ = ["MISSING_YET", "LazyGroup"]

MISSING_YET = frozenset({"demo"})
"""Commands whose module may not be there."""


class LazyGroup(click.Group):
    """Commands by name and where they are, `module:attribute`; with `open_to_plugins`, plugins may add others."""

    def __init__(
        self, *args: Any, commands_at: Mapping[str, str] | None = None, open_to_plugins: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.commands_at = dict(commands_at or {})
        self.open_to_plugins = open_to_plugins
        self.added: dict[str, click.Command] | None = None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give Omium's own commands in their order, then those of plugins."""
        own = [name for name in self.commands_at if self.get_command(ctx, name) is not None]
        return [*own, *sorted(set(self._of_plugins()) - set(own))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, an own one BEFORE any plugin is asked: a plugin cannot take its place."""
        if cmd_name in self.commands_at:
            return self._own(cmd_name)
        return self._of_plugins().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed; one that there is not is answered with those that are spelt alike."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # only a misspelt command needs it

            near = difflib.get_close_matches(args[0], [*self.commands_at, *self._of_plugins()], n=1)
            if not near:
                raise
            text = f"{error.format_message().rstrip('.')} (did you mean '{near[0]}'?)"
            raise click.UsageError(text, ctx) from error

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run a command line and leave with its exit status."""
        output = extra.setdefault("obj", Output())
        typed = args[0] if args else extra.get("args")
        run = functools.partial(super().main, *args, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        _never_fail_to_print()
        sys.exit(_status_of(run, output, sys.argv[1:] if typed is None else typed))

    def _own(self, name: str) -> click.Command | None:
        module, _, attribute = self.commands_at[name].partition(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if name in MISSING_YET and error.name == module:
                return None
            raise
        return command

    def _of_plugins(self) -> dict[str, click.Command]:
        if self.added is None:
            self.added = self._ask_plugins() if self.open_to_plugins else {}
        return self.added

    def _ask_plugins(self) -> dict[str, click.Command]:
        from omium.cli.extending import plugin_commands

        added = plugin_commands(frozenset(self.commands_at))
        for one in added.left_out:
            click.echo(f"warning: plugin `{one.plugin}`: {one.reason}", err=True)
        return added.commands


def _status_of(run: Callable[[], Any], output: Output, typed: Sequence[str]) -> int:
    """Run it; give the exit status and tell what went wrong in one line."""
    try:
        status = run()
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        # What is wrong may come before `--json`, which was not looked at then.
        output.as_json = output.as_json or "--json" in typed
        return _usage(error, output)
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return _told(error, output)


def _usage(error: click.ClickException, output: Output) -> int:
    message = re.sub(r"valid integer( range)?", "whole number", error.format_message())
    if message[1:2].islower():
        message = message[:1].lower() + message[1:]
    message = message.rstrip(".")
    ctx = getattr(error, "ctx", None)
    message = re.sub(r"\. \(?(?=Did you mean)(.*?)\)?$", _suggested, message)
    hint = f"; see `{ctx.command_path} --help`" if isinstance(error, click.UsageError) and ctx is not None else ""
    return _fail(output, "usage", f"{message}{hint}", error.exit_code)


def _suggested(found: re.Match[str]) -> str:
    """Give what click suggests as a part of the sentence: in brackets, so that more can follow its question mark."""
    return f" (did you mean {found[1].removeprefix('Did you mean ')})"


def _told(error: Exception, output: Output) -> int:
    from omium.cli.status import described, status_of

    if output.traceback:
        traceback.print_exception(type(error), error, error.__traceback__)
    code, message = described(error)
    return _fail(output, code, message, status_of(error))


def _fail(output: Output, code: str, message: str, status: int) -> int:
    if output.as_json:
        output.data({"error": {"code": code, "message": message, "exit_status": status}})
    click.echo(f"error: {message}", err=True)
    _name_explanation(output, code)
    return status


def _name_explanation(output: Output, code: str) -> None:
    """Name the command that says more; what a usage error should be is said by the error itself."""
    if code in ("usage", "unexpected"):
        return
    from omium.cli.explaining import is_explained

    with contextlib.suppress(OSError):
        if is_explained(code):
            output.next(f"omium explain {code}")


def _never_fail_to_print() -> None:
    """What a terminal has no character for is replaced: a message is worth more than its typography."""
    for stream in (sys.stdout, sys.stderr):
        # Streams that were put in place of the real ones need not have this.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # text streams have it
