"""Approved fixes on their way to an attempt: journaled with it, so that a resume gives it the same ones."""

from __future__ import annotations

from omium_core.engine.commands import Fetch
from omium_core.engine.machine import Machine, Protocol
from omium_core.engine.state import Review
from omium_core.model import events as e
from omium_core.model.fix import ADVICE, Fix
from omium_core.recovery.catalog import topic_of
from omium_core.recovery.fingerprints import place_of_step

__all__ = ["apply", "chosen", "recorded", "standing", "topic"]


def apply(machine: Machine, path: str, attempt: int, fix: Fix) -> None:
    """Make the event for a fix that reaches an attempt, or the outcome that it produced."""
    machine.event(
        e.FixApplied,
        machine.seal(fix.change),
        step=path,
        attempt=attempt,
        review=fix.review,
        kind=fix.kind,
        origin=fix.origin,
        topic=fix.topic,
    )


def standing(machine: Machine, path: str, approved: tuple[Fix, ...]) -> tuple[Fix, ...]:
    """Return the fixes that reach a step in every execution of the workflow, but for those approved for it just now."""
    reviews = [one.review for one in approved]
    return tuple(one for one in machine.standing.get(place_of_step(path), ()) if one.review not in reviews)


def recorded(machine: Machine, path: str, attempt: int) -> Protocol[tuple[Fix, ...]]:
    """Return the advice that an attempt was given when it began."""
    found: tuple[Fix, ...] = ()
    for seq in machine.state.steps[path].fixes.get(attempt, ()):
        found += (Fix(ADVICE[0], (yield Fetch(machine.state.id, seq)), ""),)
    return found


def chosen(machine: Machine, path: str, review: Review, number: int) -> Protocol[Fix]:
    """Return the suggestion that a person chose, as a fix."""
    assert review.answer is not None
    body = yield Fetch(machine.state.id, review.suggestions[number])
    return Fix(body["kind"], body["change"], review.answer.review, topic=topic(machine, path))


def topic(machine: Machine, path: str) -> str:
    """Return the topic of a step's last failure."""
    failure = machine.state.steps[path].failure
    return topic_of(failure.fingerprint) if failure is not None and failure.fingerprint else ""
