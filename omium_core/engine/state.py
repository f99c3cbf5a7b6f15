"""The state of one execution, folded from its journal: the same fold for a living run and for one that is read back."""

from __future__ import annotations

import sys

import attrs

from omium_core.engine.records import CheckpointRecord, Entry, LaneRecord, Review, StepRecord
from omium_core.model import events as e
from omium_core.model.effect import (
    COMPENSATED,
    COMPENSATION,
    DONE,
    FAILED,
    READ,
    UNRESOLVED,
    EffectRecord,
)
from omium_core.model.fix import ADVICE
from omium_core.model.merkle import MerkleMap

if sys.version_info >= (3, 11):
    from typing import assert_never
else:
    from typing_extensions import assert_never

__all__ = ["CheckpointRecord", "Entry", "ExecutionState", "LaneRecord", "Review", "StepRecord"]

START = "start"


@attrs.define
class ExecutionState:
    """One execution as its events tell it."""

    id: str = ""
    workflow: str = ""
    status: str = "running"
    reason: str = ""
    epoch: int = 0
    seq: int = 0
    runner: str = ""
    started: float = 0.0
    ended: float | None = None
    head: str = ""
    outcomes: MerkleMap[Entry] = attrs.field(factory=MerkleMap)
    checkpoints: dict[str, CheckpointRecord] = attrs.field(factory=dict)
    steps: dict[str, StepRecord] = attrs.field(factory=dict)
    lanes: dict[str, dict[tuple[int, str], LaneRecord]] = attrs.field(factory=dict)
    effects: dict[str, EffectRecord] = attrs.field(factory=dict)
    # The answers to reads by step and attempt, then by name and arguments, and whether each is a failure.
    reads: dict[tuple[str, int], dict[tuple[str, str], list[tuple[str, int, bool]]]] = attrs.field(factory=dict)
    # What calls of other effects raised, by step, attempt and slot.
    failures: dict[tuple[str, int, str], tuple[str, int]] = attrs.field(factory=dict)
    # Where a policy left a call out, by step, attempt and slot, and what says so.
    left_out: dict[tuple[str, int, str], int] = attrs.field(factory=dict)
    spent: set[str] = attrs.field(factory=set)
    attributes: dict[str, int] = attrs.field(factory=dict)
    decided: list[float] = attrs.field(factory=list)
    rollback: e.RolledBack | None = None
    compensated: list[str] = attrs.field(factory=list)
    rollback_due: e.RecoveryDecided | None = None
    halt_due: e.RecoveryDecided | None = None
    hint: int = 0
    review: Review | None = None
    suggested: dict[int, int] = attrs.field(factory=dict)
    # How often a runner died since the last checkpoint, or since a person answered.
    crashes: int = 0
    # What people answered about requests of a step's present attempt, by step, then by slot.
    permits: dict[str, dict[str, str]] = attrs.field(factory=dict)
    arguments_execution: str = ""
    arguments_seq: int = 0
    result_seq: int = 0
    # The policy that it pinned when it started.
    policy: str = ""
    policy_name: str = ""
    # Who stopped it from outside of its runner, while it stands stopped.
    stopped_by: str = ""
    _requests: dict[tuple[str, str], dict[str, None]] = attrs.field(factory=dict)
    _slots: dict[str, dict[str, None]] = attrs.field(factory=dict)
    _lineages: dict[tuple[str, str], set[int]] = attrs.field(factory=dict)
    _owned: dict[str, dict[str, None]] = attrs.field(factory=dict)
    _within: dict[str, dict[str, None]] = attrs.field(factory=dict)

    def apply(self, event: e.Event) -> None:
        """Take the next event in."""
        assert event.seq == self.seq + 1 or self.seq == 0, f"event {event.seq} after {self.seq}"
        self.seq, self.epoch = event.seq, event.epoch
        match event:
            # What every step has comes first, because the cases are tried in turn.
            case e.StepStarted():
                self._step_started(event)
            case e.StepCompleted():
                self._step_completed(event)
            case e.CheckpointCommitted():
                self._checkpoint(event)
            case e.ExecutionStarted():
                self.id, self.workflow, self.started = event.execution, event.workflow, event.at
                self.runner, self.arguments_execution, self.arguments_seq = event.runner, event.execution, event.seq
                self.policy, self.policy_name = event.policy, event.policy_name
            case e.Forked():
                self._fork(event)
            case e.StepFailed():
                self._step_failed(event)
            case e.EffectIntended():
                self._intended(event)
            case e.EffectDone():
                self._done(event)
            case e.EffectFailed():
                self._failed(event)
            case e.EffectClaimed():
                self._claimed(event)
            case e.EffectResolved():
                effect = self.effects[event.effect]
                effect.state = DONE if event.done else FAILED
                effect.value_seq = event.seq
            case e.EffectCompensated():
                self._compensated(event)
            case e.RecoveryDecided():
                self._recovery(event)
            case e.RolledBack():
                self.rollback, self.rollback_due, self.halt_due, self.compensated = event, None, None, []
                self.status, self.ended, self.result_seq = "recovering", None, 0
            case e.RollbackFinished():
                self._rolled_back(event)
            case e.ReviewRequested():
                self.review, self.suggested = Review(event, suggestions=self.suggested), {}
                if event.step in self.steps:
                    self.steps[event.step].review = self.review
            case e.ReviewDecided():
                self._reviewed(event)
            case e.ExecutionPaused():
                self.status, self.reason, self.stopped_by = "paused", event.reason, event.by
            case e.ExecutionResumed():
                self.crashes += self.status in ("running", "recovering")
                self.status, self.reason, self.runner, self.ended = "running", "", event.runner, None
                self.stopped_by = ""
            case e.ExecutionCompleted():
                self.status, self.ended, self.result_seq = "completed", event.at, event.seq
            case e.ExecutionHalted():
                self.status, self.ended, self.halt_due, self.review = "halted", event.at, None, None
                self.reason, self.stopped_by = event.reason, event.by
            case e.SuggestionMade():
                self.suggested[event.number] = event.seq
            case e.FixApplied() if event.kind in ADVICE:
                fixes = self.steps[event.step].fixes
                fixes[event.attempt] = (*fixes.get(event.attempt, ()), event.seq)
            case e.PolicyViolated():
                if event.skipped:
                    self.left_out[event.step, event.attempt, event.slot] = event.seq
            case e.CompensationFailed() | e.PluginFailed() | e.Pruned() | e.ChannelTold():
                pass
            case e.CircuitChanged() | e.FixApplied() | e.FixRevoked():
                pass
            case e.HandoffProposed() | e.VoteCast() | e.HandoffCommitted() | e.HandoffRejected():
                pass
            case e.PolicyActivated() | e.PolicyOverridden():
                pass
            case _:
                assert_never(event)

    def path_to_head(self) -> list[CheckpointRecord]:
        """Return the checkpoints from the start to the head."""
        path: list[CheckpointRecord] = []
        at = self.head
        while at:
            path.append(self.checkpoints[at])
            at = self.checkpoints[at].parent
        return path[::-1]

    def find_checkpoint(self, given: str) -> CheckpointRecord | None:
        """Return the newest checkpoint on the path that `given` names: a step's name or path, agent/step, or an id."""
        for point in reversed(self.path_to_head()):
            names = (point.name, point.step, f"{point.agent}/{point.name}", point.id)
            if given in names:
                return self._outside(point)
        return None

    def before(self, path: str) -> CheckpointRecord | None:
        """Return the checkpoint that was the head when the step's latest attempt began, as far as it is on the path."""
        step = self.steps[path]
        on_path = [point for point in self.path_to_head() if point.seq < step.began]
        return self._outside(on_path[-1]) if on_path else None

    def _outside(self, point: CheckpointRecord) -> CheckpointRecord:
        """A checkpoint inside an outer step means that one's start: its other attempts cannot be entered halfway.

        A `Checkpoint` block can: it is gone through again in any case.
        """
        parts = point.step.split("/")
        around = ("/".join(parts[:count]) for count in range(1, len(parts)))
        outermost = next((path for path in around if path in self.steps and self.steps[path].kind != "block"), None)
        return point if outermost is None else self.before(outermost) or point

    def requests(self, name: str, fingerprint: str) -> list[EffectRecord]:
        """Return the effects of that name with that fingerprint."""
        return [self.effects[one] for one in self._requests.get((name, fingerprint), ())]

    def at_slot(self, slot: str) -> list[EffectRecord]:
        """Return the effects that were performed in that slot, oldest first."""
        return [self.effects[one] for one in self._slots.get(slot, ())]

    def incarnations(self, name: str, lineage: str) -> set[int]:
        """Return the incarnations of an effect that there have been."""
        return self._lineages.get((name, lineage), set())

    def of_step(self, path: str) -> list[EffectRecord]:
        """Return the effects that a step performed or claimed, in any attempt."""
        return [self.effects[one] for one in self._owned.get(path, ())]

    def has_past(self, path: str) -> bool:
        """Say whether a step had effects or inner steps, in any attempt."""
        return path in self._owned or path in self.lanes

    def below(self, *paths: str) -> list[str]:
        """Return the steps at some paths and all inside of them, in any attempt."""
        waiting, found = list(paths), set[str]()
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                waiting.extend(one for lane in self.lanes.get(path, {}).values() for one in lane.order)
        return sorted(found)

    def within(self, transaction: str) -> list[EffectRecord]:
        """Return the effects inside a transaction, and inside of those that are in it."""
        found: dict[str, EffectRecord] = {}
        waiting = [transaction]
        while waiting:
            inside = [one for one in self._within.get(waiting.pop(), ()) if one not in found]
            found.update((one, self.effects[one]) for one in inside)
            waiting += inside
        return list(found.values())

    def _fork(self, event: e.Forked) -> None:
        """Become a new execution at the checkpoint: the fold up to here was the source's."""
        target = self.checkpoints[event.checkpoint]
        for step in self.steps.values():
            step.failure = step.decision = step.review = None
        for effect in self.effects.values():
            # What the source did stays the source's: this execution can neither claim nor compensate it.
            effect.abandoned, effect.claims = True, {(effect.step, effect.attempt): effect.seq}
            if effect.stands:
                # A key of the user's names the same effect here, so its provider recognises it.
                self._lineages[effect.name, effect.lineage].discard(effect.incarnation)
        self._cut(target)
        self.id, self.workflow, self.started = event.execution, event.workflow, event.at
        self.status, self.ended, self.reason, self.runner = "paused", None, f"forked from {event.source}", ""
        self.stopped_by = ""
        self.rollback = self.rollback_due = self.halt_due = self.review = None
        self.hint = self.result_seq = 0

    def _step_started(self, event: e.StepStarted) -> None:
        step = self.steps.get(event.step)
        if step is None:
            step = self.steps[event.step] = StepRecord(event.step, event.name, event.agent, event.arguments)
        step.execution, step.arguments, step.kind = self.id, event.arguments, event.kind
        step.attempts, step.open, step.started = max(step.attempts, event.attempt), event.attempt, event.seq
        step.began, step.described = step.began or event.seq, event.digest is not None
        step.told, step.performer, step.review, self.hint = event.told, event.performer, None, 0
        step.undecided, step.refused = False, event.refused
        # What a person said of one request says nothing of the next attempt's, which is another in its words.
        self.permits.pop(event.step, None)
        if self.status == "recovering":
            self.status = "running"
        if event.initial and event.agent is not None:
            self.attributes.setdefault(event.agent, event.seq)
        self._release(event.step, event.attempt)
        if event.step:
            self.lane(event.scope, event.scope_attempt, event.lane).add(event.step, event.seq)

    def lane(self, scope: str, attempt: int, label: str) -> LaneRecord:
        """Return what is on record of a lane in an attempt's body."""
        try:
            return self.lanes[scope][attempt, label]
        except KeyError:
            return self.lanes.setdefault(scope, {}).setdefault((attempt, label), LaneRecord())

    def _release(self, path: str, attempt: int) -> None:
        """A step's other attempts rely on nothing any more: what nobody else relies on may be claimed by this one."""
        for key in self._owned.get(path, ()):
            claims = self.effects[key].claims
            for claimer in [one for one in claims if one[0] == path and one[1] != attempt]:
                del claims[claimer]

    def _step_completed(self, event: e.StepCompleted) -> None:
        step = self.steps[event.step]
        step.open, step.failure, step.decision, step.review, step.undecided = 0, None, None, None, False
        if self.status == "recovering":
            self.status = "running"
        kind = "skipped" if event.skipped else "completed"
        self._drop(event.dropped)
        self._enter(event.step, Entry(kind, event.digest or "", event.seq, step.name, step.arguments, self.id))
        for key in event.unowned:
            self.effects[key].claims.clear()
        if step.kind == "step":
            # The reads of a finished step are never asked for again; a block's are, because Python cannot skip it.
            self.reads.pop((event.step, event.attempt), None)

    def _step_failed(self, event: e.StepFailed) -> None:
        step = self.steps[event.step]
        step.open, step.failure, step.decision, step.undecided = 0, event, None, not event.final
        self.crashes = 0 if event.kind == "crashed" else self.crashes
        self._release(event.step, 0)
        if event.final:
            self._enter(event.step, Entry("failed", event.digest or "", event.seq, step.name, step.arguments, self.id))

    def _drop(self, paths: tuple[str, ...]) -> None:
        for path in paths:
            self.outcomes = self.outcomes.without(path)
            self._release(path, 0)

    def _enter(self, path: str, entry: Entry) -> None:
        self.outcomes = self.outcomes.with_entry(path, entry, f"{entry.kind}:{entry.digest}")

    def _checkpoint(self, event: e.CheckpointCommitted) -> None:
        self._drop(event.dropped)
        if event.saves == "state":
            self.steps[event.step].open = 0
            self._enter(event.step, Entry("saved", event.digest or "", event.seq, event.name, "", self.id))
        elif event.saves == "attributes":
            path = f"@{event.agent}"
            self._enter(path, Entry("attributes", event.digest or "", event.seq, path, "", self.id))
        self.checkpoints[event.checkpoint] = CheckpointRecord(
            event.checkpoint, event.parent, event.step, event.name, event.agent, event.seq, event.at,
            self.outcomes,
        )  # fmt: skip
        self.head, self.crashes = event.checkpoint, 0

    def _intended(self, event: e.EffectIntended) -> None:
        if event.kind == COMPENSATION:
            if event.of in self.effects:
                self._undoing(self.effects[event.of])
            return
        if event.within is not None and event.within in self.effects:
            # The transaction has declared effects, so it is not itself one.
            self.effects[event.within].dissolved = True
        self._requests.setdefault((event.name, event.fingerprint), {})[event.effect] = None
        self._slots.setdefault(event.slot, {})[event.effect] = None
        self._lineages.setdefault((event.name, event.lineage), set()).add(event.incarnation)
        self._owned.setdefault(event.step, {})[event.effect] = None
        if event.within is not None:
            self._within.setdefault(event.within, {})[event.effect] = None
        self.spent.update(event.credentials)
        before = self.effects.get(event.effect)
        claims = dict(before.claims) if before is not None else {}
        claims.setdefault((event.step, event.attempt), event.seq)
        self.effects[event.effect] = EffectRecord(
            event.effect, event.name, event.kind, event.slot, event.step, event.attempt, event.key,
            event.fingerprint, event.arguments, event.lineage, event.incarnation, event.keyed, event.seq,
            within=event.within, claims=claims, before=before,
        )  # fmt: skip

    def _done(self, event: e.EffectDone) -> None:
        if event.kind == READ:
            reads = self.reads.setdefault((event.step, event.attempt), {})
            reads.setdefault((event.name, event.arguments), []).append((self.id, event.seq, False))
        elif event.effect in self.effects:
            effect = self.effects[event.effect]
            effect.state, effect.value_seq = DONE, event.seq

    def _failed(self, event: e.EffectFailed) -> None:
        if event.digest is not None and event.kind == READ:
            reads = self.reads.setdefault((event.step, event.attempt), {})
            reads.setdefault((event.name, event.arguments), []).append((self.id, event.seq, True))
        elif event.digest is not None:
            self.failures[event.step, event.attempt, event.slot] = (self.id, event.seq)
        effect = self.effects.get(event.effect)
        if effect is None:
            return
        if not event.definite:
            effect.state = UNRESOLVED
        elif effect.before is None or not effect.before.stands:
            effect.state = FAILED
        else:
            # It was sent again, and only that certainly did not happen: what was known of it before still holds. Who
            # asked for it now has not got it.
            known = DONE if effect.before.state == DONE else UNRESOLVED
            asked, before = (event.step, event.attempt), effect.before.claims
            claims = {one: seq for one, seq in effect.claims.items() if one != asked or one in before}
            self.effects[event.effect] = attrs.evolve(effect.before, state=known, claims=claims)

    def _claimed(self, event: e.EffectClaimed) -> None:
        effect = self.effects[event.effect]
        effect.claims.setdefault((event.step, event.attempt), event.seq)
        self._owned.setdefault(event.step, {})[event.effect] = None
        if event.within is not None:
            # The transaction has declared effects, as when they were performed in it.
            self.effects[event.within].dissolved = True
            self._within.setdefault(event.within, {})[event.effect] = None

    def _compensated(self, event: e.EffectCompensated) -> None:
        effect = self.effects[event.effect]
        effect.state, effect.undoing = COMPENSATED, False
        self.compensated.append(event.effect)

    def _undoing(self, effect: EffectRecord) -> None:
        effect.undoing = True
        # What relies on it is no outcome any more, also while it may stand: the step is done again if it is asked for.
        for path, _ in effect.claims:
            while path:
                self.outcomes = self.outcomes.without(path)
                path = path.rpartition("/")[0]

    def _recovery(self, event: e.RecoveryDecided) -> None:
        step = self.steps.get(event.step)
        if step is not None:
            step.decision, step.undecided = event, False
            step.used[event.source, event.rung] = step.used.get((event.source, event.rung), 0) + 1
            step.review = None
        self.decided.append(event.at)
        self.status = "recovering"
        if event.strategy == "rollback":
            self.rollback_due = event
        elif event.strategy == "halt":
            self.halt_due = event

    def _rolled_back(self, event: e.RollbackFinished) -> None:
        assert self.rollback is not None
        self._cut(self.checkpoints[event.target])
        self.hint = self.rollback.failure
        self.rollback = self.review = None
        self.status, self.crashes = "running", 0

    def _cut(self, target: CheckpointRecord) -> None:
        """Make `target` the head; what came after it is off the path, and its claims die with it."""
        self.head, self.outcomes = target.id, target.outcomes
        for lanes in self.lanes.values():
            for lane in lanes.values():
                lane.cut(target.seq)
        for step in self.steps.values():
            step.open = 0 if step.started > target.seq else step.open
            step.began = 0 if step.began > target.seq else step.began
            step.undecided = step.undecided and step.failure is not None and step.failure.seq <= target.seq
            step.review = None
        for reads in self.reads.values():
            for request, answers in reads.items():
                reads[request] = [one for one in answers if one[1] <= target.seq]
        self.failures = {slot: one for slot, one in self.failures.items() if one[1] <= target.seq}
        self.left_out = {slot: seq for slot, seq in self.left_out.items() if seq <= target.seq}
        for effect in self.effects.values():
            effect.claims = {claimer: seq for claimer, seq in effect.claims.items() if seq <= target.seq}
        self.permits.clear()

    def _reviewed(self, event: e.ReviewDecided) -> None:
        if self.review is None or self.review.request.review != event.review:
            return
        self.review.answer, self.crashes = event, 0
        if self.review.request.slot is not None and event.action in ("reuse", "perform"):
            self.permits.setdefault(self.review.request.step, {})[self.review.request.slot] = event.action
