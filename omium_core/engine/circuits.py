"""The protocol of a circuit breaker: ask what the store knows of the effect, and refuse, try or let through."""

from __future__ import annotations

from typing import Literal

from omium_core.engine.calls import EffectCall
from omium_core.engine.commands import DURABLE, SOON, Recall
from omium_core.engine.machine import Carried, Machine, Protocol
from omium_core.engine.scope import Scope
from omium_core.errors import CircuitOpen
from omium_core.model import events as e
from omium_core.recovery.breakers import LOOK_BACK_MAX, Circuit, circuit, first_trial, topic_of

__all__ = ["admit", "settle"]


def admit(machine: Machine, scope: Scope, slot: str, call: EffectCall) -> Protocol[None]:
    """Return where the effect may be performed; raise `CircuitOpen` where it may not.

    The refusal is journaled as the call's failure, so code that catches it goes the same way again when it is resumed.
    """
    assert call.breaker is not None
    now, known = yield from _known(machine, call.name)
    at = circuit(call.breaker, [event for _, event in known], now)
    if at.state == "half_open":
        trial = _change(machine, scope, call.name, "half_open", at)
        yield DURABLE
        machine.check_running(scope)
        now, known = yield from _known(machine, call.name)
        # Two processes may have begun to try at once: the one whose event was committed first does.
        if first_trial(call.breaker, known, now) == (machine.state.id, trial.seq):
            machine.trials.add(call.name)
            return
        at = circuit(call.breaker, [event for _, event in known], now)
    if at.state != "closed":
        yield from _refuse(machine, scope, slot, call, CircuitOpen(call.name, at.failed, at.until))


def settle(machine: Machine, scope: Scope, call: EffectCall, *, failed: bool) -> Protocol[None]:
    """Journal what an effect's end means for its circuit: a trial that worked closes it, one failure too many opens."""
    assert call.breaker is not None
    trial = call.name in machine.trials
    machine.trials.discard(call.name)
    if failed:
        # The store is asked with this failure in it.
        yield DURABLE
        now, known = yield from _known(machine, call.name)
        at = circuit(call.breaker, [event for _, event in known], now)
        changed = next((one for _, one in known if isinstance(one, e.CircuitChanged)), None)
        if at.state == "open" and (changed is None or changed.state != "open"):
            _change(machine, scope, call.name, "open", at)
    elif trial:
        _change(machine, scope, call.name, "closed", Circuit("closed"))


def _refuse(machine: Machine, scope: Scope, slot: str, call: EffectCall, error: CircuitOpen) -> Protocol[None]:
    evidence = machine.seal(
        {
            "kind": error.failure_kind,
            "message": str(error),
            "error": {
                "type": f"{CircuitOpen.__module__}.{CircuitOpen.__qualname__}",
                "args": [error.effect, error.failures, error.until],
            },
            "violations": [],
        }
    )
    machine.event(
        e.EffectFailed,
        evidence,
        effect="",
        name=call.name,
        step=scope.path,
        attempt=scope.attempt,
        kind=call.kind,
        definite=True,
        slot=slot,
        arguments=call.arguments,
        refused=True,
    )
    yield SOON
    raise Carried(error)


def _known(machine: Machine, name: str) -> Protocol[tuple[float, list[tuple[str, e.Event]]]]:
    """Return what the store has of the effect, newest first, and the time as of then."""
    known: list[tuple[str, e.Event]] = yield Recall(topic_of(name), LOOK_BACK_MAX)
    return machine.now, known


def _change(
    machine: Machine, scope: Scope, name: str, state: Literal["open", "half_open", "closed"], at: Circuit
) -> e.CircuitChanged:
    return machine.event(
        e.CircuitChanged,
        name=name,
        state=state,
        step=scope.path,
        attempt=scope.attempt,
        failures=at.failed,
        topic=topic_of(name),
    )
