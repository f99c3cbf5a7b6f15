"""What an execution's policy says at each point, BEFORE anything goes on as if it held.

What does not hold is a violation. One that blocks makes the attempt fail, and its ladder decides; the others are only
journaled, told to the agent (`advisory`) or to a channel.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from omium_core.engine.calls import EffectCall, StepCall
from omium_core.engine.commands import SOON, NotifyChannel, Screen
from omium_core.engine.deciding import ladder_for
from omium_core.engine.machine import AttemptAborted, Machine, Protocol, Stop
from omium_core.engine.scope import Scope
from omium_core.interfaces.policy import Happening
from omium_core.model import events as e
from omium_core.model.failure import Failure, Violation
from omium_core.recovery.ladders import Pause, Skip

__all__ = ["Skipped", "at_end", "before_effect", "before_step", "note", "on_failure", "on_outcome", "refusal"]


# The clock and chance that a program asks Omium for touch nothing.
UNASKED = frozenset({"omium.now", "omium.random", "omium.uuid"})


class Skipped(Exception):
    """The policy leaves a call out: it is not made, and the code goes on without its value."""


def before_step(machine: Machine, inner: Scope, call: StepCall) -> Protocol[tuple[Violation, ...]]:
    """Return what does not hold as an attempt at a step is about to begin."""
    watch = machine.watch
    if watch is None:
        return ()
    found = watch.exceeded(inner.path, call.name, machine.now)
    found += watch.policy.overdue(watch.memory, machine.now)
    found += watch.peek(machine.state, Happening("step", call.name, "starts", machine.now))
    if watch.policy.asks("before", call.name):
        found += yield Screen(call, inner)
    return found


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
        found += watch.peek(machine.state, happening)
    return found


def on_failure(machine: Machine, inner: Scope, call: StepCall, failure: Failure) -> Failure:
    """Return a failure with what else breaks because the step fails: its ladder then is the strictest of all."""
    watch = machine.watch
    found = watch.peek(machine.state, Happening("step", call.name, "fails", machine.now)) if watch is not None else ()
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
    name = step.call.name if step.call is not None and step.path else ""
    found = watch.exceeded(step.path, name, machine.now)
    found += watch.policy.overdue(watch.memory, machine.now)
    found += yield Screen(call, scope, slot)
    machine.check_running(scope)
    blocking = tuple(one for one in found if one.blocks)
    if not blocking:
        yield from note(machine, step, found, effect=call.name)
        return
    failure = refusal(found)
    ladder = ladder_for(step.ladders, failure, None)
    if ladder is not None and ladder.recovery.rungs == (Skip(),) and call.target is not None:
        yield from note(machine, step, found, effect=call.name, skipped=True)
        raise Skipped
    if not step.path:
        yield from _stop_workflow(machine, step, failure)
    step.aborted = failure
    raise AttemptAborted


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
    machine: Machine, scope: Scope, found: Iterable[Violation], *, effect: str = "", skipped: bool = False
) -> Protocol[None]:
    """Journal violations; a channel is told of those that only say so."""
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
            skipped=skipped and one.blocks,
        )
        if one.notify is not None and not one.blocks:
            yield SOON
            subject = f"{machine.state.workflow}: {scope.path or 'the workflow'}"
            yield NotifyChannel(one.notify, subject, one.message, event.seq)


def refusal(found: tuple[Violation, ...], kind: str = "violation") -> Failure:
    """Return the failure that violations are, of which some block. It has no value: nothing came of it yet."""
    blocking = [one for one in found if one.blocks]
    kind = next((one.kind for one in blocking if one.kind), kind)
    message = "; ".join(one.message for one in blocking)
    evidence = {"kind": kind, "message": message, "violations": [one.as_data() for one in found]}
    return Failure(kind, message, next((one.where for one in blocking), None), found, evidence, blocking=True)


def _stop_workflow(machine: Machine, root: Scope, failure: Failure) -> Protocol[None]:
    """Stop where no step's attempt could fail: a person is asked where the ladder begins so, else it is halted."""
    yield from note(machine, root, failure.violations)
    ladder = ladder_for(root.ladders, failure, None)
    first = ladder.recovery.rungs[0] if ladder is not None else None
    if not isinstance(first, Pause):
        raise machine.stop(Stop("halt", failure.message))
    choices = [("retry", "approve: go on from here"), ("reject", "give up; the execution is halted")]
    deadline = machine.now + first.timeout_s if first.timeout_s is not None else None
    facts = {"step": "", "kind": failure.kind, "role": first.role, "deadline": deadline}
    raise (yield from machine.ask(failure.message, choices, dict(failure.evidence), **facts))
