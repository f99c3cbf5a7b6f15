"""Tests: what they name exists, and each rule has one where it holds and one where it breaks."""

from __future__ import annotations

from collections import defaultdict

from omium_policy import syntax, types
from omium_policy.checking.report import Report
from omium_policy.checking.values import Values
from omium_policy.scope import RUN, STEP, Scope, roots
from omium_policy.types import ANYTHING

__all__ = ["check_tests"]


def check_tests(scope: Scope, report: Report) -> None:
    """Check a policy's tests, and what they leave out."""
    rules = {rule.name.text: rule for rule in scope.policy.of(syntax.Rule)}
    shown: dict[str, set[str]] = defaultdict(set)
    for test in scope.policy.of(syntax.Test):
        if test.rule is not None and test.rule.text not in rules:
            report.unknown("unknown-rule", "rule", test.rule, test.rule.text, rules)
        else:
            _check_statements(scope, report, test, rules, shown)
        for statement in test.statements:
            if isinstance(statement, syntax.ExpectRule):
                if statement.rule.text not in rules:
                    report.unknown("unknown-rule", "rule", statement.rule, statement.rule.text, rules)
                shown[statement.rule.text].add(statement.verdict)
        if not any(_expects(one) for one in test.statements):
            report.error("expects-nothing", f"the test {test.title.value!r} expects nothing", test.title)
    for name, rule in rules.items():
        missing = [verdict for verdict in ("holds", "breaks") if verdict not in shown[name]]
        if missing:
            said = f"no test shows where `{name}` {' and where it '.join(missing)}"
            report.coverage("untested", said, rule.name, f"add `test {name}` with a case that {missing[0]}")


def _expects(statement: syntax.TestStatement) -> bool:
    return isinstance(statement, syntax.Case | syntax.ExpectRule | syntax.ExpectActions | syntax.Expect)


def _check_statements(
    scope: Scope, report: Report, test: syntax.Test, rules: dict[str, syntax.Rule], shown: dict[str, set[str]]
) -> None:
    rule = rules[test.rule.text] if test.rule is not None else None
    names = roots(scope, rule.anchor) if rule is not None else _whole(scope)
    values = Values(scope, report, names)
    for statement in test.statements:
        match statement:
            case syntax.Given(path, value):
                values.fits(value, values.type_of(path), f"`{path.dotted}`")
            case syntax.Case(path, value, verdict):
                values.fits(value, values.type_of(path), f"`{path.dotted}`")
                if rule is None:
                    said = "a case belongs to the test of one rule"
                    report.error("case-of-nothing", said, statement, 'write `test RULE "..."`')
                else:
                    shown[rule.name.text].add(verdict)
            case syntax.Answer(step, value):
                values.fits(value, scope.io(step).gives, f"what `{step.text}` gives")
            case syntax.Expect(condition):
                values.condition(condition)


def _whole(scope: Scope) -> dict[str, types.ValueType]:
    """Return the names of a test of the whole policy: the input is the first typed step's."""
    first = next((io.takes for io in scope.steps.values() if io.takes is not ANYTHING), ANYTHING)
    return {"input": first, "output": ANYTHING, "suggestion": ANYTHING, "run": RUN, "step": STEP, "args": ANYTHING}
