"""Scenarios of a workflow in Python: who answers what, what fails when, and what must come of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import attrs

from omium.declaring import check_parentheses
from omium_core.errors import UsageError

if TYPE_CHECKING:
    from omium.testing.scenarios.stage import Stage
    from omium_core.runtime.declarations import WorkflowDeclaration

__all__ = ["Scenario", "scenario", "scenarios_in"]

_KEPT = "__omium_scenarios__"


@attrs.frozen(eq=False)
class Scenario:
    """One scenario. Calling it plays it, in a store that is thrown away; it raises `AssertionError` when it fails.

    `workflow` is the one it is about; None means the only one that its module declares.
    """

    name: str
    fn: Callable[[Stage], object]
    workflow: Any = None

    @property
    def where(self) -> str:
        """The file and line that it stands at."""
        code = self.fn.__code__
        return f"{code.co_filename}:{code.co_firstlineno}"

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self) -> None:
        from omium.testing.scenarios.stage import staged  # A program that only declares scenarios needs no stage.

        with staged(self._workflow()) as stage:
            self.fn(stage)
            unmet = stage.unmet()
            if unmet:
                raise AssertionError("\n".join(unmet))

    def _workflow(self) -> WorkflowDeclaration:
        from omium.cli.code import declared, workflow_of

        if self.workflow is not None:
            found = workflow_of(self.workflow)
            if found is None:
                raise UsageError(f"`workflow=` of scenario `{self.name}` is neither a workflow nor a step")
            return found
        try:
            return declared(self.fn.__module__)
        except UsageError as error:
            raise UsageError(f"scenario `{self.name}` needs `workflow=`: {error}") from error


def scenario(name: str, *, workflow: Any = None) -> Callable[[Callable[[Stage], object]], Scenario]:
    """Make a function a scenario, which `omium test` plays; it is given the `Stage` that it is played on.

    `workflow` is the workflow, or the step, that it is about; without it, the only workflow of its module.
    """
    check_parentheses("scenario", name)
    if not name.strip():
        raise UsageError('a scenario needs a name: write `@omium.scenario("happy_path")`')

    def decorate(fn: Callable[[Stage], object]) -> Scenario:
        made = Scenario(name, fn, workflow)
        # They are kept with the module that declares them, because all of them may have the name `_` there.
        kept = fn.__globals__.setdefault(_KEPT, {})
        there = kept.get(name)
        if there is not None and there.fn.__code__.co_filename == fn.__code__.co_filename and there.where != made.where:
            raise UsageError(f"there are two scenarios `{name}`, at {there.where} and {made.where}; rename one")
        kept[name] = made
        return made

    return decorate


def scenarios_in(module: ModuleType | str) -> list[Scenario]:
    """Return the scenarios that a module declares, in their order."""
    found = sys.modules[module] if isinstance(module, str) else module
    return list(vars(found).get(_KEPT, {}).values())
