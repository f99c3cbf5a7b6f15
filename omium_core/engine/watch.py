"""What a policy has to remember of an execution, folded from its journal: what happened, and what was used up.

It is a function of the events alone, so a runner that takes an execution over has the same memory. A rollback forgets
what came after its target, but for what cannot be undone; what was spent is never forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from omium_core.engine.scope import Scope
from omium_core.engine.state import ExecutionState
from omium_core.model import events as e
from omium_core.model.effect import COMPENSATION, IRREVERSIBLE, READ
from omium_core.model.failure import BLOCKING, Violation
from omium_core.recovery.policy import Happening, Memory, Policy, Spent

__all__ = ["APPROVED", "EVENT", "IRREVERSIBLY", "Watch"]

EVENT = "event "
"""What the name of an effect begins with that stands for an event of the program's own."""

IRREVERSIBLY = "omium.irreversible"
APPROVED = "omium.approved"
Place: TypeAlias = tuple[str, int, str]
"""Where a call stands: path and attempt of its scope, and its slot."""

# What a fork takes over from its source.
LASTING = ("step", "handoff")


@attrs.frozen
class _Heard:
    """What a rule listens to, at its place in the journal: something that happened, or that was `told` of a rule.

    `effect` is the effect that it stands and falls with.
    """

    seq: int
    happening: Happening | None
    effect: str = ""
    told: str = ""


@attrs.define(eq=False)
class Watch:
    """The memory of one execution's policy.

    `request_of` gives what an effect was asked for, from the journal: conditions of rules may look at it. `asked` is
    what is known of it without reading, by step, attempt and slot. `flying` are effects whose intent is journaled,
    `asking` calls that were let go on in this process and have neither intent nor outcome there yet.
    """

    policy: Policy
    request_of: Callable[[int], Mapping[str, Any]]
    heard: list[_Heard] = attrs.field(factory=list)
    counted: set[str] = attrs.field(factory=set)
    flying: dict[str, None] = attrs.field(factory=dict)
    asked: dict[Place, Mapping[str, Any]] = attrs.field(factory=dict)
    asking: dict[Place, tuple[Happening, ...]] = attrs.field(factory=dict)
    spent: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    began: dict[str, tuple[float, dict[str, Any]]] = attrs.field(factory=dict)
    first: dict[str, float] = attrs.field(factory=dict)
    steps: int = 0
    grants: dict[str, int] = attrs.field(factory=dict)
    # The blocking rules that a step's present attempt broke, and those that an open question is about.
    broken: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    questioned: tuple[str, ...] = ()
    ran_s: float = 0.0
    since: float | None = None
    last_at: float = 0.0
    _memory: Memory = attrs.field(factory=dict, init=False)
    _stale: bool = attrs.field(default=False, init=False)

    @property
    def memory(self) -> Memory:
        """What sequence rules remember of what was heard; counted anew by who asks after something was forgotten."""
        if self._stale:
            self._memory, self._stale = {}, False
            for one in self.heard:
                self._count(one)
        return self._memory

    def take(self, state: ExecutionState, event: e.Event) -> None:
        """Take an event in that the state has taken."""
        self._clock(event)
        match event:
            case e.StepStarted() if event.kind != "block":
                self.broken.pop(event.step, None)
                ran_s = self.ran(event.at)
                self.began[event.step] = ran_s, dict(self.spent.get(event.step, {}))
                self.first.setdefault(event.step, ran_s)
                if not event.refused:
                    self._hear(event, Happening("step", event.name, "starts", event.at))
            case e.StepCompleted() if not event.skipped:
                self.steps += 1
                name = state.steps[event.step].name
                self._hear(event, Happening("step", name, "passes", event.at))
                self._hear(event, Happening("step", name, "approved", event.at))
            case e.StepFailed():
                self._hear(event, Happening("step", state.steps[event.step].name, "fails", event.at))
            case e.HandoffCommitted():
                self._hear(event, Happening("handoff", event.handoff, "agreed", event.at))
            case e.HandoffRejected():
                self._hear(event, Happening("handoff", event.handoff, "rejected", event.at))
            case e.ReviewRequested():
                self.questioned = self.broken.pop(event.step, ())
            case e.ReviewDecided():
                self._reviewed(state, event)
            case e.EffectIntended() if event.kind != COMPENSATION:
                self.flying[event.effect] = None
                self.asking.pop((event.step, event.attempt, event.slot), None)
                self._dissolved(state, event.within)
            case e.EffectClaimed():
                self._dissolved(state, event.within)
            case e.EffectDone() | e.EffectFailed() | e.EffectResolved() | e.EffectCompensated():
                self.flying.pop(event.effect, None)
                self._effect(state, event)
            case e.PolicyViolated():
                if event.mode == BLOCKING and not event.skipped:
                    self.broken[event.step] = (*self.broken.get(event.step, ()), event.rule)
                if event.told:
                    self.said(event.seq, event.told)
            case e.RollbackFinished():
                self._cut(state, state.checkpoints[event.target].seq)
            case e.Forked():
                # What was done and approved is the source's; what its steps gave, this execution goes on from.
                self.heard = [one for one in self.heard if one.happening and one.happening.kind in LASTING]
                self.flying.clear()
                self._cut(state, state.checkpoints[event.checkpoint].seq)
                for of_source in (self.spent, self.began, self.first, self.grants, self.broken):
                    of_source.clear()
                self.ran_s, self.since = 0.0, None

    def said(self, seq: int, told: str) -> None:
        """Remember that what a rule expected was said to be late, or missing."""
        self._remember(_Heard(seq, None, told=told))

    def ran(self, now: float) -> float:
        """Return for how many seconds the execution has run by now, without its pauses."""
        return self.ran_s + (max(0.0, now - self.since) if self.since is not None else 0.0)

    def peek(self, state: ExecutionState, happening: Happening, scope: Scope) -> tuple[Violation, ...]:
        """Return what would break if this happened now in that scope.

        What is in flight in other lanes may come to its end or not, so rules have to hold either way.
        """
        found = self.policy.peek(self.memory, happening)
        flying = self._flying(state, scope)
        if found or not flying:
            return found
        memory = self.memory
        for one in flying:
            memory = self.policy.count(memory, one)
        return self.policy.peek(memory, happening)

    def let_go_on(self, place: Place, happenings: tuple[Happening, ...]) -> None:
        """Take a call for something that is in flight, until its intent or its outcome is journaled."""
        if happenings:
            self.asking[place] = happenings

    def forget_call(self, place: Place) -> None:
        """Forget what is known of a call that has come to its end here."""
        self.asking.pop(place, None)
        self.asked.pop(place, None)

    def exceeded(self, scope: Scope, now: float) -> tuple[Violation, ...]:
        """Return the budgets of the run and of the step at `scope` that are used up, or nearly."""
        return self._exceeded({**self.spent.get("", {}), "elapsed": self.ran(now)}, scope, now)

    def exceeded_by(self, scope: Scope, now: float) -> tuple[Violation, ...]:
        """Return the budgets of the step at `scope` alone."""
        return self._exceeded({}, scope, now)

    def _exceeded(self, run: Mapping[str, Any], scope: Scope, now: float) -> tuple[Violation, ...]:
        path, ran_s = scope.path, self.ran(now)
        step = {**self.spent.get(path, {}), "elapsed": ran_s - self.first.get(path, ran_s)}
        return self.policy.exceeded(self.memory, scope.name, Spent(run, step), self.grants)

    def facts(self, state: ExecutionState, path: str, name: str, attempt: int, now: float) -> dict[str, Any]:
        """Return what rules may know of a step's attempt, and of the execution."""
        began_s, before = self.began.get(path, (self.ran(now), {}))
        spent, run = self.spent.get(path, {}), self.spent.get("", {})
        return {
            "step": {
                "name": name,
                "attempt": attempt,
                "elapsed": self.ran(now) - began_s,
                "cost": spent.get("cost", 0) - before.get("cost", 0),
                "tokens": spent.get("tokens", 0) - before.get("tokens", 0),
            },
            "run": {
                "elapsed": self.ran(now),
                "cost": run.get("cost", 0),
                "tokens": run.get("tokens", 0),
                "steps": self.steps,
                "recoveries": len(state.decided),
                "recorded": True,
                "stoppable": True,
            },
        }

    def _clock(self, event: e.Event) -> None:
        match event:
            case e.ExecutionStarted():
                self.since = event.at
            case e.ExecutionResumed():
                if self.since is not None:
                    # A runner died; until when it was at work, its last event says.
                    self.ran_s += max(0.0, self.last_at - self.since)
                self.since = event.at
            case e.ExecutionPaused() | e.ExecutionCompleted() | e.ExecutionHalted():
                self.ran_s, self.since = self.ran(event.at), None
        self.last_at = event.at

    def _reviewed(self, state: ExecutionState, event: e.ReviewDecided) -> None:
        request = state.review.request if state.review is not None else None
        if request is None or request.review != event.review or event.action in ("reject", "skip"):
            return
        for rule in set(self.questioned) if request.kind == "budget_exceeded" else ():
            self.grants[rule] = self.grants.get(rule, 0) + 1
        if request.kind != "effect_unresolved":
            self._hear(event, Happening("event", APPROVED, "", event.at))

    def _effect(self, state: ExecutionState, event: e.Event) -> None:
        match event:
            case e.EffectDone():
                self._spend(event.step, event.usage)
                if event.model is None:
                    self._happened(state, event, event.name, event.kind, event.effect)
            case e.EffectFailed():
                self._spend(event.step, event.usage)
                # It may have happened, and then it counts.
                if not event.definite and event.kind != READ:
                    self._happened(state, event, event.name, event.kind, event.effect)
            case e.EffectResolved():
                effect = state.effects[event.effect]
                if event.done:
                    self._happened(state, event, effect.name, effect.kind, effect.id)
                else:
                    self._forget(event.effect)
            case e.EffectCompensated():
                self._forget(event.effect)

    def _happened(self, state: ExecutionState, event: Any, name: str, kind: str, effect: str) -> None:
        if kind == COMPENSATION or effect in self.counted:
            return
        if effect:
            self.counted.add(effect)
        happening = self.happening(name, event.at, {})
        if self.policy.hears(happening.kind, happening.name, ""):
            given = self._request(state, event, effect)
            self._hear(event, attrs.evolve(happening, given=given), effect)
        if kind == IRREVERSIBLE:
            self._hear(event, Happening("event", IRREVERSIBLY, "", event.at), effect)

    @staticmethod
    def happening(name: str, at_s: float, given: Mapping[str, Any]) -> Happening:
        """Return what an effect of that name is for rules: a tool, or an event of the program's own."""
        if name.startswith(EVENT):
            return Happening("event", name.removeprefix(EVENT), "", at_s, given)
        return Happening("tool", name, "", at_s, given)

    def _request(self, state: ExecutionState, event: Any, effect: str) -> Mapping[str, Any]:
        """Return what an effect was asked for: as it was asked in this process, else from the journal."""
        of = state.effects[effect] if effect else event
        known = self.asked.pop((of.step, of.attempt, of.slot), None)
        return known if known is not None else self.request_of(of.seq)

    def _hear(self, event: e.Event, happening: Happening, effect: str = "") -> None:
        if self.policy.hears(happening.kind, happening.name, happening.phase):
            self._remember(_Heard(event.seq, happening, effect))

    def _remember(self, one: _Heard) -> None:
        self.heard.append(one)
        if not self._stale:
            self._count(one)

    def _count(self, one: _Heard) -> None:
        if one.happening is not None:
            self._memory = self.policy.count(self._memory, one.happening)
        else:
            self._memory = self.policy.told(self._memory, one.told)

    def _forget(self, effect: str) -> None:
        kept = [one for one in self.heard if one.effect != effect]
        if len(kept) != len(self.heard):
            self.heard, self._stale = kept, True
            self.counted.discard(effect)

    def _cut(self, state: ExecutionState, seq: int) -> None:
        def lasts(one: _Heard) -> bool:
            return one.effect != "" and one.effect in state.effects and state.effects[one.effect].stands

        self.heard, self._stale = [one for one in self.heard if one.seq <= seq or lasts(one)], True
        self.counted = {one.effect for one in self.heard if one.effect}

    def _dissolved(self, state: ExecutionState, transaction: str | None) -> None:
        """A transaction with effects in it is none itself, so it is not in flight either."""
        if transaction is not None and transaction in self.flying:
            del self.flying[transaction]
            one = state.effects[transaction]
            self.asked.pop((one.step, one.attempt, one.slot), None)

    def _flying(self, state: ExecutionState, scope: Scope) -> list[Happening]:
        """Return what is in flight, but for the transactions around `scope`: what is done there is theirs."""
        found = [happening for one in self.asking.values() for happening in one]
        around = scope.transactions() if self.flying else ()
        for effect in self.flying:
            if effect in around:
                continue
            one = state.effects[effect]
            happening = self.happening(one.name, self.last_at, {})
            if self.policy.hears(happening.kind, happening.name, ""):
                given = self.asked.get((one.step, one.attempt, one.slot))
                given = self.request_of(one.seq) if given is None else given
                found.append(attrs.evolve(happening, given=given))
            if one.kind == IRREVERSIBLE and self.policy.hears("event", IRREVERSIBLY, ""):
                found.append(Happening("event", IRREVERSIBLY, "", self.last_at))
        return found

    def _spend(self, step: str, usage: Mapping[str, Any] | None) -> None:
        """Count what an effect used up for its step, for those around it and for the execution."""
        if not usage:
            return
        parts = step.split("/") if step else []
        for path in ("", *("/".join(parts[: count + 1]) for count in range(len(parts)))):
            at = self.spent.setdefault(path, {})
            for meter, amount in usage.items():
                amount = Decimal(amount) if isinstance(amount, str) else amount
                at[meter] = at.get(meter, 0) + amount
