"""Writing a plugin to begin with: the template beside this module under another name."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

import attrs

from omium import runtime
from omium_core.errors import UsageError

__all__ = ["NewPlugin", "new_plugin"]

TEMPLATE = Path(__file__).with_name("template")
STAND_IN = "yours"
"""The name that the template's plugin has."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SKIPPED = {"__pycache__"}


@attrs.frozen
class NewPlugin:
    """A plugin that was written: its name, its folder, and the files in it."""

    name: str
    folder: Path
    files: tuple[str, ...]


def new_plugin(name: str, folder: Path | None = None) -> NewPlugin:
    """Write the template as a plugin of that name; raise `UsageError` where nothing could be written, or not safely."""
    name = name.removeprefix("omium-")
    _check_name(name)
    folder = folder if folder is not None else Path(f"omium-{name}")
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(f"`{folder}` is there already; name an empty or a new folder: omium plugins new {name} FOLDER")
    try:
        return NewPlugin(name, folder, _write(name, folder))
    except OSError as error:
        raise UsageError(f"`{folder}` cannot be written: {error.strerror or error}") from error


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        hint = f"; did you mean `{near}`?" if _NAME.fullmatch(near) else ""
        raise UsageError(
            f"a plugin cannot be named `{name}`; a name is lower-case letters, digits and single `-`, "
            f"and begins with a letter{hint}"
        )
    if name == STAND_IN:
        raise UsageError(f"a plugin cannot be named `{name}`: the template has that name until it is given another")
    holder = next((one.distribution for one in runtime.plugins().loaded if one.name == name), None)
    if holder is not None:
        raise UsageError(f"there is a plugin `{name}` already, of `{holder}`, and it would keep its name; take another")


def _write(name: str, folder: Path) -> tuple[str, ...]:
    """Write all files beside their place and move them there at once: a folder is there whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        written = tuple(_copy(name, source, beside) for source in _sources())
        beside.chmod(0o755)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return written


def _sources() -> list[Path]:
    return sorted(one for one in TEMPLATE.rglob("*") if one.is_file() and not _SKIPPED & set(one.parts))


def _copy(name: str, source: Path, folder: Path) -> str:
    place = folder / _named(name, source.relative_to(TEMPLATE).as_posix())
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(_named(name, source.read_text(encoding="utf-8")), encoding="utf-8")
    return place.relative_to(folder).as_posix()


def _named(name: str, text: str) -> str:
    """Put the name in the template's place: with `_` where Python needs it, as it is elsewhere."""
    identifier = name.replace("-", "_")
    text = re.sub(rf"(?<=_){STAND_IN}|{STAND_IN}(?=_)", identifier, text)
    title = "".join(part.capitalize() for part in name.split("-"))
    return text.replace(STAND_IN, name).replace(STAND_IN.capitalize(), title)
