"""What happened in many executions, summed from their events alone: no state is folded and no value is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from omium_core.interfaces.checkpoint import ExecutionRow
from omium_core.model import events as e
from omium_core.model.effect import READ
from omium_core.runtime.store import Store

__all__ = ["Sums", "Tally", "summed"]

EXECUTIONS_MAX = 2**31


@attrs.define(eq=False)
class Tally:
    """Sums of one group.

    `ended` are attempts that ended, `succeeded` those that ended with a checkpoint. A recovery is a step that failed
    and was done since, without the time in which it waited for a person. `troubled` are executions in which something
    failed or a process died and that came to an end, `alone` those of them that completed without a person's answer.
    """

    executions: int = 0
    completed: int = 0
    halted: int = 0
    paused: int = 0
    unfinished: int = 0
    troubled: int = 0
    alone: int = 0
    attempts: int = 0
    ended: int = 0
    succeeded: int = 0
    failures: int = 0
    recoveries: int = 0
    recovery_s: float = 0.0
    checkpoints: int = 0
    rollbacks: int = 0
    model_calls: int = 0
    # What programs said that they used up; None where none of them said anything.
    tokens: int | None = None
    cost: Decimal | None = None
    steps: set[tuple[str, str]] = attrs.field(factory=set)


@attrs.define(eq=False)
class Sums:
    """The sums over a store: of all, and by agent, workflow and kind of failure."""

    total: Tally = attrs.field(factory=Tally)
    _agents: dict[str, Tally] = attrs.field(factory=dict)
    _workflows: dict[str, Tally] = attrs.field(factory=dict)
    _kinds: dict[str, Tally] = attrs.field(factory=dict)

    def groups(self, by: str) -> list[tuple[str, Tally]]:
        """Return the groups, those with most failures first."""
        found = {"agent": self._agents, "workflow": self._workflows, "kind": self._kinds}[by]
        return sorted(found.items(), key=lambda one: (-one[1].failures, -one[1].attempts, one[0]))

    def agent(self, name: str | None) -> Tally:
        """Return the tally of an agent; steps without one have a group of their own."""
        return self._agents.setdefault(name or "-", Tally())

    def workflow(self, name: str) -> Tally:
        """Return the tally of a workflow."""
        return self._workflows.setdefault(name, Tally())

    def kind(self, name: str) -> Tally:
        """Return the tally of a kind of failure."""
        return self._kinds.setdefault(name, Tally())


def summed(store: Store, since: float = 0.0) -> Sums:
    """Return the sums over the executions that began since then: linear in their events, in constant memory."""
    sums = Sums()
    for row in store.executions(limit=EXECUTIONS_MAX):
        if row.started >= since:
            _Reader(sums, row).read(store.events(row.id))
    return sums


@attrs.define(eq=False)
class _Reader:
    """Reads one execution's events into the sums."""

    sums: Sums
    row: ExecutionRow
    tallies: tuple[Tally, ...] = ()
    agents: dict[str, str | None] = attrs.field(factory=dict)
    # Of each step that failed and is not done again: when, and of which kind.
    failed: dict[str, tuple[float, str]] = attrs.field(factory=dict)
    paused_at: float | None = None
    running: bool = False
    troubled: bool = False
    helped: bool = False

    def read(self, events: Iterable[e.Event]) -> None:
        """Take all events, and how the execution stands at their end."""
        self.tallies = (self.sums.total, self.sums.workflow(self.row.workflow))
        for event in events:
            self._take(event)
        status = self.row.status if self.row.status in ("completed", "halted", "paused") else "unfinished"
        for one in self.tallies:
            one.executions += 1
            setattr(one, status, getattr(one, status) + 1)
            if self.troubled and status in ("completed", "halted"):
                one.troubled += 1
                one.alone += status == "completed" and not self.helped

    def _take(self, event: e.Event) -> None:
        match event:
            case e.StepStarted():
                self.agents[event.step] = event.agent
                self._add(event.step, "attempts")
            case e.StepCompleted():
                self._add(event.step, "ended", "succeeded")
                self._done(event)
            case e.StepFailed():
                self._fail(event)
            case e.CheckpointCommitted() if event.step:
                self._add(event.step, "checkpoints")
            case e.EffectDone() | e.EffectFailed():
                if isinstance(event, e.EffectDone) and event.kind == READ and event.model is not None:
                    self._add(event.step, "model_calls")
                self._spend(event.step, event.usage or {})
            case e.RolledBack():
                for one in self.tallies:
                    one.rollbacks += 1
            case e.ReviewDecided():
                self.helped = self.helped or event.by != "deadline"
            case e.ExecutionPaused() | e.ExecutionHalted():
                self.paused_at, self.running = event.at, False
            case e.ExecutionResumed():
                self._resumed(event)
            case e.ExecutionStarted():
                self.running = True

    def _add(self, step: str, *names: str) -> None:
        for one in (*self.tallies, self.sums.agent(self.agents.get(step))):
            for name in names:
                setattr(one, name, getattr(one, name) + 1)

    def _spend(self, step: str, usage: Mapping[str, Any]) -> None:
        for one in (*self.tallies, self.sums.agent(self.agents.get(step))):
            if "tokens" in usage:
                one.tokens = (one.tokens or 0) + int(usage["tokens"])
            if "cost" in usage:
                one.cost = (one.cost or Decimal(0)) + Decimal(str(usage["cost"]))

    def _fail(self, event: e.StepFailed) -> None:
        self._add(event.step, "ended", "failures")
        kind = self.sums.kind(event.kind)
        kind.failures += 1
        kind.steps.add((self.row.workflow, event.step))
        self.troubled = True
        if not event.final:
            self.failed.setdefault(event.step, (event.at, event.kind))

    def _done(self, event: e.StepCompleted) -> None:
        failed = self.failed.pop(event.step, None)
        if failed is None or event.skipped:
            return
        at, kind = failed
        for one in (*self.tallies, self.sums.agent(self.agents.get(event.step)), self.sums.kind(kind)):
            one.recoveries += 1
            one.recovery_s += max(0.0, event.at - at)

    def _resumed(self, event: e.ExecutionResumed) -> None:
        """A resume after a pause shifts what failed by the time of the wait; without one before it a process died."""
        if self.running:
            self.troubled = True
        elif self.paused_at is not None:
            waited_s = event.at - self.paused_at
            self.failed = {step: (at + waited_s, kind) for step, (at, kind) in self.failed.items()}
        self.paused_at, self.running = None, True
