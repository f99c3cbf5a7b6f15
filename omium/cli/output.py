"""What commands print: data on stdout, messages on stderr, plain where nobody looks at a terminal."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import click

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["PIPE_COLUMNS", "SCHEMA_VERSION", "Output", "interactive", "make_console", "plain"]

SCHEMA_VERSION = 1
PIPE_COLUMNS = 10_000
"""Nobody reads a pipe at a certain width, so lines are not folded there."""


def interactive() -> bool:
    """Say whether a person is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def make_console(*, stderr: bool = False, color: bool = True) -> Console:
    """Return a console that respects pipes, `NO_COLOR`, `COLUMNS` and terminals that are not UTF-8."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    plain_text = not color or bool(os.environ.get("NO_COLOR"))
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPE_COLUMNS
    return Console(
        file=stream,
        width=width,
        color_system=None if plain_text else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )


@attrs.define
class Output:
    """How this call of the command line speaks."""

    as_json: bool = False
    color: bool = True
    traceback: bool = attrs.field(factory=lambda: os.environ.get("OMIUM_TRACEBACK", "") not in ("", "0"))

    def console(self) -> Console:
        """Return the console for data."""
        return make_console(color=self.color)

    def data(self, content: Mapping[str, Any]) -> None:
        """Print one object of JSON."""
        whole = {"schema_version": SCHEMA_VERSION, **content}
        click.echo(json.dumps(plain(whole), ensure_ascii=not _is_utf8(), indent=2, allow_nan=False))

    def raw(self, text: str) -> None:
        """Print data that has a form of its own."""
        click.echo(text)

    def note(self, text: str) -> None:
        """Say something to the person at the terminal."""
        click.echo(text, err=True)

    def next(self, *commands: str) -> None:
        """Name the commands that are likely next."""
        if not self.as_json:
            for number, command in enumerate(commands):
                self.note(f"Next: {command}" if not number else f"      {command}")

    def table(self, head: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """Print rows under their column names."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
        for number, name in enumerate(head):
            table.add_column(name, overflow="fold", no_wrap=number == 0)
        for row in rows:
            table.add_row(*row)
        self.console().print(table)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; what JSON has no word for becomes text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _is_utf8() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
