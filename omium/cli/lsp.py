"""`omium lsp`: the language server for editors."""

from __future__ import annotations

import click

from omium.cli.options import common
from omium_core.errors import MissingExtra

__all__ = ["lsp"]

_NEEDED = ("lsprotocol", "pygls")


@click.command()
@click.option("--tcp", "port", type=click.IntRange(1, 65535), metavar="PORT", help="Serve a port of this machine.")
@click.option("--stdio", is_flag=True, help="Serve standard input and output, as is done anyway; editors say so.")
@common
def lsp(port: int | None, stdio: bool) -> None:
    """Serve an editor: policies, and Python files with steps.

    It speaks the Language Server Protocol over standard input and output; an editor starts it by itself.
    """
    if port is not None and stdio:
        raise click.UsageError("`--tcp` and `--stdio` exclude each other", click.get_current_context())
    try:
        from omium.lsp.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _NEEDED:
            raise MissingExtra("lsp", extra="lsp") from error
        raise
    serve(port)
