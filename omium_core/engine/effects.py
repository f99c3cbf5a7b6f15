"""The protocol of an effect: claimed if it stands, stopped if it stands in other words, performed once otherwise."""

from __future__ import annotations

from typing import Any

from omium_core.engine import circuits, guarding, undoing
from omium_core.engine.calls import EffectCall, Outcome
from omium_core.engine.commands import DURABLE, SOON, Fetch, Perform, Restore, Sleep
from omium_core.engine.machine import AttemptAborted, Carried, Machine, Protocol, Stop
from omium_core.engine.scope import Lane, Scope, counted
from omium_core.errors import StepError, UsageError
from omium_core.model import events as e
from omium_core.model.effect import (
    COMPENSABLE,
    DONE,
    IDEMPOTENT,
    IRREVERSIBLE,
    READ,
    UNRESOLVED,
    EffectRecord,
    effect_id,
    provider_key,
)
from omium_core.model.failure import Failure
from omium_core.recovery import breakers

__all__ = ["claim_or_intend", "perform", "record_outcome", "take_in"]

# A request can meet a few standing effects one after the other, each is resolved or compensated once.
MATCHES_MAX = 100
# How often, and for how long in all (ten minutes), a lane looks whether another one has finished the same keyed effect.
TWIN_CHECK_S = 0.005
TWIN_CHECKS_MAX = 120_000


def perform(machine: Machine, scope: Scope, lane: Lane, call: EffectCall) -> Protocol[Any]:
    """Return the effect's value: from the record where it stands, else by performing it."""
    machine.check_running(scope)
    label = scope.label_for(lane, call.name)
    slot = f"{scope.path}|{label}|{call.name}|{counted(lane.effects, call.name)}"
    step = scope.step()
    if (step.path, step.attempt, slot) in machine.state.left_out:
        # The code went on without this call's value, so it does again, whatever has happened since.
        return None
    scope.count(1)
    try:
        return (yield from (_read if call.kind == READ else _act)(machine, scope, slot, call))
    finally:
        scope.count(-1)
        if machine.watch is not None:
            machine.watch.forget_call((scope.path, scope.attempt, slot))


def claim_or_intend(machine: Machine, scope: Scope, slot: str, call: EffectCall) -> Protocol[EffectRecord]:
    """Return the standing effect that answers this request, or a new one whose intent is durable."""
    yield from _await_twin(machine, scope, call)
    for _ in range(MATCHES_MAX):
        effect = _same_request(machine, scope, slot, call)
        if effect is None:
            effect = _same_slot(machine, scope, slot)
            if effect is None:
                return (yield from _intend(machine, scope, slot, call))
            if effect.uncertain:
                yield from undoing.resolve(machine, effect)
            elif effect.kind == COMPENSABLE and effect.state == DONE:
                yield from undoing.compensate(machine, [effect])
            else:
                answer = yield from _conflict(machine, scope, slot, call, effect)
                if answer == "perform":
                    return (yield from _intend(machine, scope, slot, call))
                return (yield from _claim(machine, scope, slot, effect))
        elif effect.undoing:
            # A runner died while it was undone; it may be undone already, so that comes to its end first.
            yield from undoing.compensate(machine, [effect])
        elif effect.uncertain:
            if not (yield from undoing.ask_world(machine, effect)):
                if not effect.keyed:
                    raise (yield from undoing.ask_person(machine, effect))
                return (yield from _intend(machine, scope, slot, call, again=effect))
        elif call.kind == IDEMPOTENT and effect.arguments != call.arguments:
            return (yield from _intend(machine, scope, slot, call, again=effect))
        else:
            return (yield from _claim(machine, scope, slot, effect))
    raise AssertionError(f"more than {MATCHES_MAX} standing effects for `{slot}`")


def record_outcome(machine: Machine, scope: Scope, record: EffectRecord, outcome: Outcome, *, topic: str = "") -> None:
    """Make the event for how an effect ended; `topic` is that of its circuit."""
    facts: dict[str, Any] = {
        "effect": record.id,
        "name": record.name,
        "step": scope.path,
        "attempt": scope.attempt,
        "kind": record.kind,
        "usage": outcome.usage,
    }
    if outcome.failure is None:
        machine.event(e.EffectDone, outcome.body, slot=record.slot, **facts)
    else:
        evidence = machine.seal(outcome.failure.evidence)
        machine.event(e.EffectFailed, evidence, definite=outcome.definite, slot=record.slot, topic=topic, **facts)


def take_in(machine: Machine, scope: Scope, path: str) -> Protocol[None]:
    """Make what a finished step or block has done a part of the transaction around `scope`, which goes on from it.

    An earlier attempt at the transaction did it; if the present one did nothing of its own, it would seem to be an
    effect itself, and be an answer also after what its outcome relies on was undone.
    """
    state, around = machine.state, scope.enclosing_transaction()
    transaction = around.transaction if around is not None else None
    if transaction is None:
        return
    inside = {one.id for one in state.within(transaction)}
    for step in state.below(path):
        for effect in state.of_step(step):
            attempt = next((attempt for claimer, attempt in effect.claims if claimer == step), None)
            if attempt is not None and effect.stands and not effect.abandoned and effect.id not in inside:
                facts = {"step": step, "attempt": attempt, "slot": effect.slot, "within": transaction}
                machine.event(e.EffectClaimed, effect=effect.id, **facts)
    yield SOON


def value_of(machine: Machine, record: EffectRecord) -> Protocol[Any]:
    """Return the recorded value of a done effect."""
    return (yield Fetch(machine.state.id, record.value_seq))


def _act(machine: Machine, scope: Scope, slot: str, call: EffectCall) -> Protocol[Any]:
    """Answer an effect that is not a read with what stands, else perform it once."""
    failed = machine.state.failures.get((scope.path, scope.attempt, slot))
    if failed is not None:
        yield from _raise_recorded(scope, failed)
    try:
        record = yield from claim_or_intend(machine, scope, slot, call)
    except guarding.Skipped:
        return None
    if record.state == DONE:
        return (yield from value_of(machine, record))
    try:
        outcome: Outcome = yield Perform(call, record.key)
    finally:
        machine.flying.discard(record.id)
    record_outcome(machine, scope, record, outcome, topic=_topic(call))
    if outcome.definite and (scope.path, scope.attempt) not in machine.state.effects[record.id].claims:
        # What stands of it is an earlier request's: this attempt has not got it, and may go on without.
        scope.asked.discard(record.id)
    if call.breaker is not None:
        yield from circuits.settle(machine, scope, call, failed=outcome.failure is not None)
    yield SOON
    if outcome.error is not None:
        raise Carried(outcome.error)
    return outcome.value


def _read(machine: Machine, scope: Scope, slot: str, call: EffectCall) -> Protocol[Any]:
    """Answer a read from this attempt's record, in order among equal requests, else perform it."""
    scope.step().models += call.model is not None
    request = (call.name, call.arguments)
    recorded = machine.state.reads.get((scope.path, scope.attempt), {}).get(request, [])
    position = counted(scope.answered, request)
    if position <= len(recorded):
        execution, seq, failed = recorded[position - 1]
        if not failed:
            answer = yield Fetch(execution, seq)
            return answer["value"]
        yield from _raise_recorded(scope, (execution, seq))
    if machine.watch is not None:
        try:
            yield from guarding.before_effect(machine, scope, slot, call)
        except guarding.Skipped:
            return None
    if call.breaker is not None:
        yield from circuits.admit(machine, scope, slot, call)
    outcome: Outcome = yield Perform(call, "")
    facts: dict[str, Any] = {"name": call.name, "step": scope.path, "attempt": scope.attempt, "kind": READ}
    facts |= {"effect": "", "usage": outcome.usage}
    if outcome.failure is None:
        machine.event(e.EffectDone, outcome.body, slot=slot, arguments=call.arguments, model=call.model, **facts)
    else:
        evidence = machine.seal(outcome.failure.evidence)
        machine.event(
            e.EffectFailed, evidence, definite=True, slot=slot, arguments=call.arguments, topic=_topic(call), **facts
        )
    if call.breaker is not None:
        yield from circuits.settle(machine, scope, call, failed=outcome.failure is not None)
    yield SOON
    if outcome.error is not None:
        raise Carried(outcome.error)
    return outcome.value


def _topic(call: EffectCall) -> str:
    return breakers.topic_of(call.name) if call.breaker is not None else ""


def _raise_recorded(scope: Scope, failed: tuple[str, int]) -> Protocol[None]:
    """Raise what this call raised before in this attempt, so that code which caught it goes the same way again.

    Where the exception's type cannot be restored the code could not catch it, so the call is made anew.
    """
    error = yield Restore(scope.path, (yield Fetch(*failed)))
    if not isinstance(error, StepError):
        raise Carried(error)


def _same_request(machine: Machine, scope: Scope, slot: str, call: EffectCall) -> EffectRecord | None:
    """Find a standing effect with the same name and fingerprint: same slot first, then same step, then elsewhere."""
    found = [
        effect
        for effect in machine.state.requests(call.name, call.fingerprint)
        if effect.stands and (_claimable(effect, scope) or _shared(machine, effect, call))
    ]
    found.sort(key=lambda effect: (effect.slot != slot, effect.step != scope.path, effect.seq))
    return found[0] if found else None


def _same_slot(machine: Machine, scope: Scope, slot: str) -> EffectRecord | None:
    found = [one for one in machine.state.at_slot(slot) if one.stands and _claimable(one, scope)]
    # What can be undone is not undone for this request while another step relies on it as well.
    found = [one for one in found if one.kind != COMPENSABLE or not one.is_claimed_outside(scope.path)]
    return found[-1] if found else None


def _await_twin(machine: Machine, scope: Scope, call: EffectCall) -> Protocol[None]:
    """Wait while another lane performs the effect that the user's key names; its outcome answers this request too."""
    for _ in range(TWIN_CHECKS_MAX):
        twins = [one for one in machine.state.requests(call.name, call.fingerprint) if one.id in machine.flying]
        if call.lineage is None or not twins or scope.is_within(twins[0].id):
            return
        yield Sleep(TWIN_CHECK_S)
        machine.check_running(scope)


def _claimable(effect: EffectRecord, scope: Scope) -> bool:
    if effect.abandoned:
        return False
    if effect.id in scope.asked:
        # Code that asks again for what it got no answer to: the first request is resolved BEFORE there is another.
        return effect.state == UNRESOLVED
    return not effect.claims or (scope.path, scope.attempt) in effect.claims


def _shared(machine: Machine, effect: EffectRecord, call: EffectCall) -> bool:
    """A user's key names one effect: who asks for it again on the same path gets the one that stands, or may stand."""
    return effect.keyed and call.lineage is not None and not effect.abandoned and effect.id not in machine.flying


def _claim(machine: Machine, scope: Scope, slot: str, effect: EffectRecord) -> Protocol[EffectRecord]:
    scope.asked.add(effect.id)
    claimer, within = (scope.path, scope.attempt), scope.enclosing_transaction()
    transaction = machine.state.effects.get(within.transaction or "") if within is not None else None
    moved = effect.owner == claimer and effect.slot != slot
    if claimer not in effect.claims or moved or (transaction is not None and not transaction.dissolved):
        # INVARIANT: whoever is answered with it is on record, so that all who rely on it lose it when it is undone.
        machine.event(
            e.EffectClaimed,
            effect=effect.id,
            step=scope.path,
            attempt=scope.attempt,
            slot=slot,
            within=transaction.id if transaction is not None else None,
        )
        yield SOON
    return effect


def _intend(
    machine: Machine, scope: Scope, slot: str, call: EffectCall, again: EffectRecord | None = None
) -> Protocol[EffectRecord]:
    """Make the effect's next incarnation, or send one again under its own key; its intent is durable afterwards."""
    if machine.watch is not None and again is None:
        yield from guarding.before_effect(machine, scope, slot, call)
    if call.breaker is not None:
        yield from circuits.admit(machine, scope, slot, call)
    state = machine.state
    lineage = call.lineage if call.lineage is not None else slot
    before = state.incarnations(call.name, lineage)
    incarnation = again.incarnation if again else (max(before) + 1 if before else 0)
    yield from _check_credentials(machine, scope, call)
    within = scope.enclosing_transaction()
    if within is not None and call.target is not None and again is None:
        _check_transaction(machine, scope, call)
    event = machine.event(
        e.EffectIntended,
        call.body,
        effect=effect_id(state.id, call.name, lineage, incarnation),
        name=call.name,
        step=scope.path,
        attempt=scope.attempt,
        slot=slot,
        kind=call.kind,
        key=provider_key(state.id, lineage, incarnation, keyed=call.lineage is not None),
        fingerprint=call.fingerprint,
        arguments=call.arguments,
        incarnation=incarnation,
        lineage=lineage,
        keyed=call.lineage is not None,
        within=within.transaction if within else None,
        credentials=call.credentials,
    )
    scope.asked.add(event.effect)
    machine.flying.add(event.effect)
    # INVARIANT: the intent is durable BEFORE the effect is performed. A crash between the two leaves an intent without
    # an outcome, which recovery can resolve; the other order leaves an effect that nobody knows about.
    try:
        yield DURABLE
        machine.check_running(scope)
    except BaseException:
        # Stopped or cancelled in between: it was certainly not performed, so nobody has to be asked about it.
        machine.flying.discard(event.effect)
        facts = {"step": scope.path, "attempt": scope.attempt, "kind": call.kind, "definite": True}
        machine.event(e.EffectFailed, effect=event.effect, name=call.name, **facts)
        yield SOON
        raise
    return state.effects[event.effect]


def _conflict(machine: Machine, scope: Scope, slot: str, call: EffectCall, effect: EffectRecord) -> Protocol[str]:
    """Say what to do where another request stands in this slot: `reuse` or `perform`; a person decides by default."""
    answered = machine.state.permits.get(scope.path, {}).get(slot)
    permit = answered or {"reuse": "reuse", "repeat": "perform"}.get(call.on_conflict or "")
    if permit is not None:
        return permit
    before = yield Fetch(machine.state.id, effect.seq)
    evidence = {"stands": before, "asked": call.request() if call.request is not None else None}
    question = f"`{call.name}` was done before with another request; is the new one the same in other words?"
    _abort_if_laddered(scope, question, evidence)
    choices = [("reuse", "take the one that was done as the answer"), ("perform", "perform the new one as well")]
    raise (
        yield from machine.ask(
            question, choices, evidence, step=scope.path, kind="effect_conflict", effect=effect.id, slot=slot
        )
    )


def _abort_if_laddered(scope: Scope, question: str, evidence: dict[str, Any]) -> None:
    taker = scope.taker("effect_conflict")
    if taker is not None:
        told = {"kind": "effect_conflict", "message": question, "violations": [], **evidence}
        taker.aborted = Failure("effect_conflict", question, evidence=told)
        raise AttemptAborted


def _check_credentials(machine: Machine, scope: Scope, call: EffectCall) -> Protocol[None]:
    """A credential that can be used once is spent when it was presented, even if that call failed."""
    spent = [one for one in call.credentials if one in machine.state.spent]
    if spent:
        question = f"`{call.name}` presents a credential that was spent before; it needs a new one"
        _abort_if_laddered(scope, question, {})
        step = scope.step().path
        if not step:
            # The workflow's own body has one attempt, which gets the same credential again whatever a person answers.
            way_out = "call it in a step, or roll back to before the credential was given"
            raise machine.stop(Stop("halt", f"{question}, which only a step's next attempt gets; {way_out}"))
        choices = [("retry", "try again; the step gets a new credential")]
        # The attempt that presented it would get the same one again, from its record: the answer begins another one.
        raise (yield from machine.ask(question, choices, step=step, kind="effect_conflict"))


def _check_transaction(machine: Machine, scope: Scope, call: EffectCall) -> None:
    """Inside a transaction everything can be undone, but for one irreversible effect, which is the last."""
    within = scope.enclosing_transaction()
    while within is not None:
        inside = [one for one in machine.state.within(within.transaction or "") if one.stands and one.owner is not None]
        # With this effect in it, a transaction around the call is not an effect of its own any more.
        final = [one for one in inside if one.kind == IRREVERSIBLE and not scope.is_within(one.id)]
        if final:
            message = f"`{call.name}` comes after the irreversible `{final[0].name}` in transaction `{within.path}`"
            raise UsageError(message)
        if call.kind == IDEMPOTENT:
            raise UsageError(f"`{call.name}` is in transaction `{within.path}`, so it needs an `undo=`")
        within = within.parent.enclosing_transaction() if within.parent is not None else None
