"""What a policy would have said of executions that are on record: nothing is performed, and no journal changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from omium.enforcing import Requests, remember
from omium_core.engine.guarding import UNASKED
from omium_core.engine.state import ExecutionState
from omium_core.engine.watch import EVENT, IRREVERSIBLY, Watch
from omium_core.errors import OmiumError
from omium_core.model import events as e
from omium_core.model.effect import COMPENSATION, IRREVERSIBLE, READ, is_transaction
from omium_core.model.failure import Violation
from omium_core.recovery.policy import Happening
from omium_core.runtime.plain import plain_of_view
from omium_core.runtime.store import Store
from omium_policy.in_force import in_force
from omium_policy.loaded import Loaded
from omium_policy.monitors import monitors_of

__all__ = ["Finding", "Hindsight", "Tally", "look_back"]


# What the store says in place of a value that is gone.
PRUNED = {"@type": "pruned"}


@attrs.frozen
class Finding:
    """What a rule would have said, and of what."""

    execution: str
    step: str
    attempt: int
    rule: str
    mode: str
    message: str


@attrs.define
class Tally:
    """How often a rule was asked, and how often it would have fired."""

    asked: int = 0
    fired: int = 0

    @property
    def warning(self) -> str:
        """What should make people wonder about a rule; empty where nothing does."""
        if not self.asked:
            return "was never asked"
        return {0: "never fires", self.asked: "always fires"}.get(self.fired, "")


@attrs.define
class Hindsight:
    """All that a policy would have said; `unread` are the executions whose values are gone or damaged, and why."""

    rules: dict[str, Tally]
    findings: list[Finding] = attrs.field(factory=list)
    unread: dict[str, str] = attrs.field(factory=dict)


def look_back(loaded: Loaded, store: Store, executions: Iterable[str]) -> Hindsight:
    """Go through executions from their first event to their last and ask a policy at each moment."""
    found = Hindsight({rule.name: Tally() for program in loaded.programs for rule in program.rules})
    for execution in executions:
        try:
            _Look(loaded, store, execution, found).go()
        except OmiumError as error:
            found.unread[execution] = str(error)
    return found


class _Look:
    """One execution as it was, with the policy beside it."""

    def __init__(self, loaded: Loaded, store: Store, execution: str, found: Hindsight) -> None:
        self.programs = loaded.programs
        self.monitors = [monitors_of(one) for one in loaded.programs]
        self.store, self.execution, self.found = store, execution, found
        self.state = ExecutionState()
        self.requests = Requests(store, execution)
        self.watch = Watch(in_force(loaded), self.requests)
        self.inputs: dict[str, Any] = {}

    def go(self) -> None:
        for event in self.store.events(self.execution):
            if isinstance(event, e.Forked):
                self.requests.execution = event.source
                remember(self.watch, self.requests, self.state, event.source, event.source_seq)
                self.requests.execution = self.execution
            happenings = list(self._happenings(event))
            if happenings or isinstance(event, e.ExecutionCompleted):
                self._expected(event)
            for happening in happenings:
                self._peek(happening, event)
            self.state.apply(event)
            if isinstance(event, e.PolicyViolated):
                # What another policy said is not what this one has to remember.
                event = attrs.evolve(event, told="")
            self.watch.take(self.state, event)
            self._moments(event)

    def _happenings(self, event: e.Event) -> Iterator[Happening]:
        """Give what is about to happen, BEFORE it is counted."""
        match event:
            case e.StepStarted() if event.kind != "block":
                yield Happening("step", event.name, "starts", event.at)
            case e.StepCompleted() if not event.skipped:
                for phase in ("passes", "approved"):
                    yield Happening("step", self.state.steps[event.step].name, phase, event.at)
            case e.StepFailed():
                yield Happening("step", self.state.steps[event.step].name, "fails", event.at)
            case e.HandoffCommitted():
                yield Happening("handoff", event.handoff, "agreed", event.at)
            case e.EffectIntended() if event.kind != COMPENSATION and event.effect not in self.state.effects:
                yield self._effect(event.name, event)
                if event.kind == IRREVERSIBLE:
                    yield Happening("event", IRREVERSIBLY, "", event.at)
            case e.EffectDone() if event.kind == READ and event.model is None and event.name not in UNASKED:
                yield self._effect(event.name, event)

    def _moments(self, event: e.Event) -> None:
        """Ask the rules of the moment that an event is."""
        match event:
            case e.StepStarted() if event.kind != "block":
                self.inputs[event.step] = self._input(event)
                self._judge("before", event, {})
            case e.StepCompleted() if not event.skipped:
                self._judge("after", event, {"output": self._view(event)})
            case e.StepFailed():
                evidence = self._view(event)
                if isinstance(evidence, dict) and "value" in evidence:
                    self._judge("after", event, {"output": evidence["value"]})
            case e.EffectIntended() if event.kind != COMPENSATION and not is_transaction(event.slot):
                self._judge_call(event, event.name)
            case e.EffectDone() if (
                event.kind == READ and not event.name.startswith(EVENT) and event.name not in UNASKED
            ):
                self._judge_call(event, event.name if event.model is None else None)

    def _judge(self, when: str, event: Any, given: Mapping[str, Any]) -> None:
        name = self.state.steps[event.step].name
        for program in self.programs:
            for rule in program.rules_at(when, name):
                self.found.rules[rule.name].asked += 1
        self._say(self.watch.policy.judge(when, name, {**self._given(event), **given}), event.step, event.attempt)

    def _judge_call(self, event: Any, tool: str | None) -> None:
        name = self.state.steps[event.step].name if event.step in self.state.steps else ""
        ruled = [rule.name for program in self.programs for rule in program.rules_at("during", name)]
        if not ruled:
            return
        for rule in ruled:
            self.found.rules[rule].asked += 1
        given = {**self._given(event), "args": self.watch.request_of(event.seq).get("args", {})}
        self._say(self.watch.policy.judge_tool(name, tool, given), event.step, event.attempt)

    def _peek(self, happening: Happening, event: Any) -> None:
        for rule in (one for each in self.monitors for one in each.rules_hearing(happening)):
            self.found.rules[rule].asked += 1
        self._say(self.watch.policy.peek(self.watch.memory, happening), event.step, event.attempt)

    def _expected(self, event: Any) -> None:
        """Say what is late, or at the end missing: once."""
        policy, memory = self.watch.policy, self.watch.memory
        missing = policy.overdue(memory, event.at)
        if isinstance(event, e.ExecutionCompleted):
            for rule in dict.fromkeys(one for each in self.monitors for one in each.rules_expecting()):
                self.found.rules[rule].asked += 1
            missing += policy.at_end(memory)
        self._say(missing, getattr(event, "step", ""), getattr(event, "attempt", 0))
        for one in missing:
            self.watch.said(self.state.seq, one.told)

    def _say(self, violations: Iterable[Violation], step: str, attempt: int) -> None:
        for one in violations:
            if one.rule in self.found.rules:
                self.found.rules[one.rule].fired += 1
            self.found.findings.append(Finding(self.execution, step, attempt, one.rule, one.mode, one.message))

    def _given(self, event: Any) -> dict[str, Any]:
        name = self.state.steps[event.step].name if event.step in self.state.steps else ""
        facts = self.watch.facts(self.state, event.step, name, event.attempt, event.at)
        facts["step"]["conforms"] = True
        return {**facts, "input": self.inputs.get(event.step, {})}

    def _effect(self, name: str, event: Any) -> Happening:
        return attrs.evolve(self.watch.happening(name, event.at, {}), given=self.watch.request_of(event.seq))

    def _input(self, event: e.StepStarted) -> Any:
        body = self._view(event)
        arguments = body.get("arguments", {}) if isinstance(body, dict) else {}
        return next(iter(arguments.values())) if len(arguments) == 1 else arguments

    def _view(self, event: e.Event) -> Any:
        if event.digest is None:
            return None
        view = self.store.view(self.execution, event.seq)
        if view == PRUNED:
            # This says by whom, and makes the execution one that cannot be read.
            self.store.body(self.execution, event.seq)
        return plain_of_view(view)
