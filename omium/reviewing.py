"""What people answer from any process, and the fixes of theirs that reach later executions."""

from __future__ import annotations

from typing import Any

from omium import running
from omium.runtime import Runtime, runtime_for
from omium.views import Execution
from omium_core.engine.commands import DURABLE
from omium_core.engine.machine import Machine, Protocol
from omium_core.engine.state import ExecutionState
from omium_core.errors import ExecutionBusy, ReviewRefused, UsageError
from omium_core.model import events as e
from omium_core.model.fix import ADVICE, fixes_topic
from omium_core.recovery.fingerprints import place_of_step
from omium_core.runtime.standing import Standing, standing_fixes

__all__ = ["fixes", "review", "revoke"]

WORKFLOWS_LOOKED_AT_MAX = 1_000


def review(
    execution_id: str,
    *,
    approve: bool = False,
    reject: bool = False,
    skip: bool = False,
    edit: str | None = None,
    set: dict[str, Any] | None = None,
    value: Any = None,
    choice: int | None = None,
    fix: int | None = None,
    always: bool = False,
    by: str,
    reason: str = "",
    expected_head: str | None = None,
    store: str | None = None,
) -> Execution:
    """Answer what a paused execution asks; it only records, `resume` goes on.

    One of: `approve` (one further attempt, or the first choice), `edit` (one further attempt with this advice), `set`
    (correct the refused outcome at paths such as `offer.output.apr`), `skip`, `reject` (the ladder's next rung), the
    number of a suggested `fix` from 1, or the number of a `choice` from 0, with `value` where an effect happened.
    `approve` may stand beside `edit`, `set`, `fix` and `choice`, which say more. With `always` the advice of `edit` or
    of a `fix` also reaches this step in later executions of the workflow, until it is revoked. With `expected_head` the
    answer is refused when the execution is not where the person saw it. Raises `ReviewRefused`.
    """
    runtime = runtime_for(store)
    row = runtime.store.find(execution_id)
    if row.status in ("running", "recovering") and running.alive(runtime, row):
        raise ExecutionBusy(row.id, row.runner or "")
    loaded = runtime.store.load(row.id)
    asked = _asked(loaded.state, runtime, expected_head)
    body = runtime.store.view(row.id, asked.seq)
    given = {"approve": approve, "reject": reject, "skip": skip, "edit": edit, "set": set, "choice": choice, "fix": fix}
    action, number = _action(row.id, asked, body["choices"], given)
    content = {"edit": edit, "set": _changes(row.id, loaded.state, asked, set), "value": value}
    if action == "fix":
        content |= _fix(runtime, row.id, loaded.state, number)
    run = running.prepare(runtime, row.id, loaded.state, loaded.digest, loaded.epoch)
    try:
        running.operate(run, _answer(run.machine, asked, action, by, reason, content, always=always))
    finally:
        running.finish(runtime, run)
    return Execution(runtime.store, row.id)


def fixes(workflow: str | None = None, *, store: str | None = None) -> list[Standing]:
    """Return the fixes that reach later executions of a workflow; by default of those that ran lately, oldest first."""
    runtime = runtime_for(store)
    rows = runtime.store.executions(limit=WORKFLOWS_LOOKED_AT_MAX) if workflow is None else []
    workflows = [workflow] if workflow is not None else sorted({row.workflow for row in rows})
    return [one for name in workflows for one in standing_fixes(runtime.store, name)]


def revoke(review: str, *, by: str, reason: str = "", store: str | None = None) -> Standing:
    """Let a fix reach no later execution any more, by the review that approved it or a prefix of its id; return it.

    It is journaled in the execution where it was approved. Raises `ExecutionBusy` while that one is running.
    """
    runtime = runtime_for(store)
    found = [one for one in fixes(store=store) if one.fix.review.startswith(review)]
    if len(found) != 1 or not review:
        known = ", ".join(f"`{one.fix.review}`" for one in found or fixes(store=store)) or "none"
        raise UsageError(f"`{review}` names no fix that stands, or more than one; there are: {known}")
    row = runtime.store.find(found[0].execution)
    if row.status in ("running", "recovering") and running.alive(runtime, row):
        raise ExecutionBusy(row.id, row.runner or "")
    loaded = runtime.store.load(row.id)
    run = running.prepare(runtime, row.id, loaded.state, loaded.digest, loaded.epoch)
    try:
        running.operate(run, _revoke(run.machine, found[0].fix.review, by, reason))
    finally:
        running.finish(runtime, run)
    return found[0]


def _asked(state: ExecutionState, runtime: Runtime, expected_head: str | None) -> e.ReviewRequested:
    review = state.review
    if review is None or review.answer is not None:
        raise ReviewRefused(state.id, "nothing is asked" if review is None else "it was answered before")
    if review.request.deadline is not None and runtime.store.clock.now() > review.request.deadline:
        raise ReviewRefused(state.id, "the deadline has passed; resume it to take the next rung")
    if expected_head is not None and not state.head.startswith(expected_head):
        now = state.checkpoints[state.head]
        raise ReviewRefused(state.id, f"it changed since you looked: the head is now `{now.name}` (`{state.head}`)")
    return review.request


def _action(
    execution: str, asked: e.ReviewRequested, offered: list[dict[str, Any]], given: dict[str, Any]
) -> tuple[str, int]:
    """Return what was answered as an action that is asked for, and the number of the fix where it is one."""
    choices = [one["action"] for one in offered]
    chosen = [name for name, value in given.items() if value is not None and value is not False]
    if len(chosen) != 1 and chosen not in [["approve", one] for one in ("edit", "set", "choice", "fix")]:
        raise ReviewRefused(execution, "give exactly one of approve, reject, skip, edit, set, fix or choice")
    action = chosen[-1]
    if action == "fix":
        return action, _number_of_fix(execution, offered, given["fix"])
    if action == "choice":
        if not 0 <= given["choice"] < len(choices):
            raise ReviewRefused(execution, f"there is no choice {given['choice']}; it has {_numbered(choices)}")
        action = choices[given["choice"]]
        if action in ("edit", "set"):
            raise ReviewRefused(execution, f"choice {given['choice']} needs `{action}=`")
        if action == "fix":
            return action, int(offered[given["choice"]]["fix"])
    if action == "approve":
        action = choices[0]
    if action not in choices:
        raise ReviewRefused(execution, f"`{action}` is not among what is asked: {_numbered(choices)}")
    return action, 0


def _number_of_fix(execution: str, offered: list[dict[str, Any]], number: int) -> int:
    fixes = [one["fix"] for one in offered if one["action"] == "fix"]
    if number not in fixes:
        known = f"there are {', '.join(map(str, fixes))}" if fixes else "none is suggested"
        raise ReviewRefused(execution, f"there is no fix {number}; {known}")
    return number


def _fix(runtime: Runtime, execution: str, state: ExecutionState, number: int) -> dict[str, Any]:
    """Return a suggested fix as it is kept with the answer; its text where it is advice."""
    assert state.review is not None
    suggestion = runtime.store.view(execution, state.review.suggestions[number])
    kept = {"fix": number, "kind": suggestion["kind"]}
    return {**kept, "edit": suggestion["change"]} if suggestion["kind"] in ADVICE else kept


def _numbered(choices: list[str]) -> str:
    return ", ".join(f"{index} {action}" for index, action in enumerate(choices))


def _changes(
    execution: str, state: ExecutionState, asked: e.ReviewRequested, given: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Return corrections by path within the outcome: `offer.output.apr` is `apr` of step `offer`."""
    if given is None:
        return None
    name = state.steps[asked.step].name
    changes = {}
    for path, value in given.items():
        for prefix in (f"{name}.output", f"{asked.step}.output", "output"):
            if path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")):
                changes[path[len(prefix) :].removeprefix(".")] = value
                break
        else:
            raise ReviewRefused(execution, f"`{path}` is not a path of this outcome; it starts with `{name}.output`")
    return changes


def _answer(
    machine: Machine,
    asked: e.ReviewRequested,
    action: str,
    by: str,
    reason: str,
    content: dict[str, Any],
    *,
    always: bool,
) -> Protocol[None]:
    """Journal a person's answer, and with it what it says about an unresolved effect."""
    state = machine.state
    if always and "edit" not in {name for name, value in content.items() if value is not None}:
        reason = (
            "only advice can reach later executions: that of `edit`, or of a suggestion to tell the agent something"
        )
        raise ReviewRefused(state.id, reason)
    step = state.steps.get(asked.step)
    failure = step.failure if step is not None else None
    machine.event(
        e.ReviewDecided,
        machine.seal({name: value for name, value in content.items() if value is not None}),
        review=asked.review,
        action=action,
        by=by,
        reason=reason,
        head=state.head,
        always=place_of_step(asked.step) if always else "",
        fingerprint=failure.fingerprint if always and failure is not None else "",
        topic=fixes_topic(state.workflow) if always else "",
    )
    if asked.kind == "effect_unresolved" and asked.effect is not None:
        done = action == "happened"
        body = machine.seal(content["value"]) if done else None
        machine.event(e.EffectResolved, body, effect=asked.effect, done=done, by=by)
    yield DURABLE


def _revoke(machine: Machine, review: str, by: str, reason: str) -> Protocol[None]:
    machine.event(e.FixRevoked, review=review, by=by, reason=reason, topic=fixes_topic(machine.state.workflow))
    yield DURABLE
