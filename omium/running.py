"""Start executions, take them over, and go through their code to the end; sync and async over the same protocols."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, TypeVar

from omium.calls import aperform_step, here, perform_step
from omium.enforcing import started_under, taken_over_under
from omium.runtime import Runtime
from omium_core.engine import life
from omium_core.engine.calls import StepCall
from omium_core.engine.life import End
from omium_core.engine.machine import Interrupt, Machine, Protocol
from omium_core.engine.state import ExecutionState
from omium_core.errors import (
    ExecutionBusy,
    ExecutionHalted,
    ExecutionPaused,
    Unstorable,
    UsageError,
)
from omium_core.interfaces.checkpoint import ExecutionRow
from omium_core.journal.wire import GENESIS
from omium_core.recovery.ladders import Ladder
from omium_core.runtime.calling import Target
from omium_core.runtime.clock import new_id
from omium_core.runtime.declarations import StepDeclaration, WorkflowDeclaration, is_async
from omium_core.runtime.recorder import Recorder
from omium_core.runtime.run import Run
from omium_core.runtime.standing import by_place, standing_fixes
from omium_core.runtime.telling import tell_the_rest

T = TypeVar("T")

__all__ = [
    "alive",
    "begin",
    "check_id",
    "finish",
    "outcome_of",
    "prepare",
    "root_call",
    "single_step",
    "take_over",
    "workflow_named",
]


def begin(
    runtime: Runtime,
    declaration: WorkflowDeclaration,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    execution_id: str | None = None,
) -> Run:
    """Make a new execution; raise `Unstorable` for arguments that another process could not restore."""
    store = runtime.store
    execution = new_id("exe_", store.clock.now()) if execution_id is None else check_id(execution_id)
    if store.journal.execution(execution) is not None:
        raise UsageError(f"there is an execution `{execution}` already; resume it, or choose another id")
    try:
        named = declaration.arguments.named(args, kwargs)
    except TypeError as error:
        takes = f"`{declaration.name}{declaration.arguments.signature}`"
        raise UsageError(f"the arguments do not fit {takes}: {error}") from None
    try:
        body = store.codec.seal({"arguments": named})
    except Unstorable as error:
        raise Unstorable(error.path.replace("$.arguments", "$", 1), error.reason) from None
    watch = started_under(runtime, declaration, execution)
    machine = Machine(ExecutionState(), store.codec.seal, rerun=declaration.rerun, watch=watch)
    run = _run(runtime, machine, Recorder(store.journal, execution, GENESIS, 0, store.codec.stored), declaration)
    digest, _ = store.codec.digest(named)
    _claim(runtime, execution, run)
    try:
        operate(run, life.begin(machine, execution, declaration.name, digest, body, store.journal.runner()))
    except BaseException:
        finish(runtime, run)
        raise
    return run


def take_over(runtime: Runtime, row: ExecutionRow, declaration: WorkflowDeclaration | None) -> Run:
    """Make this process the runner of an execution; raise `ExecutionBusy` while another one lives."""
    store = runtime.store
    if row.status in ("running", "recovering") and alive(runtime, row):
        raise ExecutionBusy(row.id, row.runner or "")
    loaded = store.load(row.id)
    watch = taken_over_under(runtime, declaration, loaded.state) if declaration is not None else None
    run = prepare(runtime, row.id, loaded.state, loaded.digest, loaded.epoch, declaration)
    run.machine.watch = watch
    if runtime.hooks.channels:
        tell_the_rest(run, store.events(row.id))
    return run


def prepare(
    runtime: Runtime,
    execution: str,
    state: ExecutionState,
    digest: str,
    epoch: int,
    declaration: WorkflowDeclaration | None = None,
) -> Run:
    """Make an execution this process's, to go on after `digest`; the store refuses what another runner appended to."""
    store = runtime.store
    machine = Machine(state, store.codec.seal, rerun=declaration.rerun if declaration else False)
    run = _run(runtime, machine, Recorder(store.journal, execution, digest, epoch, store.codec.stored), declaration)
    _claim(runtime, execution, run)
    return run


def alive(runtime: Runtime, row: ExecutionRow) -> bool:
    """Say whether an execution's runner can still be at it."""
    if row.id in runtime.store.running:
        return True
    if row.runner is None or row.runner == runtime.store.journal.runner():
        return False
    return runtime.store.journal.is_alive(row.runner)


def operate(run: Run, protocol: Protocol[T]) -> T:
    """Run a protocol that goes through no user code; raise what stopped it as itself."""
    try:
        return run.drive(protocol)
    except Interrupt:
        stop = run.machine.stopping
        assert stop is not None and stop.error is not None
        raise stop.error from None


def finish(runtime: Runtime, run: Run) -> None:
    """Let go of an execution once what it appended has landed; another runner may take it from here on."""
    try:
        run.end()
    finally:
        runtime.store.running.pop(run.id, None)


def root_call(declaration: WorkflowDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any], run: Run) -> StepCall:
    """Return the workflow's body as the engine takes it."""
    target = Target(declaration.fn, None, args, kwargs)
    return StepCall(declaration.name, "", target, declaration, ladders=(*run.first_ladders, *run.ladders))


def workflow_named(runtime: Runtime, name: str) -> WorkflowDeclaration:
    """Return the declaration of a recorded workflow; a step that was called by itself is one too."""
    found = runtime.registry.find(WorkflowDeclaration, name)
    if found is not None:
        return found
    step = runtime.registry.find(StepDeclaration, name)
    if step is not None and not step.arguments.method:
        return single_step(step)
    known = ", ".join(f"`{one}`" for one in runtime.registry.names(WorkflowDeclaration)) or "none"
    raise UsageError(f"the code of workflow `{name}` is not loaded; name the file that declares it (declared: {known})")


def single_step(step: StepDeclaration) -> WorkflowDeclaration:
    """Return the workflow that consists of one step, which a step called outside of any is."""

    @functools.wraps(step.fn)
    def body(*args: Any, **kwargs: Any) -> Any:
        frame = here()
        assert frame is not None
        perform = aperform_step if is_async(step.fn) else perform_step
        return perform(frame, step, args, kwargs)

    return WorkflowDeclaration(step.name, body, step.arguments)


def outcome_of(execution: str, end: End, *, single: bool = False) -> Any:
    """Return what the workflow returned, or raise what users see at the boundary."""
    if end.kind == "completed":
        return end.value
    if end.kind == "paused":
        raise ExecutionPaused(execution, end.reason)
    if end.kind == "failed" or (single and end.error is not None):
        assert end.error is not None
        raise end.error
    raise ExecutionHalted(execution, end.reason) from end.error


def check_id(execution: str) -> str:
    """Return what a user chose as an execution's id; raise `UsageError` for what cannot be one."""
    if not execution or len(execution) > 200 or execution.startswith("@") or any(c in execution for c in "\r\n\0"):
        raise UsageError(f"`{execution}` cannot be an execution's id")
    return execution


def _run(runtime: Runtime, machine: Machine, recorder: Recorder, declaration: WorkflowDeclaration | None) -> Run:
    recovery = declaration.recovery if declaration is not None else None
    ladders = (Ladder(recovery, f"recovery of {declaration.name}"),) if recovery and declaration else ()
    if declaration is not None:
        machine.loops_max = declaration.options.get("loops_max", machine.loops_max)
        machine.crashes_max = declaration.options.get("crashes_max", machine.crashes_max)
        machine.standing = by_place(standing_fixes(runtime.store, declaration.name))
    recorder.track = runtime.hooks.tracker(recorder.execution)
    return Run(runtime.store, machine, recorder, runtime.registry, runtime.hooks, ladders, runtime.invocation)


def _claim(runtime: Runtime, execution: str, run: Run) -> None:
    with runtime.store.lock:
        if execution in runtime.store.running:
            raise ExecutionBusy(execution, runtime.store.journal.runner())
        runtime.store.running[execution] = run
