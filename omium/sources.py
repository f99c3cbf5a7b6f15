"""A policy's texts: taken from its file, packs and schemas, and put together again from what was recorded of them."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from omium.plugins import Plugins
from omium.policies import Packs, loaded
from omium_core.errors import UsageError
from omium_core.runtime.declarations import WorkflowDeclaration
from omium_core.specs import PolicyPackSpec
from omium_policy.loaded import Loaded
from omium_policy.packs import PackFile
from omium_policy.source import Source

__all__ = ["Taken", "file_at", "name_in", "places_of", "restored", "taken"]

# A clock's tick may hide a second change that comes at once, so what has just changed is read each time.
SETTLED_NS = 2_000_000_000

Stamp: TypeAlias = tuple[str, int, int]
Read: TypeAlias = Callable[[Path], "str | None"]


@attrs.frozen(eq=False)
class Taken:
    """A policy as its file says it now, with the texts that it was made of and how to see that they changed.

    `file` is what the store calls the file: its path in the project, or a pack's name.
    """

    file: str
    loaded: Loaded
    sources: tuple[Mapping[str, str], ...]
    stamps: tuple[Stamp, ...]

    @property
    def name(self) -> str | None:
        """The policy's name, that of the first one in the file; None where the file cannot be parsed."""
        return self.loaded.file.policies[0].name.text if self.loaded.file is not None else None

    @property
    def version(self) -> str:
        """The version that the policy says it is."""
        literal = self.loaded.file.policies[0].version if self.loaded.file is not None else None
        return str(literal.value) if literal is not None else ""

    def is_current(self) -> bool:
        """Say whether no file of it has changed since."""
        settled = time.time_ns() - SETTLED_NS
        return all(_stamp(Path(path)) == (path, mtime, size) and mtime < settled for path, mtime, size in self.stamps)


def places_of(declaration: WorkflowDeclaration, configured: str | None) -> tuple[str, ...]:
    """Return where a workflow's policy may be, the likeliest place first; nothing for one that asks for none.

    A place is a file's absolute path, or a pack's name. A path is relative to the file that declares the workflow, else
    to the working directory.
    """
    given = declaration.options.get("policy") or configured
    if given is None:
        return ()
    text = os.fspath(given)
    if not text.endswith(".omp"):
        return (text,)
    return tuple(dict.fromkeys(str((folder / text).absolute()) for folder in (_folder_of(declaration.fn), Path.cwd())))


def taken(place: str, plugins: Plugins, project: Path, read: Read | None = None) -> Taken:
    """Load the policy at a place; raise `UsageError` when its file cannot be read.

    `read` gives the text of a file that is elsewhere than on the disk, None where there is none.
    """
    finder = _Taking(Packs(plugins), project, read or _from_disk)
    source = finder.first(place)
    found = loaded(source, finder, plugins)
    return Taken(file_at(place, project), found, tuple(finder.sources), tuple(finder.stamps))


def restored(sources: Iterable[Mapping[str, str]], plugins: Plugins) -> Loaded:
    """Load a policy from the texts that were taken, whatever has become of its files, packs and schemas."""
    first, *others = sources
    return loaded(Source(first["file"], first["text"]), _Recorded(tuple(others)), plugins)


@attrs.define
class _Taking:
    """Finds packs and schemas, and keeps what it gave. Sources are named by their place in the project, if in it."""

    packs: Packs
    project: Path
    read: Read
    sources: list[Mapping[str, str]] = attrs.field(factory=list)
    stamps: list[Stamp] = attrs.field(factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        return self.packs.names

    def first(self, place: str) -> Source:
        if place.endswith(".omp"):
            source = self._read(Path(place))
        else:
            spec = self.packs.plugins.specs(PolicyPackSpec).get(place)
            if spec is None:
                known = ", ".join(f"`{one}`" for one in self.names) or "none"
                raise UsageError(f"there is no pack `{place}`; name a file that ends in `.omp`, or one of {known}")
            source = Source(spec.file, spec.text())
        self.sources.append({"file": source.name, "text": source.text})
        return source

    def __call__(self, name: str) -> PackFile | None:
        return self._kept(self.packs(name), "")

    def beside(self, source: Source, path: str) -> PackFile | None:
        try:
            found = self._read(self.project / Path(source.name).parent / path)
        except UsageError:
            return None
        return self._kept(PackFile(path, "0.0.0", found), source.name)

    def text_beside(self, source: Source, path: str) -> str | None:
        found = self._beside(source, path)
        if found is None:
            return None
        kept = {"schema": path, "beside": source.name, "file": found.name, "text": found.text}
        if kept not in self.sources:
            self.sources.append(kept)
        return found.text

    def _beside(self, source: Source, path: str) -> Source | None:
        if self.packs.packaged(source) is not None:
            text = self.packs.text_beside(source, path)
            return Source(path, text) if text is not None else None
        try:
            return self._read(self.project / Path(source.name).parent / path)
        except UsageError:
            return None

    def _kept(self, found: PackFile | None, beside: str) -> PackFile | None:
        if found is not None:
            kept = {"pack": found.name, "version": found.version, "beside": beside}
            self.sources.append({**kept, "file": found.source.name, "text": found.source.text})
        return found

    def _read(self, path: Path) -> Source:
        self.stamps.append(_stamp(path))
        text = self.read(path)
        if text is None:
            raise UsageError(f"there is no file `{name_in(path, self.project)}`")
        return Source(name_in(path, self.project), text)


@attrs.frozen
class _Recorded:
    """Finds packs and schemas among texts that were recorded."""

    texts: tuple[Mapping[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one["pack"] for one in self.texts if "pack" in one and not one["beside"])

    def __call__(self, name: str) -> PackFile | None:
        return self._found(name, "")

    def beside(self, source: Source, path: str) -> PackFile | None:
        return self._found(path, source.name)

    def text_beside(self, source: Source, path: str) -> str | None:
        asked = path, source.name
        return next((one["text"] for one in self.texts if (one.get("schema"), one["beside"]) == asked), None)

    def _found(self, name: str, beside: str) -> PackFile | None:
        for one in self.texts:
            if (one.get("pack"), one["beside"]) == (name, beside):
                return PackFile(name, one["version"], Source(one["file"], one["text"]))
        return None


def file_at(place: str, project: Path) -> str:
    """Return what the store calls the file at a place."""
    return name_in(Path(place), project) if place.endswith(".omp") else place


def name_in(path: Path, project: Path) -> str:
    """Return what a file is called: its path in the project, where it lies there."""
    try:
        return Path(os.path.abspath(path)).relative_to(project).as_posix()
    except ValueError:
        return str(path)


def _folder_of(fn: Callable[..., Any]) -> Path:
    """Return the folder of the file that a function stands in; the working directory for the code of `with` blocks."""
    plain = inspect.unwrap(fn)
    code = getattr(plain, "__code__", None)
    if code is None or plain.__module__ == "omium.blocks":
        return Path.cwd()
    return Path(code.co_filename).absolute().parent


def _from_disk(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as problem:
        raise UsageError(f"`{path}` is not UTF-8: {problem.reason} at byte {problem.start}") from None
    except OSError as problem:
        raise UsageError(f"`{path}` cannot be read: {problem.strerror}") from None


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return (str(path), 0, 0)
    return (str(path), found.st_mtime_ns, found.st_size)
