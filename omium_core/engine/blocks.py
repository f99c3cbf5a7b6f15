"""The protocols of blocks, whose bodies Python cannot skip: `with Checkpoint(...)` and `with Transaction(...)`."""

from __future__ import annotations

from typing import Any

import attrs

from omium_core.engine import places, steps
from omium_core.engine.calls import EffectCall, Outcome, StepCall
from omium_core.engine.commands import DURABLE, Fetch, Restore
from omium_core.engine.machine import Machine, Protocol
from omium_core.engine.scope import Lane, Scope
from omium_core.errors import UsageError
from omium_core.model import events as e
from omium_core.model.body import Body

__all__ = ["Block", "begin", "begin_transaction", "end_transaction", "save"]


@attrs.frozen(eq=False)
class Block:
    """A block that was entered: its path, and what it saved if it ended well before."""

    path: str
    name: str
    restored: bool
    value: Any = None
    inner: Scope | None = None
    call: StepCall | None = None


def begin(machine: Machine, scope: Scope, lane: Lane, name: str) -> Protocol[Block]:
    """Enter a `Checkpoint` block."""
    machine.check_running(scope)
    path, known = yield from places.locate(machine, scope, lane, name, "")
    scope.touched.add(path)
    entry = machine.state.outcomes.get(path)
    if entry is None:
        if not known:
            _start(machine, scope, lane, path, name, "block")
        return Block(path, name, restored=False)
    value = (yield Fetch(entry.execution, entry.seq)) if entry.digest else None
    return Block(path, name, restored=True, value=value)


def save(machine: Machine, scope: Scope, block: Block, body: Body | None) -> Protocol[None]:
    """End a `Checkpoint` block well: commit what it saves, or the execution so far."""
    machine.check_running(scope)
    steps.commit_checkpoint(machine, block.path, block.name, None, body, "state")
    yield DURABLE


def begin_transaction(machine: Machine, scope: Scope, lane: Lane, effect: EffectCall) -> Protocol[Block]:
    """Enter a `Transaction` block; its effects are answered from the record if it ended well before."""
    machine.check_running(scope)
    name = effect.name
    path, known = yield from places.locate(machine, scope, lane, name, "")
    scope.touched.add(path)
    entry = machine.state.outcomes.get(path)
    if entry is not None and entry.kind == "failed":
        raise (yield Restore(path, (yield Fetch(entry.execution, entry.seq))))
    call = StepCall(name, "", lambda: None, effect=effect)
    step = machine.state.steps.get(path)
    attempt = 1 if step is None else step.attempts if entry is not None or step.open else step.attempts + 1
    if entry is None and not (known and step is not None and step.open):
        _start(machine, scope, lane, path, name, "transaction", attempt)
    inner = Scope(path, attempt, machine.entry, scope)
    answered = yield from steps.open_transaction(machine, inner, call)
    if answered is not None:
        reason = "its body cannot be skipped, so it has to call declared effects; use `@transaction` on a function"
        raise UsageError(f"transaction `{path}` happened before this process, and {reason}")
    return Block(path, name, entry is not None, inner=inner, call=call)


def end_transaction(machine: Machine, scope: Scope, block: Block, outcome: Outcome) -> Protocol[None]:
    """Leave a `Transaction` block: all its effects stand, or, when the body failed, all are undone."""
    assert block.inner is not None and block.call is not None
    machine.check_running(scope)
    if block.restored:
        return
    yield from steps.close_transaction(machine, block.inner, outcome, failed=outcome.failure is not None)
    if outcome.failure is None:
        yield from steps.commit(machine, scope, block.inner, block.call, outcome)
        return
    machine.event(
        e.StepFailed,
        machine.seal(outcome.failure.evidence),
        step=block.path,
        attempt=block.inner.attempt,
        kind=outcome.failure.kind,
        where=outcome.failure.where,
        final=True,
    )
    yield DURABLE


def _start(machine: Machine, scope: Scope, lane: Lane, path: str, name: str, kind: str, attempt: int = 1) -> None:
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
    steps.pass_over(machine, scope, lane)
