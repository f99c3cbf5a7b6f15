"""What is in force around a Python file: its project's configuration, and the policies that speak of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import attrs

from omium.config import Config, load_config
from omium.editing.reading import PythonFile
from omium.policies import Packs, registry
from omium.runtime import plugins
from omium_core.errors import OmiumError
from omium_policy import syntax
from omium_policy.editing import Document
from omium_policy.source import Source

__all__ = ["PolicyFound", "Reader", "Surroundings", "policies_of", "surroundings_of"]

FILES_MAX = 20
_SAYS = (syntax.Require, syntax.Must, syntax.Allow, syntax.Deny)

Reader: TypeAlias = Callable[[Path], "str | None"]
"""Gives a file's text, or what an editor has of it that is not saved yet; None where there is none."""


@attrs.frozen
class PolicyFound:
    """A policy and how it is called; `named` says that the workflow or the project names it."""

    name: str
    document: Document
    named: bool

    def rules_after(self, step: str) -> Iterator[tuple[syntax.Rule, syntax.Policy]]:
        """Give the rules that look at a step's outcome, those of packs too."""
        for policy in (
            *self.document.policies,
            *(one for pack in self.document.packs.values() for one in pack.file.policies),
        ):
            for rule in policy.of(syntax.Rule):
                anchor = rule.anchor
                if (
                    anchor is None
                    or anchor.when != "after"
                    or not any(isinstance(one, _SAYS) for one in rule.statements)
                ):
                    continue
                if anchor.step is None or anchor.step.text == step:
                    yield rule, policy


@attrs.frozen
class Surroundings:
    """The configuration, None where it cannot be read, and the policies, those that are named first."""

    config: Config | None
    policies: tuple[PolicyFound, ...]


def surroundings_of(path: Path, file: PythonFile, read: Reader) -> Surroundings:
    """Return what is in force around a Python file; what cannot be read is as if it were not there."""
    try:
        config = load_config(start=path.parent)
    except OmiumError:
        config = None
    try:
        return Surroundings(config, tuple(policies_of(path, file, config, read)))
    except OmiumError:  # A plugin's pack cannot be used; `omium plugins` and `omium doctor` say so.
        return Surroundings(config, ())


def policies_of(path: Path, file: PythonFile, config: Config | None, read: Reader) -> Iterator[PolicyFound]:
    """Give the policies that the file's workflows or its project name; where they name none, those that are near."""
    folders = [path.parent, *([config.project] if config is not None else [])]
    wanted = [one.policy for one in file.workflows if one.policy is not None]
    if not wanted and config is not None and config.policy is not None:
        wanted = [config.policy]
    named = [found for name in dict.fromkeys(wanted) if (found := _named(name, folders, read)) is not None]
    yield from named
    if not wanted:
        yield from _near(path, config.project if config is not None else path.parent, read)


def _named(name: str, folders: list[Path], read: Reader) -> PolicyFound | None:
    if not name.endswith(".omp"):
        found = Packs(plugins())(name)
        return PolicyFound(name, _document(found.source, read), True) if found is not None else None
    for folder in folders:
        text = read(folder / name)
        if text is not None:
            return PolicyFound(Path(name).name, _document(Source(str(folder / name), text), read), True)
    return None


def _near(path: Path, project: Path, read: Reader) -> Iterator[PolicyFound]:
    """Give the policies in the nearest folder, up to the project's, that has any."""
    for folder in (path.parent, *path.parent.parents):
        try:
            files = sorted(folder.glob("*.omp"))[:FILES_MAX]
        except OSError:
            files = []
        for one in files:
            text = read(one)
            if text is not None:
                yield PolicyFound(one.name, _document(Source(str(one), text), read), False)
        if files or folder == project:
            return


def _document(source: Source, read: Reader) -> Document:
    known = plugins()
    return Document(source, registry(known), Packs(known, read))
