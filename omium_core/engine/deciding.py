"""From a failure to a decision: which ladder, which rung, and what that rung does before the step goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omium_core.engine import asking, consulting, undoing
from omium_core.engine.commands import DURABLE, Jitter, NotifyChannel, Sleep
from omium_core.engine.machine import Interrupt, Machine, Protocol, Stop
from omium_core.engine.scope import Scope
from omium_core.model import events as e
from omium_core.model.effect import COMPENSABLE, DONE
from omium_core.model.failure import Failure
from omium_core.model.fix import Suggestion
from omium_core.recovery.ladders import (
    Apply,
    AtMost,
    Compensate,
    Fallback,
    Halt,
    Ladder,
    Notify,
    Pause,
    Recovery,
    Retry,
    Rollback,
    Rung,
    Skip,
)

__all__ = ["decide", "ladder_for", "ladder_named", "undo_failed"]

# Rungs that lead to the next one.
PASSING = ("notify", "compensate")
UNATTENDED = Ladder(Recovery(Halt()), "a blocking rule without a ladder")


def ladder_for(ladders: tuple[Ladder, ...], failure: Failure, error: BaseException | None) -> Ladder | None:
    """Return the first ladder that takes the failure; they come in order of precedence."""
    return next((one for one in ladders if one.takes(failure.kind, error, failure.violations)), None)


def ladder_named(ladders: tuple[Ladder, ...], source: str) -> Ladder | None:
    """Return the ladder that an earlier decision was taken from."""
    return next((one for one in ladders if one.source == source), None)


def decide(
    machine: Machine,
    inner: Scope,
    ladder: Ladder | None,
    failure: Failure,
    failed: int,
    suggested: tuple[Suggestion, ...] | None = None,
) -> Protocol[e.RecoveryDecided]:
    """Take the next rung that leads on; stop the execution where the rung says so.

    The failure and the decision are one append, unless another lane's comes between; a failure that a crash leaves
    undecided is decided about when the code comes there again. `suggested` is what a person is offered, where that is
    known already.
    """
    ladder = ladder or UNATTENDED
    step = machine.state.steps[inner.path]
    beyond = -1
    for _ in range(ladder.decisions_max + 1):
        rung, index = _next_rung(machine, ladder, step.used, beyond)
        why: dict[str, str] = {}
        if isinstance(rung, Apply):
            assert index is not None
            use = step.used.get((ladder.source, index), 0) + 1
            answer = yield from consulting.consulted(machine, inner, rung, use, failure)
            if answer is None:
                beyond = index
                continue
            rung, why = answer
        if isinstance(rung, Pause) and suggested is None:
            suggested = yield from asking.suggestions(machine, inner, failure, ladder)
        event = yield from _decision(machine, inner, ladder, rung, index, failure, why)
        match rung:
            case Pause():
                deadline = machine.now + rung.timeout_s if rung.timeout_s is not None else None
                question = asking.ask(machine, inner, failure, suggested or (), rung.role, deadline)
                stop = machine.stop(Stop("pause", failure.message, step=inner.path, review=question.review))
                yield DURABLE
                raise stop
            case Rollback():
                stop = _roll_back(machine, inner, rung, failure, ladder, failed)
                yield DURABLE
                raise stop
            case Halt():
                stop = machine.stop(Stop("halt", failure.message, step=inner.path, failure=failed))
                yield DURABLE
                raise stop
            case Retry() | Fallback():
                yield DURABLE
                if event.delay_s:
                    yield from _wait(inner.parent or inner, event.delay_s)
                machine.check_running(inner.parent or inner)
                return event
            case Skip():
                return event
            case Notify(channel):
                yield DURABLE
                yield NotifyChannel(channel, f"{machine.state.workflow}: {inner.path}", failure.message, event.seq)
            case Compensate(names):
                yield DURABLE
                yield from undo_failed(machine, inner.path, names)
    raise AssertionError(f"ladder `{ladder.source}` has no terminal rung")


def _next_rung(
    machine: Machine, ladder: Ladder, used: Mapping[tuple[str, int], int], beyond: int
) -> tuple[Rung, int | None]:
    """Give a ladder's next rung and its index; none where recoveries are too many or the ladder is at its end."""
    limit = ladder.recovery.at_most
    if limit is not None and _too_many(machine, limit):
        return (Halt() if used.get((ladder.source, -1)) else limit.otherwise), None
    index = ladder.next_rung(used, beyond)
    return (ladder.recovery.rungs[index] if index is not None else Halt()), index


def undo_failed(machine: Machine, path: str, names: tuple[str, ...] = ()) -> Protocol[None]:
    """Undo what the failed attempts of a step have done, but for what another step has claimed since.

    With `names` only effects of these names are undone.
    """
    done = [one for one in machine.state.of_step(path) if one.state == DONE and one.kind == COMPENSABLE]
    done = [one for one in done if not names or one.name in names]
    yield from undoing.compensate(machine, [one for one in done if not one.claims], inside=path)


def _wait(scope: Scope, seconds: float) -> Protocol[None]:
    """Wait before another attempt; whoever ends the body meanwhile need not wait for that."""
    scope.count(-1)
    try:
        yield Sleep(seconds)
    finally:
        scope.count(1)


def _decision(
    machine: Machine,
    inner: Scope,
    ladder: Ladder,
    rung: Rung,
    index: int | None,
    failure: Failure,
    why: dict[str, str],
) -> Protocol[e.RecoveryDecided]:
    values: dict[str, Any] = {**ladder.values, **why}
    delay_s: float | None = None
    target: str | None = None
    if isinstance(rung, Retry):
        values["feedback"] = rung.feedback
        if rung.backoff is not None and index is not None:
            used = machine.state.steps[inner.path].used.get((ladder.source, index), 0)
            delay_s = rung.backoff.wait_s(used + 1, (yield Jitter()) if rung.backoff.jitter else 1.0)
    elif isinstance(rung, Compensate) and rung.effects:
        values["effects"] = list(rung.effects)
    elif isinstance(rung, Rollback):
        target = rung.to
    elif isinstance(rung, Fallback):
        target = rung.step
    return machine.event(
        e.RecoveryDecided,
        step=inner.path,
        attempt=inner.attempt,
        failure=failure.kind,
        strategy=type(rung).__name__.lower(),
        rung=-1 if index is None else index,
        source=ladder.source,
        target=target,
        delay_s=delay_s,
        channel=rung.channel if isinstance(rung, Notify) else None,
        values=values,
    )


def _roll_back(
    machine: Machine, inner: Scope, rung: Rollback, failure: Failure, ladder: Ladder, failed: int
) -> Interrupt:
    """Stop for a rollback to the named checkpoint, by default to the one before the step began."""
    target = machine.state.find_checkpoint(rung.to) if rung.to else machine.state.before(inner.path)
    if target is None:
        reason = f"there is no checkpoint `{rung.to}` to roll back to; {failure.message}"
        return machine.stop(Stop("halt", reason, step=inner.path, failure=failed))
    return machine.stop(
        Stop("rollback", failure.message, target=target.id, by=ladder.source, failure=failed, step=inner.path)
    )


def _too_many(machine: Machine, limit: AtMost) -> bool:
    since = machine.now - limit.window_s
    return sum(at >= since for at in machine.state.decided) >= limit.recoveries
