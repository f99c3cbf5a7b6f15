"""What must hold whenever an execution rests: after a crash, at a pause, at its end."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import attrs

import omium
from omium.testing.simulation.process import Lab
from omium.testing.simulation.world import World
from omium_core.engine.state import ExecutionState, LaneRecord
from omium_core.model import events as e
from omium_core.model.effect import COMPENSABLE, COMPENSATED, COMPENSATION, DONE, FAILED, IRREVERSIBLE
from omium_core.model.event import EventBase
from omium_core.model.merkle import MerkleMap

__all__ = ["check_rest", "plain"]

# A rung is taken again after another failure, but no ladder of these programs has one that lasts longer.
RUNG_MAX = 3


def check_rest(lab: Lab, world: World, *, crashed: bool) -> None:
    """Check everything that can be seen of an execution now."""
    assert not world.broken, world.broken
    if lab.disk.execution(world.execution) is None:
        return
    events = lab.events(world.execution)
    journal(events)
    state = lab.state(world.execution)
    effects(world, state, crashed)
    if crashed:
        return
    verification = omium.verify(store=lab.url)
    assert verification.ok, verification.problems
    # Only the last one: another act of the same process may have gone on from what one of them left.
    for run in lab.runs.ended[-1:]:
        if run.id == world.execution and run.recorder.epoch == state.epoch:
            live, read = plain(run.machine.state), plain(state)
            different = {name: (live[name], read[name]) for name in live if live[name] != read[name]}
            assert not different, f"the living state is not the folded one: {different}"
            assert not run.machine.made, run.machine.made
    if state.status == "completed":
        completed(lab, world, state)


def journal(events: list[e.Event]) -> None:
    """Check what the events alone tell."""
    attempts: dict[str, int] = {}
    taken: Counter[tuple[str, str, int]] = Counter()
    intents: dict[str, list[int]] = {}
    claimed: dict[str, list[tuple[int, str]]] = {}
    undo_intents: set[str] = set()
    state = ExecutionState()
    undone: list[list[int]] | None = None
    epoch = 0
    for number, event in enumerate(events, 1):
        assert event.seq == number
        assert event.epoch >= epoch
        match event:
            case e.StepStarted() if event.kind != "block":
                assert event.attempt > attempts.get(event.step, 0), f"attempt {event.attempt} of {event.step} again"
                attempts[event.step] = event.attempt
            case e.RecoveryDecided() if event.rung >= 0:
                taken[event.step, event.source, event.rung] += 1
                assert taken[event.step, event.source, event.rung] <= RUNG_MAX, (
                    f"{event.source} rung {event.rung} again"
                )
            case e.StepFailed():
                none_of_it(state, event, claimed)
            case e.EffectIntended(kind=kind) if kind == COMPENSATION:
                assert event.of in intents
                assert state.effects[event.of].value_seq, "an effect without a known value is undone"
                undo_intents.add(event.of)
            case e.EffectIntended():
                intents.setdefault(event.effect, []).append(event.seq)
            case e.EffectDone() | e.EffectFailed() | e.EffectResolved() | e.EffectClaimed() if event.effect:
                assert event.effect in intents
                if isinstance(event, e.EffectClaimed):
                    claimed.setdefault(event.effect, []).append((event.seq, event.step))
            case e.EffectCompensated():
                assert event.effect in undo_intents
                if undone is not None:
                    undone.append(intents[event.effect])
            case e.RolledBack():
                assert event.epoch > epoch
                undone = []
            case e.ExecutionResumed():
                assert event.epoch > epoch
            case e.RollbackFinished():
                assert _newest_first(undone or []), "compensated in another order than newest first"
                undone = None
        epoch = event.epoch
        state.apply(event)
        if isinstance(event, e.RollbackFinished):
            target = state.checkpoints[event.target]
            found = (state.head, state.outcomes.root)
            assert found == (target.id, target.outcomes.root), f"rolled back to another state than `{target.id}`"
            for effect in state.effects.values():
                if effect.seq > target.seq and effect.kind == COMPENSABLE and not effect.dissolved:
                    assert effect.state in (COMPENSATED, FAILED), f"{effect.name} is {effect.state} after a rollback"


def none_of_it(state: ExecutionState, failed: e.StepFailed, claimed: dict[str, list[tuple[int, str]]]) -> None:
    """Check that a transaction has undone what it did by the time its failure is told, where that can be undone.

    `claimed` says of effects by which steps they were claimed, and when: it was in this attempt, if that is `failed`.
    """
    path = failed.step
    if state.steps[path].kind != "transaction":
        return
    began = state.steps[path].started
    standing = [one for one in state.effects.values() if one.state == DONE and one.stands]
    inside = [one for one in standing if not one.is_claimed_outside(path)]
    # What failed inside of it has no claims any more, and an irreversible effect of it stands for good.
    final = [
        one
        for one in inside
        if one.kind == IRREVERSIBLE
        and (
            one.claims
            or f"{one.step}/".startswith(f"{path}/")
            or any(seq > began and f"{step}/".startswith(f"{path}/") for seq, step in claimed.get(one.id, ()))
        )
    ]
    if not final:
        left = [one.name for one in inside if one.kind == COMPENSABLE and one.claims]
        assert not left, f"transaction `{path}` failed, and {left} in it stand"


def _newest_first(undone: list[list[int]]) -> bool:
    """Say whether effects were undone newest first; each happened with one of its intents, nobody knows which."""
    before = sys.maxsize
    for intents in undone:
        fitting = [seq for seq in intents if seq < before]
        if not fitting:
            return False
        before = max(fitting)
    return True


def effects(world: World, state: ExecutionState, crashed: bool) -> None:
    """Compare the ledger with the world."""
    by_key = {effect.key: effect for effect in state.effects.values()}
    for one in world.log:
        effect = by_key.get(one.key)
        assert effect is not None, f"the ledger does not know {one}"
        if one.undone:
            undoing = any(
                isinstance(event, e.EffectIntended) and event.of == effect.id
                for event in world.lab.events(world.execution)
            )
            assert undoing, f"{one} was undone without a word"
        else:
            assert effect.state not in (COMPENSATED, FAILED), f"{one} stands, the ledger says {effect.state}"
    done = {one.key: one for one in world.log}
    for effect in state.effects.values():
        if effect.state == "done" and not effect.dissolved and effect.name.startswith("e"):
            assert effect.key in done, f"{effect.name} is done in the ledger, the world knows nothing"
            if not crashed:
                undoing = done[effect.key].undone
                # Nobody runs it now, so one that is running was left by a runner that died while it undid this: not by
                # the present process, but by one that came beside it.
                left = ("halted", "running", "recovering")
                known = state.status == "paused" or (effect.undoing and state.status in left)
                assert not undoing or known, f"{effect.name} was undone, the ledger says done"


def completed(lab: Lab, world: World, state: ExecutionState) -> None:
    """At the end: what the outcomes speak of happened once, and nothing else stands without being named."""
    mentioned = set(_keys(lab.store.value(state.id, state.result_seq)))
    standing = {one.key: one for one in world.standing()}
    if world.keys_in_values:
        for key in mentioned:
            assert key in standing, f"an outcome relies on `{key}`, which does not stand"
    last = world.lab.events(world.execution)[-1]
    assert isinstance(last, e.ExecutionCompleted)
    ends = [one for one in world.lab.events(world.execution) if isinstance(one, e.StepCompleted | e.ExecutionCompleted)]
    named = {key for one in ends for key in (*one.unowned, *one.unresolved)}
    behind = {
        key for one in world.lab.events(world.execution) if isinstance(one, e.RollbackFinished) for key in one.standing
    }
    by_key = {effect.key: effect for effect in state.effects.values()}
    # A step may have claimed what another one did with the same request; then it is that step's.
    asked_by = {one.key: (by_key[one.key].owner or (by_key[one.key].step,))[0] for one in standing.values()}
    net = Counter((asked_by[one.key], one.call) for one in standing.values())
    for one in standing.values():
        effect = by_key[one.key]
        known = one.key in mentioned or effect.id in named | behind or not world.keys_in_values
        failed_for_good = any(
            entry.kind in ("failed", "skipped") and (effect.step == path or effect.step.startswith(f"{path}/"))
            for path, entry in state.outcomes.items()
        )
        assert known or failed_for_good, f"{one} stands and nobody says so: {effect}"
        extra = world.permitted[effect.name]
        times = net[asked_by[one.key], one.call]
        assert times <= 1 + extra, f"{one.logical} stands {times} times"


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["key"]] if value.get("key") else []
        return own + [key for one in value.values() for key in _keys(one)]
    if isinstance(value, list | tuple):
        return [key for one in value for key in _keys(one)]
    return []


def plain(value: Any) -> Any:
    """Return a folded state as data that can be compared."""
    if isinstance(value, ExecutionState):
        return {one.name: plain(getattr(value, one.name)) for one in attrs.fields(ExecutionState)}
    if isinstance(value, LaneRecord):
        return value.after(0)
    if isinstance(value, MerkleMap):
        return value.root, sorted((key, plain(one)) for key, one in value.items())
    if isinstance(value, EventBase):
        fields = {one.name: getattr(value, one.name) for one in attrs.fields(type(value)) if one.name != "body"}
        return type(value).__name__, plain(fields)
    if attrs.has(type(value)):
        return type(value).__name__, {one.name: plain(getattr(value, one.name)) for one in attrs.fields(type(value))}
    if isinstance(value, dict):
        return {key: found for key, one in value.items() if (found := plain(one)) not in ({}, [])}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
