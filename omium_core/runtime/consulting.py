"""What plugins are asked while an execution runs: is an outcome right, what is done about a failure, who is told.

A plugin that fails is journaled, and never in the workflow's way. But a detector is a rule: an outcome that it could
not judge is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omium_core.engine.calls import StepCall
from omium_core.engine.scope import Scope
from omium_core.errors import PluginError, Unstorable
from omium_core.interfaces.recovery import Case, Decision, Produced
from omium_core.model.failure import Violation
from omium_core.recovery.detectors import place_of, violation_of

if TYPE_CHECKING:
    from omium_core.runtime.run import Run

__all__ = ["consulted", "printable", "violations_in"]

TEXT_MAX = 2_000

UNJUDGED = "verification"
"""The kind of failure of an outcome that a detector could not judge."""


def violations_in(run: Run, call: StepCall, value: Any, scope: Scope) -> tuple[Violation, ...]:
    """Return what an outcome breaks: the step's own rules in their order, the detectors for all steps, the policy."""
    broken: list[Violation] = []
    named: list[str] = []
    for rule in call.declaration.ensures:
        if isinstance(rule, str):
            named.append(rule)
            continue
        name = getattr(rule, "__name__", "ensures")
        try:
            held = rule(value)
        except Exception as error:  # A rule that raises anything has not held.
            broken.append(violation_of(error, name))
        else:
            if held is False:
                broken.append(Violation(name, f"`{name}` does not hold", place_of(rule)))
    for detector in dict.fromkeys((*named, *run.hooks.detectors)):
        broken += _detected(run, detector, _produced(run, call, value, scope))
    if run.machine.watch is not None:
        # Only executions that have a policy import it.
        from omium_core.runtime.judging import judged

        broken += judged(run, call, value, scope)
    return tuple(broken)


def consulted(run: Run, strategy: str, case: Case) -> Decision | None:
    """Return a strategy's decision, where it has one that can be carried out."""
    try:
        decision = run.hooks.decide(strategy, case)
        if decision is not None and decision.action == "rollback" and decision.target is not None:
            _check_target(run, strategy, decision.target)
    except PluginError as error:
        run.plugin_failed(error.plugin, f"strategy {strategy}", error.message)
        return None
    return decision


def printable(error: object) -> str:
    """Return what a plugin raised as text that a journal can hold, also where it cannot be made into one."""
    try:
        text = str(error)
    except Exception:  # Whoever raises anything may raise that as well.
        text = f"{type(error).__name__}, which cannot be shown"
    return text[:TEXT_MAX].encode("utf-8", "backslashreplace").decode()


def _detected(run: Run, detector: str, produced: Produced) -> list[Violation]:
    try:
        found = run.hooks.detect(detector, produced)
        for one in found:
            _check_storable(run, detector, one)
        return found
    except PluginError as error:
        run.plugin_failed(error.plugin, f"detector {detector}", error.message)
        message = f"detector `{detector}` could not judge this outcome: {error}"
        return [Violation(detector, message, kind=UNJUDGED)]


def _check_storable(run: Run, detector: str, found: Violation) -> None:
    try:
        run.store.codec.seal({**found.as_data(), "suggest": found.suggest})
    except Unstorable as error:
        raise PluginError(detector, f"gave a violation that cannot be journaled: {error}") from error


def _produced(run: Run, call: StepCall, value: Any, scope: Scope) -> Produced:
    workflow = run.machine.state.workflow
    return Produced(workflow, run.id, scope.path, call.agent, scope.attempt, scope.models, value)


def _check_target(run: Run, strategy: str, checkpoint: str) -> None:
    # A ladder of the user's own that names no checkpoint halts; a plugin must not be able to do that by mistake.
    if run.machine.state.find_checkpoint(checkpoint) is None:
        raise PluginError(strategy, f"decided to roll back to `{checkpoint}`, and there is no such checkpoint")
