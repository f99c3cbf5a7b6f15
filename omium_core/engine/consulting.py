"""Asking a plugin's strategy: the case it is given, and its answer as the rung that is taken."""

from __future__ import annotations

from omium_core.engine.commands import Consult
from omium_core.engine.machine import Machine, Protocol
from omium_core.engine.scope import Scope
from omium_core.interfaces.recovery import Case, Decision
from omium_core.model.failure import Failure, Violation
from omium_core.recovery.ladders import Apply, Rung
from omium_core.recovery.strategies import rung_of

__all__ = ["consulted"]

REASON_MAX = 500


def consulted(
    machine: Machine, inner: Scope, asked: Apply, use: int, failure: Failure
) -> Protocol[tuple[Rung, dict[str, str]] | None]:
    """Return the rung that a strategy chose, with what the journal says of it; None where it has no usable answer."""
    decision: Decision | None = yield Consult(asked.strategy, _case(machine, inner, asked, use, failure))
    if decision is None:
        return None
    reason = {"reason": decision.reason[:REASON_MAX]} if decision.reason else {}
    return rung_of(decision), {"strategy": asked.strategy, **reason}


def _case(machine: Machine, inner: Scope, asked: Apply, use: int, failure: Failure) -> Case:
    state = machine.state
    return Case(
        state.workflow,
        state.id,
        inner.path,
        state.steps[inner.path].agent,
        inner.attempt,
        failure.kind,
        failure.message,
        failure.violations or tuple(Violation(**one) for one in failure.evidence.get("violations", ())),
        failure.evidence.get("value"),
        use,
        asked.times,
        dict(asked.options),
    )
