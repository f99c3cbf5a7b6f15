"""Loops: the same step with the same arguments over and over, which gives the same outcome each time."""

from __future__ import annotations

from omium_core.engine.calls import StepCall
from omium_core.engine.machine import Machine
from omium_core.model.failure import Failure

__all__ = ["looping"]


def looping(machine: Machine, path: str, call: StepCall) -> Failure | None:
    """Return the failure that a call is which comes for more than the n-th time without progress; else None.

    Progress is another outcome or other arguments. A step that was called that often in its lane is looked at, and
    costs more than a look only if its last call was the same as this one.
    """
    limit, (stem, count) = machine.loops_max, _counted(path)
    if limit is None or count <= limit:
        return None
    outcome: str | None = None
    for number in range(count - 1, count - 1 - limit, -1):
        before = f"{stem}#{number}" if number > 1 else stem
        step = machine.state.steps.get(before)
        if step is None or step.arguments != call.arguments:
            return None
        entry = machine.state.outcomes.get(before)
        if entry is None:
            return None
        said = f"{entry.kind}:{entry.digest}"
        if outcome is not None and said != outcome:
            return None
        outcome = said
    message = (
        f"`{call.name}` was called {limit} times in a row with the same arguments and ended the same each time; "
        f"a workflow that repeats itself on purpose says so with `@workflow(loops_max=None)`"
    )
    evidence = {"kind": "loop", "message": message, "violations": [], "times": limit, "step": stem}
    return Failure("loop", message, evidence=evidence, blocking=True)


def _counted(path: str) -> tuple[str, int]:
    """Return the path of a step's first call in its lane, and which call this one is."""
    stem, mark, number = path.rpartition("#")
    return (stem, int(number)) if mark and number.isdecimal() else (path, 1)
