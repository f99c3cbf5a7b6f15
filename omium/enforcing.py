"""Executions under a policy: the one that a workflow names, kept in force from the start to the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omium.runtime import Runtime
from omium_core.engine.state import ExecutionState
from omium_core.engine.watch import Watch
from omium_core.errors import OmiumError, UsageError
from omium_core.model import events as e
from omium_core.model.effect import COMPENSABLE
from omium_core.recovery.policy import Policy
from omium_core.runtime.declarations import EffectDeclaration, Registry, StepDeclaration, WorkflowDeclaration
from omium_core.runtime.plain import plain, plain_of_view
from omium_core.runtime.store import Store

if TYPE_CHECKING:
    from omium_policy.loaded import Loaded

__all__ = ["Requests", "check_nested", "remember", "started_under", "taken_over_under"]


def started_under(runtime: Runtime, declaration: WorkflowDeclaration, execution: str) -> Watch | None:
    """Return what a new execution's policy has to remember; None where it has no policy."""
    runtime.hooks.bind(declaration.options.get("channels", {}))
    policy = _in_force(runtime, declaration)
    return Watch(policy, Requests(runtime.store, execution)) if policy is not None else None


def taken_over_under(runtime: Runtime, declaration: WorkflowDeclaration, state: ExecutionState) -> Watch | None:
    """Return what the policy that an execution pinned remembers of it, from its journal."""
    if not state.policy:
        return None
    runtime.hooks.bind(declaration.options.get("channels", {}))
    requests = Requests(runtime.store, state.id)
    watch = Watch(_pinned(runtime, state), requests)
    remember(watch, requests, ExecutionState(), state.id, None)
    return watch


def check_nested(runtime: Runtime, declaration: WorkflowDeclaration, outer: Watch | None) -> None:
    """Raise `UsageError` for a workflow whose own policy is not in force where it is called as a step.

    An older version is the same policy: the execution pinned it when it started.
    """
    if declaration.options.get("policy") is None:
        return
    from omium.activation import in_force  # Only workflows that have a policy import it.
    from omium_policy.in_force import name_of

    active = in_force(runtime, declaration)
    if active is not None and (outer is None or outer.policy.name != name_of(active.loaded)):
        raise UsageError(
            f"`{declaration.name}` has a policy of its own, which is not in force where it is called as a step; "
            f"give the workflow around it the same policy"
        )


class Requests:
    """Reads what effects of an execution were asked for, as rules see it."""

    def __init__(self, store: Store, execution: str) -> None:
        self.store = store
        self.execution = execution

    def __call__(self, seq: int) -> Mapping[str, Any]:
        arguments = self._arguments(seq)
        return {"args": arguments, "event": arguments.get("facts", arguments)}

    def _arguments(self, seq: int) -> Mapping[str, Any]:
        try:
            # As they were when they were asked for, which the data view does not tell of every type.
            body = self.store.value(self.execution, seq)
            arguments: Mapping[str, Any] = plain(self.store.codec, body["arguments"])
            return arguments
        except (OmiumError, KeyError):
            return self._viewed(seq)

    def _viewed(self, seq: int) -> Mapping[str, Any]:
        try:
            body = self.store.view(self.execution, seq)
        except OmiumError:  # What is damaged cannot be looked at: the rule cannot tell, and counts it.
            return {}
        return plain_of_view(body.get("arguments", {})) if isinstance(body, dict) else {}


def remember(watch: Watch, requests: Requests, state: ExecutionState, execution: str, until: int | None) -> None:
    """Fold the journal of an execution; that of a fork goes on where its source's was left."""
    for event in requests.store.events(execution):
        if until is not None and event.seq > until:
            return
        if isinstance(event, e.Forked):
            requests.execution = event.source
            remember(watch, requests, state, event.source, event.source_seq)
            requests.execution = execution
        state.apply(event)
        watch.take(state, event)


def _in_force(runtime: Runtime, declaration: WorkflowDeclaration) -> Policy | None:
    from omium.activation import in_force  # Only workflows that have a policy import it.

    active = in_force(runtime, declaration)
    return _as_asked(runtime, active.loaded) if active is not None else None


def _pinned(runtime: Runtime, state: ExecutionState) -> Policy:
    from omium.activation import pinned  # Only executions that have a policy import it.

    return _as_asked(runtime, pinned(runtime, state.policy_name, state.policy).loaded)


def _as_asked(runtime: Runtime, loaded: Loaded) -> Policy:
    from omium_policy.in_force import in_force

    return in_force(loaded, lambda name: _undone_by(runtime.registry, name))


def _undone_by(registry: Registry, compensation: str) -> tuple[str, ...]:
    """Return the effects that a compensation of this name undoes: it is their undo's name, or their own."""
    effects = [registry.find(EffectDeclaration, name) for name in registry.names(EffectDeclaration)]
    steps = [registry.find(StepDeclaration, name) for name in registry.names(StepDeclaration)]
    declared = [one for one in (*effects, *(step.transaction for step in steps if step)) if one is not None]
    named = [one for one in declared if compensation in (one.name, getattr(one.undo, "__name__", None))]
    return tuple(one.name for one in named if one.kind == COMPENSABLE)
