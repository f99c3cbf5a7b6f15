"""Which recorded step a call is: paths, lanes, and where the code and the record part."""

from __future__ import annotations

from omium_core.engine.commands import Fetch
from omium_core.engine.machine import Interrupt, Machine, Protocol, Stop
from omium_core.engine.scope import Lane, Scope, counted
from omium_core.errors import Diverged

__all__ = ["locate", "unasked"]

RERUNS_MAX = 100


def locate(machine: Machine, scope: Scope, lane: Lane, name: str, arguments: str) -> Protocol[tuple[str, bool]]:
    """Return the path of a step that is called here, and whether this attempt of the scope has it on record.

    In a lane steps match by position: a call that is not the recorded one is a divergence, BEFORE anything is done.
    """
    label = lane.label
    if label is None:
        label = scope.label_for(lane, f"{name}~{arguments[:8]}")
    path = _path(scope, lane, label, name)
    recorded = machine.state.lane(scope.path, scope.attempt, label)
    known = path in recorded.seqs
    left = lane.cursor < len(recorded.order)
    if known or (left and machine.state.outcomes.get(path) is None):
        expected = recorded.order[lane.cursor] if left else "nothing more"
        if expected != path:
            raise (yield from diverge(machine, path, f"`{expected}`", f"`{path}`", recorded.after(lane.cursor)))
    if known:
        yield from _same_arguments(machine, path, arguments, recorded.after(lane.cursor))
        lane.cursor += 1
    return path, known


def unasked(machine: Machine, scope: Scope) -> Protocol[None]:
    """Raise when the record of this attempt has steps that its code did not ask for."""
    for (attempt, _), recorded in machine.state.lanes.get(scope.path, {}).items():
        left = [(path, seq) for path, seq in recorded.after(0) if path not in scope.touched]
        if attempt == scope.attempt and left:
            raise (yield from diverge(machine, left[0][0], f"`{left[0][0]}`", "nothing more", left))


def diverge(machine: Machine, step: str, expected: str, found: str, left: list[tuple[str, int]]) -> Protocol[Interrupt]:
    """Stop: either for good, or to go on from before the first step that does not fit."""
    error = Diverged(step, expected, found)
    if machine.rerun and left and machine.reruns < RERUNS_MAX:
        machine.reruns += 1
        before = [point for point in machine.state.path_to_head() if point.seq < left[0][1]]
        return machine.stop(Stop("rollback", str(error), target=before[-1].id, by="on_divergence"))
    return machine.stop(Stop("diverged", str(error), step=step, error=error))
    yield  # A protocol like the others: every caller drives it the same way.


def _path(scope: Scope, lane: Lane, label: str, name: str) -> str:
    occurrence = counted(lane.steps, name)
    component = (f"[{label}]" if label else "") + name + (f"#{occurrence}" if occurrence > 1 else "")
    return f"{scope.path}/{component}" if scope.path else component


def _same_arguments(machine: Machine, path: str, arguments: str, left: list[tuple[str, int]]) -> Protocol[None]:
    step = machine.state.steps[path]
    if step.arguments != arguments:
        recorded = (yield Fetch(step.execution, step.started)) if step.described else {}
        raise (yield from diverge(machine, path, f"arguments {_short(recorded)}", f"others ({arguments[:8]})", left))


def _short(recorded: object) -> str:
    text = repr(recorded)
    return text if len(text) <= 200 else text[:200] + "…"
