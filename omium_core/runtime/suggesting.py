"""Suggestions with what the store knows of them: the failure catalog is read from the journals that tried a fix."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from omium_core.engine.scope import Scope
from omium_core.errors import OmiumError, UsageError
from omium_core.journal.wire import read_row
from omium_core.model import events as e
from omium_core.model.failure import Failure
from omium_core.model.fix import Suggestion
from omium_core.recovery import suggestions
from omium_core.recovery.catalog import TRIALS_MAX, Trial, ended, topic_of
from omium_core.recovery.diagnosis import Offender
from omium_core.runtime.correcting import corrected
from omium_core.runtime.declarations import StepDeclaration

if TYPE_CHECKING:
    from omium_core.runtime.run import Run
    from omium_core.runtime.store import Store

__all__ = ["suggested", "trials"]

# A step that was given a fix ends soon after it; an execution that is read further tells nothing more about the fix.
ROWS_READ_MAX = 200


def suggested(
    run: Run, scope: Scope, failure: Failure, fingerprint: str, fallbacks: tuple[str, ...]
) -> tuple[Suggestion, ...]:
    """Return what could be done about a step's failure, the most likely to work first.

    A question without suggestions is better than none: what goes wrong here is journaled, and goes no further.
    """
    try:
        return _suggested(run, scope, failure, fingerprint, fallbacks)
    except Exception as error:  # The values that are looked at are the user's, and so are the rules.
        run.plugin_failed("omium", "suggestions", error)
        return ()


def _suggested(
    run: Run, scope: Scope, failure: Failure, fingerprint: str, fallbacks: tuple[str, ...]
) -> tuple[Suggestion, ...]:
    evidence = failure.evidence
    findings: list[dict[str, Any]] = list(evidence.get("diagnosis", ()))
    broken = _offenders(failure, findings)
    known = list(trials(run.store, fingerprint))
    name = run.machine.state.steps[scope.path].name
    made: list[Suggestion] = []
    declaration = run.registry.find(StepDeclaration, name)
    if "value" in evidence and declaration is not None:
        holds = partial(_holds, run, scope, declaration, evidence)
        correction = suggestions.value_correction(name, failure, broken, holds)
        made += [correction] if correction is not None else []
    made += suggestions.advice(failure, broken, known)
    made += suggestions.tool_advice(findings)
    made += suggestions.fallback(fallbacks)
    made += _rollbacks(run, scope.path, findings)
    return suggestions.ranked(made, known)


def trials(store: Store, fingerprint: str) -> Iterator[Trial]:
    """Give the fixes that were tried for a failure and have an end, newest first: a bounded look at the store."""
    if not fingerprint:
        return
    for execution, event in store.mentions(topic_of(fingerprint), TRIALS_MAX):
        if not isinstance(event, e.FixApplied):
            continue
        try:
            worked = ended(event, _later(store, execution, event.seq))
        except OmiumError:
            # What is damaged says nothing; `omium verify` names it.
            continue
        if worked is not None:
            yield Trial(execution, event.kind, _change(store, execution, event.seq), worked)


def _change(store: Store, execution: str, seq: int) -> Any:
    """Return what a fix was; None where its words were pruned, which takes nothing from its having worked."""
    try:
        return store.view(execution, seq)
    except OmiumError:
        return None


def _later(store: Store, execution: str, seq: int) -> Iterator[e.Event]:
    for number, row in enumerate(store.journal.rows(execution, bodies=False, after=seq)):
        if number == ROWS_READ_MAX:
            return
        for event in read_row(row):
            if event.seq > seq:
                yield event


def _holds(run: Run, scope: Scope, declaration: StepDeclaration, evidence: Any, change: dict[str, Any]) -> bool:
    """Say whether there are rules for the outcome, and all of them hold for it as it would be corrected."""
    rules = [one for one in declaration.ensures if callable(one)]
    try:
        value = corrected(evidence["value"], change)
    except UsageError:
        return False
    for rule in rules:
        try:
            if rule(value) is False:
                return False
        except Exception:  # A rule that raises anything has not held.
            return False
    watch = run.machine.watch
    if watch is None or scope.call is None or not watch.policy.asks("after", declaration.name):
        return bool(rules)
    # Only executions that have a policy import it.
    from omium_core.runtime.judging import judged

    return not any(one.blocks for one in judged(run, scope.call, value, scope))


def _offenders(failure: Failure, findings: list[dict[str, Any]]) -> list[Offender]:
    wanted = {one.at: one.suggest for one in failure.violations if one.suggest is not None}
    found = []
    for one in findings:
        if one["kind"] == "first_appearance":
            path = one["path"].partition(".output")[2].removeprefix(".")
            found.append(Offender(path, one["value"], wanted.get(path)))
    return found


def _rollbacks(run: Run, path: str, findings: list[dict[str, Any]]) -> list[Suggestion]:
    """Go back to before the step that the offending value came from; else behind a rollback that did not help."""
    state = run.machine.state
    for one in findings:
        if one["kind"] == "first_appearance" and one["where"] == "outcome" and one["step"] in state.steps:
            target = state.before(one["step"])
            if target is not None:
                why = f"`{one['path']}` first appeared in the outcome of `{one['step']}`, which is done again"
                return [suggestions.further_rollback(target.id, target.name, why)]
    path_to_head = state.path_to_head()
    decided = state.steps[path].decision
    if len(path_to_head) > 1 and decided is not None and decided.strategy == "rollback":
        target = path_to_head[-2]
        why = f"the rollback to `{path_to_head[-1].name}` did not help; this one goes a step further"
        return [suggestions.further_rollback(target.id, target.name, why)]
    return []
