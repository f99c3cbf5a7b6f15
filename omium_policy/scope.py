"""The names of a policy and what they stand for."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from omium_policy import syntax, types
from omium_policy.registry import Registry
from omium_policy.syntax import Policy
from omium_policy.types import ANYTHING, ValueType

__all__ = ["RUN", "STEP", "Scope", "StepIO", "roots"]

STEP = types.record(
    {
        "name": types.TEXT,
        "attempt": types.INTEGER,
        "elapsed": types.DURATION,
        "cost": types.money("USD"),
        "tokens": types.INTEGER,
        # Whether the outcome is of the type that the program and the policy declare.
        "conforms": types.BOOLEAN,
    }
)
"""What a rule may know of the step that it looks at."""

RUN = types.record(
    {
        "elapsed": types.DURATION,
        "cost": types.money("USD"),
        "tokens": types.INTEGER,
        "steps": types.INTEGER,
        "recoveries": types.INTEGER,
        # Whether it is in a journal that verifies, and whether it can be stopped from outside.
        "recorded": types.BOOLEAN,
        "stoppable": types.BOOLEAN,
    }
)
"""What a rule may know of the whole execution."""


@attrs.frozen
class StepIO:
    """The types of what a step takes and gives."""

    takes: ValueType = ANYTHING
    gives: ValueType = ANYTHING


@attrs.frozen
class Scope:
    """A policy's names, resolved; what is wrong with them is the checks' to say."""

    policy: Policy
    registry: Registry
    packs: Mapping[str, str]
    data: Mapping[str, ValueType]
    steps: Mapping[str, StepIO]
    lets: Mapping[str, syntax.Let]
    # What is known of each `let` by now: one that is used by many is looked at once.
    let_types: dict[str, ValueType] = attrs.field(factory=dict, eq=False, repr=False)
    let_costs: dict[str, tuple[int, int]] = attrs.field(factory=dict, eq=False, repr=False)
    let_values: dict[str, Any] = attrs.field(factory=dict, eq=False, repr=False)

    @classmethod
    def of(
        cls,
        policy: Policy,
        registry: Registry,
        packs: Mapping[str, str] = MappingProxyType({}),
        imported: Mapping[str, ValueType] = MappingProxyType({}),
    ) -> Scope:
        """Return a policy's scope. `packs` gives each pack's full name by its alias, `imported` the data of `from`."""
        data = _data(policy, imported)
        steps = {step.text: StepIO() for workflow in policy.of(syntax.Workflow) for step in workflow.steps}
        for typed in policy.of(syntax.StepTypes):
            steps[typed.step.text] = StepIO(_named(typed.takes, data), _named(typed.gives, data))
        lets = {let.name.text: let for let in policy.of(syntax.Let)}
        return cls(policy, registry, packs, data, steps, lets)

    @functools.cached_property
    def nodes(self) -> tuple[object, ...]:
        """All nodes of the policy's items, in the order of the text; the checks look through them again and again."""
        return tuple(syntax.walk(self.policy.items))

    @property
    def declares_steps(self) -> bool:
        """True when the policy says which steps there are; a pack's policy usually does not."""
        return bool(self.policy.of(syntax.Workflow))

    def full(self, name: str) -> str:
        """Return a qualified name with its pack's full name in place of the alias."""
        head, dot, rest = name.partition(".")
        return f"{self.packs.get(head, head)}{dot}{rest}"

    def io(self, step: syntax.Name | None) -> StepIO:
        """Return a step's types; those of `any step` are not known."""
        return self.steps.get(step.text, StepIO()) if step is not None else StepIO()


def roots(scope: Scope, anchor: syntax.Anchor | None) -> dict[str, ValueType]:
    """Return the names with which a rule's paths may begin, apart from `let`."""
    if anchor is None:
        return {"run": RUN, "args": ANYTHING, "event": ANYTHING}
    io = scope.io(anchor.step)
    names = {"input": io.takes, "step": STEP, "run": RUN}
    if anchor.when == "after":
        names["output"] = io.gives
    if anchor.when == "during":
        names["args"] = ANYTHING
    return names


def _named(name: syntax.Name | None, data: Mapping[str, ValueType]) -> ValueType:
    return data.get(name.text, ANYTHING) if name is not None else ANYTHING


def _data(policy: Policy, imported: Mapping[str, ValueType]) -> dict[str, ValueType]:
    """Return the data types. One may use those before it; a type cannot contain itself."""
    known: dict[str, ValueType] = {}
    for data in policy.items:
        if isinstance(data, syntax.Data):
            fields = {field.name.text: _field(field, known) for field in data.fields}
            known[data.name.text] = types.record(fields, data.name.text)
        elif isinstance(data, syntax.DataFrom):
            known[data.name.text] = imported.get(data.name.text, ANYTHING)
    return known


def _field(field: syntax.Field, known: Mapping[str, ValueType]) -> ValueType:
    bounds = ((field.bound.operator, field.bound.value.value),) if field.bound is not None else ()
    return attrs.evolve(_type(field.type, known), optional=field.optional, bounds=bounds)


def _type(written: syntax.Type, known: Mapping[str, ValueType]) -> ValueType:
    match written.kind:
        case "text":
            return ValueType("text", limit=written.limit)
        case "money":
            return types.money(written.names[0].text)
        case "enum":
            return ValueType("enum", words=tuple(name.text for name in written.names))
        case "list":
            return types.list_of(_type(written.of, known) if written.of else ANYTHING, written.limit)
        case "ref":
            return known.get(written.names[0].text, ANYTHING)
        case _:
            return ValueType(written.kind)
