"""Questions to people about a failed step: every possible answer is a numbered choice, with the fixes among them."""

from __future__ import annotations

from typing import Any

from omium_core.engine.commands import DURABLE, Suggest
from omium_core.engine.machine import Interrupt, Machine, Protocol, Stop
from omium_core.engine.scope import Scope
from omium_core.model import events as e
from omium_core.model.failure import Failure
from omium_core.model.fix import Suggestion
from omium_core.recovery.ladders import Compensate, Fallback, Ladder, Notify, Pause

__all__ = ["ask", "ask_again", "fallbacks", "leads_to_a_question", "suggestions"]


def leads_to_a_question(machine: Machine, path: str, ladder: Ladder | None) -> bool:
    """Say whether a ladder's next rung asks a person, maybe after rungs that only lead on."""
    index = ladder.next_rung(machine.state.steps[path].used) if ladder is not None else None
    if ladder is None or index is None:
        return False
    left = (one for one in ladder.recovery.rungs[index:] if not isinstance(one, Notify | Compensate))
    return isinstance(next(left, None), Pause)


def suggestions(
    machine: Machine, inner: Scope, failure: Failure, ladder: Ladder | None
) -> Protocol[tuple[Suggestion, ...]]:
    """Return what could be done about a failure that is on record."""
    recorded = machine.state.steps[inner.path].failure
    fingerprint = recorded.fingerprint if recorded is not None else ""
    others = fallbacks(machine, inner.path, ladder)
    made: tuple[Suggestion, ...] = yield Suggest(inner, failure, fingerprint, others)
    return made


def fallbacks(machine: Machine, path: str, ladder: Ladder | None) -> tuple[str, ...]:
    """Return the steps that a ladder names to do it instead, as far as they have not been taken."""
    if ladder is None:
        return ()
    used = machine.state.steps[path].used
    rungs = enumerate(ladder.recovery.rungs)
    return tuple(
        one.step for index, one in rungs if isinstance(one, Fallback) and not used.get((ladder.source, index), 0)
    )


def ask(
    machine: Machine,
    inner: Scope,
    failure: Failure,
    made: tuple[Suggestion, ...],
    role: str | None,
    deadline: float | None,
) -> e.ReviewRequested:
    """Make the events of a question: the fixes that are suggested, then what is asked."""
    choices: list[dict[str, Any]] = [
        {"action": "retry", "label": "try once more, told what was wrong"},
        {"action": "edit", "label": "try once more with your advice"},
    ]
    if "value" in failure.evidence:
        choices.append({"action": "set", "label": "correct the refused outcome; all rules are checked again"})
    choices += [
        {"action": "skip", "label": "go on without this outcome"},
        {"action": "reject", "label": "give up; the ladder's next rung is taken"},
    ]
    for number, one in enumerate(made, 1):
        _suggest(machine, inner, number, one)
        choices.append({"action": "fix", "label": one.label, "fix": number})
    body = machine.seal(
        {
            "question": f"`{inner.path}` failed: {failure.message}",
            "choices": choices,
            "evidence": dict(failure.evidence),
        }
    )
    return machine.event(
        e.ReviewRequested,
        body,
        review=machine.review_id(),
        step=inner.path,
        attempt=inner.attempt,
        kind=failure.kind,
        head=machine.state.head,
        role=role,
        deadline=deadline,
    )


def ask_again(
    machine: Machine, inner: Scope, failure: Failure, refused: Failure, before: e.ReviewRequested
) -> Protocol[Interrupt]:
    """Ask the same people about a step once more, until the same deadline, and stop; raise what this returns.

    `failure` is why the last answer did not help, `refused` the failure that is still to be put right.
    """
    made = yield from suggestions(machine, inner, refused, None)
    question = ask(machine, inner, failure, made, before.role, before.deadline)
    stop = machine.stop(Stop("pause", failure.message, step=inner.path, review=question.review))
    yield DURABLE
    return stop


def _suggest(machine: Machine, inner: Scope, number: int, suggestion: Suggestion) -> None:
    recorded = machine.state.steps[inner.path].failure
    body = {
        "kind": suggestion.kind,
        "label": suggestion.label,
        "change": suggestion.change,
        "evidence": list(suggestion.evidence),
    }
    machine.event(
        e.SuggestionMade,
        machine.seal(body),
        step=inner.path,
        attempt=inner.attempt,
        number=number,
        kind=suggestion.kind,
        fingerprint=recorded.fingerprint if recorded is not None else "",
        worked=suggestion.worked,
        tried=suggestion.tried,
    )
