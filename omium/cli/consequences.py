"""What an answer leads to, before it is given: what is done again, what is undone, what stands."""

from __future__ import annotations

from typing import Any

from omium.cli.planning import plan_rollback
from omium.cli.wording import steps_text
from omium_core.engine.state import ExecutionState
from omium_core.model import events as e
from omium_core.model.effect import COMPENSABLE, DONE, EffectRecord

__all__ = ["consequences"]

_AGAIN = ("retry", "edit", "prompt", "tool_schema", "fallback")


def consequences(state: ExecutionState, asked: e.ReviewRequested, action: str, change: Any = None) -> list[str]:
    """Return in words what an answer leads to; of a fix, `action` is its kind and `change` what it changes."""
    step = asked.step
    if action == "rollback" and isinstance(change, dict):
        target = state.checkpoints.get(change.get("checkpoint", ""))
        return plan_rollback(state, target).lines() if target is not None else ["that checkpoint is gone"]
    if asked.kind in ("effect_conflict", "effect_unresolved") or not step:
        return []
    if action in _AGAIN and step in state.steps:
        return [_again(state, step), *_effects(state, step)]
    name = steps_text(step)
    match action:
        case "set" | "value":
            return [f"`{name}` is not attempted again; the corrected outcome counts if every rule holds for it"]
        case "skip":
            return [f"the workflow goes on with nothing for `{name}`", *_effects(state, step)]
        case "reject":
            return [f"the next rung of the ladder of `{name}` is taken; without one the execution is halted"]
    return []


def _again(state: ExecutionState, step: str) -> str:
    kept = [one.step for one in state.path_to_head() if one.step]
    text = f"`{steps_text(step)}` is done again, as attempt {state.steps[step].attempts + 1}"
    return f"{text}; kept: {steps_text(*kept)}" if kept else text


def _effects(state: ExecutionState, step: str) -> list[str]:
    """Say what becomes of the effects of the failed attempts."""
    standing = [one for one in state.of_step(step) if one.stands]
    undone = [one for one in standing if one.kind == COMPENSABLE and one.state == DONE]
    stays = [one for one in standing if one not in undone and not one.uncertain]
    unsure = [one for one in standing if one.uncertain]
    lines = [f"undone unless it is asked for again: {_names(undone)}"] if undone else []
    lines += [f"stands, and is not done again when it is asked for: {_names(stays)}"] if stays else []
    return lines + ([f"found out first whether it happened: {_names(unsure)}"] if unsure else [])


def _names(effects: list[EffectRecord]) -> str:
    return ", ".join(dict.fromkeys(one.name for one in effects))
