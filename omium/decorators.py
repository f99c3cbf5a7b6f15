"""What users put on their functions and classes: `@agent`, `@workflow`, `@checkpoint`, `@transaction`, `@effect`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

import attrs

from omium import running
from omium.calls import aperform_effect, aperform_step, here, in_pool_thread, perform_effect, perform_step
from omium.runtime import registry, runtime_for, types
from omium.workflows import Workflow, arun, run
from omium_core.errors import ConditionFailed, UsageError
from omium_core.recovery.agents import AgentConfig, ConfigAttribute
from omium_core.recovery.ladders import Recovery
from omium_core.runtime.calling import RollbackOn
from omium_core.runtime.declarations import (
    Arguments,
    EffectDeclaration,
    StepDeclaration,
    WorkflowDeclaration,
    check_name,
)

__all__ = ["agent", "checkpoint", "effect", "require", "rollback_on", "transaction", "workflow"]

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)
ON_CONFLICT = ("reuse", "repeat")
ON_DIVERGENCE = ("stop", "rerun")


def require(condition: object, message: str) -> None:
    """Raise `ConditionFailed` unless `condition` holds: an assertion that `python -O` cannot remove."""
    if not condition:
        raise ConditionFailed(message)


@overload
def agent(cls: C) -> C: ...
@overload
def agent(*, name: str | None = None) -> Callable[[C], C]: ...
@overload
def agent(cls: F) -> F: ...


def agent(cls: Any = None, *, name: str | None = None) -> Any:
    """Make a class an agent, with a `config` that says what happens when its steps fail; a function is a step.

    See `AgentConfig` for what `config` takes; it can be set on the class or on one instance, which wins.
    """
    if cls is None:
        return lambda given: agent_named(given, name)
    return agent_named(cls, name)


def agent_named(cls: Any, name: str | None) -> Any:
    """Make a class or function an agent of that name."""
    if not isinstance(cls, type):
        return checkpoint(name or cls.__name__)(cls)
    made: Any = cls
    made.__omium_agent__ = check_name(name or cls.__name__)
    made.config = ConfigAttribute(AgentConfig.given(cls.__dict__.get("config", {})))
    return made


def checkpoint(
    name: str, *, ensures: Callable[[Any], Any] | Iterable[Callable[[Any], Any]] = (), recovery: Recovery | None = None
) -> Callable[[F], F]:
    """Make a function or method a step: its outcome is validated, then committed as the checkpoint `name`.

    Each function in `ensures` is given the outcome and says what must hold of it: it raises (`require`, `assert`) or
    returns False where it does not. A refused outcome reaches neither a checkpoint nor the caller. `recovery` is the
    ladder that failures of this step take.
    """
    check_name(name)
    rules = (ensures,) if callable(ensures) else tuple(ensures)

    def decorate(fn: F) -> F:
        wrapped: F = _wrapped_step(attrs.evolve(_step_of(fn, name), name=name, ensures=rules, recovery=recovery))
        return wrapped

    return decorate


def rollback_on(*errors: type[BaseException], to: str | None = None, **kinds: bool) -> Callable[[F], F]:
    """Roll back once when the step fails in one of these ways, then ask a person.

    Takes exception classes and failure kinds, with or without `_detected`: `@rollback_on(hallucination_detected=True)`.
    `to` names a checkpoint; by default it is the one before the step began. Alone, it makes the function a step of its
    name.
    """
    given = RollbackOn.given(errors, kinds, to)

    def decorate(fn: F) -> F:
        step = _step_of(fn, fn.__name__)
        wrapped: F = _wrapped_step(attrs.evolve(step, rollback_on=(given, *step.rollback_on)))
        return wrapped

    return decorate


def transaction(
    name: str,
    *,
    key: Callable[..., Any] | None = None,
    undo: Callable[[Any], Any] | None = None,
    check: Callable[[str], Any] | None = None,
    irreversible: bool = False,
    ensures: Callable[[Any], Any] | Iterable[Callable[[Any], Any]] = (),
    recovery: Recovery | None = None,
) -> Callable[[F], F]:
    """Make a function a step whose effects all happen, or are all compensated.

    When its body performs no declared effect, it is itself ONE effect, irreversible unless `key` or `undo` says
    otherwise: its intent is durable BEFORE the body runs, and a crash inside it is resolved by `check(key)` or by a
    person, never by running it again.
    """
    check_name(name)
    if irreversible and (undo is not None or key is not None):
        raise UsageError(f"transaction `{name}` cannot be irreversible and have `undo=` or `key=`")

    def decorate(fn: F) -> F:
        step = _step_of(fn, name)
        own = EffectDeclaration(name, step.fn, step.arguments, key=key, undo=undo, check=check)
        rules = (ensures,) if callable(ensures) else tuple(ensures)
        wrapped: F = _wrapped_step(attrs.evolve(step, name=name, transaction=own, ensures=rules, recovery=recovery))
        return wrapped

    return decorate


@overload
def effect(fn: F) -> F: ...
@overload
def effect(
    *,
    name: str | None = None,
    read: bool = False,
    model: str | bool = False,
    key: Callable[..., Any] | None = None,
    undo: Callable[[Any], Any] | None = None,
    check: Callable[[str], Any] | None = None,
    irreversible: bool = False,
    volatile: Iterable[str] = (),
    fingerprint: Callable[..., Any] | None = None,
    not_done_on: Iterable[type[BaseException]] = (),
    on_conflict: str | None = None,
    single_use: Iterable[str] = (),
) -> Callable[[F], F]: ...


def effect(
    fn: Any = None,
    *,
    name: str | None = None,
    read: bool = False,
    model: str | bool = False,
    key: Callable[..., Any] | None = None,
    undo: Callable[[Any], Any] | None = None,
    check: Callable[[str], Any] | None = None,
    irreversible: bool = False,
    volatile: Iterable[str] = (),
    fingerprint: Callable[..., Any] | None = None,
    not_done_on: Iterable[type[BaseException]] = (),
    on_conflict: str | None = None,
    single_use: Iterable[str] = (),
) -> Any:
    """Declare a call to the world outside the execution; without arguments it is irreversible, the safe reading.

    `read`: recorded, may be done again; `model` says so of a model call. `key(*args)` names it for the provider, so
    that it may be sent again. `undo(value)` compensates it. `check(key)` asks the world after a crash and returns the
    value, or `omium.NOT_DONE`. `volatile` names arguments that are not its identity, `fingerprint(*args)` computes it.
    `not_done_on` are exceptions that prove that nothing happened. `on_conflict`: `"reuse"` or `"repeat"` where the same
    effect was done in other words; by default a person decides. `single_use` names arguments that are credentials.
    """
    if fn is None:
        options = {key_: value for key_, value in locals().items() if key_ != "fn"}
        return lambda given: effect(given, **options)
    if on_conflict is not None and on_conflict not in ON_CONFLICT:
        raise UsageError(f"`on_conflict` cannot be `{on_conflict}`; it is one of {', '.join(ON_CONFLICT)}")
    if irreversible and (read or model or undo is not None or key is not None):
        raise UsageError(f"effect `{name or fn.__name__}` cannot be irreversible and something else")
    declaration = EffectDeclaration(
        check_name(name or fn.__name__),
        fn,
        Arguments.of(fn),
        read or bool(model),
        key,
        undo,
        check,
        fingerprint,
        tuple(volatile),
        tuple(not_done_on),
        on_conflict,
        model if isinstance(model, str) else fn.__name__ if model else None,
        tuple(single_use),
    )
    registry().add(declaration)
    types().allow_callable(fn)
    return _wrapped_effect(declaration)


@overload
def workflow(fn: Callable[..., Any]) -> Workflow: ...
@overload
def workflow(
    *,
    name: str | None = None,
    policy: str | None = None,
    store: str | None = None,
    recovery: Recovery | None = None,
    on_divergence: str = "stop",
) -> Callable[[Callable[..., Any]], Workflow]: ...


def workflow(
    fn: Any = None,
    *,
    name: str | None = None,
    policy: str | None = None,
    store: str | None = None,
    recovery: Recovery | None = None,
    on_divergence: str = "stop",
) -> Any:
    """Make a function a workflow: a call of it is a new execution; see `Workflow` for `start` and `resume`.

    The body runs again on every resume and rollback: outside steps and effects it must only compute. A step whose name
    or arguments changed is a divergence; `on_divergence="rerun"` goes on from there instead of stopping.
    """
    if fn is None:
        options = {key: value for key, value in locals().items() if key != "fn"}
        return lambda given: workflow(given, **options)
    if on_divergence not in ON_DIVERGENCE:
        raise UsageError(f"`on_divergence` cannot be `{on_divergence}`; it is one of {', '.join(ON_DIVERGENCE)}")
    if policy is not None:
        raise UsageError("policies cannot be loaded yet; write the rules as `ensures=` and the ladder as `recovery=`")
    declaration = WorkflowDeclaration(
        check_name(name or fn.__name__),
        fn,
        Arguments.of(fn),
        recovery,
        on_divergence == "rerun",
        {"store": store},
    )
    registry().add(declaration)
    types().allow_callable(fn)
    return Workflow(declaration)


def _step_of(fn: Any, name: str) -> StepDeclaration:
    """Return the declaration of a function that may be a step already, under another decorator."""
    found = getattr(fn, "__omium__", None)
    if isinstance(found, StepDeclaration):
        registry().discard(found)
        return found
    types().allow_callable(fn)
    return StepDeclaration(check_name(name), fn, Arguments.of(fn))


def _wrapped_step(step: StepDeclaration) -> Any:
    _refuse_lost_assertions(step)
    registry().add(step)
    if inspect.iscoroutinefunction(step.fn):

        @functools.wraps(step.fn)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            frame = here()
            if frame is not None:
                return await aperform_step(frame, step, args, kwargs)
            runtime = runtime_for()
            in_pool_thread(runtime.store.running, step.name)
            return running.outcome_of(*await arun(runtime, running.single_step(step), args, kwargs), single=True)

        wrapper: Any = acall
    else:

        @functools.wraps(step.fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            frame = here()
            if frame is not None:
                return perform_step(frame, step, args, kwargs)
            runtime = runtime_for()
            in_pool_thread(runtime.store.running, step.name)
            return running.outcome_of(*run(runtime, running.single_step(step), args, kwargs), single=True)

        wrapper = call
    wrapper.__omium__ = step
    return wrapper


def _wrapped_effect(declaration: EffectDeclaration) -> Any:
    if inspect.iscoroutinefunction(declaration.fn):

        @functools.wraps(declaration.fn)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            return await aperform_effect(declaration, args, kwargs)

        wrapper: Any = acall
    else:

        @functools.wraps(declaration.fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            return perform_effect(declaration, args, kwargs)

        wrapper = call
    wrapper.__omium__ = declaration
    return wrapper


def _refuse_lost_assertions(step: StepDeclaration) -> None:
    """Under `python -O` assertions are gone; a step that relies on one must not run as if it had held."""
    if __debug__:
        return
    for fn in (step.fn, *step.ensures):
        try:
            source = inspect.getsource(fn)
        except (OSError, TypeError):
            continue
        if any(line.lstrip().startswith("assert ") for line in source.splitlines()):
            raise UsageError(
                f"step `{step.name}` relies on `assert`, which `python -O` removes; "
                f"use `omium.require(condition, message)`"
            )
