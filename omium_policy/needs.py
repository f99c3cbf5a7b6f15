"""What a policy needs from whoever runs it: the names in it that a program, its configuration or its plugins give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from omium_policy import syntax
from omium_policy.checking.names import FAILURE_KINDS
from omium_policy.loaded import Loaded
from omium_policy.schemas import SchemaFile, imported
from omium_policy.source import Source, Span
from omium_policy.types import ANYTHING, ValueType

__all__ = ["ELEMENT", "FieldNeed", "Need", "Needs", "needs_of"]

ELEMENT = "[]"
"""Stands, in the path of a field, for any element of a list."""


@attrs.frozen
class Need:
    """A name that the host has to have, where it stands first, and what in the policy it could mean instead.

    `kind` is step, fallback, compensation, tool, channel, role, approvers, voter, action or failure.
    """

    kind: str
    name: str
    source: Source = attrs.field(repr=lambda source: source.name)
    span: Span
    instead: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Its place, as `file:line`."""
        return self.source.where(self.span)


@attrs.frozen
class FieldNeed:
    """A field that a step has to have in its `input` or `output`: `path` without that root."""

    step: str
    root: str
    path: tuple[str, ...]
    source: Source = attrs.field(repr=lambda source: source.name)
    span: Span

    @property
    def dotted(self) -> str:
        """The field as a policy writes it."""
        return ".".join((self.root, *self.path)).replace(f".{ELEMENT}", ELEMENT)


@attrs.frozen
class Needs:
    """What a file and its packs need, in the order of their texts, each name once of a kind."""

    names: tuple[Need, ...] = ()
    fields: tuple[FieldNeed, ...] = ()

    def of(self, kind: str) -> tuple[Need, ...]:
        """Return the needs of one kind."""
        return tuple(one for one in self.names if one.kind == kind)


def needs_of(loaded: Loaded) -> Needs:
    """Return what a file and its packs need from a host. What stands in tests needs nothing."""
    names: dict[tuple[str, str], Need] = {}
    fields: dict[tuple[str, str, tuple[str, ...]], FieldNeed] = {}
    for source, file, schemas in _files(loaded):
        packs = {str(use.alias.text if use.alias else _last(use)): str(use.pack.value) for use in file.uses}
        ruled = tuple(f"{pack}.{rule}" for pack in packs for rule in _rules_of(loaded, packs[pack]))
        for policy in file.policies:
            types = imported(policy, schemas)
            for need in _Reader(source, policy, packs, ruled).needs():
                names.setdefault((need.kind, need.name), need)
            for field in _fields(source, policy, types):
                fields.setdefault((field.step, field.root, field.path), field)
    return Needs(tuple(names.values()), tuple(fields.values()))


def _files(loaded: Loaded) -> Iterator[tuple[Source, syntax.File, tuple[SchemaFile, ...]]]:
    if loaded.file is None:
        return
    yield loaded.source, loaded.file, loaded.contents.schemas
    for pack in {pack.name: pack for pack in loaded.packs}.values():
        yield pack.source, pack.file, pack.schemas


def _last(use: syntax.Use) -> str:
    """Return the alias of a pack that is given none."""
    return str(use.pack.value).rpartition("/")[2].removesuffix(".omp").split(".")[-1]


def _rules_of(loaded: Loaded, pack: str) -> Iterator[str]:
    for one in loaded.packs:
        if one.name == pack:
            for policy in one.file.policies:
                yield from (rule.name.text for rule in policy.of(syntax.Rule))


@attrs.frozen
class _Reader:
    """Reads one policy; `packs` gives a pack's full name by its alias, `ruled` are the rules of those packs."""

    source: Source
    policy: syntax.Policy
    packs: Mapping[str, str]
    ruled: tuple[str, ...]

    def needs(self) -> Iterator[Need]:
        rules = (*(rule.name.text for rule in self.policy.of(syntax.Rule)), *self.ruled)
        for item in self.policy.items:
            for node in () if isinstance(item, syntax.Test) else syntax.walk(item):
                for kind, name in self._named(node):
                    if kind == "voter" and name.text not in rules:
                        yield Need(kind, name.text, self.source, name.span, rules)
                    elif kind in ("action", "failure"):
                        yield Need(kind, self._full(name.text), self.source, name.span)
                    elif kind != "voter":
                        yield Need(kind, name.text, self.source, name.span)

    def _named(self, node: object) -> Iterator[tuple[str, syntax.Name]]:
        """Give the names in a node itself, with the kind of each."""
        match node:
            case syntax.Workflow(steps=steps):
                yield from (("step", step) for step in steps)
            case syntax.Anchor(step=syntax.Name() as name) | syntax.Budget(step=syntax.Name() as name):
                yield "step", name
            case syntax.StepEvent(step=name) | syntax.StepTypes(step=name) | syntax.Rollback(to=name):
                yield "step", name
            case syntax.Handoff() | syntax.HandoffEvent():
                yield from (("step", one) for one in (node.source, node.target))
            case syntax.Fallback(to=name):
                yield "fallback", name
            case syntax.Compensate(step=name):
                yield "compensation", name
            case syntax.Allow(tools=tools) | syntax.Deny(tools=tools):
                yield from (("tool", tool) for tool in tools if not self._is_quoted(tool))
            case syntax.ToolEvent(tool=name, pattern=False):
                yield "tool", name
            case syntax.Notify(channel=name):
                yield "channel", name
            case syntax.Pause(role=name):
                yield "role", name
            case syntax.Override(role=role):
                yield "approvers", syntax.Name(str(role.value), role.span)
            case syntax.Quorum(voters=voters):
                yield from (("voter", voter) for voter in voters)
            case syntax.PluginAction(name=name):
                yield "action", name
            case syntax.OnError(kinds=kinds):
                yield from (("failure", one) for one in kinds if one.text not in FAILURE_KINDS)

    def _is_quoted(self, name: syntax.Name) -> bool:
        """A name in quotes is a pattern, which may fit nothing."""
        return self.source.text.startswith('"', name.span.start)

    def _full(self, name: str) -> str:
        head, dot, rest = name.partition(".")
        return f"{self.packs.get(head, head)}{dot}{rest}"


def _fields(source: Source, policy: syntax.Policy, types: Mapping[str, ValueType]) -> Iterator[FieldNeed]:
    """Give the fields that a policy's types and rules speak of; those of declared types are theirs to name."""
    data = {one.name.text: one for one in policy.items if isinstance(one, syntax.Data | syntax.DataFrom)}
    typed: set[tuple[str, str]] = set()
    for step in policy.of(syntax.StepTypes):
        for root, name in (("input", step.takes), ("output", step.gives)):
            if name is not None and name.text in data:
                typed.add((step.step.text, root))
                for path, span in _declared(data[name.text], data, types):
                    yield FieldNeed(step.step.text, root, path, source, span)
    for rule in policy.of(syntax.Rule):
        if rule.anchor is not None and rule.anchor.step is not None:
            for node in syntax.walk(rule.statements):
                if isinstance(node, syntax.Path) and node.root.text in ("input", "output") and node.parts:
                    key = rule.anchor.step.text, node.root.text
                    if key not in typed:
                        yield FieldNeed(*key, _path(node.parts), source, node.span)


def _declared(
    data: syntax.Data | syntax.DataFrom,
    known: Mapping[str, syntax.Data | syntax.DataFrom],
    types: Mapping[str, ValueType],
) -> Iterator[tuple[tuple[str, ...], Span]]:
    """Give the fields that a value of a data type has in any case; a type uses only those before it."""
    if isinstance(data, syntax.DataFrom):
        yield from ((path, data.file.span) for path in _required(types.get(data.name.text, ANYTHING)))
        return
    for field in data.fields:
        if not field.optional:
            path: tuple[str, ...] = (field.name.text,)
            yield path, field.name.span
            kind = field.type
            while kind.kind == "list" and kind.of is not None:
                path, kind = (*path, ELEMENT), kind.of
            earlier = {name: one for name, one in known.items() if one.span.start < data.span.start}
            inner = earlier.get(kind.names[0].text) if kind.kind == "ref" else None
            for rest, _ in _declared(inner, earlier, types) if inner is not None else ():
                yield (*path, *rest), field.name.span


def _required(kind: ValueType) -> Iterator[tuple[str, ...]]:
    """Give the fields that a value of a type has in any case, and those in them and in their elements."""
    for name, field in (kind.fields or {}).items():
        if not field.optional:
            path: tuple[str, ...] = (name,)
            yield path
            while field.kind == "list" and field.of is not None:
                path, field = (*path, ELEMENT), field.of
            yield from ((*path, *rest) for rest in _required(field))


def _path(parts: Iterable[syntax.Name | syntax.Expression]) -> tuple[str, ...]:
    return tuple(part.text if isinstance(part, syntax.Name) else ELEMENT for part in parts)
