"""What users put on their functions and classes: `@agent`, `@workflow`, `@checkpoint`, `@transaction`, `@effect`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

import attrs

from omium import running
from omium.calls import aperform_effect, aperform_step, here, in_pool_thread, perform_effect, perform_step
from omium.declaring import (
    check_arguments,
    check_breaker,
    check_callables,
    check_channels,
    check_function,
    check_kinds,
    check_limits,
    check_parentheses,
    exceptions_of,
    lost_assertion,
    name_for,
    names_of,
    rules_of,
)
from omium.runtime import registry, runtime_for, types
from omium.workflows import Workflow, arun, run
from omium_core.engine.machine import CRASHES_MAX, LOOPS_MAX
from omium_core.errors import ConditionFailed, UsageError
from omium_core.recovery.agents import ConfigAttribute
from omium_core.recovery.breakers import Breaker
from omium_core.recovery.ladders import Recovery
from omium_core.runtime.calling import RollbackOn
from omium_core.runtime.declarations import (
    Arguments,
    EffectDeclaration,
    Rule,
    StepDeclaration,
    WorkflowDeclaration,
    check_name,
    is_async,
)

__all__ = ["agent", "checkpoint", "effect", "require", "rollback_on", "transaction", "workflow"]

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)
ON_CONFLICT = ("reuse", "repeat")
ON_DIVERGENCE = ("stop", "rerun")


def require(condition: object, message: str, *, at: str = "", suggest: Any = None) -> None:
    """Raise `ConditionFailed` unless `condition` holds: an assertion that `python -O` cannot remove.

    In a rule of `ensures`, `at` is the path of the value in the outcome that does not hold, such as `items[0].price`,
    and `suggest` a value that would; both make for better suggestions.
    """
    if not condition:
        raise ConditionFailed(message, at, suggest)


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
        check_function("agent", cls)
        return checkpoint(name_for("agent", cls, name))(cls)
    made: Any = cls
    made.__omium_agent__ = check_name(name or cls.__name__)
    made.config = ConfigAttribute.of(cls)
    return made


def checkpoint(name: str, *, ensures: Rule | Iterable[Rule] = (), recovery: Recovery | None = None) -> Callable[[F], F]:
    """Make a function or method a step: its outcome is validated, then committed as the checkpoint `name`.

    Each function in `ensures` is given the outcome and says what must hold of it: it raises (`require`, `assert`) or
    returns False where it does not; a text names a plugin's detector. A refused outcome reaches neither a checkpoint
    nor the caller. `recovery` is the ladder that failures of this step take.
    """
    check_parentheses("checkpoint", name)
    check_name(name)
    rules = rules_of(f"checkpoint `{name}`", ensures)

    def decorate(fn: F) -> F:
        step = _step_of("checkpoint", fn, name)
        wrapped: F = _wrapped_step(attrs.evolve(step, name=name, ensures=rules, recovery=recovery))
        return wrapped

    return decorate


def rollback_on(*errors: type[BaseException], to: str | None = None, **kinds: bool) -> Callable[[F], F]:
    """Roll back once when the step fails in one of these ways, then ask a person.

    Takes exception classes and failure kinds, with or without `_detected`: `@rollback_on(hallucination_detected=True)`.
    `to` names a checkpoint; by default it is the one before the step began. Alone, it makes the function a step of its
    name.
    """
    given = RollbackOn.given(errors, kinds, to)
    check_kinds(given.kinds)

    def decorate(fn: F) -> F:
        step = _step_of("rollback_on", fn, None)
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
    ensures: Rule | Iterable[Rule] = (),
    recovery: Recovery | None = None,
) -> Callable[[F], F]:
    """Make a function a step whose effects all happen, or are all compensated.

    When its body performs no declared effect, it is itself ONE effect, irreversible unless `key` or `undo` says
    otherwise: its intent is durable BEFORE the body runs, and a crash inside it is resolved by `check(key)` or by a
    person, never by running it again.
    """
    check_parentheses("transaction", name)
    check_name(name)
    what = f"transaction `{name}`"
    check_callables(what, key=key, undo=undo, check=check)
    rules = rules_of(what, ensures)
    if irreversible and (undo is not None or key is not None):
        raise UsageError(f"{what} cannot be irreversible and have `undo=` or `key=`")

    def decorate(fn: F) -> F:
        step = _step_of("transaction", fn, name)
        own = EffectDeclaration(name, step.fn, step.arguments, key=key, undo=undo, check=check)
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
    breaker: Breaker | None = None,
    schema: Mapping[str, Any] | None = None,
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
    breaker: Breaker | None = None,
    schema: Mapping[str, Any] | None = None,
) -> Any:
    """Declare a call to the world outside the execution; without arguments it is irreversible, the safe reading.

    `read`: recorded, may be done again; `model` says so of a model call. `key(*args)` names it for the provider, so
    that it may be sent again. `undo(value)` compensates it. `check(key)` asks the world after a crash and returns the
    value, or `omium.NOT_DONE`. `volatile` names arguments that are not its identity, `fingerprint(*args)` computes it.
    `not_done_on` are exceptions that prove that nothing happened. `on_conflict`: `"reuse"` or `"repeat"` where the same
    effect was done in other words; by default a person decides. `single_use` names arguments that are credentials.
    `breaker` leaves it alone for a while when it keeps failing. `schema` is the JSON schema of its arguments, where
    that says more than their annotations; a failure's diagnosis holds calls to it.
    """
    if fn is None:
        options = {key_: value for key_, value in locals().items() if key_ != "fn"}
        return lambda given: effect(given, **options)
    check_function("effect", fn)
    name = check_name(name_for("effect", fn, name))
    what = f"effect `{name}`"
    check_callables(what, key=key, undo=undo, check=check, fingerprint=fingerprint)
    if on_conflict is not None and on_conflict not in ON_CONFLICT:
        raise UsageError(f"`on_conflict` cannot be `{on_conflict}`; it is one of {', '.join(ON_CONFLICT)}")
    if irreversible and (read or model or undo is not None or key is not None):
        raise UsageError(f"{what} cannot be irreversible and something else")
    arguments, volatile, single_use = Arguments.of(fn), names_of(volatile), names_of(single_use)
    check_arguments(what, "volatile", volatile, arguments)
    check_arguments(what, "single_use", single_use, arguments)
    check_breaker(what, breaker, schema)
    declaration = EffectDeclaration(
        name,
        fn,
        arguments,
        read or bool(model),
        key,
        undo,
        check,
        fingerprint,
        volatile,
        exceptions_of(what, "not_done_on", not_done_on),
        on_conflict,
        model if isinstance(model, str) else getattr(fn, "__name__", name) if model else None,
        single_use,
        breaker,
        schema,
    )
    registry().add(declaration)
    _allow(fn)
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
    loops_max: int | None = LOOPS_MAX,
    crashes_max: int | None = CRASHES_MAX,
    channels: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., Any]], Workflow]: ...


def workflow(
    fn: Any = None,
    *,
    name: str | None = None,
    policy: str | None = None,
    store: str | None = None,
    recovery: Recovery | None = None,
    on_divergence: str = "stop",
    loops_max: int | None = LOOPS_MAX,
    crashes_max: int | None = CRASHES_MAX,
    channels: Mapping[str, str] | None = None,
) -> Any:
    """Make a function a workflow: a call of it is a new execution; see `Workflow` for `start` and `resume`.

    The body runs again on every resume and rollback: outside steps and effects it must only compute. A step whose name
    or arguments changed is a divergence; `on_divergence="rerun"` goes on from there instead of stopping.

    A step that comes with the same arguments and ends the same more than `loops_max` times in a row is a failure of
    kind `loop`. Where runners died more than `crashes_max` times without a new checkpoint, the step that was at work
    has failed, of kind `crashed`. None allows any number.

    `policy` is the path of an `.omp` file, relative to the file of the function: its rules, ladders, budgets and
    handoffs are in force for every execution, from its start to its end. `channels` says where those channels lead
    that it names and the configuration does not bind, such as `{"#ops": "log"}`.
    """
    if fn is None:
        options = {key: value for key, value in locals().items() if key != "fn"}
        return lambda given: workflow(given, **options)
    if on_divergence not in ON_DIVERGENCE:
        raise UsageError(f"`on_divergence` cannot be `{on_divergence}`; it is one of {', '.join(ON_DIVERGENCE)}")
    check_function("workflow", fn)
    check_limits(loops_max=loops_max, crashes_max=crashes_max)
    check_channels(channels)
    declaration = WorkflowDeclaration(
        check_name(name_for("workflow", fn, name)),
        fn,
        Arguments.of(fn),
        recovery,
        on_divergence == "rerun",
        {
            "store": store,
            "policy": policy,
            "loops_max": loops_max,
            "crashes_max": crashes_max,
            "channels": dict(channels or {}),
        },
    )
    registry().add(declaration)
    _allow(fn)
    return Workflow(declaration)


def _step_of(decorator: str, fn: Any, name: str | None) -> StepDeclaration:
    """Return the declaration of a function that may be a step already, right under another decorator of Omium's."""
    check_function(decorator, fn)
    found = getattr(fn, "__omium__", None)
    # A foreign decorator's function has the mark too, copied by `functools.wraps`; what it does must not be lost.
    if isinstance(found, StepDeclaration) and getattr(fn, "__omium_wrapper__", None) is fn:
        registry().discard(found)
        return found
    _allow(fn)
    return StepDeclaration(check_name(name_for(decorator, fn, name)), fn, Arguments.of(fn))


def _allow(fn: Any) -> None:
    """Let the classes in a function's annotations be restored; an object's are those of its `__call__`."""
    plain = isinstance(fn, functools.partial | type) or hasattr(fn, "__name__")
    types().allow_callable(fn if plain else type(fn).__call__)


def _wrapped_step(step: StepDeclaration) -> Any:
    lost = None if __debug__ else lost_assertion(step)
    registry().add(step)
    if is_async(step.fn):

        @functools.wraps(step.fn)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            if lost is not None:
                raise UsageError(lost)
            frame = here()
            if frame is not None:
                return await aperform_step(frame, step, args, kwargs)
            in_pool_thread(f"step `{step.name}`")
            runtime = runtime_for()
            return running.outcome_of(*await arun(runtime, running.single_step(step), args, kwargs), single=True)

        wrapper: Any = acall
    else:

        @functools.wraps(step.fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            if lost is not None:
                raise UsageError(lost)
            frame = here()
            if frame is not None:
                return perform_step(frame, step, args, kwargs)
            in_pool_thread(f"step `{step.name}`")
            runtime = runtime_for()
            return running.outcome_of(*run(runtime, running.single_step(step), args, kwargs), single=True)

        wrapper = call
    wrapper.__omium__, wrapper.__omium_wrapper__ = step, wrapper
    return wrapper


def _wrapped_effect(declaration: EffectDeclaration) -> Any:
    if is_async(declaration.fn):

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
