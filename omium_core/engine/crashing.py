"""Crash loops: an execution whose runners die again and again without a new checkpoint is not resumed for ever."""

from __future__ import annotations

from omium_core.engine.commands import DURABLE
from omium_core.engine.machine import Machine, Protocol
from omium_core.engine.records import Review, StepRecord
from omium_core.engine.state import ExecutionState
from omium_core.model import events as e
from omium_core.model.failure import Failure
from omium_core.recovery.fingerprints import fingerprint_of

__all__ = ["CRASHED", "given_up", "look"]

CRASHED = "crashed"


def look(machine: Machine) -> Protocol[None]:
    """Make a failure of too many crashes: of the one step that was at work, else ask a person and stop.

    The step's ladder decides about it when the code comes there; without one a person does.
    """
    state, limit = machine.state, machine.crashes_max
    if limit is None or state.crashes <= limit:
        return
    step = _at_work(state)
    if step is None:
        where = "outside of a step, or in several at once"
        choices = [("retry", "go on, as often again"), ("reject", "give up; the execution is halted")]
        raise (yield from machine.ask(_sentence(state, where), choices, step="", kind=CRASHED))
    message = _sentence(state, f"in step `{step.path}`, attempt {step.open}")
    failure = Failure(CRASHED, message, evidence={"kind": CRASHED, "message": message, "violations": []})
    machine.event(
        e.StepFailed,
        machine.seal(failure.evidence),
        step=step.path,
        attempt=step.open,
        kind=CRASHED,
        fingerprint=fingerprint_of(state.workflow, step.path, failure),
    )
    yield DURABLE


def given_up(review: Review) -> bool:
    """Say whether a person answered, to a question outside of any step, that the execution shall not go on."""
    asked, answer = review.request, review.answer
    return not asked.step and asked.effect is None and answer is not None and answer.action == "reject"


def _sentence(state: ExecutionState, where: str) -> str:
    return f"the process died {state.crashes} times without a new checkpoint, last {where}"


def _at_work(state: ExecutionState) -> StepRecord | None:
    """Return the innermost step that has begun and not ended; None where that is not one, or is a block."""
    began = [one for one in state.steps.values() if one.open]
    innermost = [one for one in began if not any(other.path.startswith(f"{one.path}/") for other in began)]
    return innermost[0] if len(innermost) == 1 and innermost[0].kind == "step" else None
