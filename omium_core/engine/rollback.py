"""Rollback as one unit: begun in one append that fences older runners, finished by whoever opens it next."""

from __future__ import annotations

from omium_core.engine import undoing
from omium_core.engine.commands import DURABLE, CheckReady
from omium_core.engine.machine import Machine, Protocol
from omium_core.engine.state import CheckpointRecord
from omium_core.errors import RollbackRefused
from omium_core.model import events as e
from omium_core.model.effect import COMPENSABLE, DONE, EffectRecord

__all__ = ["finish", "roll_back"]


def roll_back(machine: Machine, target: CheckpointRecord, reason: str, by: str, failure: int = 0) -> Protocol[None]:
    """Move the head back to `target`, undoing what was done since.

    Raises `RollbackRefused`, with nothing changed, when the state there cannot be read whole, an undo is missing, or
    an unfinished rollback to before it has begun to undo what it relies on.
    """
    state = machine.state
    unfinished = state.checkpoints[state.rollback.target] if state.rollback is not None else target
    if target.seq > unfinished.seq:
        reason = f"the rollback to `{unfinished.name}` is not finished; resume it, or go back to there or before"
        raise RollbackRefused(state.id, reason)
    recorded = tuple((entry.execution, entry.seq) for _, entry in target.outcomes.items() if entry.digest)
    undos = tuple(one for one in _behind(machine, target) if one.kind == COMPENSABLE)
    refusal: str | None = yield CheckReady(recorded, undos)
    if refusal is not None:
        raise RollbackRefused(state.id, refusal)
    origin = state.head
    machine.raise_epoch()
    machine.event(e.RolledBack, origin=origin, target=target.id, reason=reason, by=by, failure=failure)
    yield DURABLE
    yield from finish(machine)


def finish(machine: Machine) -> Protocol[None]:
    """Go through with a rollback that was begun: resolve, compensate, then move the head."""
    state = machine.state
    assert state.rollback is not None
    target = state.checkpoints[state.rollback.target]
    for effect in reversed(_behind(machine, target)):
        if effect.uncertain:
            yield from undoing.resolve(machine, effect)
    compensable = [one for one in _behind(machine, target) if one.kind == COMPENSABLE and one.state == DONE]
    yield from undoing.compensate(machine, compensable)
    machine.event(
        e.RollbackFinished,
        target=target.id,
        compensated=tuple(state.compensated),
        standing=tuple(one.id for one in _behind(machine, target)),
    )
    yield DURABLE


def _behind(machine: Machine, target: CheckpointRecord) -> list[EffectRecord]:
    """Return the effects after the target that stand or may stand, oldest first."""
    return [one for one in machine.state.effects.values() if one.seq > target.seq and one.stands and not one.abandoned]
