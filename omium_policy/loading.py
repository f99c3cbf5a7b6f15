"""A policy with its packs, checked and ready to judge; or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator

from omium_policy import syntax
from omium_policy.checker import check
from omium_policy.checking.report import Report
from omium_policy.diagnostics import Diagnostic
from omium_policy.identity import policy_hash
from omium_policy.loaded import Contents, Loaded, Used, contents_of, scopes_of
from omium_policy.packs import Finder, Packs
from omium_policy.parser import parse
from omium_policy.registry import Registry
from omium_policy.schemas import SchemaFile, schemas_of
from omium_policy.source import Source

__all__ = ["Loaded", "load"]

PACKS_DEEP_MAX = 8
"""Packs may use packs, this deep."""


def load(source: Source, registry: Registry, finder: Finder) -> Loaded:
    """Parse and check a file and all packs that it uses."""
    parsed = parse(source)
    if parsed.file is None:
        return _without_programs(source, None, parsed.diagnostics)
    file = parsed.file
    report = Report(source)
    if file.edition != 1:
        said = f"this is edition {file.edition}, and edition 1 is known here"
        report.error("unknown-edition", said, file, "a newer version of Omium may know it")
        return _without_programs(source, file, tuple(report.found))
    used = tuple(_used(file, Packs(finder), report, (), set()))
    schemas = schemas_of(file, finder, report)
    found = (*report.found, *_checked(source, file, registry, schemas), *_checked_packs(used, registry))
    digest = policy_hash(file, (one.pack.hash for one in used), (one.meaning for one in schemas))
    if any(one.severity == "error" for one in found):
        return _without_programs(source, file, found, digest, Contents(file, used, schemas=schemas))
    contents = contents_of(source, file, used, registry, schemas)
    return Loaded(source, found, digest, lambda: contents)


def _without_programs(
    source: Source,
    file: syntax.File | None,
    found: tuple[Diagnostic, ...],
    digest: str = "",
    contents: Contents | None = None,
) -> Loaded:
    return Loaded(source, found, digest, lambda: contents or Contents(file))


def _used(file: syntax.File, packs: Packs, report: Report, above: tuple[str, ...], seen: set[str]) -> Iterator[Used]:
    """Give the packs of a file and, behind each, those that it uses itself; what is behind a pack comes once."""
    for pack in packs.resolve(file, report):
        yield Used(len(above), pack)
        if pack.name in above or len(above) >= PACKS_DEEP_MAX:
            how = "use each other" if pack.name in above else f"are more than {PACKS_DEEP_MAX} deep"
            report.error("pack-cycle", f"the packs {' -> '.join((*above, pack.name))} {how}", file)
        elif pack.name not in seen:
            seen.add(pack.name)
            # What a pack's own `use` gets wrong is the pack's mistake, and told at its place.
            inner = Report(pack.source)
            yield from _used(pack.file, packs, inner, (*above, pack.name), seen)
            report.found.extend(inner.found)


def _checked(
    source: Source, file: syntax.File, registry: Registry, schemas: tuple[SchemaFile, ...]
) -> Iterator[Diagnostic]:
    for scope in scopes_of(file, registry, schemas):
        yield from check(source, scope)


def _checked_packs(used: tuple[Used, ...], registry: Registry) -> Iterator[Diagnostic]:
    """Give what is wrong with the packs themselves; what is only worth knowing of them is told to their authors."""
    for pack in {one.pack.name: one.pack for one in used}.values():
        yield from (one for one in _checked(pack.source, pack.file, registry, pack.schemas) if one.severity == "error")
