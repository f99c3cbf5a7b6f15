"""The protocol of a step: answered from the record, or attempted, validated, committed, and recovered."""

from __future__ import annotations

from typing import Any

import attrs

from omium_core.engine import deciding, effects, places, undoing
from omium_core.engine.calls import Outcome, StepCall
from omium_core.engine.commands import DURABLE, Attempt, Correct, Fetch, Restore, Validate
from omium_core.engine.machine import Carried, Machine, Protocol, digest_of
from omium_core.engine.scope import Lane, Scope
from omium_core.engine.state import Entry, Review
from omium_core.model import events as e
from omium_core.model.body import Body
from omium_core.model.effect import COMPENSABLE, DONE, IRREVERSIBLE, EffectRecord
from omium_core.model.failure import Failure, Violation

__all__ = [
    "close_transaction",
    "commit",
    "commit_checkpoint",
    "fail",
    "open_transaction",
    "pass_over",
    "perform",
    "save",
]

# Ladders are finite and count across rollbacks; this bound only says so where the loop stands.
ATTEMPTS_MAX = 10_000


@attrs.frozen
class _Turn:
    """How the next attempt begins. `told` is the seq of the `StepFailed` whose violations it is told."""

    attempt: int
    told: int = 0
    performer: str | None = None
    fix: Any = None
    review: str | None = None
    resumed: bool = False


@attrs.frozen
class _Settled:
    """A step that ends without a further attempt."""

    value: Any


def perform(machine: Machine, scope: Scope, lane: Lane, call: StepCall) -> Protocol[Any]:
    """Return the step's value: from the record if it is finished there, else by attempting it."""
    machine.check_running(scope)
    path, known = yield from places.locate(machine, scope, lane, call.name, call.arguments)
    scope.touched.add(path)
    entry = machine.state.outcomes.get(path) if path in machine.state.steps else None
    # A failure is the answer within the attempt that met it; the next one tries again.
    if entry is not None and (known or (entry.kind != "failed" and entry.arguments == call.arguments)):
        return (yield from _answer(path, entry))
    scope.count(1)
    try:
        return (yield from _performed(machine, scope, lane, path, call, known))
    finally:
        scope.count(-1)


def _performed(machine: Machine, scope: Scope, lane: Lane, path: str, call: StepCall, known: bool) -> Protocol[Any]:
    """Attempt the step until an outcome holds."""
    turn: _Turn | _Settled = yield from _first_turn(machine, path, call, known)
    for _ in range(ATTEMPTS_MAX):
        if isinstance(turn, _Settled):
            return turn.value
        inner, outcome = yield from _attempt(machine, scope, lane, path, call, turn)
        if outcome.failure is None:
            yield from commit(machine, scope, inner, call, outcome)
            return outcome.value
        turn = yield from _recover(machine, scope, inner, call, outcome)
    raise AssertionError(f"more than {ATTEMPTS_MAX} attempts at `{path}`")


def _answer(path: str, entry: Entry) -> Protocol[Any]:
    if entry.kind == "skipped":
        return None
    recorded = yield Fetch(entry.execution, entry.seq)
    if entry.kind == "failed":
        raise Carried((yield Restore(path, recorded)))
    return recorded


def _first_turn(machine: Machine, path: str, call: StepCall, known: bool) -> Protocol[_Turn | _Settled]:
    """Say where the record left the step: at its first attempt, inside one, after a decision, or after an answer.

    An attempt goes on only within the attempt around it that it is `known` to, which may have been given up.
    """
    state = machine.state
    step = state.steps.get(path)
    if step is None:
        return _Turn(1, told=state.hint)
    if step.open and known:
        fix = (yield Fetch(state.id, step.fixes[step.open])) if step.open in step.fixes else None
        return _Turn(step.open, step.told, step.performer, fix, resumed=True)
    if step.review is not None and step.review.answer is not None:
        return (yield from _reviewed(machine, path, call, step.review))
    if step.decision is not None and step.decision.strategy in deciding.PASSING:
        return (yield from _further(machine, path, call, step.decision))
    told = step.failure.seq if step.failure is not None else state.hint
    performer = step.decision.target if step.decision is not None and step.decision.strategy == "fallback" else None
    return _Turn(step.attempts + 1, told, performer)


def _attempt(
    machine: Machine, scope: Scope, lane: Lane, path: str, call: StepCall, turn: _Turn
) -> Protocol[tuple[Scope, Outcome]]:
    inner = Scope(path, turn.attempt, machine.entry, scope, ladders=call.ladders)
    attributes = (yield from _attributes(machine, call.agent)) if call.attributes and call.agent is not None else None
    if not turn.resumed:
        _start(machine, scope, lane, path, call, turn)
        pass_over(machine, scope, lane, path)
    if call.effect is not None:
        answered = yield from open_transaction(machine, inner, call)
        if answered is not None:
            return inner, answered
    told = (yield from _violations(machine, turn.told)) if turn.told else ()
    fixes = () if turn.fix is None else (turn.fix,)
    scope.count(-1)
    try:
        outcome: Outcome = yield Attempt(call, inner, told, fixes, attributes, turn.performer)
    finally:
        scope.count(1)
    yield from machine.close(inner)
    machine.check_running(scope)
    if inner.aborted is not None:
        outcome = Outcome(failure=inner.aborted)
    ran = outcome
    if outcome.failure is None:
        if path in machine.state.lanes:
            yield from places.unasked(machine, inner)
        # A rule that is broken after a model call was broken by the model: its kind is `hallucination`.
        if call.validated:
            outcome = yield from _validated(call, outcome, "hallucination" if inner.models else "violation")
    if call.effect is not None:
        yield from close_transaction(machine, inner, ran, failed=outcome.failure is not None)
    return inner, outcome


def _start(machine: Machine, scope: Scope, lane: Lane, path: str, call: StepCall, turn: _Turn) -> None:
    initial = call.attributes and call.agent is not None and call.agent not in machine.state.attributes
    machine.event(
        e.StepStarted,
        call.body,
        step=path,
        name=call.name,
        attempt=turn.attempt,
        arguments=call.arguments,
        scope=scope.path,
        scope_attempt=scope.attempt,
        lane=lane.label or "",
        agent=call.agent,
        kind="step" if call.effect is None else "transaction",
        performer=turn.performer,
        told=turn.told,
        initial=initial,
    )
    if turn.fix is not None and turn.review is not None:
        machine.event(e.FixApplied, machine.seal(turn.fix), step=path, attempt=turn.attempt, review=turn.review)


def pass_over(machine: Machine, scope: Scope, lane: Lane, path: str) -> None:
    """Move the lane behind a step that has just begun at its end."""
    order = machine.state.lane(scope.path, scope.attempt, lane.label or "").order
    if order[-1] == path:
        lane.cursor = len(order)


def _attributes(machine: Machine, agent: str) -> Protocol[Any]:
    """Return the agent's attributes as of the head, which are put back BEFORE every attempt."""
    entry = machine.state.outcomes.get(f"@{agent}")
    if entry is not None:
        return (yield Fetch(entry.execution, entry.seq))
    first = machine.state.attributes.get(agent)
    return (yield Fetch(machine.state.id, first))["attributes"] if first is not None else None


def _violations(machine: Machine, told: int) -> Protocol[tuple[dict[str, Any], ...]]:
    evidence = yield Fetch(machine.state.id, told)
    return tuple(evidence["violations"]) or ({"rule": evidence["kind"], "message": evidence["message"]},)


def _validated(call: StepCall, outcome: Outcome, kind: str) -> Protocol[Outcome]:
    violations: tuple[Violation, ...] = yield Validate(call, outcome)
    if any(one.hallucinated for one in violations):
        kind = "hallucination"
    return refused(outcome, violations, kind) if violations else outcome


def refused(outcome: Outcome, violations: tuple[Violation, ...], kind: str) -> Outcome:
    """Return the outcome as a failure: it broke rules, so it reaches neither a checkpoint nor the next agent."""
    message = "; ".join(one.message for one in violations)
    evidence = {
        "kind": kind,
        "message": message,
        "violations": [one.as_data() for one in violations],
        "value": outcome.value,
    }
    return Outcome(failure=Failure(kind, message, violations[0].where, violations, evidence, blocking=True))


def open_transaction(machine: Machine, inner: Scope, call: StepCall) -> Protocol[Outcome | None]:
    """Make the transaction's own intent durable BEFORE its body runs; give the outcome of one that stands.

    It is the effect until the body performs a declared one, so a crash inside a body without any is unresolved.
    """
    assert call.effect is not None
    slot = f"{inner.path}||{call.name}|transaction"
    earlier = [one for one in machine.state.at_slot(slot) if one.owner == (inner.path, inner.attempt) and one.dissolved]
    if earlier:
        inner.transaction = earlier[-1].id
        return None
    record = yield from effects.claim_or_intend(machine, inner, slot, call.effect)
    if record.state == DONE:
        value = yield from effects.value_of(machine, record)
        return Outcome(value, machine.seal(value))
    inner.transaction = record.id
    return None


def close_transaction(machine: Machine, inner: Scope, ran: Outcome, *, failed: bool) -> Protocol[None]:
    """Journal what became of the transaction's own effect; undo what a transaction that failed has done."""
    record = machine.state.effects.get(inner.transaction or "")
    if record is None:
        return
    machine.flying.discard(record.id)
    if not record.dissolved:
        effects.record_outcome(machine, inner, record, ran)
    inside = [one for one in (record, *machine.state.within(record.id)) if one.stands]
    if not failed or any(one.kind == IRREVERSIBLE and one.state == DONE for one in inside):
        return
    for one in inside:
        if one.uncertain and one is not record:
            yield from undoing.resolve(machine, one)
    yield from undoing.compensate(machine, [one for one in inside if one.state == DONE and one.kind == COMPENSABLE])


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


def _tidied(machine: Machine, inner: Scope) -> Protocol[dict[str, tuple[str, ...]]]:
    """Undo what attempts before the successful one left; give what its event says of the rest."""
    below = _not_asked_for(machine, inner)
    dropped = [path for path in below if machine.state.outcomes.get(path) is not None]
    left = _leftover(machine, inner, below)
    undone = [one for one in left if one.kind == COMPENSABLE and one.state == DONE]
    yield from undoing.compensate(machine, undone)
    return {
        "unowned": tuple(one.id for one in left if one.stands and one not in undone),
        "unresolved": tuple(one.id for one in machine.state.of_step(inner.path) if one.uncertain),
        "dropped": tuple(dropped),
    }


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
    parent = state.head
    machine.event(
        e.CheckpointCommitted,
        body,
        checkpoint="ckpt_" + digest_of(state.id, state.epoch, parent, path, outcomes.root)[:20],
        parent=parent,
        step=path,
        name=name,
        root=outcomes.root,
        agent=agent,
        saves=saves,
        dropped=dropped,
    )


def _not_asked_for(machine: Machine, inner: Scope) -> list[str]:
    """Return the inner steps of other attempts that the successful one did not ask for, with all below them."""
    waiting = [
        path
        for lane in machine.state.lanes.get(inner.path, {}).values()
        for path in lane.order
        if path not in inner.touched
    ]
    found: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(one for lane in machine.state.lanes.get(path, {}).values() for one in lane.order)
    return sorted(found)


def _leftover(machine: Machine, inner: Scope, below: list[str]) -> list[EffectRecord]:
    """Return the standing effects of this step that its successful attempt neither performed nor claimed."""
    own = {
        one.id: one
        for one in machine.state.of_step(inner.path)
        if one.stands and one.id not in inner.asked and one.owner in (None, (inner.path, inner.attempt))
    }
    # What another step has claimed since is that one's.
    inside = {
        one.id: one
        for path in below
        for one in machine.state.of_step(path)
        if one.stands and (one.owner is None or one.owner[0] == path)
    }
    return list((own | inside).values())


def fail(machine: Machine, inner: Scope, failure: Failure, *, final: bool) -> e.StepFailed:
    """Make the event for an attempt that failed; `final` makes the failure the outcome."""
    return machine.event(
        e.StepFailed,
        machine.seal(failure.evidence),
        step=inner.path,
        attempt=inner.attempt,
        kind=failure.kind,
        where=failure.where,
        final=final,
    )


def _recover(
    machine: Machine, scope: Scope, inner: Scope, call: StepCall, outcome: Outcome
) -> Protocol[_Turn | _Settled]:
    """Journal the failure with what is decided about it, and do that."""
    failure = outcome.failure
    assert failure is not None
    ladder = deciding.ladder_for(call.ladders, failure.kind, outcome.error)
    final = ladder is None and not failure.blocking and outcome.error is not None
    for one in failure.violations:
        machine.event(
            e.PolicyViolated,
            machine.seal({"message": one.message, "values": dict(one.values)}),
            step=inner.path,
            attempt=inner.attempt,
            rule=one.rule,
            where=one.where,
        )
    failed = fail(machine, inner, failure, final=final)
    if final:
        yield DURABLE
        assert outcome.error is not None
        raise Carried(outcome.error)
    decision = yield from deciding.decide(machine, inner, ladder, failure, failed.seq)
    return (yield from _act(machine, scope, inner, call, decision, failed.seq))


def _act(
    machine: Machine, scope: Scope, inner: Scope, call: StepCall, decision: e.RecoveryDecided, failed: int
) -> Protocol[_Turn | _Settled]:
    told = failed if decision.values.get("feedback", True) else 0
    match decision.strategy:
        case "retry":
            return _Turn(inner.attempt + 1, told)
        case "fallback":
            return _Turn(inner.attempt + 1, told, performer=decision.target)
        case "skip":
            yield from commit(machine, scope, inner, call, Outcome())
            return _Settled(None)
    raise AssertionError(f"`{decision.strategy}` does not come back from its decision")


def _further(machine: Machine, path: str, call: StepCall, last: e.RecoveryDecided) -> Protocol[_Turn | _Settled]:
    """Go on with a ladder after a rung that leads to the next one, on which a runner died."""
    step = machine.state.steps[path]
    assert step.failure is not None
    evidence = yield Fetch(step.execution, step.failure.seq)
    failure = Failure(step.failure.kind, evidence["message"], step.failure.where, evidence=evidence)
    if last.strategy == "compensate":
        yield from deciding.undo_failed(machine, path)
    inner = Scope(path, step.attempts, machine.entry)
    ladder = deciding.ladder_named(call.ladders, last.source)
    decision = yield from deciding.decide(machine, inner, ladder, failure, step.failure.seq)
    return (yield from _act(machine, inner, inner, call, decision, step.failure.seq))


def _reviewed(machine: Machine, path: str, call: StepCall, review: Review) -> Protocol[_Turn | _Settled]:
    """Do what a person decided about a failed step."""
    assert review.answer is not None
    step = machine.state.steps[path]
    failed = step.failure.seq if step.failure is not None else 0
    answer = (yield Fetch(machine.state.id, review.answer.seq)) or {}
    inner = Scope(path, step.attempts, machine.entry)
    match review.answer.action:
        case "skip":
            yield from commit(machine, inner, inner, call, Outcome())
            return _Settled(None)
        case "set":
            return (yield from _corrected(machine, inner, call, answer["set"], review.request, failed))
        case "reject":
            ladder = deciding.ladder_named(call.ladders, step.decision.source if step.decision else "")
            failure = Failure(step.failure.kind if step.failure else "error", "the proposal was rejected")
            decision = yield from deciding.decide(machine, inner, ladder, failure, failed)
            return (yield from _act(machine, inner, inner, call, decision, failed))
    return _Turn(step.attempts + 1, failed, fix=answer.get("edit"), review=review.answer.review)


def _corrected(
    machine: Machine, inner: Scope, call: StepCall, changes: dict[str, Any], before: e.ReviewRequested, failed: int
) -> Protocol[_Turn | _Settled]:
    """Apply a person's correction to the refused outcome; it commits only if every rule holds now."""
    evidence = yield Fetch(machine.state.id, failed)
    outcome: Outcome = yield Correct(evidence["value"], changes)
    if outcome.failure is None:
        outcome = yield from _validated(call, outcome, evidence["kind"])
    if outcome.failure is None:
        yield from commit(machine, inner, inner, call, outcome, corrected=True)
        return _Settled(outcome.value)
    raise (yield from deciding.ask_again(machine, inner, outcome.failure, before))
