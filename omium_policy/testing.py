"""The tests that a policy carries: cases of one rule, traces of events, and answers that keep breaking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from omium_core.recovery.policy import Happening, Memory
from omium_policy import syntax
from omium_policy.checking.report import Placed
from omium_policy.diagnostics import Diagnostic
from omium_policy.evaluator import evaluate
from omium_policy.giving import stored
from omium_policy.ladders import alike, strictest
from omium_policy.monitors import Monitors, monitors_of
from omium_policy.program import Finding, Program, RuleProgram
from omium_policy.readers import CannotTell
from omium_policy.resolving import Resolver
from omium_policy.scope import StepIO, roots
from omium_policy.source import Source
from omium_policy.types import ANYTHING, ValueType

__all__ = ["Outcome", "examples", "run_tests"]


@attrs.frozen
class Outcome:
    """What came of one test: no failures means that it passed."""

    test: str
    rule: str | None
    where: str
    failures: tuple[Diagnostic, ...]

    @property
    def passed(self) -> bool:
        """True when everything was as expected."""
        return not self.failures


def run_tests(source: Source, program: Program) -> tuple[Outcome, ...]:
    """Run a policy's tests and return what came of each, in their order. The policy MUST have passed its checks."""
    monitors = monitors_of(program)
    return tuple(_Run(source, program, monitors, test).outcome() for test in program.policy.of(syntax.Test))


def examples(source: Source, program: Program) -> Iterator[dict[str, Any]]:
    """Give the data of which the policy's own tests say that a rule holds. The policy MUST have passed its checks."""
    monitors = monitors_of(program)
    for test in program.policy.of(syntax.Test):
        run = _Run(source, program, monitors, test)
        for statement in test.statements:
            match statement:
                case syntax.Given(path, value):
                    run.given = _with(run.given, path, run._stored(path, value))
                case syntax.Case(path, value, "holds"):
                    yield _with(run.given, path, run._stored(path, value))


@attrs.define
class _Run:
    source: Source
    program: Program
    monitors: Monitors
    test: syntax.Test
    given: dict[str, Any] = attrs.field(factory=dict)
    findings: list[Finding] = attrs.field(factory=list)
    failures: list[Diagnostic] = attrs.field(factory=list)

    def outcome(self) -> Outcome:
        for statement in self.test.statements:
            self._take(statement)
        of = self.test.rule.text if self.test.rule else None
        return Outcome(str(self.test.title.value), of, self.source.where(self.test.span), tuple(self.failures))

    def _take(self, statement: syntax.TestStatement) -> None:
        match statement:
            case syntax.Given(path, value):
                self.given = _with(self.given, path, self._stored(path, value))
            case syntax.Case(path, value, verdict):
                self._case(statement, _with(self.given, path, self._stored(path, value)), verdict)
            case syntax.Trace(events):
                self._trace(events)
            case syntax.Answer(step, value):
                self._answer(step.text, value)
            case syntax.ExpectRule(rule, verdict):
                broken = [one for one in self.findings if one.rule == rule.text]
                self._verdict(statement, rule.text, broken[0] if broken else None, verdict)
            case syntax.ExpectActions(actions):
                self._actions(statement, actions)
            case syntax.Expect(condition):
                self._condition(statement, condition)

    def _rule(self) -> RuleProgram:
        assert self.test.rule is not None
        name = self.test.rule.text
        return next(rule for rule in self.program.rules if rule.name == name)

    def _resolver(self) -> Resolver:
        return Resolver(self.program.scope, self._names())

    def _names(self) -> dict[str, ValueType]:
        if self.test.rule is not None:
            return roots(self.program.scope, self._rule().anchor)
        io = next((io for io in self.program.scope.steps.values() if io != StepIO()), StepIO())
        return {"input": io.takes, "output": io.gives, "suggestion": ANYTHING, "run": ANYTHING, "step": ANYTHING}

    def _stored(self, path: syntax.Path, value: syntax.Expression) -> Any:
        """Return a value as data has it: a ratio of 6.9% is 0.069."""
        resolver = self._resolver()
        return stored(evaluate(resolver.resolve(value), {}), resolver.type_of(path))

    def _case(self, statement: Placed, given: Mapping[str, Any], verdict: str) -> None:
        rule = self._rule()
        self._verdict(statement, rule.name, rule.judge(given), verdict)

    def _verdict(self, statement: Placed, rule: str, finding: Finding | None, expected: str) -> None:
        verdict = "holds" if finding is None else finding.verdict
        if verdict == expected:
            return
        why = f": {finding.message}" if finding is not None else ""
        self._fail(f"`{rule}` {_said(verdict)}, and {expected} was expected{why}", statement)

    def _fail(self, message: str, statement: Placed) -> None:
        self.failures.append(Diagnostic("test-failed", message, self.source, statement.span))

    def _answer(self, step: str, value: syntax.Expression) -> None:
        """Judge what the scripted agent gives; it gives the same each time, so its rules break each time."""
        io = self.program.scope.steps.get(step, StepIO())
        output = stored(evaluate(self._resolver().resolve(value), {}), io.gives)
        self.given = {**self.given, "output": output}
        self.findings.extend(self.program.judge("before", step, self.given))
        self.findings.extend(self.program.judge("after", step, self.given))

    def _trace(self, events: tuple[syntax.Event, ...]) -> None:
        """Let events happen one after the other; one that a rule refuses does not happen."""
        state: Memory = {}
        during: str | None = None
        for index, event in enumerate(events):
            happening = _happening(event, float(index), self.given)
            findings = list(self.monitors.peek(state, happening))
            if isinstance(event, syntax.ToolEvent) and during is not None:
                findings.extend(self.program.judge_tool(during, event.tool.text, self.given))
            self.findings.extend(findings)
            if not any(one.mode == "blocking" for one in findings):
                state = self.monitors.count(state, happening)
            if isinstance(event, syntax.StepEvent):
                during = event.step.text if event.phase == "starts" else None
        self.findings.extend(self.monitors.at_end(state))

    def _actions(self, statement: Placed, expected: tuple[syntax.Action, ...]) -> None:
        handling = strictest(one.handling for one in self.findings if one.handling is not None)
        taken = handling.actions if handling is not None else ()
        if len(taken) >= len(expected) and all(alike(one, other) for one, other in zip(expected, taken, strict=False)):
            ends = len(taken) == len(expected) or _waits(taken[len(expected) - 1])
            if ends:
                return
        said = ", then ".join(self._written(one) for one in taken) or "nothing"
        self._fail(f"the actions are {said}", statement)

    def _written(self, action: syntax.Action) -> str:
        return " ".join(self.source.text[action.span.start : action.span.end].split())

    def _condition(self, statement: Placed, condition: syntax.Expression) -> None:
        given = {**self.given, "suggestion": self._suggested()}
        try:
            holds = evaluate(self._resolver().resolve(condition), given)
        except CannotTell as problem:
            self._fail(f"cannot tell: {problem}", statement)
            return
        if not holds:
            self._fail("this does not hold", statement)

    def _suggested(self) -> dict[str, Any]:
        suggestion: dict[str, Any] = {}
        for finding in self.findings:
            for one in finding.suggestions:
                _put(suggestion, one.path, one.value)
        return suggestion


def _waits(action: syntax.Action) -> bool:
    """True for a pause: what follows it in the ladder happens only when nobody answers."""
    return isinstance(action, syntax.Pause)


def _said(verdict: str) -> str:
    return verdict if verdict != "cannot tell" else "cannot be told"


def _with(given: Mapping[str, Any], path: syntax.Path, value: Any) -> dict[str, Any]:
    names = [path.root.text, *(part.text for part in path.parts if isinstance(part, syntax.Name))]
    changed = dict(given)
    _put(changed, tuple(names), value)
    return changed


def _put(into: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        inner = into.get(name)
        into[name] = dict(inner) if isinstance(inner, dict) else {}
        into = into[name]
    into[path[-1]] = value


def _happening(event: syntax.Event, at_s: float, given: Mapping[str, Any]) -> Happening:
    match event:
        case syntax.ToolEvent(tool):
            return Happening("tool", tool.text, "", at_s, given)
        case syntax.StepEvent(step, phase):
            return Happening("step", step.text, phase, at_s, given)
        case syntax.HandoffEvent(source, target, outcome):
            return Happening("handoff", f"{source.text} -> {target.text}", outcome, at_s, given)
        case syntax.CustomEvent(name):
            return Happening("event", name.text, "", at_s, given)
