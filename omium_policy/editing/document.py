"""A policy's text as an editor sees it: what of it can be read, and the names that are known there."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import attrs

from omium_policy import syntax
from omium_policy.checking.report import Report
from omium_policy.checking.values import Values
from omium_policy.packs import Finder, Pack, resolve
from omium_policy.parser import parse_what_is_there
from omium_policy.registry import Registry
from omium_policy.schemas import imported, schemas_of
from omium_policy.scope import Scope
from omium_policy.source import Source
from omium_policy.types import ValueType

__all__ = ["Document"]


@attrs.frozen(eq=False, slots=False)  # what is worked out once is kept in its `__dict__`
class Document:
    """One text, with the names that plugins and packs add. What it gives is worked out once, when it is asked for."""

    source: Source
    registry: Registry
    finder: Finder

    @functools.cached_property
    def file(self) -> syntax.File | None:
        """The tree without the statements that have mistakes; None when nothing can be read."""
        return parse_what_is_there(self.source)

    @property
    def policies(self) -> tuple[syntax.Policy, ...]:
        """The policies in it."""
        return self.file.policies if self.file is not None else ()

    @functools.cached_property
    def packs(self) -> Mapping[str, Pack]:
        """The packs that it uses and that can be used, by alias."""
        if self.file is None:
            return {}
        return {pack.alias: pack for pack in resolve(self.file, self.finder, Report(self.source))}

    @functools.cached_property
    def _scopes(self) -> Mapping[str, Scope]:
        names = {alias: pack.name for alias, pack in self.packs.items()}
        schemas = schemas_of(self.file, self.finder, Report(self.source)) if self.file is not None else ()
        return {one.name.text: Scope.of(one, self.registry, names, imported(one, schemas)) for one in self.policies}

    def scope(self, policy: syntax.Policy) -> Scope:
        """Return the names of one of its policies."""
        return self._scopes[policy.name.text]

    def policy_at(self, offset: int) -> syntax.Policy | None:
        """Return the policy in which an offset stands."""
        return next((one for one in self.policies if one.span.start <= offset <= one.span.end), None)

    def type_of(self, scope: Scope, names: Mapping[str, ValueType], node: syntax.Expression) -> ValueType:
        """Return an expression's type among names; what is wrong with it is the checks' to say."""
        return Values(scope, Report(self.source), names).type_of(node)
