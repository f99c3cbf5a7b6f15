"""What a rollback would do, before it is done."""

from __future__ import annotations

from typing import Any

import attrs

from omium.cli.wording import steps_text
from omium_core.engine.state import CheckpointRecord, ExecutionState
from omium_core.model.effect import COMPENSABLE, EffectRecord

__all__ = ["Plan", "plan_rollback"]


@attrs.frozen
class Plan:
    """What a rollback to `target` drops, undoes newest first, has to find out first, and leaves as it is."""

    target: CheckpointRecord
    dropped: tuple[CheckpointRecord, ...]
    compensated: tuple[EffectRecord, ...]
    uncertain: tuple[EffectRecord, ...]
    standing: tuple[EffectRecord, ...]

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "target": {"id": self.target.id, "name": self.target.name},
            "dropped": [{"id": one.id, "name": one.name, "step": one.step} for one in self.dropped],
            "compensated": [_effect(one) for one in self.compensated],
            "uncertain": [_effect(one) for one in self.uncertain],
            "standing": [_effect(one) for one in self.standing],
        }

    def lines(self) -> list[str]:
        """Return it in words."""
        steps = steps_text(*(one.step or one.name for one in self.dropped)) or "none"
        return [
            f"roll back to {self.target.name} ({self.target.id})",
            f"  steps that are dropped and done again: {steps}",
            *(f"  undone: {_place(one)}" for one in self.compensated),
            *(f"  nobody knows if it happened, found out first: {_place(one)}" for one in self.uncertain),
            *(f"  stands, not done again: {_place(one)}" for one in self.standing),
        ]


def plan_rollback(state: ExecutionState, target: CheckpointRecord) -> Plan:
    """Return what a rollback of the execution, as it is now, to the checkpoint would do."""
    behind = [one for one in state.effects.values() if one.seq > target.seq and one.stands and not one.abandoned]
    newest_first = sorted(behind, key=lambda one: one.seq, reverse=True)
    return Plan(
        target,
        tuple(one for one in state.path_to_head() if one.seq > target.seq),
        tuple(one for one in newest_first if one.kind == COMPENSABLE and not one.uncertain),
        tuple(one for one in newest_first if one.uncertain),
        tuple(one for one in newest_first if one.kind != COMPENSABLE and not one.uncertain),
    )


def _effect(effect: EffectRecord) -> dict[str, Any]:
    return {"id": effect.id, "name": effect.name, "kind": effect.kind, "step": effect.step, "key": effect.key}


def _place(effect: EffectRecord) -> str:
    return f"{effect.name} of {steps_text(effect.step) or 'the workflow'} ({effect.kind})"
