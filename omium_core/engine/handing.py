"""Handoffs within one process: what a step gives is offered, judged by voters, and committed with its checkpoint."""

from __future__ import annotations

import attrs

from omium_core.engine.calls import Outcome, StepCall
from omium_core.engine.commands import SOON, Poll
from omium_core.engine.guarding import refusal
from omium_core.engine.machine import Machine, Protocol
from omium_core.engine.scope import Scope
from omium_core.model import events as e
from omium_core.model.failure import Failure, Violation
from omium_core.recovery.policy import Ballot, Handoff

__all__ = ["REJECTED", "agreed"]

REJECTED = "handoff_rejected"


def agreed(machine: Machine, call: StepCall, inner: Scope, outcome: Outcome) -> Protocol[Outcome]:
    """Return the outcome when every handoff of it found its quorum, else the failure with the voters' reasons.

    The votes come BEFORE the checkpoint, so what was rejected reaches neither the next agent nor the record.
    """
    assert machine.watch is not None
    for handoff in machine.watch.policy.handoffs(call.name):
        failure = yield from _offered(machine, call, inner, outcome, handoff)
        if failure is not None:
            return Outcome(failure=failure)
    return outcome


def _offered(
    machine: Machine, call: StepCall, inner: Scope, outcome: Outcome, handoff: Handoff
) -> Protocol[Failure | None]:
    facts = {"handoff": handoff.name, "step": inner.path, "attempt": inner.attempt}
    machine.event(
        e.HandoffProposed,
        **facts,
        target=handoff.target,
        payload=outcome.body.digest if outcome.body is not None else "",
        voters=handoff.voters,
        quorum=handoff.quorum,
        deadline=machine.now + handoff.within_s,
    )
    yield SOON
    ballot: Ballot = yield Poll(handoff, call, outcome, inner)
    machine.check_running(inner.parent or inner)
    for vote in ballot.votes:
        body = machine.seal({"reason": vote.reason}) if vote.reason else None
        machine.event(e.VoteCast, body, **facts, voter=vote.voter, answer=vote.answer)
    accepted = tuple(one.voter for one in ballot.votes if one.answer == "accept")
    if len(accepted) >= handoff.quorum:
        machine.event(e.HandoffCommitted, **facts, target=handoff.target, accepted=accepted)
        return None
    missing = len(handoff.voters) - len(ballot.votes)
    late = ballot.late and len(accepted) + missing >= handoff.quorum
    machine.event(e.HandoffRejected, **facts, why="late" if late else "disagreed")
    return _rejection(handoff, ballot, len(accepted), outcome, late)


def _rejection(handoff: Handoff, ballot: Ballot, accepted: int, outcome: Outcome, late: bool) -> Failure:
    said = "; ".join(f"{one.voter}: {one.reason or one.answer}" for one in ballot.votes if one.answer != "accept")
    of = f"{accepted} of {len(handoff.voters)} agreed, and {handoff.quorum} must"
    time = f" within {handoff.within_s:g} s" if late else ""
    message = f"the handoff {handoff.name} was not agreed to: {of}{time}{f' ({said})' if said else ''}"
    rule = handoff.late if late else handoff.disagreed
    broken = Violation(rule, message, handoff.where, kind=REJECTED)
    failure = refusal((broken,), REJECTED)
    return attrs.evolve(failure, evidence={**failure.evidence, "value": outcome.value})
