"""What operators do from any process: look, roll back, fork, answer, verify."""

from __future__ import annotations

from typing import Any

from omium import running
from omium.runtime import Runtime, runtime_for
from omium.views import Execution
from omium.workflows import Workflow
from omium_core.engine import life
from omium_core.engine.commands import DURABLE
from omium_core.engine.machine import Machine, Protocol
from omium_core.engine.state import CheckpointRecord, ExecutionState
from omium_core.errors import ExecutionBusy, ReviewRefused, UnknownCheckpoint, UsageError
from omium_core.model import events as e
from omium_core.runtime.clock import new_id
from omium_core.runtime.verifying import Verification, verify_store

__all__ = ["execution_of", "fork", "resume", "review", "rollback", "verify"]


def execution_of(execution_id: str, *, store: str | None = None) -> Execution:
    """Return an execution from the store, from any process; raise `UnknownExecution` when there is none."""
    runtime = runtime_for(store)
    return Execution(runtime.store, runtime.store.find(execution_id).id)


def rollback(
    execution_id: str, to: str, *, reason: str = "", by: str = "a person", store: str | None = None
) -> Execution:
    """Roll an execution back to the checkpoint `to`; it is `paused` afterwards, and nothing runs until it is resumed.

    Effects since then are compensated, newest first; what cannot be undone stands and is never done a second time.
    Raises `RollbackRefused`, with nothing changed, when it cannot be done whole; `UnknownCheckpoint`; `ExecutionBusy`.
    """
    runtime = runtime_for(store)
    row = runtime.store.find(execution_id)
    run = running.take_over(runtime, row, None)
    try:
        point = target(run.machine.state, to)
        protocol = life.roll_back_by_person(run.machine, runtime.store.journal.runner(), point, reason, by)
        end = running.operate(run, protocol)
    finally:
        running.finish(runtime, run)
    if end.kind == "failed":
        running.outcome_of(row.id, end)
    return Execution(runtime.store, row.id)


def fork(source: str, /, at: str, *, execution_id: str | None = None, store: str | None = None) -> Execution:
    """Start a new execution from the checkpoint `at` of `source`, which stays as it is; `resume` runs it.

    `execution_id` is the id of the new one.
    """
    runtime = runtime_for(store)
    row = runtime.store.find(source)
    loaded = runtime.store.load(row.id)
    point = target(loaded.state, at)
    execution = new_id("exe_", runtime.store.clock.now()) if execution_id is None else running.check_id(execution_id)
    if runtime.store.journal.execution(execution) is not None:
        raise UsageError(f"there is an execution `{execution}` already; choose another id")
    origin = runtime.store.load_until(row.id, point.seq)
    run = running.prepare(runtime, execution, origin.state, origin.digest, 0)
    try:
        running.operate(run, life.fork(run.machine, execution, row.id, point))
    finally:
        running.finish(runtime, run)
    return Execution(runtime.store, execution)


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
    by: str,
    reason: str = "",
    expected_head: str | None = None,
    store: str | None = None,
) -> Execution:
    """Answer what a paused execution asks; it only records, `resume` goes on.

    One of: `approve` (one further attempt, or the first choice), `edit` (one further attempt with this advice), `set`
    (correct the refused outcome at paths such as `offer.output.apr`), `skip`, `reject` (the ladder's next rung), or the
    number of a `choice` from 0, with `value` where an effect happened. `approve` may stand beside `edit`, `set` and
    `choice`, which say more. With `expected_head` the answer is refused when the execution is not where the person saw
    it. Raises `ReviewRefused`.
    """
    runtime = runtime_for(store)
    row = runtime.store.find(execution_id)
    if row.status in ("running", "recovering") and running.alive(runtime, row):
        raise ExecutionBusy(row.id, row.runner or "")
    loaded = runtime.store.load(row.id)
    asked = _asked(loaded.state, runtime, expected_head)
    choices = [one["action"] for one in runtime.store.view(row.id, asked.seq)["choices"]]
    given = {"approve": approve, "reject": reject, "skip": skip, "edit": edit, "set": set, "choice": choice}
    action = _action(row.id, asked, choices, given)
    changes = _changes(row.id, loaded.state, asked, set)
    run = running.prepare(runtime, row.id, loaded.state, loaded.digest, loaded.epoch)
    try:
        running.operate(
            run, _answer(run.machine, asked, action, by, reason, {"edit": edit, "set": changes, "value": value})
        )
    finally:
        running.finish(runtime, run)
    return Execution(runtime.store, row.id)


def verify(execution_id: str | None = None, *, head: str | None = None, store: str | None = None) -> Verification:
    """Check chain, bodies, blobs and tables of an execution, or of all; name what is not as it was written.

    `head` is a chain hash or checkpoint id that is known elsewhere and must be there.
    """
    runtime = runtime_for(store)
    return verify_store(runtime.store, runtime.store.find(execution_id).id if execution_id else None, head)


def resume(execution_id: str, *, store: str | None = None) -> Any:
    """Go on with an execution whose code is loaded; awaited where its workflow is `async def`."""
    runtime = runtime_for(store)
    row = runtime.store.find(execution_id)
    return Workflow(running.workflow_named(runtime, row.workflow)).resume(row.id, store=store)


def target(state: ExecutionState, given: str) -> CheckpointRecord:
    """Return the checkpoint on the path that a name, path or unique id prefix means."""
    found = state.find_checkpoint(given)
    if found is not None:
        return found
    path = state.path_to_head()
    near = [one for one in path if one.id.startswith(given)] if given.startswith("ckpt_") else []
    if len(near) != 1:
        raise UnknownCheckpoint(state.id, given, tuple(one.id for one in near) or tuple(one.name for one in path))
    return near[0]


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


def _action(execution: str, asked: e.ReviewRequested, choices: list[str], given: dict[str, Any]) -> str:
    chosen = [name for name, value in given.items() if value is not None and value is not False]
    if len(chosen) != 1 and chosen not in (["approve", "edit"], ["approve", "set"], ["approve", "choice"]):
        raise ReviewRefused(execution, "give exactly one of approve, reject, skip, edit, set or choice")
    action = chosen[-1]
    if action == "choice":
        if not 0 <= given["choice"] < len(choices):
            raise ReviewRefused(execution, f"there is no choice {given['choice']}; it has {_numbered(choices)}")
        action = choices[given["choice"]]
        if action in ("edit", "set"):
            raise ReviewRefused(execution, f"choice {given['choice']} needs `{action}=`")
    if action == "approve":
        action = choices[0]
    if action not in choices:
        raise ReviewRefused(execution, f"`{action}` is not among what is asked: {_numbered(choices)}")
    return action


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
    machine: Machine, asked: e.ReviewRequested, action: str, by: str, reason: str, content: dict[str, Any]
) -> Protocol[None]:
    """Journal a person's answer, and with it what it says about an unresolved effect."""
    given = {name: value for name, value in content.items() if value is not None}
    machine.event(
        e.ReviewDecided,
        machine.seal(given),
        review=asked.review,
        action=action,
        by=by,
        reason=reason,
        head=machine.state.head,
    )
    if asked.kind == "effect_unresolved" and asked.effect is not None:
        done = action == "happened"
        body = machine.seal(content["value"]) if done else None
        machine.event(e.EffectResolved, body, effect=asked.effect, done=done, by=by)
    yield DURABLE
