"""What a policy is given to judge: the plain data of a step or a call, with what is known of the execution."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from omium_core.engine.calls import EffectCall, StepCall
from omium_core.engine.commands import Screen
from omium_core.engine.scope import Scope
from omium_core.engine.watch import EVENT, Watch
from omium_core.model.failure import Violation
from omium_core.runtime.calling import Target
from omium_core.runtime.declarations import StepDeclaration
from omium_core.runtime.plain import plain

if TYPE_CHECKING:
    from omium_core.runtime.run import Run

__all__ = ["given_after", "judged", "screened"]


def screened(run: Run, command: Screen) -> tuple[Violation, ...]:
    """Return what speaks against a step or a call that is about to begin; remember what a call is asked for."""
    watch = run.machine.watch
    assert watch is not None
    if isinstance(command.call, StepCall):
        given = _given(run, watch, command.call, command.scope)
        return watch.policy.judge("before", command.call.name, given)
    return _screened_effect(run, watch, command.call, command.scope, command.slot)


def judged(run: Run, call: StepCall, value: Any, scope: Scope) -> tuple[Violation, ...]:
    """Return what a step's outcome breaks of the policy's rules."""
    watch = run.machine.watch
    if watch is None or not watch.policy.asks("after", call.name):
        return ()
    return watch.policy.judge("after", call.name, given_after(run, call, value, scope))


def given_after(run: Run, call: StepCall, value: Any, scope: Scope) -> dict[str, Any]:
    """Return what rules `after` a step may ask for."""
    assert run.machine.watch is not None
    given = _given(run, run.machine.watch, call, scope)
    given["step"]["conforms"] = _conforms(call, value)
    return {**given, "output": plain(run.store.codec, value)}


def _screened_effect(run: Run, watch: Watch, call: EffectCall, scope: Scope, slot: str) -> tuple[Violation, ...]:
    policy, step = watch.policy, scope.step()
    heard = watch.happening(call.name, run.machine.now, {})
    listened = policy.hears(heard.kind, heard.name, "")
    ruled = policy.asks("during", step.name) and not call.name.startswith(EVENT) and call.target is not None
    found: tuple[Violation, ...] = ()
    request: Mapping[str, Any] = call.request() if call.request is not None and (listened or ruled) else {}
    args = plain(run.store.codec, request.get("arguments", {}))
    if ruled:
        given = {**_given(run, watch, step.call, step), "args": args}
        found += policy.judge_tool(step.name, call.name if call.model is None else None, given)
    if listened and call.model is None:
        watch.asked[scope.path, scope.attempt, slot] = {"args": args, "event": args.get("facts", args)}
    return found


def _given(run: Run, watch: Watch, call: StepCall | None, scope: Scope) -> dict[str, Any]:
    """Return a step's input and what is known of its attempt: its only argument, or all of them by name."""
    name = call.name if call is not None else ""
    facts = watch.facts(run.machine.state, scope.path, name, scope.attempt, run.machine.now)
    return {**facts, "input": _input(run, call)}


def _input(run: Run, call: StepCall | None) -> Any:
    if call is None or not isinstance(call.target, Target):
        return {}
    named = call.declaration.arguments.named(call.target.args, call.target.kwargs)
    value = next(iter(named.values())) if len(named) == 1 else named
    return plain(run.store.codec, value)


def _conforms(call: StepCall, value: Any) -> bool:
    """Say whether an outcome is of the type that the step's annotation declares, as far as a class says it."""
    if not isinstance(call.declaration, StepDeclaration):
        return True
    cls = _declared_class(call.declaration.fn)
    if cls is None:
        return True
    # An int is a float for whoever writes annotations.
    return isinstance(value, int | float if cls is float else cls)


@lru_cache(maxsize=4096)
def _declared_class(fn: Any) -> type | None:
    try:
        declared = typing.get_type_hints(fn).get("return")
    except Exception:  # An annotation may name anything, also what is not there at run time.
        return None
    declared = typing.get_origin(declared) or declared
    if declared is type(None) or not isinstance(declared, type) or getattr(declared, "_is_protocol", False):
        return None
    return dict if typing.is_typeddict(declared) else declared
