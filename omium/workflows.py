"""Workflows as users call them: a new execution, a named one, one that is taken up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omium import running
from omium.calls import aperform_step, here, perform_step
from omium.enforcing import check_nested
from omium.runtime import Runtime, runtime_for
from omium.views import Execution
from omium_core.engine import life
from omium_core.engine.life import End
from omium_core.errors import UsageError
from omium_core.runtime.declarations import StepDeclaration, WorkflowDeclaration, is_async
from omium_core.runtime.run import Run

__all__ = ["Workflow", "aresume", "arun", "resume", "run"]


class Workflow:
    """A workflow. Calling it is a new execution, which returns its value or raises why it did not get there.

    Of an `async def` workflow the call, `start` and `resume` are awaited. Inside an execution a call is a step of it.
    """

    def __init__(self, declaration: WorkflowDeclaration) -> None:
        self.__omium__ = declaration
        self.__wrapped__ = declaration.fn
        self.__name__ = declaration.name
        self.__doc__ = declaration.fn.__doc__
        self.__module__ = declaration.fn.__module__
        self.__qualname__ = getattr(declaration.fn, "__qualname__", declaration.name)
        self._async = is_async(declaration.fn)
        self._step = StepDeclaration(
            declaration.name, declaration.fn, declaration.arguments, recovery=declaration.recovery
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run a new execution; return what the workflow returns, or raise `ExecutionPaused` or `ExecutionHalted`."""
        frame = here()
        if frame is not None:
            if self.__omium__.options.get("policy") is not None:
                check_nested(self._runtime(), self.__omium__, frame.run.machine.watch)
            perform = aperform_step if self._async else perform_step
            return perform(frame, self._step, args, kwargs)
        return self._started(args, kwargs, None, _value)

    def start(self, *args: Any, execution_id: str | None = None, **kwargs: Any) -> Any:
        """Run a new execution to its end or its next pause; return the `Execution`, whatever its status."""
        return self._started(args, kwargs, execution_id, _view)

    def resume(self, execution_id: str, *, store: str | None = None) -> Any:
        """Go on with an execution in this process; return the `Execution`, whatever its status.

        Finished steps are not done again. Raises `ExecutionBusy` while another runner lives, `Diverged` where the code
        does not fit the record.
        """
        runtime = runtime_for(store) if store is not None else self._runtime()
        row = runtime.store.find(execution_id)
        if row.workflow != self.__name__:
            raise UsageError(f"`{row.id}` is an execution of `{row.workflow}`, not of `{self.__name__}`")
        if not self._async:
            return _view(runtime, resume(runtime, row.id, self.__omium__))

        async def resumed() -> Any:
            return _view(runtime, await aresume(runtime, row.id, self.__omium__))

        return resumed()

    def _started(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], execution_id: str | None, ended: Callable[..., Any]
    ) -> Any:
        runtime = self._runtime()
        if not self._async:
            return ended(runtime, run(runtime, self.__omium__, args, kwargs, execution_id))

        async def started() -> Any:
            return ended(runtime, await arun(runtime, self.__omium__, args, kwargs, execution_id))

        return started()

    def _runtime(self) -> Runtime:
        return runtime_for(self.__omium__.options.get("store"))


def run(
    runtime: Runtime,
    declaration: WorkflowDeclaration,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    execution_id: str | None = None,
) -> tuple[str, End]:
    """Run a new execution in this thread; give its id and how it ended."""
    one = running.begin(runtime, declaration, args, kwargs, execution_id)
    try:
        return one.id, one.drive(life.live(one.machine, running.root_call(declaration, args, kwargs, one)))
    finally:
        running.finish(runtime, one)


async def arun(
    runtime: Runtime,
    declaration: WorkflowDeclaration,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    execution_id: str | None = None,
) -> tuple[str, End]:
    """Run a new execution in this task; give its id and how it ended."""
    one = running.begin(runtime, declaration, args, kwargs, execution_id)
    try:
        return one.id, await one.adrive(life.live(one.machine, running.root_call(declaration, args, kwargs, one)))
    finally:
        running.finish(runtime, one)


def resume(runtime: Runtime, execution: str, declaration: WorkflowDeclaration) -> tuple[str, End]:
    """Take an execution over in this thread and go on; give its id and how it ended."""
    one = running.take_over(runtime, runtime.store.find(execution), declaration)
    try:
        end = one.drive(life.reopen(one.machine, runtime.store.journal.runner()))
        if end is None:
            args, kwargs = _recorded(one, declaration)
            end = one.drive(life.live(one.machine, running.root_call(declaration, args, kwargs, one)))
        return one.id, end
    finally:
        running.finish(runtime, one)


async def aresume(runtime: Runtime, execution: str, declaration: WorkflowDeclaration) -> tuple[str, End]:
    """Take an execution over in this task and go on; give its id and how it ended."""
    one = running.take_over(runtime, runtime.store.find(execution), declaration)
    try:
        end = await one.adrive(life.reopen(one.machine, runtime.store.journal.runner()))
        if end is None:
            args, kwargs = _recorded(one, declaration)
            end = await one.adrive(life.live(one.machine, running.root_call(declaration, args, kwargs, one)))
        return one.id, end
    finally:
        running.finish(runtime, one)


def _recorded(one: Run, declaration: WorkflowDeclaration) -> tuple[tuple[Any, ...], dict[str, Any]]:
    state = one.machine.state
    recorded = one.store.value(state.arguments_execution, state.arguments_seq)
    return declaration.arguments.call(recorded["arguments"])


def _value(runtime: Runtime, ended: tuple[str, End]) -> Any:
    return running.outcome_of(*ended)


def _view(runtime: Runtime, ended: tuple[str, End]) -> Execution:
    execution, end = ended
    if end.kind == "failed":
        running.outcome_of(execution, end)
    return Execution(runtime.store, execution)
