"""`omium export`: the whole journal of an execution as a file that anybody can check."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from omium.cli.hints import command
from omium.cli.ids import short_id
from omium.cli.opening import existing
from omium.cli.options import common, execution_option, fill, places
from omium.cli.output import Output, plain
from omium.cli.wording import counted
from omium_core.errors import UsageError
from omium_core.runtime.exporting import FORMAT, exported

__all__ = ["export"]


@click.command()
@places("ID")
@execution_option
@click.option("--output", "-o", "path", metavar="FILE", type=click.Path(path_type=Path), help="Where to write it.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@common
@click.pass_obj
def export(
    output: Output, given: tuple[str, ...], execution_id: str | None, path: Path | None, overwrite: bool
) -> None:
    """Write the journal of an execution as lines of JSON. Headers, values, and all that its chain of hashes is over.

    It goes to stdout without `--output`. Values are in it, also those that are secret.
    """
    (execution,) = fill(("id",), given, ("id",), id=execution_id)
    if path is None and output.as_json:
        raise click.UsageError("the journal itself goes to stdout; give `--output FILE` with `--json`")
    store = existing().store
    row = store.find(execution)
    end: dict[str, Any] = {}
    with _opened(path, overwrite) as file:
        for line in exported(store, row):
            end = line.get("end", end)
            file.write(json.dumps(plain(line), separators=(",", ":"), allow_nan=False))
            file.write("\n")
    if output.as_json:
        output.data({"execution": row.id, "format": FORMAT, "output": str(path), **end})
        return
    written = f"{counted(end['events'], 'event')} and {counted(end['blobs'], 'blob')}"
    output.note(f"exported {written} of {row.id}; head: {end['hash']}")
    output.next(command("verify", short_id(store, row.id), "--head", end["hash"][:16]))


@contextlib.contextmanager
def _opened(path: Path | None, overwrite: bool) -> Iterator[TextIO]:
    """Give the file to write, which has its name only once it is whole."""
    if path is None:
        yield sys.stdout
        return
    if path.exists() and not overwrite:
        raise UsageError(f"there is a file `{path}` already; give another name, or `--overwrite`")
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(new, "x", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(new, path)
        else:
            # Unlike a rename this fails where somebody made the file meanwhile.
            os.link(new, path)
    except FileExistsError as error:
        raise UsageError(f"there is a file `{path}` already; give another name, or `--overwrite`") from error
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {(error.strerror or str(error)).lower()}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
