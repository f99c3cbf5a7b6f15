"""Packs: policies and names that other policies use, by name, version and hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

from omium_policy import versions
from omium_policy.frozen import frozen

if TYPE_CHECKING:
    from omium_policy import syntax
    from omium_policy.checking.report import Report
    from omium_policy.diagnostics import Diagnostic
    from omium_policy.parser import Parsed
    from omium_policy.schemas import SchemaFile
    from omium_policy.source import Source

__all__ = ["Finder", "Pack", "PackFile", "Packs", "alias_of", "find", "resolve"]

USES_MAX = 100
"""So many packs may one file use."""


@frozen
class PackFile:
    """Where a pack's text is, and which version it has."""

    name: str
    version: str
    source: Source


class Finder(Protocol):
    """Whoever knows the packs that are installed."""

    def __call__(self, name: str) -> PackFile | None:
        """Return a pack by its full name."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all packs."""
        ...

    def beside(self, source: Source, path: str) -> PackFile | None:
        """Return the pack at a path that is relative to a source's."""
        ...

    def text_beside(self, source: Source, path: str) -> str | None:
        """Return the text at a path that is relative to a source's, of a pack in a package inside of that; None for
        one that cannot be read.
        """
        ...


@frozen
class Pack:
    """A pack that a policy uses, under an alias."""

    alias: str
    name: str
    version: str
    hash: str
    source: Source
    file: syntax.File
    schemas: tuple[SchemaFile, ...] = ()


def alias_of(use: syntax.Use) -> str:
    """Return the name by which a file calls a pack: what it says, else the last part of the pack's own."""
    if use.alias is not None:
        return use.alias.text
    return str(use.pack.value).rpartition("/")[2].removesuffix(".omp").split(".")[-1]


@attrs.define
class Packs:
    """The packs of one load; each is read once, however often it is used."""

    finder: Finder
    _read: dict[tuple[str, str], tuple[Parsed, str, tuple[SchemaFile, ...]]] = attrs.field(factory=dict, init=False)

    def resolve(self, file: syntax.File, report: Report) -> tuple[Pack, ...]:
        """Return the packs that a file uses; what is wrong with them is reported where they are named."""
        packs: dict[str, Pack] = {}
        if len(file.uses) > USES_MAX:
            said = f"the file uses {len(file.uses)} packs, and {USES_MAX} is the most"
            report.error("too-many-packs", said, file.uses[USES_MAX], "let one pack use the others")
        for use in file.uses[:USES_MAX]:
            pack = self._resolved(use, report)
            if pack is None:
                continue
            if pack.alias in packs:
                report.error("declared-twice", f"two packs are called `{pack.alias}`", use, "write `as NAME`")
            packs[pack.alias] = pack
        return tuple(packs.values())

    def _resolved(self, use: syntax.Use, report: Report) -> Pack | None:
        name = str(use.pack.value)
        found = find(self.finder, report.source, name)
        if found is None:
            report.unknown("unknown-pack", "pack", use.pack, name, self.finder.names)
            return None
        if not _fits(use, found, report):
            return None
        parsed, digest, schemas = self._parsed(found)
        if parsed.file is None:
            first = parsed.diagnostics[0]
            said = f"the pack `{name}` has mistakes, the first at {first.source.name}:{first.line}: {first.message}"
            report.error("broken-pack", said, use.pack)
            return None
        pinned = str(use.pinned.value) if use.pinned is not None else None
        if pinned is not None and not _is_pinned(digest, pinned):
            said = f"the pack `{name}` is not the one that was pinned; its hash is sha256:{digest}"
            report.error("pin-differs", said, use.pinned or use)
            return None
        return Pack(alias_of(use), found.name, found.version, digest, found.source, parsed.file, schemas)

    def _parsed(self, found: PackFile) -> tuple[Parsed, str, tuple[SchemaFile, ...]]:
        # The parser is imported for packs that are read, not for the names of packs whose policy was kept.
        from omium_policy.identity import policy_hash
        from omium_policy.parser import parse

        key = (found.source.name, found.source.text)
        if key not in self._read:
            parsed = parse(found.source)
            schemas, errors = self._schemas(parsed)
            if errors:
                # A schema that cannot be used breaks the pack as a mistake in its text does.
                parsed = attrs.evolve(parsed, file=None, diagnostics=errors)
            meanings = (one.meaning for one in schemas)
            digest = policy_hash(parsed.file, (), meanings) if parsed.file is not None else ""
            self._read[key] = parsed, digest, schemas
        return self._read[key]

    def _schemas(self, parsed: Parsed) -> tuple[tuple[SchemaFile, ...], tuple[Diagnostic, ...]]:
        """Return a pack's schemas, and what is wrong with them."""
        from omium_policy.checking.report import Report
        from omium_policy.schemas import schemas_of

        report = Report(parsed.source)
        schemas = schemas_of(parsed.file, self.finder, report) if parsed.file is not None else ()
        return schemas, tuple(one for one in report.found if one.severity == "error")


def resolve(file: syntax.File, finder: Finder, report: Report) -> tuple[Pack, ...]:
    """Return the packs that one file uses; see `Packs`."""
    return Packs(finder).resolve(file, report)


def find(finder: Finder, source: Source, name: str) -> PackFile | None:
    """Return the pack that a source calls by a name: a path beside it, or one that is installed."""
    return finder.beside(source, name) if name.endswith(".omp") else finder(name)


def _fits(use: syntax.Use, found: PackFile, report: Report) -> bool:
    if use.version is None:
        return True
    wanted = str(use.version.value)
    if not versions.is_constraint(wanted):
        report.error("bad-version", f"`{wanted}` is no version", use.version, 'write it like "^1.2" or ">=1, <3"')
        return False
    if not versions.accepts(wanted, found.version):
        said = f"the pack `{found.name}` is of version {found.version}, and {wanted} is wanted"
        report.error("pack-version", said, use.version)
        return False
    return True


def _is_pinned(digest: str, pinned: str) -> bool:
    """A pin may be shortened to 12 digits or more."""
    wanted = pinned.removeprefix("sha256:")
    return len(wanted) >= 12 and digest.startswith(wanted)
