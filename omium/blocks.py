"""Blocks: `with Checkpoint(...)`, `with Transaction(...)`, `with omium.execution(...)`."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

import attrs

from omium import running
from omium.runtime import Runtime, runtime_for
from omium.views import Execution
from omium_core.engine import blocks, life
from omium_core.engine.calls import Outcome
from omium_core.engine.life import End
from omium_core.engine.machine import Interrupt, Protocol
from omium_core.engine.scope import Scope
from omium_core.errors import ExecutionRolledBack, UsageError
from omium_core.recovery.detectors import classify
from omium_core.recovery.ladders import Recovery
from omium_core.runtime.calling import effect_call
from omium_core.runtime.context import CURRENT, Frame, current_frame, owner
from omium_core.runtime.declarations import Arguments, EffectDeclaration, WorkflowDeclaration, check_name
from omium_core.runtime.performing import messenger_in, storable_by
from omium_core.runtime.run import Run

__all__ = ["Checkpoint", "Transaction", "execution"]


class _Block:
    """What the blocks share: enter and leave by protocols, sync or async."""

    def _enter(self) -> tuple[Run, Protocol[Any], Callable[[Any], None]]:
        raise NotImplementedError  # Each block has its own.

    def _leave(self, error: BaseException | None) -> tuple[Run, Protocol[Any]] | None:
        raise NotImplementedError  # Each block has its own.

    def __enter__(self) -> Any:
        run, protocol, entered = self._enter()
        entered(run.drive(protocol))
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        leaving = self._leave(error)
        if leaving is not None:
            leaving[0].drive(leaving[1])

    async def __aenter__(self) -> Any:
        run, protocol, entered = self._enter()
        entered(await run.adrive(protocol))
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        leaving = self._leave(error)
        if leaving is not None:
            await leaving[0].adrive(leaving[1])


class Checkpoint(_Block):
    """A block that commits a checkpoint when it ends well, with what was put into `state`.

    When the code is gone through again, `restored` is True and `state` holds what was saved. Python cannot skip the
    block; its effects are answered from the record.
    """

    def __init__(self, name: str) -> None:
        self.name = check_name(name)
        self.state: Any = None
        self.restored = False
        self._frame: Frame | None = None
        self._block: blocks.Block | None = None
        self._token: Any = None

    def _enter(self) -> tuple[Run, Protocol[Any], Callable[[Any], None]]:
        frame = self._frame = _frame(f'Checkpoint("{self.name}")')

        def entered(block: blocks.Block) -> None:
            self._block, self.restored, self.state = block, block.restored, block.value
            self._token = _inside(frame, block)

        return frame.run, blocks.begin(frame.run.machine, frame.scope, frame.lane, self.name), entered

    def _leave(self, error: BaseException | None) -> tuple[Run, Protocol[Any]] | None:
        CURRENT.reset(self._token)
        if error is not None or self.restored:
            return None
        assert self._frame is not None and self._block is not None
        run = self._frame.run
        body = run.store.codec.seal(self.state) if self.state is not None else None
        return run, blocks.save(run.machine, self._frame.scope, self._block, body)


class Transaction(_Block):
    """A block whose declared effects all happen, or are all compensated when it fails.

    It needs declared effects: Python cannot skip the block when the code is gone through again, they are answered from
    the record. For a body without any, use `@transaction` on a function.
    """

    def __init__(self, name: str) -> None:
        self.name = check_name(name)
        self._frame: Frame | None = None
        self._block: blocks.Block | None = None
        self._token: Any = None

    def _enter(self) -> tuple[Run, Protocol[Any], Callable[[Any], None]]:
        frame = self._frame = _frame(f'Transaction("{self.name}")')
        declaration = EffectDeclaration(self.name, _no_code, Arguments.of(_no_code))
        call = effect_call(frame.run.store.codec, declaration, (), {}, performed=False)

        def entered(block: blocks.Block) -> None:
            self._block = block
            self._token = _inside(frame, block)

        return frame.run, blocks.begin_transaction(frame.run.machine, frame.scope, frame.lane, call), entered

    def _leave(self, error: BaseException | None) -> tuple[Run, Protocol[Any]] | None:
        CURRENT.reset(self._token)
        if error is not None and not isinstance(error, Exception):
            return None
        assert self._frame is not None and self._block is not None
        run = self._frame.run
        outcome = Outcome(None, run.store.codec.seal(None))
        if error is not None:
            outcome = Outcome(failure=classify(error, models=0, storable=storable_by(run.store.codec)), error=error)
        return run, blocks.end_transaction(run.machine, self._frame.scope, self._block, outcome)


class execution(_Block):  # users read it as a verb: `with omium.execution("name"):`
    """An execution around any code: `with omium.execution("name") as execution:`.

    With `execution_id`, entering it again goes on with that execution. Omium cannot enter the block again by itself:
    after a rollback it is left with `ExecutionRolledBack`.
    """

    def __init__(
        self,
        name: str,
        *,
        policy: str | None = None,
        execution_id: str | None = None,
        store: str | None = None,
        recovery: Recovery | None = None,
    ) -> None:
        self._declaration = WorkflowDeclaration(
            check_name(name), _no_code, Arguments.of(_no_code), recovery, options={"policy": policy}
        )
        self._given = execution_id
        self._store = store
        self._runtime: Runtime | None = None
        self._run: Run | None = None
        self._root: Scope | None = None
        self._token: Any = None
        self._end: End | None = None

    def __enter__(self) -> Execution:
        run, protocol, entered = self._enter()
        try:
            entered(run.drive(protocol))
        except BaseException:
            self._let_go()
            raise
        return self._view()

    async def __aenter__(self) -> Execution:
        run, protocol, entered = self._enter()
        try:
            entered(await run.adrive(protocol))
        except BaseException:
            self._let_go()
            raise
        return self._view()

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            run, protocol = self._leaving(error)
            end = run.drive(protocol)
        finally:
            self._let_go()
        self._raise(end, error)

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            run, protocol = self._leaving(error)
            end = await run.adrive(protocol)
        finally:
            self._let_go()
        self._raise(end, error)

    def _enter(self) -> tuple[Run, Protocol[Any], Callable[[Any], None]]:
        if current_frame() is not None:
            raise UsageError("there is a current execution already; use a step or a `Checkpoint` block inside it")
        runtime = self._runtime = runtime_for(self._store)
        row = runtime.store.journal.execution(self._given) if self._given else None
        if row is None:
            run = self._run = running.begin(runtime, self._declaration, (), {}, self._given)
            return run, _nothing(), self._entered
        run = self._run = running.take_over(runtime, row, self._declaration)
        return run, life.reopen(run.machine, runtime.store.journal.runner()), self._entered

    def _entered(self, end: End | None) -> None:
        assert self._run is not None
        if end is not None and end.kind == "completed":
            raise UsageError(f"execution `{self._run.id}` is completed; choose another `execution_id`")
        if end is not None:
            running.outcome_of(self._run.id, end)
        run = self._run
        self._root = life.enter(run.machine, (*run.first_ladders, *run.ladders))
        self._token = CURRENT.set(Frame(run, self._root, self._root.main, owner()))

    def _leaving(self, error: BaseException | None) -> tuple[Run, Protocol[End]]:
        assert self._run is not None and self._root is not None
        CURRENT.reset(self._token)
        error = messenger_in(error) if error is not None else None
        if error is not None and not isinstance(error, Exception | Interrupt) and self._run.machine.stopping is None:
            raise error
        outcome = Outcome(None, self._run.store.codec.seal(None))
        if isinstance(error, Exception):
            outcome = Outcome(
                failure=classify(error, models=0, storable=storable_by(self._run.store.codec)), error=error
            )
        return self._run, life.leave(self._run.machine, self._root, outcome)

    def _raise(self, end: End, error: BaseException | None) -> None:
        assert self._run is not None
        if end.kind == "again":
            raise ExecutionRolledBack(self._run.id, end.reason) from error
        if end.kind == "halted" and end.error is not None:
            return  # The block's own exception goes on as itself.
        if end.kind != "completed":
            running.outcome_of(self._run.id, end)

    def _let_go(self) -> None:
        if self._runtime is not None and self._run is not None:
            running.finish(self._runtime, self._run)

    def _view(self) -> Execution:
        assert self._runtime is not None and self._run is not None
        return Execution(self._runtime.store, self._run.id)


def _frame(what: str) -> Frame:
    frame = current_frame()
    if frame is None or frame.plain:
        raise UsageError(f"`{what}` needs an execution around it: a workflow, or `with omium.execution(...)`")
    return frame


def _inside(frame: Frame, block: blocks.Block) -> Any:
    """Make the block's body where the code stands; give what undoes that."""
    return CURRENT.set(attrs.evolve(frame, scope=block.inner, lane=block.inner.main))


def _no_code() -> None:
    """The body stands in the `with` block."""


def _nothing() -> Protocol[None]:
    return None
    yield
