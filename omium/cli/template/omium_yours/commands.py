"""`omium yours`."""

from __future__ import annotations

import click

from omium_yours.detector import placeholders_in

__all__ = ["look"]


@click.command("yours")
@click.argument("text")
@click.pass_context
def look(ctx: click.Context, text: str) -> None:
    """Say which placeholders a text has; exit 1 when it has any."""
    found = placeholders_in(text)
    for one in found:
        click.echo(one)
    ctx.exit(1 if found else 0)
