"""What must have come of an execution, compared with what did: one sentence for each difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from omium.cli.wording import clean, value_text
from omium.testing.scenarios.script import fitting
from omium.views import Execution
from omium_core.engine.state import START
from omium_core.model import events as e
from omium_core.model.effect import COMPENSATION, DONE
from omium_core.runtime.declarations import WorkflowDeclaration
from omium_core.runtime.store import Store

__all__ = ["ANYTHING", "Expected"]

ANYTHING = object()
"""Stands for a result that is not compared, because None is one."""


@attrs.frozen
class Expected:
    """What a scenario expects; what is None is not compared. See `Stage.expect`."""

    status: str | None
    result: Any
    steps: Sequence[str] | Mapping[str, int] | None
    effects: Mapping[str, int] | None
    violations: Sequence[str] | int | None
    recoveries: Sequence[str] | int | None
    performed: Mapping[str, int] | None

    def mismatches(
        self, store: Store, execution: str, workflow: WorkflowDeclaration, performed: Counter[str]
    ) -> list[str]:
        """Return one sentence for each difference."""
        found = Execution(store, execution)
        return [
            *self._status(found),
            *self._result(found, workflow),
            *self._steps(found, store),
            *_counted("standing", self.effects, _standing(store, execution)),
            *_counted("performed", self.performed, performed),
            *_listed("violations", self.violations, [one.message for one in found.violations], within=True),
            *_listed("recoveries", self.recoveries, [one.strategy for one in found.recoveries]),
        ]

    def _status(self, found: Execution) -> Iterator[str]:
        if self.status is not None and found.status != self.status:
            why = f" ({clean(found.reason)})" if found.reason else ""
            yield f"the status is `{found.status}`{why}, expected `{self.status}`"

    def _result(self, found: Execution, workflow: WorkflowDeclaration) -> Iterator[str]:
        if self.result is ANYTHING:
            return
        expected = fitting(workflow.fn, self.result, "the expected result")
        if found.result != expected:
            yield f"the result is {value_text(found.result)}, expected {value_text(expected)}"

    def _steps(self, found: Execution, store: Store) -> Iterator[str]:
        if isinstance(self.steps, Mapping):
            begun = Counter(one.name for one in store.events(found.id) if isinstance(one, e.StepStarted))
            yield from _counted("attempted", self.steps, begun)
        elif self.steps is not None:
            names = [one.name for one in found.checkpoints if one.name != START]
            yield from _listed("steps on the way to the head", self.steps, names)


def _standing(store: Store, execution: str) -> Counter[str]:
    effects = store.load(execution).state.effects.values()
    return Counter(one.name for one in effects if one.state == DONE and one.stands and one.kind != COMPENSATION)


def _counted(what: str, expected: Mapping[str, int] | None, found: Mapping[str, int]) -> Iterator[str]:
    for name, times in (expected or {}).items():
        if found.get(name, 0) != times:
            yield f"`{name}` is {what} {found.get(name, 0)} times, expected {times}"


def _listed(
    what: str, expected: Sequence[str] | int | None, found: list[str], *, within: bool = False
) -> Iterator[str]:
    if isinstance(expected, int):
        if len(found) != expected:
            yield f"there are {len(found)} {what} ({_line(found)}), expected {expected}"
    elif expected is not None:
        alike = [one in other if within else one == other for one, other in zip(expected, found, strict=False)]
        if len(expected) != len(found) or not all(alike):
            yield f"the {what} are {_line(found)}, expected {_line(expected)}"


def _line(names: Sequence[str]) -> str:
    return ", ".join(f"`{clean(one)}`" for one in names) or "none"
