"""Where Omium keeps things and what it runs: from arguments, the environment, the project's file, or defaults.

Everything that Omium writes lies in the project. The home directory is neither read nor written, unless it is the
working directory itself, so two projects, or a test and production, never share a store by accident.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import attrs

from omium_core.errors import UsageError

__all__ = ["Config", "Durability", "blobs_beside", "load_config", "project_folder"]

Durability: TypeAlias = Literal["power", "process"]

_KEYS = ("store", "blobs", "workflows", "channels", "roles", "detectors", "durability", "policy")
_VARIABLES = {
    "OMIUM_STORE": "store",
    "OMIUM_BLOBS": "blobs",
    "OMIUM_WORKFLOWS": "workflows",
    "OMIUM_DETECTORS": "detectors",
    "OMIUM_DURABILITY": "durability",
    "OMIUM_POLICY": "policy",
}
_PREFIX = "OMIUM_"
_NEAR_MISS = 0.75
_OTHER_VARIABLES = ("OMIUM_HOME", "OMIUM_LOAD_PLUGINS")
_MARKERS = ("omium.toml", "pyproject.toml", ".git")
_SECTION = "pyproject.toml [tool.omium]"
_FILES_KEPT_MAX = 16
_SETTLED_NS = 2_000_000_000


@attrs.frozen(kw_only=True)
class Config:
    """What is in force, and where each part of it comes from.

    `store` and `blobs` are URLs, `workflows` modules or files (`app.flows`, `/project/flows.py:onboard`), `policy` a
    pack's name or a file, `channels` what the names of a policy's roles and channels stand for, `roles` who is in each
    role, `detectors` those that look at every step's outcome. Paths are absolute.
    `durability` says what an append survives: `power` a power loss, `process` only the end of the process. `origins`
    names each field's source: `argument`, a variable such as `OMIUM_STORE`, the project's file, or `default`.
    """

    project: Path
    home: Path
    store: str
    blobs: str
    workflows: tuple[str, ...]
    channels: Mapping[str, str]
    roles: Mapping[str, tuple[str, ...]]
    detectors: tuple[str, ...]
    durability: Durability
    policy: str | None
    origins: Mapping[str, str] = attrs.field(repr=False)
    warnings: tuple[str, ...] = attrs.field(default=(), repr=False)


@attrs.frozen
class _Source:
    """Values from one place, the folder that their relative paths start from, and how to name where a value stands."""

    values: Mapping[str, Any]
    base: Path
    names: Mapping[str, str]
    where: Mapping[str, str]


def load_config(
    *,
    store: str | os.PathLike[str] | None = None,
    blobs: str | os.PathLike[str] | None = None,
    workflows: Sequence[str] | None = None,
    channels: Mapping[str, str] | None = None,
    roles: Mapping[str, Sequence[str]] | None = None,
    detectors: Sequence[str] | None = None,
    durability: str | None = None,
    policy: str | os.PathLike[str] | None = None,
    start: Path | None = None,
) -> Config:
    """Return the configuration in force in the working directory, or in the folder `start`.

    None stands for an argument that is not given.

    A key that Omium does not know is a warning in `Config.warnings`. A value of the wrong kind, or a file that cannot
    be parsed, raises `UsageError`.
    """
    working = start if start is not None else Path.cwd()
    project = project_folder(working)
    arguments = {
        "store": store,
        "blobs": blobs,
        "workflows": workflows,
        "channels": channels,
        "roles": roles,
        "detectors": detectors,
        "durability": durability,
        "policy": policy,
    }
    warnings: list[str] = []
    sources = (_arguments(arguments, working), _environment(working, warnings), _file(project, warnings))
    found: dict[str, Any] = {}
    origins: dict[str, str] = dict.fromkeys(_KEYS, "default")
    for key in _KEYS:
        source = next((one for one in sources if key in one.values), None)
        if source is not None:
            found[key] = _convert(key, source)
            origins[key] = source.names[key]
    home = Path(_absolute(os.environ.get("OMIUM_HOME") or str(project / ".omium"), working))
    origins["home"] = "OMIUM_HOME" if os.environ.get("OMIUM_HOME") else "default"
    url = found.get("store") or f"sqlite:///{home.as_posix()}/omium.db"
    return Config(
        project=project,
        home=home,
        store=url,
        blobs=found.get("blobs") or blobs_beside(url) or _file_url(home / "blobs"),
        workflows=found.get("workflows", ()),
        channels=found.get("channels", {}),
        roles=found.get("roles", {}),
        detectors=found.get("detectors", ()),
        durability=found.get("durability", "power"),
        policy=found.get("policy"),
        origins=origins,
        warnings=tuple(warnings),
    )


def project_folder(start: Path) -> Path:
    """Return the nearest folder from `start` upwards that is a project's, else `start`.

    A project's folder has `omium.toml`, `pyproject.toml` or `.git`. The search ends below the home directory: a
    version-controlled home is not a project, and what lies in it is not Omium's to read.
    """
    home = os.path.expanduser("~")
    homes = {Path(home), Path(os.path.realpath(home))}
    for folder in (start, *start.parents):
        if folder in homes:
            break
        if any(os.path.exists(os.path.join(folder, marker)) for marker in _MARKERS):
            return folder
    return start


def blobs_beside(store: str) -> str | None:
    """Return where the blobs of a SQLite store are when nobody says so; None for a store that is not a local file.

    It depends on the URL alone, so that whoever opens a store finds its blobs. Two databases in one folder do not
    share theirs, because pruning one would take them from the other.
    """
    scheme, _, rest = store.partition(":///")
    path = rest.partition("?")[0]
    if scheme != "sqlite" or not path:
        return None
    database = Path(path)
    folder = database.parent / ("blobs" if database.name == "omium.db" else f"{database.stem}.blobs")
    return _file_url(folder)


def _arguments(given: Mapping[str, Any], working: Path) -> _Source:
    values = {key: value for key, value in given.items() if value is not None}
    return _Source(values, working, dict.fromkeys(values, "argument"), {key: f"the argument `{key}`" for key in values})


def _environment(working: Path, warnings: list[str]) -> _Source:
    """Read the variables that are set and not empty; warn of one that looks like a misspelt one."""
    known = (*_VARIABLES, *_OTHER_VARIABLES)
    for name in sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known):
        # Other tools have variables of their own with this prefix, so only a near miss is worth a word.
        near = _nearest(name.removeprefix(_PREFIX), tuple(one.removeprefix(_PREFIX) for one in known), _NEAR_MISS)
        if near is not None:
            warnings.append(f"the variable `{name}` is not known; did you mean `{_PREFIX}{near}`?")
    values: dict[str, Any] = {key: os.environ[name] for name, key in _VARIABLES.items() if os.environ.get(name)}
    for key in values.keys() & {"workflows", "detectors"}:
        values[key] = [one.strip() for one in values[key].split(",") if one.strip()]
    names = {key: name for name, key in _VARIABLES.items()}
    return _Source(values, working, names, {key: f"the variable `{name}`" for key, name in names.items()})


def _file(project: Path, warnings: list[str]) -> _Source:
    """Read `omium.toml`, or else the section of `pyproject.toml`, in the project's folder."""
    own, shared = project / "omium.toml", project / "pyproject.toml"
    table: Any = None
    text, name, section = "", _SECTION, "tool.omium"
    if shared.exists():
        text, document = _document(shared)
        tool = document.get("tool", {})
        table = tool.get("omium") if isinstance(tool, dict) else None
    if own.exists():
        if table is not None:
            warnings.append(f"`{_SECTION}` is not used, because `omium.toml` stands beside it")
        name, section = "omium.toml", ""
        text, table = _document(own)
    if table is None:
        table = {}
    if not isinstance(table, Mapping):
        raise UsageError("`tool.omium` in pyproject.toml must be a table; write `[tool.omium]` and keys below it")
    for key in table:
        if key not in _KEYS:
            place = _place(name, text, section, key)
            warnings.append(f"the key `{key}` in {place} is not known{_did_you_mean(key, _KEYS)}")
    values = {key: table[key] for key in _KEYS if key in table}
    where = {key: f"`{key}` in {_place(name, text, section, key)}" for key in values}
    return _Source(values, project, dict.fromkeys(values, name), where)


def _document(path: Path) -> tuple[str, Mapping[str, Any]]:
    """Give a TOML file's text and what it says; a file that has not changed is not read again."""
    try:
        found = path.stat()
        # A clock's tick may hide a second change that comes at once, so what has just changed is read each time.
        if time.time_ns() - found.st_mtime_ns < _SETTLED_NS:
            return _read(path)
        return _unchanged(path, found.st_mtime_ns, found.st_size)
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"`{path}` cannot be read: {reason}") from error


@functools.lru_cache(maxsize=_FILES_KEPT_MAX)
def _unchanged(path: Path, mtime_ns: int, size_bytes: int) -> tuple[str, Mapping[str, Any]]:
    return _read(path)


def _read(path: Path) -> tuple[str, Mapping[str, Any]]:
    text = path.read_text(encoding="utf-8")
    return text, _parse(text, path)


def _parse(text: str, path: Path) -> Mapping[str, Any]:
    """Parse a TOML file, naming the line where it cannot be parsed."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        at = f"line {line[1]}" if line else "its end"
        raise UsageError(f"`{path}` cannot be read as TOML at {at}: {reason[:1].lower()}{reason[1:]}") from error


@functools.lru_cache(maxsize=_FILES_KEPT_MAX * len(_KEYS))
def _place(name: str, text: str, section: str, key: str) -> str:
    """Name the file, and the line that sets the key where it stands on one of its own."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([^\]]*?)\s*\]", line)
        table = header[1] if header else table
        if header and table.replace(" ", "") == f"{section}.{key}".lstrip("."):
            return f"{name} line {number}"
        if not header and table == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
            return f"{name} line {number}"
    return name


def _convert(key: str, source: _Source) -> Any:
    """Check a value and give it its final form; raise `UsageError` that says what was found and what was expected."""
    value, where = source.values[key], source.where[key]
    if key == "workflows":
        return tuple(_workflow(one, source.base) for one in _texts(value, where))
    if key == "detectors":
        return tuple(_texts(value, where, "pii"))
    if key == "channels":
        return _channels(value, where)
    if key == "roles":
        return _roles(value, where)
    text = _text(value, where)
    if key == "durability":
        if text not in get_args(Durability):
            hint = _did_you_mean(text, get_args(Durability))
            raise UsageError(f"{where} is `{text}`, expected `power` or `process`{hint}")
        return text
    if key == "store":
        return _store(text, source.base)
    if key == "blobs":
        return text if "://" in text else _file_url(Path(_absolute(text, source.base)))
    return _absolute(text, source.base) if text.endswith(".omp") else text


def _text(value: object, where: str) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{where} is {_shown(value)}, expected text")
    return value


def _texts(value: object, where: str, example: str = "app.flows") -> list[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UsageError(f'{where} is {_shown(value)}, expected a list of text, such as `["{example}"]`')
    return [_text(one, f"an entry of {where}") for one in value]


def _channels(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise UsageError(f'{where} is {_shown(value)}, expected a table of names, such as `{{ on_call = "log" }}`')
    return {str(name): _text(one, f"`{name}` of {where}") for name, one in value.items()}


def _roles(value: object, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise UsageError(f'{where} is {_shown(value)}, expected a table of people, such as `{{ officer = ["ann"] }}`')
    return {str(name): tuple(_texts(one, f"`{name}` of {where}", "ann")) for name, one in value.items()}


def _store(text: str, base: Path) -> str:
    """Make a SQLite URL's path absolute; a plain path is a SQLite database, another URL stays as it is."""
    if "://" not in text:
        return f"sqlite:///{_absolute(text, base)}"
    scheme, _, rest = text.partition(":///")
    if scheme != "sqlite" or not rest or rest.startswith(("?", ":memory:")):
        return text
    path, mark, query = rest.partition("?")
    return f"sqlite:///{_absolute(path, base)}{mark}{query}"


def _workflow(text: str, base: Path) -> str:
    """Make a file's path absolute; a module's name stays as it is."""
    match = re.fullmatch(r"(.+\.py)(:[^/\\]+)?", text)
    return f"{_absolute(match[1], base)}{match[2] or ''}" if match else text


def _absolute(text: str, base: Path) -> str:
    return Path(os.path.normpath(base / text)).as_posix()


def _file_url(path: Path) -> str:
    """Give the URL of a local path as fsspec reads it: nothing in it is percent-encoded."""
    text = path.as_posix()
    return f"file://{text}" if text.startswith("/") else f"file:///{text}"


def _shown(value: object) -> str:
    """Show a value in a message without the language's names for its kind."""
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"`{value}`"


def _did_you_mean(given: str, known: Iterable[str]) -> str:
    near = _nearest(given, tuple(known))
    return f"; did you mean `{near}`?" if near is not None else ""


@functools.lru_cache(maxsize=_FILES_KEPT_MAX * len(_KEYS))
def _nearest(given: str, known: tuple[str, ...], cutoff: float = 0.6) -> str | None:
    """Give the known name that is most like the given one; None when none is like it."""
    import difflib  # only a misspelt name needs it

    return next(iter(difflib.get_close_matches(given, known, n=1, cutoff=cutoff)), None)
