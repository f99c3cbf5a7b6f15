"""What operators do from any process: look, roll back, fork, stop, verify; what they answer is in `reviewing`."""

from __future__ import annotations

from typing import Any

from omium import running
from omium.reviewing import review
from omium.runtime import Runtime, runtime_for
from omium.views import Execution
from omium.workflows import Workflow
from omium_core.engine import life
from omium_core.engine.state import CheckpointRecord, ExecutionState
from omium_core.errors import UnknownCheckpoint, UsageError
from omium_core.runtime import stopping
from omium_core.runtime.clock import new_id
from omium_core.runtime.pruning import refuse_pruned
from omium_core.runtime.telling import tell_of_stop
from omium_core.runtime.verifying import Verification, verify_store

__all__ = ["execution_of", "fork", "halt", "pause", "resume", "review", "rollback", "verify"]

LOOKS_MAX = 10
EXECUTIONS_MAX = 2**31


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
    refuse_pruned(runtime.store, row.id)
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
    refuse_pruned(runtime.store, row.id)
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


def verify(execution_id: str | None = None, *, head: str | None = None, store: str | None = None) -> Verification:
    """Check chain, bodies, blobs and tables of an execution, or of all; name what is not as it was written.

    `head` is a chain hash or checkpoint id that is known elsewhere and must be there.
    """
    runtime = runtime_for(store)
    return verify_store(runtime.store, runtime.store.find(execution_id).id if execution_id else None, head)


def pause(execution_id: str, *, by: str = "a person", reason: str = "", store: str | None = None) -> Execution:
    """Pause an execution, whatever process runs it; `resume` goes on with it.

    It holds when this returns: the runner stops before its next effect that is not a read, or at its next append, and
    its caller sees `ExecutionPaused`. What has ended, or is paused, stays as it is.
    """
    runtime = runtime_for(store)
    row = runtime.store.find(execution_id)
    if stopping.stop(runtime.store, row.id, "paused", by, reason):
        tell_of_stop(runtime.store, runtime.hooks, row.id, "paused")
    return Execution(runtime.store, row.id)


def halt(
    execution_id: str | None = None,
    *,
    workflow: str | None = None,
    all: bool = False,
    by: str,
    reason: str = "",
    store: str | None = None,
) -> list[Execution]:
    """Halt one execution, those of a workflow, or all: the kill switch. Returns those that this call halted.

    It holds when this returns, also for executions whose runner is dead: a runner stops before its next effect that is
    not a read, or at its next append, and its caller sees `ExecutionHalted`. What has ended stays as it ended. It acts
    on the executions that are there; new ones start as before. Everything is kept: `rollback` or `fork` goes on.
    """
    if [execution_id is not None, workflow is not None, all].count(True) != 1:
        raise UsageError("say what to halt: one execution, `workflow=`, or `all=True`")
    runtime = runtime_for(store)
    if execution_id is not None:
        row = runtime.store.find(execution_id)
        halted = [row.id] if stopping.stop(runtime.store, row.id, "halted", by, reason) else []
    else:
        halted = _halt_each(runtime, workflow, by, reason)
    # Everything is stopped BEFORE anybody is told.
    for one in halted:
        tell_of_stop(runtime.store, runtime.hooks, one, "halted")
    return [Execution(runtime.store, one) for one in halted]


def _halt_each(runtime: Runtime, workflow: str | None, by: str, reason: str) -> list[str]:
    """Halt every unfinished execution, looking again until there is none left that began before this call."""
    began, halted = runtime.store.clock.now(), []
    for look in range(LOOKS_MAX):
        rows = [
            row
            for status in stopping.UNFINISHED
            for row in runtime.store.executions(status=status, workflow=workflow, limit=EXECUTIONS_MAX)
            if row.started <= began
        ]
        # An execution that goes from one status to another between two of these is found at the next look.
        halted += [row.id for row in rows if stopping.stop(runtime.store, row.id, "halted", by, reason)]
        if look and not rows:
            break
    return halted


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
