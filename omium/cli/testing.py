"""`omium test`: play scenarios, in stores that are thrown away."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import click

from omium.cli.code import loaded
from omium.cli.options import common, fill
from omium.cli.output import Output
from omium.cli.progress import quiet_stdout
from omium.cli.status import FAILED
from omium.cli.wording import clean
from omium.config import load_config
from omium.testing.scenarios import scenarios_in
from omium.testing.scenarios.playing import SUFFIX, Played, play, play_file
from omium_core.errors import UsageError

__all__ = ["test"]


@attrs.frozen(eq=False)
class _Found:
    """A scenario of either form, and how it is played."""

    name: str
    play: Callable[[], Played]


@click.command()
@click.argument("given", nargs=-1, metavar="[FILE]", type=click.Path())
@click.option("--file", "named", metavar="FILE", type=click.Path(), help="The file, instead of by place.")
@click.option("--scenario", metavar="NAME", help="Only the scenario of that name.")
@click.option("--rewrite", is_flag=True, help=f"Let text scenarios (*{SUFFIX}) expect what comes of them.")
@common
@click.pass_obj
def test(output: Output, given: tuple[str, ...], named: str | None, scenario: str | None, rewrite: bool) -> None:
    """Play the scenarios of FILE. It is a workflow's file, a text scenario, or a folder of text scenarios.

    Without FILE, those that the configured `workflows` declare. Nothing of it touches the configured store.
    """
    (file,) = fill(("file",), given, file=named)
    with quiet_stdout(output):
        chosen = _chosen(list(_found(file, rewrite)), scenario, file)
        played = [one.play() for one in chosen]
    failed = [one for one in played if one.problem]
    if output.as_json:
        counts = {"passed": len(played) - len(failed), "failed": len(failed)}
        output.data({"ok": not failed, **counts, "scenarios": [attrs.asdict(one) for one in played]})
    else:
        for one in played:
            _tell(one)
        click.echo(f"{len(played) - len(failed)} passed, {len(failed)} failed")
    click.get_current_context().exit(FAILED if failed else 0)


def _found(file: str | None, rewrite: bool) -> Iterator[_Found]:
    if file is None:
        configured = load_config().workflows
        if not configured:
            raise UsageError("no scenarios are named; give a file or folder, or set `workflows` in [tool.omium]")
        for one in configured:
            yield from _declared(one)
        return
    path = Path(file)
    if path.is_dir():
        yield from (_written(one, rewrite) for one in sorted(path.rglob(f"*{SUFFIX}")))
    elif path.suffix == SUFFIX:
        if not path.is_file():
            raise UsageError(f"there is no file `{file}`")
        yield _written(path, rewrite)
    else:
        yield from _declared(file)


def _written(path: Path, rewrite: bool) -> _Found:
    return _Found(path.stem, lambda: play_file(path, rewrite=rewrite))


def _declared(spec: str) -> Iterator[_Found]:
    module, _ = loaded(spec)
    for one in scenarios_in(module):
        yield _Found(one.name, lambda one=one: play(one))  # type: ignore[misc]  # mypy does not infer this lambda


def _chosen(found: list[_Found], name: str | None, file: str | None) -> list[_Found]:
    """Return the scenarios that are asked for; none at all is a mistake, not a success."""
    where = f"`{file}`" if file is not None else "the configured `workflows`"
    if not found:
        raise UsageError(f"there is no scenario in {where}; write one with `@omium.scenario`, or in a file *{SUFFIX}")
    if name is None:
        return found
    chosen = [one for one in found if one.name == name]
    if not chosen:
        names = [one.name for one in found]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"there is {', '.join(f'`{one}`' for one in names)}"
        raise UsageError(f"there is no scenario `{name}` in {where}; {hint}")
    return chosen


def _shown(where: str) -> str:
    """Return a place as it is found from here."""
    with contextlib.suppress(ValueError):
        return str(Path(where).relative_to(Path.cwd()))
    return where


def _tell(played: Played) -> None:
    mark = "failed" if played.problem else "rewritten" if played.rewritten else "passed"
    click.echo(f"{mark:<9} {clean(played.name)}  {clean(_shown(played.where))}")
    for line in played.problem.splitlines():
        click.echo(f"    {line}")
