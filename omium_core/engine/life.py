"""The life of an execution around its user code: begin, open again, leave with a value, a failure or a stop."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from omium_core.engine import crashing, guarding, places, rollback, undoing
from omium_core.engine.calls import Outcome, StepCall
from omium_core.engine.commands import DURABLE, Attempt, Fetch, FindStop, Quiesce, Stopped, Tell
from omium_core.engine.committing import commit_checkpoint
from omium_core.engine.machine import Interrupt, Machine, Protocol, Stop
from omium_core.engine.scope import Scope
from omium_core.engine.state import START, CheckpointRecord
from omium_core.errors import ExecutionFenced, RollbackRefused
from omium_core.model import events as e
from omium_core.model.body import Body
from omium_core.model.effect import COMPENSABLE, DONE
from omium_core.recovery.ladders import Ladder

__all__ = ["End", "begin", "enter", "fork", "leave", "live", "reopen", "roll_back_by_person"]

# Ladders are finite and count across rollbacks; this bound only says so where the loop stands.
ENTRIES_MAX = 10_000


@attrs.frozen(eq=False)
class End:
    """How a stay in user code ended: enter it `again`, or leave with a value, or with the error users see."""

    kind: Literal["again", "completed", "paused", "halted", "failed"]
    value: Any = None
    reason: str = ""
    error: BaseException | None = None


def begin(machine: Machine, execution: str, workflow: str, arguments: str, body: Body, runner: str) -> Protocol[None]:
    """Make the start of an execution durable BEFORE its code runs: of two that start under one id, one goes on."""
    machine.raise_epoch()
    pinned = {}
    if machine.watch is not None:
        pinned = {"policy": machine.watch.policy.hash, "policy_name": machine.watch.policy.name}
    facts = {"execution": execution, "workflow": workflow, "arguments": arguments, "runner": runner}
    machine.event(e.ExecutionStarted, body, **facts, **pinned)
    commit_checkpoint(machine, "", START, None)
    yield DURABLE


def reopen(machine: Machine, runner: str) -> Protocol[End | None]:
    """Take an execution over and finish what was begun; give how it ends at once, or None to enter its code.

    A question that nobody answered keeps it paused, a rollback that was begun is gone through with.
    """
    try:
        return (yield from _reopened(machine, runner))
    except (Interrupt, RollbackRefused) as error:
        return (yield from _stopped(machine, error))


def _reopened(machine: Machine, runner: str) -> Protocol[End | None]:
    state = machine.state
    if state.status in ("completed", "halted"):
        return _as_it_ended(machine, (yield from _result(machine)))
    if not _answered(machine):
        assert state.review is not None
        yield from _pause(machine, "waits for an answer", state.review.request.review)
        return End("paused", reason=state.reason)
    machine.raise_epoch()
    answer = state.review.answer if state.review is not None else None
    machine.event(e.ExecutionResumed, runner=runner)
    yield DURABLE
    if state.review is not None and answer is not None and crashing.given_up(state.review):
        return (yield from _halt(machine, Stop("halt", f"given up by {answer.by} ({state.review.request.kind})")))
    yield from crashing.look(machine)
    if state.rollback is not None:
        yield from rollback.finish(machine)
    elif state.rollback_due is not None:
        yield from _due(machine, state.rollback_due)
    if state.halt_due is not None:
        return (yield from _halt(machine, Stop("halt", _why(machine, state.halt_due), step=state.halt_due.step)))
    return None


def _due(machine: Machine, decision: e.RecoveryDecided) -> Protocol[None]:
    """Do the rollback that was decided by a runner that died before it began."""
    state = machine.state
    step = state.steps[decision.step]
    target = state.find_checkpoint(decision.target) if decision.target else state.before(decision.step)
    if target is not None:
        failed = step.failure.seq if step.failure else 0
        yield from rollback.roll_back(machine, target, _why(machine, decision), decision.source, failed)


def live(machine: Machine, call: StepCall) -> Protocol[End]:
    """Go through the workflow's body, again after each rollback, until the execution ends or waits."""
    while True:
        root = enter(machine, call.ladders, call)
        try:
            outcome: Outcome = yield Attempt(call, root)
        except Interrupt:
            outcome = Outcome()
        end = yield from leave(machine, root, outcome)
        if end.kind != "again":
            return end


def enter(machine: Machine, ladders: tuple[Ladder, ...] = (), call: StepCall | None = None) -> Scope:
    """Return the scope of the workflow's body for one more stay in it."""
    machine.entry += 1
    machine.stopping = None
    machine.flying.clear()
    return Scope("", 1, machine.entry, call=call, ladders=ladders)


def leave(machine: Machine, root: Scope, outcome: Outcome) -> Protocol[End]:
    """Say how a stay in the workflow's body ends, once every lane is quiet; lanes left behind can do nothing more."""
    machine.entry += 1
    yield Quiesce(root, cancel=True)
    if machine.stopping is None and outcome.failure is None:
        try:
            yield from places.unasked(machine, root)
            yield from guarding.at_end(machine, root)
            return (yield from _complete(machine, root, outcome))
        except Interrupt:
            pass
    if machine.stopping is None and root.aborted is None:
        assert outcome.failure is not None
        return (yield from _halt(machine, Stop("halt", outcome.failure.message), cause=outcome.error))
    if machine.stopping is None:
        assert root.aborted is not None
        machine.stop(Stop("halt", root.aborted.message))
    return (yield from _stopped(machine, None))


def fork(machine: Machine, execution: str, source: str, point: CheckpointRecord) -> Protocol[None]:
    """Journal a new execution that starts from a checkpoint; the state that is folded so far is the source's."""
    machine.state.epoch = 1
    machine.event(
        e.Forked,
        execution=execution,
        workflow=machine.state.workflow,
        source=source,
        checkpoint=point.id,
        source_seq=machine.state.seq,
    )
    yield DURABLE


def roll_back_by_person(machine: Machine, runner: str, target: CheckpointRecord, reason: str, by: str) -> Protocol[End]:
    """Take the execution over, roll it back, and leave it paused until somebody resumes it."""
    state = machine.state
    origin = state.status
    machine.raise_epoch()
    machine.event(e.ExecutionResumed, runner=runner)
    try:
        yield from rollback.roll_back(machine, target, reason, by)
    except Interrupt as error:
        return (yield from _stopped(machine, error))
    why = f": {reason}" if reason else ""
    yield from _pause(machine, f"rolled back to `{target.name}` by {by} ({origin} before){why}")
    return End("paused", reason=state.reason)


def _complete(machine: Machine, root: Scope, outcome: Outcome) -> Protocol[End]:
    left = [one for one in machine.state.of_step("") if one.stands and one.id not in root.asked]
    # What a step has claimed is that one's.
    left = [one for one in left if one.claims.keys() <= {(root.path, root.attempt)}]
    undone = [one for one in left if one.kind == COMPENSABLE and one.state == DONE]
    yield from undoing.compensate(machine, undone)
    event = machine.event(
        e.ExecutionCompleted,
        outcome.body,
        unowned=tuple(one.id for one in left if one.stands and one not in undone),
        unresolved=tuple(one.id for one in machine.state.effects.values() if one.uncertain and not one.abandoned),
    )
    yield DURABLE
    if event.unresolved:
        names = ", ".join(sorted({machine.state.effects[one].name for one in event.unresolved}))
        yield Tell("unresolved", f"nobody knows if these effects happened: {names}", event.seq)
    return End("completed", outcome.value)


def _stopped(machine: Machine, error: BaseException | None) -> Protocol[End]:
    """Do at the boundary what the stop asks for."""
    if isinstance(error, RollbackRefused):
        machine.stopping = Stop("pause", str(error))
    stop = machine.stopping
    assert stop is not None
    if stop.kind == "rollback" and machine.entry < ENTRIES_MAX:
        machine.stopping = None
        target = machine.state.checkpoints[stop.target]
        try:
            yield from rollback.roll_back(machine, target, stop.reason, stop.by, stop.failure)
        except (Interrupt, RollbackRefused) as again:
            return (yield from _stopped(machine, again))
        return End("again", reason=target.name)
    if stop.kind == "halt":
        return (yield from _halt(machine, stop))
    if stop.kind == "failed":
        return (yield from _failed(machine))
    try:
        yield from _pause(machine, stop.reason, stop.review)
    except Interrupt:
        if stop.error is None:
            return (yield from _failed(machine))
    return End("failed" if stop.error is not None else "paused", reason=stop.reason, error=stop.error)


def _failed(machine: Machine) -> Protocol[End]:
    """Nothing more can be journaled by this runner; what is on disk is where the next one goes on."""
    stop = machine.stopping
    assert stop is not None
    if isinstance(stop.error, ExecutionFenced):
        stopped: Stopped | None = yield FindStop()
        if stopped is not None:
            return End(stopped.status, reason=stopped.reason)
    return End("failed", error=stop.error)


def _pause(machine: Machine, reason: str, review: str | None = None) -> Protocol[None]:
    # What has ended stays as it ended, also where its result cannot be read any more.
    if machine.state.status not in ("paused", "completed", "halted"):
        event = machine.event(e.ExecutionPaused, reason=reason, review=review)
        yield DURABLE
        asked = machine.state.review
        role = asked.request.role if asked is not None and asked.request.review == review else None
        yield Tell("paused", reason, event.seq, role)


def _halt(machine: Machine, stop: Stop, cause: BaseException | None = None) -> Protocol[End]:
    event = machine.event(e.ExecutionHalted, reason=stop.reason, step=stop.step)
    try:
        yield DURABLE
    except Interrupt:
        return (yield from _failed(machine))
    yield Tell("halted", stop.reason, event.seq)
    return End("halted", reason=stop.reason, error=cause)


def _answered(machine: Machine) -> bool:
    """Say whether nothing is open; a deadline that passed is an answer too: the next rung is taken."""
    review = machine.state.review
    if review is None or review.answer is not None:
        return True
    deadline = review.request.deadline
    if deadline is None or machine.now < deadline:
        return False
    machine.event(
        e.ReviewDecided,
        machine.seal({}),
        review=review.request.review,
        action="reject",
        by="deadline",
        reason="nobody answered in time",
        head=machine.state.head,
    )
    return True


def _result(machine: Machine) -> Protocol[Any]:
    if machine.state.result_seq:
        return (yield Fetch(machine.state.id, machine.state.result_seq))
    return None


def _as_it_ended(machine: Machine, value: Any) -> End:
    if machine.state.status == "completed":
        return End("completed", value)
    return End("halted", reason=machine.state.reason)


def _why(machine: Machine, decision: e.RecoveryDecided) -> str:
    return f"step `{decision.step}` failed ({decision.failure})"
