"""Packs: policies and names that other policies use, by name, version and hash."""

from __future__ import annotations

from typing import Protocol

import attrs

from omium_policy import syntax, versions
from omium_policy.checking.report import Report
from omium_policy.identity import policy_hash
from omium_policy.parser import parse
from omium_policy.source import Source

__all__ = ["Finder", "Pack", "PackFile", "resolve"]


@attrs.frozen
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


@attrs.frozen
class Pack:
    """A pack that a policy uses, under an alias."""

    alias: str
    name: str
    version: str
    hash: str
    source: Source
    file: syntax.File


def resolve(file: syntax.File, finder: Finder, report: Report) -> tuple[Pack, ...]:
    """Return the packs that a file uses; what is wrong with them is reported where they are named."""
    packs: dict[str, Pack] = {}
    for use in file.uses:
        pack = _resolved(use, finder, report)
        if pack is None:
            continue
        if pack.alias in packs:
            report.error("declared-twice", f"two packs are called `{pack.alias}`", use, "write `as NAME`")
        packs[pack.alias] = pack
    return tuple(packs.values())


def _resolved(use: syntax.Use, finder: Finder, report: Report) -> Pack | None:
    name = str(use.pack.value)
    found = finder.beside(report.source, name) if name.endswith(".omp") else finder(name)
    if found is None:
        known = finder.names
        report.unknown("unknown-pack", "pack", use.pack, name, known)
        return None
    if not _fits(use, found, report):
        return None
    parsed = parse(found.source)
    if parsed.file is None:
        first = parsed.diagnostics[0]
        said = f"the pack `{name}` has mistakes, the first at {first.source.name}:{first.line}: {first.message}"
        report.error("broken-pack", said, use.pack)
        return None
    digest = policy_hash(parsed.file)
    pinned = str(use.pinned.value) if use.pinned is not None else None
    if pinned is not None and not _is_pinned(digest, pinned):
        said = f"the pack `{name}` is not the one that was pinned; its hash is sha256:{digest}"
        report.error("pin-differs", said, use.pinned or use)
        return None
    alias = use.alias.text if use.alias is not None else name.rpartition("/")[2].removesuffix(".omp").split(".")[-1]
    return Pack(alias, found.name, found.version, digest, found.source, parsed.file)


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
