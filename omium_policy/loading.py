"""A policy with its packs, checked and ready to judge; or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from omium_policy import syntax
from omium_policy.checker import check
from omium_policy.checking.report import Report
from omium_policy.diagnostics import Diagnostic
from omium_policy.identity import policy_hash
from omium_policy.packs import Finder, Pack, resolve
from omium_policy.parser import parse
from omium_policy.program import Finding, Program, program_of
from omium_policy.registry import Registry
from omium_policy.scope import Scope
from omium_policy.source import Source

__all__ = ["Loaded", "load"]

PACKS_DEEP_MAX = 8
"""Packs may use packs, this deep."""


@attrs.frozen(eq=False)
class Loaded:
    """A file's policies and those of its packs. `hash` names all of them; there are programs only without errors.

    `packs` are those that the file uses and, behind each, those that it uses itself.
    """

    source: Source
    file: syntax.File | None
    diagnostics: tuple[Diagnostic, ...]
    hash: str = ""
    packs: tuple[Pack, ...] = ()
    programs: tuple[Program, ...] = ()
    own: tuple[Program, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What keeps the policy from activating."""
        return tuple(one for one in self.diagnostics if one.severity == "error")

    def judge(self, when: str, step: str, given: Mapping[str, Any]) -> tuple[Finding, ...]:
        """Return everything that does not hold `before` or `after` a step."""
        return tuple(finding for program in self.programs for finding in program.judge(when, step, given))


def load(source: Source, registry: Registry, finder: Finder) -> Loaded:
    """Parse and check a file and all packs that it uses."""
    parsed = parse(source)
    if parsed.file is None:
        return Loaded(source, None, parsed.diagnostics)
    report = Report(source)
    if parsed.file.edition != 1:
        said = f"this is edition {parsed.file.edition}, and edition 1 is known here"
        report.error("unknown-edition", said, parsed.file, "a newer version of Omium may know it")
        return Loaded(source, parsed.file, tuple(report.found))
    used = tuple(_packs(parsed.file, finder, report))
    packs = tuple(pack for _, pack in used)
    scopes = _scopes(parsed.file, registry, tuple(pack for depth, pack in used if depth == 0))
    found = [*report.found, *(one for scope in scopes for one in check(source, scope))]
    programs = _programs(used, registry, found)
    digest = policy_hash(parsed.file, (pack.hash for _, pack in used))
    if any(one.severity == "error" for one in found):
        return Loaded(source, parsed.file, tuple(found), digest, packs)
    own = tuple(program_of(source, scope) for scope in scopes)
    return Loaded(source, parsed.file, tuple(found), digest, packs, (*own, *programs), own)


def _packs(
    file: syntax.File, finder: Finder, report: Report, above: tuple[str, ...] = ()
) -> Iterator[tuple[int, Pack]]:
    """Give the packs of a file and, behind each, those that it uses itself."""
    for pack in resolve(file, finder, report):
        yield len(above), pack
        if pack.name in above or len(above) >= PACKS_DEEP_MAX:
            report.error("pack-cycle", f"the packs {' -> '.join((*above, pack.name))} use each other", file)
        else:
            # What a pack's own `use` gets wrong is the pack's mistake, and told at its place.
            inner = Report(pack.source)
            yield from _packs(pack.file, finder, inner, (*above, pack.name))
            report.found.extend(inner.found)


def _scopes(file: syntax.File, registry: Registry, packs: tuple[Pack, ...]) -> tuple[Scope, ...]:
    names = {pack.alias: pack.name for pack in packs}
    return tuple(Scope.of(policy, registry, names) for policy in file.policies)


def _programs(used: tuple[tuple[int, Pack], ...], registry: Registry, found: list[Diagnostic]) -> tuple[Program, ...]:
    """Return the programs of packs, each pack once."""
    programs: dict[str, list[Program]] = {}
    for _, pack in used:
        if pack.name in programs:
            continue
        names = {str(use.alias.text if use.alias else use.pack.value): str(use.pack.value) for use in pack.file.uses}
        scopes = [Scope.of(policy, registry, names) for policy in pack.file.policies]
        wrong = [one for scope in scopes for one in check(pack.source, scope) if one.severity == "error"]
        found.extend(wrong)
        programs[pack.name] = [] if wrong else [program_of(pack.source, one, f"{pack.alias}.") for one in scopes]
    return tuple(program for several in programs.values() for program in several)
