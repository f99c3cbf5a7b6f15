"""One execution as this process runs it: the drivers, sync and async, over the same engine.

A driver takes a command from a protocol, performs it, and sends the result back. All that can be shared between the two
drivers is in `performing`; here is only what differs: who waits, and who awaits.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import attrs

from omium_core.engine.commands import (
    Append,
    Attempt,
    Check,
    Command,
    FindStop,
    Perform,
    Poll,
    Quiesce,
    Resend,
    Screen,
    Sleep,
    Undo,
)
from omium_core.engine.machine import Carried, Machine, Protocol, Stop
from omium_core.engine.scope import Scope
from omium_core.errors import Corrupted, OmiumError, StoreError, UnknownType, UsageError, ValuePruned
from omium_core.interfaces.checkpoint import Commit
from omium_core.model import events as e
from omium_core.recovery.ladders import Ladder
from omium_core.recovery.policy import Ballot
from omium_core.runtime import consulting, overtaken, performing
from omium_core.runtime.context import CURRENT
from omium_core.runtime.declarations import Registry
from omium_core.runtime.dispatch import Hooks
from omium_core.runtime.recorder import Recorder
from omium_core.runtime.store import Store

__all__ = ["Run"]

T = TypeVar("T")

# How long a stop waits for effects in other lanes before it goes on without their answers: they are unresolved then.
QUIESCE_S = 30.0
QUIET_CHECK_S = 0.002
_USER_CODE = (Attempt, Perform, Resend, Check, Undo)


@attrs.define(eq=False)
class Run:
    """One execution in this process. The lock is held while the engine computes, never while anything is performed.

    `ladders` are the workflow's own; they come after those of a step. `invocation` makes the calls of user
    code. `tasks` are the asyncio tasks of its lanes.
    """

    store: Store
    machine: Machine
    recorder: Recorder
    registry: Registry
    hooks: Hooks
    ladders: tuple[Ladder, ...] = ()
    invocation: performing.Invoker = performing.invocation
    pid: int = attrs.field(factory=os.getpid)
    lock: threading.RLock = attrs.field(factory=threading.RLock)
    ended: bool = False
    tasks: weakref.WeakSet[Any] = attrs.field(factory=weakref.WeakSet)

    @property
    def id(self) -> str:
        """The execution's id."""
        return self.recorder.execution

    @property
    def first_ladders(self) -> tuple[Ladder, ...]:
        """The ladders that come before those of any step: where the policy names one, the policy decides."""
        return self.machine.watch.policy.ladders if self.machine.watch is not None else ()

    def drive(self, protocol: Protocol[T]) -> T:
        """Run a protocol to its end, waiting in this thread."""
        result: Any = None
        error: BaseException | None = None
        while True:
            try:
                command, commit = self._advance(protocol, result, error)
            except StopIteration as stop:
                value: T = stop.value
                return value
            except Carried as carried:
                raised = carried.error
                break
            result = error = None
            try:
                if commit is not None:
                    commit.wait()
                elif not isinstance(command, Append):
                    result = self._perform(command)
            except BaseException as caught:  # Whatever was raised is the protocol's to see.
                error = self._messenger(caught)
        raise raised

    async def adrive(self, protocol: Protocol[T]) -> T:
        """Run a protocol to its end, awaiting in this task."""
        result: Any = None
        error: BaseException | None = None
        while True:
            try:
                command, commit = self._advance(protocol, result, error)
            except StopIteration as stop:
                value: T = stop.value
                return value
            except Carried as carried:
                raised = carried.error
                break
            result = error = None
            try:
                if commit is not None:
                    await self._landed(commit)
                elif not isinstance(command, Append):
                    result = await self._aperform(command)
            except BaseException as caught:  # Whatever was raised is the protocol's to see.
                error = self._messenger(caught)
        raise raised

    def _advance(
        self, protocol: Protocol[Any], result: Any, error: BaseException | None
    ) -> tuple[Command, Commit | None]:
        """Let the engine compute until its next command; take events over in the order in which it made them."""
        if self.pid != os.getpid():
            raise UsageError(f"execution `{self.id}` belongs to the process that forked; this one cannot go on with it")
        machine = self.machine
        with self.lock:
            machine.now = self.store.clock.now()
            command = protocol.throw(error) if error is not None else protocol.send(result)
            if not isinstance(command, Append):
                return command, None
            if not machine.made:
                # An earlier append took these events with it, and they are on disk when that one is.
                return command, self.recorder.last if command.durable else None
            try:
                commit = self.recorder.append(machine.take(), machine.state)
            except BaseException as refused:  # The protocol has to see it, like the fate of an append that was taken.
                fate = _Refused(refused)
                if isinstance(refused, OmiumError):
                    # No lane whose events went with these may take them for durable.
                    self.recorder.last = fate
                return command, fate
            return command, commit if command.durable else None

    def plugin_failed(self, plugin: str, hook: str, error: object) -> None:
        """Journal that a plugin raised, or what else was wrong with it; it goes no further."""
        with self.lock:
            self.machine.event(e.PluginFailed, plugin=plugin, hook=hook, message=consulting.printable(error))

    def journal_aside(self, kind: type[e.Event], fields: dict[str, Any]) -> bool:
        """Journal an event from beside the execution; say whether this run still has the execution and took it."""
        with self.lock:
            if self.ended:
                return False
            self.machine.now = self.store.clock.now()
            self.machine.event(kind, **fields)
            self.recorder.append(self.machine.take(), self.machine.state)
            return True

    def end(self) -> None:
        """Let go of the execution, once everything that was appended has its fate."""
        with self.lock:
            self.ended = True
        # What still runs in lanes that were left behind can do nothing more.
        self.machine.entry += 1
        if self.recorder.last is not None:
            # Whoever needed that append has been told of its failure already.
            with contextlib.suppress(OmiumError):
                self.recorder.last.wait()

    def _messenger(self, raised: BaseException) -> BaseException:
        """An error of the store stops the execution: a messenger that user code cannot swallow takes its place."""
        if isinstance(raised, OmiumError) and performing.is_ours(raised):
            # What cannot be read stays so until a person does something, and the journal can say that: a runner that
            # left without a word would be taken for one that died.
            unreadable = isinstance(raised, (Corrupted, UnknownType, ValuePruned))
            return self.machine.stop(Stop("pause" if unreadable else "failed", str(raised), error=raised))
        return raised

    def _perform(self, command: Command) -> Any:
        if isinstance(command, _USER_CODE):
            self._check_taken()
            return self._call(command)
        if isinstance(command, Sleep):
            for turn_s in overtaken.turns(self, command.seconds):
                self.store.clock.sleep(turn_s)
            return None
        if isinstance(command, Quiesce):
            return self._quiesce(command.scope)
        if isinstance(command, FindStop):
            return overtaken.stopped(self)
        if isinstance(command, Poll):
            return _polled(self, command)
        if isinstance(command, Screen):
            # It reads nothing that this runner has yet to write, so calls need not wait for the answers before them.
            return performing.compute(self, command)
        if self.recorder.last is not None and not self.recorder.last.done:
            self.recorder.last.wait()
        return performing.compute(self, command)

    async def _aperform(self, command: Command) -> Any:
        if isinstance(command, _USER_CODE):
            self._check_taken()
            return await self._acall(command)
        if isinstance(command, Sleep):
            for turn_s in overtaken.turns(self, command.seconds):
                await self.store.clock.asleep(turn_s)
            return None
        if isinstance(command, Quiesce):
            return await self._aquiesce(command)
        if isinstance(command, FindStop):
            return await self._in_thread(overtaken.stopped)
        if isinstance(command, Poll):
            return await self._in_thread(partial(_polled, command=command))
        if isinstance(command, Screen):
            return performing.compute(self, command)
        if self.recorder.last is not None and not self.recorder.last.done:
            await self._landed(self.recorder.last)
        return performing.compute(self, command)

    def _call(self, command: Attempt | Perform | Resend | Check | Undo) -> Any:
        invocation = self.invocation(self, command)
        if invocation is None:
            return None
        token = CURRENT.set(invocation.frame)
        try:
            value = performing.finish_sync(invocation.call())
        except BaseException as error:  # `failed` raises again what is not a failure.
            return invocation.failed(error)
        finally:
            CURRENT.reset(token)
        return invocation.succeeded(value)

    async def _acall(self, command: Attempt | Perform | Resend | Check | Undo) -> Any:
        invocation = self.invocation(self, command)
        if invocation is None:
            return None
        token = CURRENT.set(invocation.frame)
        try:
            value = invocation.call()
            if isinstance(value, Awaitable):
                value = await value
        except BaseException as error:  # `failed` raises again what is not a failure.
            return invocation.failed(error)
        finally:
            CURRENT.reset(token)
        return invocation.succeeded(value)

    async def _landed(self, commit: Commit) -> None:
        from omium_core.runtime import awaiting  # Sync programs never come here.

        await awaiting.landed(self.store, commit)

    async def _in_thread(self, call: Callable[[Run], T]) -> T:
        from omium_core.runtime import awaiting  # Sync programs never come here.

        return await awaiting.in_thread(call, self)

    def _check_taken(self) -> None:
        """Raise what became of the last append, where that is known: a refused one ends this runner's part.

        Nobody waits for the answers of reads, so without this a step of nothing but reads would not notice.
        """
        last = self.recorder.last
        if last is not None and last.done:
            last.wait()

    def _quiesce(self, scope: Scope) -> None:
        """Wait until no lane of a body is in the middle of a call; `check_running` lets none begin."""
        for _ in range(int(QUIESCE_S / QUIET_CHECK_S)):
            if not scope.busy:
                return
            time.sleep(QUIET_CHECK_S)

    async def _aquiesce(self, command: Quiesce) -> None:
        from omium_core.runtime import awaiting  # Sync programs never come here.

        for _ in range(int(QUIESCE_S / QUIET_CHECK_S)):
            if not command.scope.busy:
                break
            await awaiting.asleep(QUIET_CHECK_S)
        if command.cancel:
            await awaiting.cancel_all(self.tasks, QUIESCE_S)


def _polled(run: Run, command: Poll) -> Ballot:
    from omium_core.runtime.voting import polled  # Only executions whose policy has handoffs import it.

    return polled(run, command)


@attrs.frozen
class _Refused:
    """The fate of an append that the journal did not take: the engine is ahead of it, so the execution has to stop."""

    error: BaseException
    done: bool = True

    def wait(self) -> None:
        if isinstance(self.error, UsageError):
            raise StoreError(str(self.error)) from self.error
        raise self.error

    def on_done(self, callback: Callable[[], None]) -> None:
        callback()
