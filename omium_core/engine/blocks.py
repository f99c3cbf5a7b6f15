"""The protocols of blocks, whose bodies Python cannot skip: `with Checkpoint(...)` and `with Transaction(...)`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import attrs

from omium_core.engine import committing, effects, places, steps
from omium_core.engine.calls import EffectCall, Outcome, StepCall
from omium_core.engine.commands import DURABLE, Fetch, Restore
from omium_core.engine.machine import Carried, Machine, Protocol
from omium_core.engine.scope import Lane, Scope
from omium_core.errors import UsageError
from omium_core.model import events as e
from omium_core.model.body import Body

__all__ = ["Block", "begin", "begin_transaction", "end_transaction", "save"]


P = ParamSpec("P")
T = TypeVar("T")


@attrs.frozen(eq=False)
class Block:
    """A block that was entered: its path, its body's scope, and what it saved if it ended well before."""

    path: str
    name: str
    restored: bool
    inner: Scope
    value: Any = None
    call: StepCall | None = None


def _counted(
    protocol: Callable[Concatenate[Machine, Scope, P], Protocol[T]],
) -> Callable[Concatenate[Machine, Scope, P], Protocol[T]]:
    """Let whoever ends the body around it wait for a protocol."""

    @functools.wraps(protocol)
    def counted(machine: Machine, scope: Scope, /, *args: P.args, **kwargs: P.kwargs) -> Protocol[T]:
        scope.count(1)
        try:
            return (yield from protocol(machine, scope, *args, **kwargs))
        finally:
            scope.count(-1)

    return counted


@_counted
def begin(machine: Machine, scope: Scope, lane: Lane, name: str) -> Protocol[Block]:
    """Enter a `Checkpoint` block."""
    machine.check_running(scope)
    path, known = yield from places.locate(machine, scope, lane, name, "")
    scope.touched.add(path)
    entry = machine.state.outcomes.get(path)
    if entry is not None and not known:
        yield from effects.take_in(machine, scope, path)
    inner = _entered(machine, scope, lane, path, name, "block", goes_on=known, ended=entry is not None)
    value = (yield Fetch(entry.execution, entry.seq)) if entry is not None and entry.digest else None
    return Block(path, name, entry is not None, inner, value)


@_counted
def save(machine: Machine, scope: Scope, block: Block, body: Body | None) -> Protocol[None]:
    """End a `Checkpoint` block well: commit what it saves, or the execution so far."""
    machine.check_running(scope)
    yield from machine.close(block.inner)
    if not block.restored:
        yield from places.unasked(machine, block.inner)
        yield from committing.save(machine, block.inner, block.name, body)


@_counted
def begin_transaction(machine: Machine, scope: Scope, lane: Lane, effect: EffectCall) -> Protocol[Block]:
    """Enter a `Transaction` block; its effects are answered from the record if it ended well before."""
    machine.check_running(scope)
    name = effect.name
    path, known = yield from places.locate(machine, scope, lane, name, "")
    scope.touched.add(path)
    entry = machine.state.outcomes.get(path)
    if entry is not None and entry.kind == "failed" and known:
        raise Carried((yield Restore(path, (yield Fetch(entry.execution, entry.seq)))))
    call = StepCall(name, "", lambda: None, effect=effect)
    ended = entry is not None and entry.kind != "failed"
    if ended and not known:
        yield from effects.take_in(machine, scope, path)
    inner = _entered(machine, scope, lane, path, name, "transaction", goes_on=known, ended=ended)
    answered = yield from steps.open_transaction(machine, inner, call)
    if answered is not None:
        reason = "its body cannot be skipped, so it has to call declared effects; use `@transaction` on a function"
        raise UsageError(f"transaction `{path}` happened before this process, and {reason}")
    return Block(path, name, ended, inner, call=call)


@_counted
def end_transaction(machine: Machine, scope: Scope, block: Block, outcome: Outcome) -> Protocol[None]:
    """Leave a `Transaction` block: all its effects stand, or, when the body failed, all are undone."""
    assert block.call is not None
    machine.check_running(scope)
    yield from machine.close(block.inner)
    if block.restored:
        return
    if outcome.failure is None:
        yield from places.unasked(machine, block.inner)
    yield from steps.close_transaction(machine, block.inner, outcome, failed=outcome.failure is not None)
    if outcome.failure is None:
        yield from committing.commit(machine, scope, block.inner, block.call, outcome)
        return
    steps.fail(machine, block.inner, outcome.failure, final=True)
    yield DURABLE


def _entered(
    machine: Machine, scope: Scope, lane: Lane, path: str, name: str, kind: str, *, goes_on: bool, ended: bool
) -> Scope:
    """Return the scope of a block's body: of the attempt that ended well or goes on, else of one that begins now."""
    step = machine.state.steps.get(path)
    attempt = 1 if step is None else step.attempts + 1
    if step is not None and (ended or (goes_on and step.open)):
        attempt = step.attempts
    else:
        _start(machine, scope, lane, path, name, kind, attempt)
    return Scope(path, attempt, machine.entry, scope, block=True)


def _start(machine: Machine, scope: Scope, lane: Lane, path: str, name: str, kind: str, attempt: int) -> None:
    machine.event(
        e.StepStarted,
        step=path,
        name=name,
        attempt=attempt,
        arguments="",
        scope=scope.path,
        scope_attempt=scope.attempt,
        lane=lane.label or "",
        kind=kind,
    )
    steps.pass_over(machine, scope, lane, path)
