"""Rules: what they require can be asked, can hold, and leads somewhere."""

from __future__ import annotations

import attrs

from omium_policy import syntax
from omium_policy.checking.bounds import check_bounds
from omium_policy.checking.report import Report
from omium_policy.checking.values import Values
from omium_policy.messages import placeholders
from omium_policy.scope import Scope, roots

__all__ = ["check_rules", "mode_of"]

_ACTS = (syntax.Recover, syntax.Retry, syntax.Rollback, syntax.Fallback, syntax.Pause, syntax.Skip, syntax.Halt)


def mode_of(rule: syntax.Rule, policy: syntax.Policy) -> str:
    """Return a rule's mode: its own, else the policy's, else blocking."""
    default = policy.of(syntax.DefaultMode)
    return rule.mode or (default[-1].mode if default else "blocking")


def check_rules(scope: Scope, report: Report) -> None:
    """Check each rule, and the rules of one step together."""
    used: set[str] = set()
    known: dict[str, syntax.Let] = {}
    for let in scope.policy.of(syntax.Let):
        earlier = Values(attrs.evolve(scope, lets=known), report, {})
        scope.let_types.setdefault(let.name.text, earlier.type_of(let.value))
        used |= earlier.used
        known[let.name.text] = let
    for rule in scope.policy.of(syntax.Rule):
        values = Values(scope, report, roots(scope, rule.anchor))
        _check_statements(report, rule, values)
        _check_shape(scope, report, rule)
        used |= values.used
    for let in scope.policy.of(syntax.Let):
        if let.name.text not in used:
            report.warning("unused", f"`{let.name.text}` is never used", let.name)
    check_bounds(scope, report)
    _check_order(scope, report)


def _check_statements(report: Report, rule: syntax.Rule, values: Values) -> None:
    for statement in rule.statements:
        match statement:
            case syntax.When(condition) | syntax.Require(condition):
                values.condition(condition)
            case syntax.Suggest(path, value):
                values.fits(value, values.type_of(path), f"`{path.dotted}`")
                if path.root.text != "output":
                    report.error("not-output", "only the output can be suggested otherwise", path)
            case syntax.Message():
                for part in placeholders(statement, report):
                    values.type_of(part)
            case syntax.Must(sequence):
                for node in syntax.walk(sequence):
                    if isinstance(node, syntax.ToolEvent | syntax.CustomEvent) and node.condition is not None:
                        values.condition(node.condition)


def _check_shape(scope: Scope, report: Report, rule: syntax.Rule) -> None:
    kinds = [type(one) for one in rule.statements]
    name = rule.name.text
    says = syntax.Require | syntax.Must | syntax.Allow | syntax.Deny
    if not any(isinstance(one, says) for one in rule.statements):
        report.error("says-nothing", f"the rule `{name}` requires nothing", rule.name, "add `require ...`")
    if rule.anchor is None and syntax.Require in kinds:
        report.error("no-anchor", f"`{name}` does not say when it is looked at", rule.name, "write `after STEP`")
    if rule.anchor is not None and syntax.Must in kinds:
        said = "a sequence rule looks at the whole execution, not at a step"
        report.error("anchored-sequence", said, rule.anchor, "take it away")
    tools = syntax.Allow in kinds or syntax.Deny in kinds
    if tools and (rule.anchor is None or rule.anchor.when != "during"):
        report.error("no-anchor", f"`{name}` judges tools, so it stands `during` a step", rule.name)
    for kind in (syntax.When, syntax.Message, syntax.Cite, syntax.Severity, syntax.OnFail):
        repeated = [one for one in rule.statements if isinstance(one, kind)][1:]
        for one in repeated:
            report.error("declared-twice", "this is said already", one)
    _check_action(scope, report, rule)


def _check_action(scope: Scope, report: Report, rule: syntax.Rule) -> None:
    mode = mode_of(rule, scope.policy)
    handlers = [one for one in rule.statements if isinstance(one, syntax.OnFail)]
    for handler in handlers:
        if mode != "blocking" and isinstance(handler.handler, _ACTS):
            said = f"a rule in {mode} mode never acts on the execution"
            report.error("mode-acts", said, handler, 'only `notify "..."` and actions of plugins are allowed here')
    if mode == "blocking" and not handlers:
        said = f"`{rule.name.text}` does not say what happens when it breaks; it halts"
        report.warning("no-action", said, rule.name, "add `on fail ...`")


def _check_order(scope: Scope, report: Report) -> None:
    """A sentence that contradicts the workflow's own order can never hold."""
    order = {step.text: index for flow in scope.policy.of(syntax.Workflow) for index, step in enumerate(flow.steps)}
    for node in scope.nodes:
        if isinstance(node, syntax.NeverBefore):
            event, before = node.event, node.before
            if isinstance(event, syntax.StepEvent) and isinstance(before, syntax.StepEvent):
                first, second = order.get(event.step.text), order.get(before.step.text)
                if first is not None and second is not None and first < second:
                    said = f"the workflow always comes to `{event.step.text}` before `{before.step.text}`"
                    report.error("impossible", said, node)
