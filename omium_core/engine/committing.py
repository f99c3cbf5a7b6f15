"""How an outcome becomes a checkpoint, after what earlier attempts left behind was undone."""

from __future__ import annotations

from typing import Any

from omium_core.engine import undoing
from omium_core.engine.calls import Outcome, StepCall
from omium_core.engine.commands import DURABLE
from omium_core.engine.machine import Machine, Protocol, digest_of
from omium_core.engine.records import Entry
from omium_core.engine.scope import Scope
from omium_core.model import events as e
from omium_core.model.body import Body
from omium_core.model.effect import COMPENSABLE, DONE, EffectRecord

__all__ = ["commit", "commit_checkpoint", "save"]


def commit(
    machine: Machine, scope: Scope, inner: Scope, call: StepCall, outcome: Outcome, *, corrected: bool = False
) -> Protocol[None]:
    """Make the outcome and its checkpoint durable, after undoing what earlier attempts left behind."""
    facts = (yield from _tidied(machine, inner)) if machine.state.has_past(inner.path) else {}
    machine.event(
        e.StepCompleted,
        outcome.body,
        step=inner.path,
        attempt=inner.attempt,
        skipped=outcome.body is None,
        corrected=corrected,
        **facts,
    )
    commit_checkpoint(
        machine, inner.path, call.name, call.agent, outcome.attributes, "attributes" if outcome.attributes else None
    )
    yield DURABLE


def save(machine: Machine, inner: Scope, name: str, body: Body | None) -> Protocol[None]:
    """Make the checkpoint of a block durable, after undoing what earlier attempts at it left behind."""
    facts = yield from _tidied(machine, inner)
    commit_checkpoint(machine, inner.path, name, None, body, "state", facts["dropped"])
    yield DURABLE


def commit_checkpoint(
    machine: Machine,
    path: str,
    name: str,
    agent: str | None,
    body: Any = None,
    saves: str | None = None,
    dropped: tuple[str, ...] = (),
) -> None:
    """Make the checkpoint of the state as it is now without what is `dropped`, and with what `body` adds to it."""
    state = machine.state
    outcomes = state.outcomes
    for one in dropped:
        outcomes = outcomes.without(one)
    if saves is not None:
        key, kind = (path, "saved") if saves == "state" else (f"@{agent}", "attributes")
        digest = body.digest if body is not None else ""
        outcomes = outcomes.with_entry(key, Entry(kind, digest, 0, ""), f"{kind}:{digest}")
    parent, root = state.head, outcomes.root
    machine.event(
        e.CheckpointCommitted,
        body,
        checkpoint="ckpt_" + digest_of(state.id, state.epoch, parent, path, root)[:20],
        parent=parent,
        step=path,
        name=name,
        root=root,
        agent=agent,
        saves=saves,
        dropped=dropped,
    )


def _tidied(machine: Machine, inner: Scope) -> Protocol[dict[str, tuple[str, ...]]]:
    """Undo what attempts before the successful one left; give what its event says of the rest."""
    below = _not_asked_for(machine, inner)
    dropped = [path for path in below if machine.state.outcomes.get(path) is not None]
    left = _leftover(machine, inner, below)
    undone = [one for one in left if one.kind == COMPENSABLE and one.state == DONE]
    yield from undoing.compensate(machine, undone, inside=inner.path)
    return {
        "unowned": tuple(one.id for one in left if one.stands and one not in undone),
        "unresolved": tuple(one.id for one in machine.state.of_step(inner.path) if one.uncertain),
        "dropped": tuple(dropped),
    }


def _not_asked_for(machine: Machine, inner: Scope) -> list[str]:
    """Return the inner steps of other attempts that the successful one did not ask for, with all below them."""
    left = (
        path
        for lane in machine.state.lanes.get(inner.path, {}).values()
        for path in lane.order
        if path not in inner.touched
    )
    return machine.state.below(*left)


def _leftover(machine: Machine, inner: Scope, below: list[str]) -> list[EffectRecord]:
    """Return the standing effects of this step that its successful attempt neither performed nor claimed."""
    own = {
        one.id: one
        for one in machine.state.of_step(inner.path)
        if one.stands and one.id not in inner.asked and one.claims.keys() <= {(inner.path, inner.attempt)}
    }
    # What another step has claimed is that one's.
    inside = {
        one.id: one
        for path in below
        for one in machine.state.of_step(path)
        if one.stands and {claimer for claimer, _ in one.claims} <= set(below)
    }
    return list((own | inside).values())
