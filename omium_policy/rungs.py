"""Actions of a policy as the engine's rungs, and handlers as its ladders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from typing_extensions import assert_never

from omium_core.recovery import ladders as engine
from omium_policy import syntax
from omium_policy.evaluator import evaluate
from omium_policy.ladders import Handling
from omium_policy.resolving import Resolver
from omium_policy.scope import Scope

__all__ = ["Undos", "recovery_of"]

Undos = Callable[[str], tuple[str, ...]]
"""Gives the names of the effects that a compensation undoes."""

_TERMINAL = (engine.Pause, engine.Skip, engine.Halt)


def recovery_of(scope: Scope, handling: Handling, undos: Undos, kinds: Iterable[str] | None = None) -> engine.Recovery:
    """Return what is done as a recovery; what does not say how it ends, halts."""
    rungs = [_rung(scope, action, undos) for action in handling.actions]
    if not isinstance(rungs[-1], _TERMINAL):
        rungs.append(engine.Halt())
    return engine.Recovery(
        *rungs, kinds=tuple(kinds) if kinds is not None else None, at_most=_limit(scope, handling, undos)
    )


def _limit(scope: Scope, handling: Handling, undos: Undos) -> engine.AtMost | None:
    if not handling.limits:
        return None
    limit = handling.limits[0]
    otherwise = _rung(scope, limit.otherwise, undos)
    ends = otherwise if isinstance(otherwise, _TERMINAL) else engine.Halt()
    return engine.AtMost(limit.most, float(limit.per.value), ends)


def _rung(scope: Scope, action: syntax.Action, undos: Undos) -> engine.Rung:
    match action:
        case syntax.Retry(times, feedback, backoff, jitter):
            return engine.Retry(times, feedback, _backoff(backoff, jitter) if backoff is not None else None)
        case syntax.Rollback(to):
            return engine.Rollback(to.text)
        case syntax.Fallback(to):
            return engine.Fallback(to.text)
        case syntax.Pause(role, _, timeout):
            return engine.Pause(role.text, float(timeout.value) if timeout is not None else None)
        case syntax.Compensate(step):
            return engine.Compensate(undos(step.text))
        case syntax.Notify(channel):
            return engine.Notify(channel.text)
        case syntax.Skip():
            return engine.Skip()
        case syntax.Halt():
            return engine.Halt()
        case syntax.PluginAction(name, arguments):
            full = scope.full(name.text)
            return engine.Apply(scope.registry.actions[full].strategy or full, options=_options(scope, arguments))
    assert_never(action)


def _backoff(backoff: syntax.Backoff, jitter: str | None) -> engine.Backoff:
    first_s = float(backoff.first.value)
    return engine.Backoff(
        backoff.shape,
        first_s,
        float(backoff.most.value) if backoff.most is not None else first_s,
        float(backoff.factor) if backoff.factor is not None else 2.0,
        jitter != "none",
        0.5 if jitter == "equal" else 0.0,
    )


def _options(scope: Scope, arguments: Iterable[syntax.Pair]) -> Mapping[str, Any]:
    resolver = Resolver(scope, {})
    values = {pair.name.text: evaluate(resolver.resolve(pair.value), {}) for pair in arguments}
    return {name: one if isinstance(one, str | int | float | bool) else str(one) for name, one in values.items()}
