"""What recovery cost: failures, rollbacks, steps redone and reused, effects repeated; counted from events alone."""

from __future__ import annotations

from collections import Counter

import attrs

from omium.cli.story import Counts
from omium_core.engine.state import ExecutionState
from omium_core.model import events as e
from omium_core.model.effect import COMPENSATION, DONE
from omium_core.model.failure import BLOCKING

__all__ = ["Counting", "plural", "seconds_text", "sentence"]


@attrs.define(eq=False)
class Counting:
    """Counts events: `before` the state takes each in, and `after`."""

    state: ExecutionState
    begun: Counter[str] = attrs.field(factory=Counter)
    kept: set[str] = attrs.field(factory=set)
    failed: set[str] = attrs.field(factory=set)
    broken: set[str] = attrs.field(factory=set)
    effects: set[str] = attrs.field(factory=set)
    totals: Counter[str] = attrs.field(factory=Counter)
    recovery_s: float = 0.0
    since: float | None = None

    def before(self, event: e.Event) -> None:
        """Count what has to be compared with the state as it was."""
        match event:
            case e.EffectIntended() if event.kind != COMPENSATION:
                self.effects.add(event.effect)
                if event.effect in self.state.effects:
                    self.totals["resent"] += 1
                elif _stood(self.state, event):
                    self.totals["repeated"] += 1
            case e.EffectResolved() if event.by == "sent again":
                self.totals["resent"] += 1
            case e.ExecutionResumed() if self.state.status in ("running", "recovering"):
                self.totals["crashes"] += 1
                self.begun.update(path for path, step in self.state.steps.items() if step.open)
                self._fails("", event.at)

    def after(self, event: e.Event) -> None:
        """Count what the state says now."""
        match event:
            case e.StepStarted():
                self.begun[event.step] += 1
            case e.PolicyViolated() if event.mode == BLOCKING:
                self.totals["violations"] += 1
                if not event.skipped:
                    self.broken.add(event.step)
            case e.StepFailed():
                self._step_failed(event)
            case e.StepCompleted():
                self._succeeds(event.step, event.at)
            case e.RolledBack():
                self.totals["rollbacks"] += 1
            case e.EffectCompensated():
                self.totals["compensated"] += 1
            case e.ExecutionPaused() | e.ExecutionCompleted() | e.ExecutionHalted():
                self._stops(event.at)
            case e.ExecutionResumed() | e.RollbackFinished() | e.Forked():
                self._goes_on(event.at)
            case e.RecoveryDecided() if event.strategy != "rollback":
                self._keeps()

    def counts(self) -> Counts:
        """Return the sums."""
        there = {path for path, entry in self.state.outcomes.items() if entry.kind != "attributes"}
        redone = {path for path, times in self.begun.items() if times > 1}
        return Counts(
            steps=len(there),
            effects=len(self.effects),
            failures=self.totals["failures"],
            violations=self.totals["violations"],
            rollbacks=self.totals["rollbacks"],
            crashes=self.totals["crashes"],
            redone=len(redone),
            reused=len((self.kept & there) - redone),
            repeated=self.totals["repeated"],
            resent=self.totals["resent"],
            compensated=self.totals["compensated"],
            recovery_s=round(self.recovery_s, 3),
        )

    def _step_failed(self, event: e.StepFailed) -> None:
        """Count a failure, unless it is that of broken rules, which are counted by themselves."""
        if event.step in self.broken:
            self.broken.discard(event.step)
        else:
            self.totals["failures"] += 1
        if not event.final:
            self._fails(event.step, event.at)

    def _keeps(self) -> None:
        self.kept.update(path for path, entry in self.state.outcomes.items() if entry.kind != "attributes")

    def _fails(self, step: str, at: float) -> None:
        self.failed.add(step)
        self.since = at if self.since is None else self.since

    def _succeeds(self, step: str, at: float) -> None:
        """A step that is done ends its failure, and shows that a crash is over."""
        self.failed -= {step, ""}
        if not self.failed:
            self._stops(at)

    def _stops(self, at: float) -> None:
        if self.since is not None:
            self.recovery_s += max(0.0, at - self.since)
            self.since = None

    def _goes_on(self, at: float) -> None:
        self._keeps()
        if self.failed and self.since is None:
            self.since = at


def sentence(status: str, counts: Counts, elapsed_s: float | None) -> str:
    """Return the one line under a tree."""
    if status == "completed" and not _went_wrong(counts) and not counts.redone:
        done = f"{plural(counts.steps, 'step')}, {plural(counts.effects, 'effect')}"
        return f"Completed in {seconds_text(elapsed_s or 0.0)}: {done}, nothing went wrong"
    start = {
        "completed": f"Recovered in {seconds_text(counts.recovery_s)}",
        "paused": "Paused",
        "halted": "Halted",
    }.get(status, "Not finished")
    kept = [f"{plural(counts.redone, 'step')} redone", f"{counts.reused} reused"]
    effects = [f"{plural(counts.repeated, 'effect')} repeated"]
    if counts.resent:
        effects.append(f"{plural(counts.resent, 'effect')} sent again under the same key")
    return f"{start}: {', '.join(_went_wrong(counts) + kept + effects)}"


def seconds_text(seconds: float) -> str:
    """Return a duration with as many digits as say something."""
    if seconds < 0.01:
        return "less than 0.01 s"
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds:.2f} s"


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Return `1 step`, `2 steps`."""
    return f"{number} {noun if number == 1 else nouns or f'{noun}s'}"


def _stood(state: ExecutionState, event: e.EffectIntended) -> bool:
    """Say whether an equal effect stood: in the same place, or one that no attempt owned."""
    there = [one for one in state.at_slot(event.slot) if one.owner in (None, (event.step, event.attempt))]
    equal = [one for one in state.requests(event.name, event.fingerprint) if one.owner is None]
    return any(one.state == DONE and one.stands and not one.abandoned for one in (*there, *equal))


def _went_wrong(counts: Counts) -> list[str]:
    found = (
        (counts.crashes, "crash", "crashes"),
        (counts.failures, "failure", None),
        (counts.violations, "violation", None),
        (counts.rollbacks, "rollback", None),
    )
    return [plural(number, noun, nouns) for number, noun, nouns in found if number]
