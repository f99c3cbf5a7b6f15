"""The failure catalog: how often a kind of fix worked for a failure, measured from what journals say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from omium_core.model import events as e

__all__ = ["TRIALS_MAX", "Tally", "Trial", "ended", "tallies", "topic_of"]

TRIALS_MAX = 100
"""As many of the last trials of fixes for a failure are counted; older ones may speak of other code and models."""
PRIOR_WORKED, PRIOR_FAILED = 1, 1


@attrs.frozen
class Trial:
    """A fix that was applied: of which kind, what it was, and whether the step's outcome held with it."""

    execution: str
    kind: str
    change: Any
    worked: bool


@attrs.frozen
class Tally:
    """How often a kind of fix was tried for a failure, and how often it worked."""

    worked: int = 0
    tried: int = 0

    @property
    def confidence(self) -> float | None:
        """The mean of Beta(1 + worked, 1 + failed): Laplace's rule of succession, over a uniform prior.

        None without a trial: a prior alone says nothing about this failure.
        """
        if not self.tried:
            return None
        return (self.worked + PRIOR_WORKED) / (self.tried + PRIOR_WORKED + PRIOR_FAILED)

    @property
    def text(self) -> str:
        """What is known in words."""
        if self.confidence is None:
            return "no history yet"
        return f"worked {self.worked} of {self.tried} time(s) for this failure, confidence {self.confidence:.0%}"


def topic_of(fingerprint: str) -> str:
    """Return the topic under which the fixes of a failure are found, whichever executions they were applied in."""
    return f"fix:{fingerprint}"


def tallies(trials: Iterable[Trial]) -> dict[str, Tally]:
    """Count trials by the kind of their fix."""
    counted: dict[str, Tally] = {}
    for one in trials:
        before = counted.get(one.kind, Tally())
        counted[one.kind] = Tally(before.worked + one.worked, before.tried + 1)
    return counted


def ended(applied: e.FixApplied, later: Iterable[e.Event]) -> bool | None:
    """Say from what came after a fix whether it worked: the step's next end. None as long as there is none."""
    for event in later:
        match event:
            case e.StepCompleted(step=step) if step == applied.step:
                return not event.skipped
            case e.StepFailed(step=step) if step == applied.step:
                return False
            case e.ReviewRequested(step=step) if step == applied.step:
                return False
            case e.ExecutionHalted():
                return False
    return None
