"""A policy that was loaded: what is wrong with it, its hash, and programs, made when somebody judges by them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omium_policy.frozen import frozen

if TYPE_CHECKING:
    from omium_policy import syntax
    from omium_policy.diagnostics import Diagnostic
    from omium_policy.packs import Pack
    from omium_policy.program import Finding, Program
    from omium_policy.registry import Registry
    from omium_policy.schemas import SchemaFile
    from omium_policy.scope import Scope
    from omium_policy.source import Source
    from omium_policy.types import ValueType

__all__ = ["Contents", "Loaded", "Used", "contents_of", "names_of", "scopes_of"]


@frozen
class Used:
    """A pack that a file uses, or that one of its packs uses: `depth` is 0 for the file's own."""

    depth: int
    pack: Pack


@frozen
class Contents:
    """What is in a policy: its tree, all packs that it uses, the programs, those of packs behind its own, schemas."""

    file: syntax.File | None
    used: tuple[Used, ...] = ()
    programs: tuple[Program, ...] = ()
    own: tuple[Program, ...] = ()
    schemas: tuple[SchemaFile, ...] = ()


class Loaded:
    """A file's policies and those of its packs. `hash` names all of them; there are programs only without errors."""

    def __init__(
        self, source: Source, diagnostics: tuple[Diagnostic, ...], hash: str, contents: Callable[[], Contents]
    ) -> None:
        self.source = source
        self.diagnostics = diagnostics
        self.hash = hash
        self._make = contents

    @functools.cached_property
    def contents(self) -> Contents:
        """Return the policy's parts; the first who asks makes them."""
        return self._make()

    @property
    def file(self) -> syntax.File | None:
        """The tree; None when the text does not parse."""
        return self.contents.file

    @property
    def packs(self) -> tuple[Pack, ...]:
        """The packs that the file names and, behind each, those that it uses itself."""
        return tuple(one.pack for one in self.contents.used)

    @property
    def programs(self) -> tuple[Program, ...]:
        """What judges: the file's own policies, then those of its packs."""
        return self.contents.programs

    @property
    def own(self) -> tuple[Program, ...]:
        """The programs of the file's own policies."""
        return self.contents.own

    def with_found(self, diagnostics: tuple[Diagnostic, ...]) -> Loaded:
        """Return it with what else was found to be wrong with it."""
        return Loaded(self.source, (*self.diagnostics, *diagnostics), self.hash, lambda: self.contents)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What keeps the policy from activating."""
        return tuple(one for one in self.diagnostics if one.severity == "error")

    def judge(self, when: str, step: str, given: Mapping[str, Any]) -> tuple[Finding, ...]:
        """Return everything that does not hold `before` or `after` a step."""
        return tuple(finding for program in self.programs for finding in program.judge(when, step, given))


def contents_of(
    source: Source,
    file: syntax.File,
    used: tuple[Used, ...],
    registry: Registry,
    schemas: tuple[SchemaFile, ...] = (),
) -> Contents:
    """Return the contents of a file that has passed the checks, as all its packs have."""
    from omium_policy.program import program_of

    own = tuple(program_of(source, scope) for scope in scopes_of(file, registry, schemas))
    # A pack that is used twice judges once.
    packs = {one.pack.name: one.pack for one in reversed(used)}
    others = tuple(
        program_of(pack.source, scope, f"{pack.alias}.")
        for pack in (packs[name] for name in dict.fromkeys(one.pack.name for one in used))
        for scope in scopes_of(pack.file, registry, pack.schemas)
    )
    return Contents(file, used, (*own, *others), own, schemas)


def scopes_of(file: syntax.File, registry: Registry, schemas: tuple[SchemaFile, ...]) -> Iterator[Scope]:
    """Give the names of each of a file's policies."""
    from omium_policy.scope import Scope

    for policy in file.policies:
        types = _imported(policy, schemas) if schemas else {}
        yield Scope.of(policy, registry, names_of(file), types)


def _imported(policy: syntax.Policy, schemas: tuple[SchemaFile, ...]) -> dict[str, ValueType]:
    from omium_policy.schemas import imported

    return imported(policy, schemas)


def names_of(file: syntax.File) -> dict[str, str]:
    """Return the full names of the packs that a file uses, by their aliases."""
    from omium_policy.packs import alias_of

    return {alias_of(use): str(use.pack.value) for use in file.uses}
