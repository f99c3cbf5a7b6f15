"""A policy as the engine asks it while an execution runs: its rules, ladders, budgets, handoffs and monitors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from omium_core.model.failure import Violation
from omium_core.recovery.ladders import Ladder
from omium_core.recovery.policy import Handoff, Happening, Memory, Spent, Vote
from omium_policy import syntax
from omium_policy.budgets import Purse, purses_of
from omium_policy.conforming import conforms
from omium_policy.giving import evidence, like, shortened, storable, stored
from omium_policy.handoffs import handoffs_of
from omium_policy.ladders import Handling, handling_of, strictness
from omium_policy.loaded import Loaded
from omium_policy.monitors import Monitors, monitors_of
from omium_policy.program import Finding, Program, Suggestion
from omium_policy.rungs import Undos, recovery_of
from omium_policy.types import ANYTHING, ValueType

__all__ = ["InForce", "in_force", "name_of"]


@attrs.frozen(eq=False)
class InForce:
    """All policies of a file and its packs, as one. It keeps nothing of any execution."""

    name: str
    hash: str
    ladders: tuple[Ladder, ...]
    _programs: tuple[Program, ...]
    _monitors: tuple[Monitors, ...]
    _purses: tuple[Purse, ...]
    _handoffs: tuple[Handoff, ...]
    _asked: dict[tuple[str, str], bool] = attrs.field(factory=dict, init=False)

    def asks(self, when: str, step: str) -> bool:
        """Say whether there are rules at a moment of a step."""
        found = self._asked.get((when, step))
        if found is None:
            found = any(program.rules_at(when, step) for program in self._programs)
            self._asked[when, step] = found
        return found

    def judge(self, when: str, step: str, given: Mapping[str, Any]) -> tuple[Violation, ...]:
        """Return what does not hold `before` or `after` a step."""
        found: list[Violation] = []
        for program in self._programs:
            given = _completed(program, step, given)
            gives = program.scope.steps[step].gives if step in program.scope.steps else ANYTHING
            found += [_violation(one, given, gives) for one in program.judge(when, step, given)]
        return tuple(found)

    def judge_tool(self, step: str, tool: str | None, given: Mapping[str, Any]) -> tuple[Violation, ...]:
        """Return what speaks against a call during a step: of a tool, or (None) of a model."""
        return tuple(
            _violation(one, given) for program in self._programs for one in program.judge_tool(step, tool, given)
        )

    def vote(self, voter: str, step: str, given: Mapping[str, Any]) -> Vote | None:
        """Return the answer of a voter that is a rule; None where it is none."""
        for program in self._programs:
            for rule in program.rules_at("after", step):
                if rule.name == voter:
                    finding = rule.judge(_completed(program, step, given))
                    return (
                        Vote(voter, "accept") if finding is None else Vote(voter, "reject", shortened(finding.message))
                    )
        return None

    def handoffs(self, step: str) -> tuple[Handoff, ...]:
        """Return the handoffs of what a step gives."""
        return tuple(one for one in self._handoffs if one.source == step)

    def exceeded(self, memory: Memory, step: str, spent: Spent, grants: Mapping[str, int]) -> tuple[Violation, ...]:
        """Return the budgets that are used up, and once those that nearly are."""
        found = (one for purse in self._purses for one in purse.judge(step, spent, grants.get(purse.rule, 0)))
        return tuple(one for one in found if one.blocks or one.told not in memory)

    def hears(self, kind: str, name: str, phase: str) -> bool:
        """Say whether a sequence rule listens to this."""
        return any(one.hears(kind, name, phase) for one in self._monitors)

    def peek(self, memory: Memory, happening: Happening) -> tuple[Violation, ...]:
        """Return what would break if this happened; nothing is counted."""
        return tuple(_violation(one, {}) for each in self._monitors for one in each.peek(memory, happening))

    def count(self, memory: Memory, happening: Happening) -> Memory:
        """Return the memory after this happened."""
        for one in self._monitors:
            memory = one.count(memory, happening)
        return memory

    def overdue(self, memory: Memory, now_s: float) -> tuple[Violation, ...]:
        """Return what should have happened by now."""
        return tuple(_violation(one, {}) for each in self._monitors for one in each.overdue(memory, now_s))

    def told(self, memory: Memory, name: str) -> Memory:
        """Return the memory after a violation was said whose `told` is this name."""
        for one in self._monitors:
            memory = one.told(memory, name)
        return {**memory, name: True} if any(one.warning == name for one in self._purses) else memory

    def at_end(self, memory: Memory) -> tuple[Violation, ...]:
        """Return what should have happened before the end."""
        return tuple(_violation(one, {}) for each in self._monitors for one in each.at_end(memory))


def in_force(loaded: Loaded, undos: Undos = lambda name: (name,)) -> InForce:
    """Return what the engine asks. `undos` gives the effects that a compensation of this name undoes.

    The policy MUST be free of errors.
    """
    programs = loaded.programs
    return InForce(
        name_of(loaded),
        loaded.hash,
        (*_ladders_of_rules(programs, undos), *_ladders_of_failures(programs, undos)),
        programs,
        tuple(monitors_of(one) for one in programs),
        tuple(purse for one in programs for purse in purses_of(one)),
        tuple(handoff for one in programs for handoff in handoffs_of(one)),
    )


def name_of(loaded: Loaded) -> str:
    """Return the name by which a file's policy is known: that of its first policy."""
    own = loaded.file.policies[0] if loaded.file is not None and loaded.file.policies else None
    return own.name.text if own is not None else loaded.source.name


def _ladders_of_rules(programs: tuple[Program, ...], undos: Undos) -> Iterator[Ladder]:
    """Give the ladders of what rules, budgets and handoffs name, the strictest first."""
    handled: dict[str, tuple[Program, Handling, set[str]]] = {}
    for program in programs:
        for rule, handling in _handled(program):
            source = _source(programs, program, handling.ladder or f"rule {rule}")
            handled.setdefault(source, (program, handling, set()))[2].add(rule)
    for source, (program, handling, rules) in sorted(handled.items(), key=lambda one: strictness(one[1][1])):
        yield Ladder(recovery_of(program.scope, handling, undos), source, rules=frozenset(rules))


def _handled(program: Program) -> Iterator[tuple[str, Handling]]:
    """Give what is done about each rule, budget and handoff of a policy that blocks."""
    for rule in program.rules:
        if rule.handling is not None and rule.mode == "blocking":
            yield rule.name, rule.handling
    for purse in purses_of(program):
        if purse.handler is not None:
            yield purse.rule, handling_of(program.policy, purse.handler, program.prefix)
    for handoff in program.policy.of(syntax.Handoff):
        named = f"handoff {handoff.source.text} -> {handoff.target.text}"
        for statement in handoff.statements:
            if isinstance(statement, syntax.OnDisagree):
                yield named, handling_of(program.policy, statement.handler, program.prefix)
            elif isinstance(statement, syntax.OnTimeout):
                yield f"{named} in time", handling_of(program.policy, statement.handler, program.prefix)


def _ladders_of_failures(programs: tuple[Program, ...], undos: Undos) -> Iterator[Ladder]:
    for program in programs:
        for one in program.policy.of(syntax.OnError):
            handling = handling_of(program.policy, one.recover, program.prefix)
            kinds = [program.scope.full(kind.text) for kind in one.kinds] if one.kinds else None
            source = _source(programs, program, handling.ladder or "on error")
            yield Ladder(recovery_of(program.scope, handling, undos, kinds), source)


def _source(programs: tuple[Program, ...], program: Program, name: str) -> str:
    """Return the name of a ladder, by which its uses are counted: policies of one file may have the same ones."""
    first = next(one for one in programs if one.prefix == program.prefix)
    return name if first is program else f"{program.policy.name.text}.{name}"


def _completed(program: Program, step: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Say of an outcome whether it also is what the policy declares."""
    io = program.scope.steps.get(step)
    if io is None or "output" not in given or io.gives is ANYTHING or not given["step"].get("conforms", True):
        return given
    return {**given, "step": {**given["step"], "conforms": conforms(given["output"], io.gives)}}


def _violation(finding: Finding, given: Mapping[str, Any], gives: ValueType = ANYTHING) -> Violation:
    at, suggest = "", None
    for one in finding.suggestions[:1]:
        value = _suggested(one, given, gives)
        at, suggest = (".".join(one.path[1:]), value) if value is not None else ("", None)
    return Violation(
        finding.rule,
        shortened(finding.message),
        finding.where.rpartition("/")[2],
        {path: evidence(value) for path, value in finding.values.items()},
        at=at,
        suggest=suggest,
        mode=finding.mode,
        severity=finding.severity,
        cite=finding.cite,
        notify=finding.channel,
        told=finding.told,
    )


def _suggested(suggestion: Suggestion, given: Mapping[str, Any], gives: ValueType) -> Any:
    """Return a suggested value as the program has such values; None where it cannot be one."""
    path = suggestion.path[1:]
    try:
        value = like(stored(suggestion.value, gives.at(path)), _at(given.get("output"), path))
    except ArithmeticError:
        return None
    return value if storable(value) else None


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
