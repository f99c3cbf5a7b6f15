"""The protocol of a step: answered from the record, or attempted, validated, committed, and recovered."""

from __future__ import annotations

from typing import Any

import attrs

from omium_core.engine import asking, deciding, effects, fixing, guarding, handing, loops, places, undoing
from omium_core.engine.calls import Outcome, StepCall
from omium_core.engine.commands import DURABLE, Attempt, Correct, Diagnose, Diagnosed, Fetch, Restore, Validate
from omium_core.engine.committing import commit
from omium_core.engine.crashing import CRASHED
from omium_core.engine.machine import AttemptAborted, Carried, Machine, Protocol, Stop
from omium_core.engine.scope import Lane, Scope
from omium_core.engine.state import Entry, Review
from omium_core.model import events as e
from omium_core.model.effect import COMPENSABLE, DONE, IRREVERSIBLE, EffectRecord, transaction_slot
from omium_core.model.failure import ADVISORY, MONITORING, Failure, Violation
from omium_core.model.fix import ADVICE, Fix
from omium_core.model.immutable import immutable
from omium_core.recovery.ladders import Halt, Ladder, Pause, Recovery

__all__ = [
    "close_transaction",
    "fail",
    "open_transaction",
    "pass_over",
    "perform",
]

# Ladders are finite and count across rollbacks; this bound only says so where the loop stands.
ATTEMPTS_MAX = 10_000
ATTENDED = Ladder(Recovery(Pause(), Halt()), "resumes without a new checkpoint")


@immutable
class _Turn:
    """How the next attempt begins. `told` is the seq of the `StepFailed` whose violations it is told."""

    attempt: int
    told: int = 0
    performer: str | None = None
    fixes: tuple[Fix, ...] = ()
    resumed: bool = False


@immutable
class _Begun:
    """How an attempt began: what its body is told and given, or the failure that keeps it from running."""

    fixes: tuple[Fix, ...] = ()
    advised: tuple[Violation, ...] = ()
    failure: Failure | None = None


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
        if not known:
            yield from effects.take_in(machine, scope, path)
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
    again = step.review is not None and step.review.answer is not None and step.review.answer.action == "retry"
    if step.open and known and not again:
        fixes = (yield from fixing.recorded(machine, path, step.open)) if step.open in step.fixes else ()
        if step.refused:
            # A runner died before it journaled that this attempt failed: its body never ran, and must be asked about.
            return _Turn(step.attempts + 1, step.told, step.performer, fixes)
        return _Turn(step.open, step.told, step.performer, fixes, resumed=True)
    if step.review is not None and step.review.answer is not None:
        return (yield from _reviewed(machine, path, call, step.review))
    if step.decision is not None and step.decision.strategy in deciding.PASSING:
        return (yield from _further(machine, path, call, step.decision.source))
    if step.undecided:
        return (yield from _further(machine, path, call, None))
    told = step.failure.seq if step.failure is not None else state.hint
    performer = step.decision.target if step.decision is not None and step.decision.strategy == "fallback" else None
    return _Turn(step.attempts + 1, told, performer)


def _attempt(
    machine: Machine, scope: Scope, lane: Lane, path: str, call: StepCall, turn: _Turn
) -> Protocol[tuple[Scope, Outcome]]:
    inner = Scope(path, turn.attempt, machine.entry, scope, call, ladders=call.ladders)
    attributes = (yield from _attributes(machine, call.agent)) if call.attributes and call.agent is not None else None
    begun = _Begun(turn.fixes) if turn.resumed else (yield from _begin(machine, scope, lane, inner, call, turn))
    if begun.failure is not None:
        return inner, Outcome(failure=begun.failure)
    if call.effect is not None:
        try:
            answered = yield from open_transaction(machine, inner, call)
        except AttemptAborted:
            if inner.aborted is None:
                raise
            # The policy does not let it begin: its body never ran.
            return inner, Outcome(failure=inner.aborted)
        if answered is not None:
            return inner, answered
    told = (yield from _violations(machine, turn.told)) if turn.told else ()
    told += tuple(one.as_data() for one in begun.advised if one.mode == ADVISORY)
    advice = tuple(one.change for one in begun.fixes if one.kind in ADVICE)
    scope.count(-1)
    try:
        outcome: Outcome = yield Attempt(call, inner, told, advice, attributes, turn.performer)
    finally:
        scope.count(1)
    yield from machine.close(inner)
    machine.check_running(scope)
    if inner.aborted is not None:
        outcome = Outcome(failure=inner.aborted)
        yield from _close_inside(machine, inner, outcome)
    ran = outcome
    if outcome.failure is None:
        if path in machine.state.lanes:
            yield from places.unasked(machine, inner)
        # A rule that is broken after a model call was broken by the model: its kind is `hallucination`.
        if call.validated:
            kind = "hallucination" if inner.models else "violation"
            outcome = yield from _validated(machine, call, inner, outcome, kind)
    if call.effect is not None:
        yield from close_transaction(machine, inner, ran, failed=outcome.failure is not None)
    return inner, outcome


def _begin(machine: Machine, scope: Scope, lane: Lane, inner: Scope, call: StepCall, turn: _Turn) -> Protocol[_Begun]:
    """Journal that an attempt starts, with its fixes; a rule or a loop may keep its body from running."""
    path, fixes = inner.path, turn.fixes
    if machine.standing:
        fixes += fixing.standing(machine, path, fixes)
    advised = (yield from guarding.before_step(machine, inner, call)) if machine.watch is not None else ()
    refusing = any(one.blocks for one in advised)
    _start(machine, scope, lane, path, call, turn, refused=refusing)
    for one in fixes:
        fixing.apply(machine, path, turn.attempt, one)
    pass_over(machine, scope, lane, path)
    if refusing:
        return _Begun(failure=guarding.refusal(advised))
    if advised:
        yield from guarding.note(machine, inner, advised)
    if turn.attempt == 1 and machine.loops_max is not None and lane.steps[call.name] > machine.loops_max:
        looping = loops.looping(machine, path, call)
        if looping is not None:
            return _Begun(failure=looping)
    if machine.state.crashes:
        # A runner died since the last checkpoint; should this step be why, the next one has to know which it was.
        yield DURABLE
    return _Begun(fixes, advised)


def _start(
    machine: Machine, scope: Scope, lane: Lane, path: str, call: StepCall, turn: _Turn, *, refused: bool
) -> None:
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
        refused=refused,
    )


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
    """Return what an attempt is told of the last one; what is only watched is nothing to the agent."""
    evidence = yield Fetch(machine.state.id, told)
    found = tuple(one for one in evidence["violations"] if one.get("mode") != MONITORING)
    return found or ({"rule": evidence["kind"], "message": evidence["message"]},)


def _validated(machine: Machine, call: StepCall, inner: Scope, outcome: Outcome, kind: str) -> Protocol[Outcome]:
    """Return the outcome if every rule of it holds and every handoff of it is agreed to, else the failure."""
    violations: tuple[Violation, ...] = yield Validate(call, outcome, inner)
    violations += guarding.on_outcome(machine, inner, call)
    if any(one.blocks for one in violations):
        said = (one.kind or ("hallucination" if one.hallucinated else "") for one in violations if one.blocks)
        return refused(outcome, violations, next(filter(None, said), kind))
    if violations:
        yield from guarding.note(machine, inner, violations)
    return outcome if machine.watch is None else (yield from handing.agreed(machine, call, inner, outcome))


def refused(outcome: Outcome, violations: tuple[Violation, ...], kind: str) -> Outcome:
    """Return the outcome as a failure: it broke rules, so it reaches neither a checkpoint nor the next agent."""
    failure = guarding.refusal(violations, kind)
    evidence = {**failure.evidence, "kind": kind, "value": outcome.value}
    return Outcome(failure=attrs.evolve(failure, kind=kind, evidence=evidence))


def open_transaction(machine: Machine, inner: Scope, call: StepCall) -> Protocol[Outcome | None]:
    """Make the transaction's own intent durable BEFORE its body runs; give the outcome of one that stands.

    It is the effect until the body performs a declared one, so a crash inside a body without any is unresolved.
    """
    assert call.effect is not None
    slot = transaction_slot(inner.path, call.name)
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
    # A user's key may name what a step outside relies on as well: that stands whatever becomes of the transaction.
    inside = [one for one in inside if not one.is_claimed_outside(inner.path)]
    if not failed or _cannot_be_undone(inside):
        return
    for one in inside:
        if one.uncertain and one is not record:
            yield from undoing.resolve(machine, one)
    # What nobody knew of may have been the irreversible effect: it happened, so nothing before it is undone.
    if not _cannot_be_undone(inside):
        undone = [one for one in inside if one.state == DONE and one.kind == COMPENSABLE]
        yield from undoing.compensate(machine, undone, inside=inner.path)


def _close_inside(machine: Machine, inner: Scope, outcome: Outcome) -> Protocol[None]:
    """End the transactions that an aborted attempt was in the middle of: what was done in them is undone."""
    began = [one for one in machine.state.steps.values() if one.open and one.kind == "transaction"]
    for step in sorted(began, key=lambda one: one.started, reverse=True):
        if step.path.startswith(f"{inner.path}/"):
            within = Scope(step.path, step.open, inner.entry, inner)
            slot = transaction_slot(step.path, step.name)
            own = [one for one in machine.state.at_slot(slot) if one.owner == (step.path, step.open)]
            within.transaction = own[-1].id if own else None
            yield from close_transaction(machine, within, outcome, failed=True)
            assert outcome.failure is not None
            fail(machine, within, outcome.failure, final=True)


def _cannot_be_undone(inside: list[EffectRecord]) -> bool:
    return any(one.kind == IRREVERSIBLE and one.state == DONE for one in inside)


def fail(machine: Machine, inner: Scope, failure: Failure, *, final: bool, fingerprint: str = "") -> e.StepFailed:
    """Make the event for an attempt that failed; `final` makes the failure the outcome."""
    return machine.event(
        e.StepFailed,
        machine.seal(failure.evidence),
        step=inner.path,
        attempt=inner.attempt,
        kind=failure.kind,
        where=failure.where,
        final=final,
        fingerprint=fingerprint,
    )


def _recover(
    machine: Machine, scope: Scope, inner: Scope, call: StepCall, outcome: Outcome
) -> Protocol[_Turn | _Settled]:
    """Journal the failure with what is decided about it, and do that."""
    assert outcome.failure is not None
    failure = guarding.on_failure(machine, inner, call, outcome.failure)
    ladder = deciding.ladder_for(call.ladders, failure, outcome.error)
    final = ladder is None and not failure.blocking and outcome.error is not None
    asked = asking.leads_to_a_question(machine, inner.path, ladder)
    offered = asking.fallbacks(machine, inner.path, ladder) if asked else None
    # It is asked for BEFORE the failure is journaled, so that nothing comes between the failure and the decision.
    found: Diagnosed = yield Diagnose(call, inner, failure, outcome.error, offered)
    machine.check_running(scope)
    failure = found.failure
    notices = guarding.journal(machine, inner, failure.violations)
    failed = fail(machine, inner, failure, final=final, fingerprint=found.fingerprint)
    yield from guarding.tell(machine, inner, notices)
    if final:
        yield DURABLE
        assert outcome.error is not None
        raise Carried(outcome.error)
    decision = yield from deciding.decide(machine, inner, ladder, failure, failed.seq, found.suggestions)
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


def _further(machine: Machine, path: str, call: StepCall, last: str | None) -> Protocol[_Turn | _Settled]:
    """Go on with the ladder `last` after a rung on which a runner died; with the failure's if nobody decided yet."""
    step = machine.state.steps[path]
    assert step.failure is not None
    evidence = yield Fetch(step.execution, step.failure.seq)
    failure = Failure.recorded(step.failure.kind, evidence, step.failure.where)
    if step.decision is not None and step.decision.strategy == "compensate":
        yield from deciding.undo_failed(machine, path, tuple(step.decision.values.get("effects", ())))
    inner = Scope(path, step.attempts, machine.entry, call=call)
    if last is not None:
        ladder = deciding.ladder_named(call.ladders, last)
    else:
        # An append of another lane took the failure with it, and the runner died before it was decided about.
        error = (yield Restore(path, evidence)) if "error" in evidence else None
        ladder = deciding.ladder_for(call.ladders, failure, error)
        ladder = ATTENDED if ladder is None and failure.kind == CRASHED else ladder
    decision = yield from deciding.decide(machine, inner, ladder, failure, step.failure.seq)
    return (yield from _act(machine, inner, inner, call, decision, step.failure.seq))


def _reviewed(machine: Machine, path: str, call: StepCall, review: Review) -> Protocol[_Turn | _Settled]:
    """Do what a person decided about a failed step."""
    assert review.answer is not None
    step = machine.state.steps[path]
    failed = step.failure.seq if step.failure is not None else 0
    answer = (yield Fetch(machine.state.id, review.answer.seq)) or {}
    inner = Scope(path, step.attempts, machine.entry, call=call)
    match review.answer.action:
        case "skip":
            yield from commit(machine, inner, inner, call, Outcome())
            return _Settled(None)
        case "set":
            fix = Fix("value", answer["set"], review.answer.review, topic=fixing.topic(machine, path))
            return (yield from _corrected(machine, inner, call, fix, review.request, failed))
        case "reject":
            ladder = deciding.ladder_named(call.ladders, step.decision.source if step.decision else "")
            failure = Failure(step.failure.kind if step.failure else "error", "the proposal was rejected")
            decision = yield from deciding.decide(machine, inner, ladder, failure, failed)
            return (yield from _act(machine, inner, inner, call, decision, failed))
        case "edit":
            fix = Fix("prompt", answer["edit"], review.answer.review, topic=fixing.topic(machine, path))
            return _Turn(step.attempts + 1, failed, fixes=(fix,))
        case "fix":
            fix = yield from fixing.chosen(machine, path, review, answer["fix"])
            return (yield from _fixed(machine, inner, call, fix, review.request, failed))
    return _Turn(step.attempts + 1, failed)


def _fixed(
    machine: Machine, inner: Scope, call: StepCall, fix: Fix, before: e.ReviewRequested, failed: int
) -> Protocol[_Turn | _Settled]:
    """Do what a suggestion says that a person chose."""
    attempt = machine.state.steps[inner.path].attempts + 1
    match fix.kind:
        case "value":
            return (yield from _corrected(machine, inner, call, fix, before, failed))
        case "fallback":
            return _Turn(attempt, failed, performer=fix.change["step"], fixes=(fix,))
        case "rollback":
            fixing.apply(machine, inner.path, attempt, fix)
            target, why = fix.change["checkpoint"], "a suggestion that was approved"
            raise machine.stop(Stop("rollback", why, target=target, by=before.review, failure=failed, step=inner.path))
    return _Turn(attempt, failed, fixes=(fix,))


def _corrected(
    machine: Machine, inner: Scope, call: StepCall, fix: Fix, before: e.ReviewRequested, failed: int
) -> Protocol[_Turn | _Settled]:
    """Apply a person's correction to the refused outcome; it commits only if every rule holds now."""
    evidence = yield Fetch(machine.state.id, failed)
    outcome: Outcome = yield Correct(evidence["value"], fix.change)
    if outcome.failure is None:
        outcome = yield from _validated(machine, call, inner, outcome, evidence["kind"])
    fixing.apply(machine, inner.path, inner.attempt, fix)
    if outcome.failure is None:
        yield from commit(machine, inner, inner, call, outcome, corrected=True)
        return _Settled(outcome.value)
    refused_at_first = Failure.recorded(evidence["kind"], evidence)
    raise (yield from asking.ask_again(machine, inner, outcome.failure, refused_at_first, before))
