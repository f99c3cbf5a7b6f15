"""What an execution's policy says at each point, BEFORE anything goes on as if it held.

What does not hold is a violation. One that blocks makes the attempt fail, and its ladder decides; the others are only
journaled, told to the agent (`advisory`) or to a channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import attrs

from omium_core.engine.calls import EffectCall, StepCall
from omium_core.engine.commands import SOON, NotifyChannel, Screen
from omium_core.engine.deciding import ladder_for
from omium_core.engine.machine import AttemptAborted, Machine, Protocol, Stop
from omium_core.engine.scope import Scope
from omium_core.engine.watch import IRREVERSIBLY, Place, Watch
from omium_core.model import events as e
from omium_core.model.effect import IRREVERSIBLE
from omium_core.model.failure import Failure, Violation
from omium_core.recovery.ladders import Notify, Pause, Skip
from omium_core.recovery.policy import Happening

__all__ = [
    "Skipped",
    "at_end",
    "before_effect",
    "before_step",
    "journal",
    "note",
    "on_failure",
    "on_outcome",
    "refusal",
    "tell",
]

Notice: TypeAlias = tuple[str, str, int]
"""A channel, what it is told, and the event that this is about."""

# The clock and chance that a program asks Omium for touch nothing.
UNASKED = frozenset({"omium.now", "omium.random", "omium.uuid"})


class Skipped(Exception):
    """The policy leaves a call out: it is not made, and the code goes on without its value."""


def before_step(machine: Machine, inner: Scope, call: StepCall) -> Protocol[tuple[Violation, ...]]:
    """Return what does not hold as an attempt at a step is about to begin."""
    watch = machine.watch
    if watch is None:
        return ()
    judged: tuple[Violation, ...] = ()
    if watch.policy.asks("before", call.name):
        judged = yield Screen(call, inner)
        machine.check_running(inner.parent or inner)
    yield from _around(machine, watch, inner)
    # INVARIANT: nothing comes between this and the attempt's start, or two lanes could both be the last that may.
    found = watch.exceeded(inner, machine.now) + watch.policy.overdue(watch.memory, machine.now)
    starts = Happening("step", call.name, "starts", machine.now)
    return found + watch.peek(machine.state, starts, inner) + judged


def on_outcome(machine: Machine, inner: Scope, call: StepCall) -> tuple[Violation, ...]:
    """Return what would not hold if the step passed now; its own rules are asked beside this."""
    watch = machine.watch
    if watch is None:
        return ()
    happenings = [Happening("step", call.name, phase, machine.now) for phase in ("passes", "approved")]
    handoffs = watch.policy.handoffs(call.name)
    happenings += [Happening("handoff", one.name, "agreed", machine.now) for one in handoffs]
    found = watch.policy.overdue(watch.memory, machine.now)
    for happening in happenings:
        found += watch.peek(machine.state, happening, inner)
    return found


def on_failure(machine: Machine, inner: Scope, call: StepCall, failure: Failure) -> Failure:
    """Return a failure with what else breaks because the step fails: its ladder then is the strictest of all."""
    watch = machine.watch
    fails = Happening("step", call.name, "fails", machine.now)
    found = watch.peek(machine.state, fails, inner) if watch is not None else ()
    if not found:
        return failure
    violations = (*failure.violations, *found)
    evidence = {**failure.evidence, "violations": [one.as_data() for one in violations]}
    blocking = failure.blocking or any(one.blocks for one in found)
    return attrs.evolve(failure, violations=violations, evidence=evidence, blocking=blocking)


def before_effect(machine: Machine, scope: Scope, slot: str, call: EffectCall) -> Protocol[None]:
    """Let a call go on that the policy has nothing against.

    Otherwise it raises `Skipped` where the policy leaves it out, and fails the attempt that it is in where not.
    """
    watch, step = machine.watch, scope.step()
    if watch is None or call.name in UNASKED:
        return
    judged = yield Screen(call, scope, slot)
    machine.check_running(scope)
    yield from _around(machine, watch, step)
    place = (scope.path, scope.attempt, slot)
    happenings = _meant(watch, call, place, machine.now)
    found = watch.exceeded(step, machine.now) + watch.policy.overdue(watch.memory, machine.now) + judged
    for happening in happenings:
        found += watch.peek(machine.state, happening, scope)
    if not any(one.blocks for one in found):
        # INVARIANT: it is in flight from the moment in which it was let go on, or two lanes could both be the last one.
        watch.let_go_on(place, happenings)
        yield from note(machine, step, found, effect=call.name)
        return
    failure = refusal(found)
    ladder = ladder_for(step.ladders, failure, None)
    if ladder is not None and ladder.recovery.rungs == (Skip(),) and call.target is not None:
        yield from note(machine, step, found, effect=call.name, skipped=slot)
        raise Skipped
    if not step.path:
        yield from _stop_workflow(machine, step, failure)
    step.aborted = failure
    raise AttemptAborted


def _meant(watch: Watch, call: EffectCall, place: Place, now: float) -> tuple[Happening, ...]:
    """Return what a call is for sequence rules. A transaction that states nothing may be one that has no undo."""
    heard = [watch.happening(call.name, now, watch.asked.get(place, {}))] if call.model is None else []
    if call.kind == IRREVERSIBLE:
        heard.append(Happening("event", IRREVERSIBLY, "", now))
    return tuple(one for one in heard if watch.policy.hears(one.kind, one.name, one.phase))


def _around(machine: Machine, watch: Watch, step: Scope) -> Protocol[None]:
    """Fail the attempt around a step whose own budget is used up: what is done inside of it counts there too."""
    outer = step.parent.step() if step.parent is not None else None
    while outer is not None and outer.path:
        found = watch.exceeded_by(outer, machine.now)
        if any(one.blocks for one in found):
            outer.aborted = refusal(found)
            raise AttemptAborted
        yield from note(machine, outer, found)
        outer = outer.parent.step() if outer.parent is not None else None


def at_end(machine: Machine, root: Scope) -> Protocol[None]:
    """Hold the execution to what should have happened before its end; raise `Interrupt` where it must not end so."""
    watch = machine.watch
    if watch is None:
        return
    found = watch.policy.overdue(watch.memory, machine.now) + watch.policy.at_end(watch.memory)
    ladder = ladder_for(root.ladders, refusal(found), None) if any(one.blocks for one in found) else None
    if ladder is not None and ladder.recovery.rungs != (Skip(),):
        yield from _stop_workflow(machine, root, refusal(found))
    yield from note(machine, root, found)


def note(
    machine: Machine, scope: Scope, found: Iterable[Violation], *, effect: str = "", skipped: str = ""
) -> Protocol[None]:
    """Journal violations; a channel is told of those that only say so. `skipped` is the slot of a call left out."""
    yield from tell(machine, scope, journal(machine, scope, found, effect=effect, skipped=skipped))


def journal(
    machine: Machine, scope: Scope, found: Iterable[Violation], *, effect: str = "", skipped: str = ""
) -> list[Notice]:
    """Make the events of violations, in one append with what follows from them; give what channels are to be told."""
    notices = []
    for one in found:
        said = {"message": one.message, "values": dict(one.values)}
        event = machine.event(
            e.PolicyViolated,
            machine.seal({**said, "cite": one.cite} if one.cite else said),
            step=scope.path,
            attempt=scope.attempt,
            rule=one.rule,
            where=one.where,
            mode=one.mode,
            severity=one.severity,
            effect=effect,
            skipped=bool(skipped) and one.blocks,
            slot=skipped if one.blocks else "",
            told=one.told,
        )
        if one.notify is not None and not one.blocks:
            notices.append((one.notify, one.message, event.seq))
    return notices


def tell(machine: Machine, scope: Scope, notices: list[Notice]) -> Protocol[None]:
    """Tell channels of what was journaled."""
    subject = f"{machine.state.workflow}: {scope.path or 'the workflow'}"
    for channel, message, seq in notices:
        yield SOON
        yield NotifyChannel(channel, subject, message, seq)


def refusal(found: tuple[Violation, ...], kind: str = "violation") -> Failure:
    """Return the failure that violations are, of which some block. It has no value: nothing came of it yet."""
    blocking = [one for one in found if one.blocks]
    kind = next((one.kind for one in blocking if one.kind), kind)
    message = "; ".join(one.message for one in blocking)
    evidence = {"kind": kind, "message": message, "violations": [one.as_data() for one in found]}
    return Failure(kind, message, next((one.where for one in blocking), None), found, evidence, blocking=True)


def _stop_workflow(machine: Machine, root: Scope, failure: Failure) -> Protocol[None]:
    """Stop where no step's attempt could fail: a person is asked where the ladder begins so, else it is halted."""
    notices = journal(machine, root, failure.violations)
    ladder = ladder_for(root.ladders, failure, None)
    rungs = ladder.recovery.rungs if ladder is not None else ()
    first = next((one for one in rungs if not isinstance(one, Notify)), None)
    if not isinstance(first, Pause):
        stop = machine.stop(Stop("halt", failure.message))
        yield from tell(machine, root, notices)
        raise stop
    choices = [("retry", "approve: go on from here"), ("reject", "give up; the execution is halted")]
    deadline = machine.now + first.timeout_s if first.timeout_s is not None else None
    facts = {"step": "", "kind": failure.kind, "role": first.role, "deadline": deadline}
    stop = yield from machine.ask(failure.message, choices, dict(failure.evidence), **facts)
    yield from tell(machine, root, notices)
    raise stop
