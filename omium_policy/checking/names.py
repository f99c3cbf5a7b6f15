"""Names: everything that is referred to exists, and nothing is declared twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from omium_policy import syntax, types
from omium_policy.checking.report import Report
from omium_policy.scope import Scope

__all__ = ["BUILT_IN_METERS", "check_names"]

FAILURE_KINDS = (
    "violation",
    "hallucination",
    "specification",
    "misalignment",
    "state_sync",
    "tool_invocation",
    "tool_schema",
    "communication",
    "verification",
    "timeout",
    "rate_limited",
    "budget_exceeded",
    "handoff_rejected",
    "crashed",
    "loop",
    "circuit_open",
    "effect_conflict",
    "effect_unresolved",
    "error",
)
BUILT_IN_METERS = ("cost", "tokens", "elapsed")


def check_names(scope: Scope, report: Report) -> None:
    """Check every name of a policy but those in expressions."""
    policy = scope.policy
    _once(report, "rule", (one.name for one in policy.of(syntax.Rule)))
    _once(report, "recovery", (one.name for one in policy.of(syntax.Recovery)))
    _once(report, "name", (one.name for one in policy.of(syntax.Let)))
    _once(report, "data type", [one.name for one in policy.items if isinstance(one, syntax.Data | syntax.DataFrom)])
    _once(report, "typed step", (one.step for one in policy.of(syntax.StepTypes)))
    for data in policy.of(syntax.Data):
        _once(report, f"field of `{data.name.text}`", (field.name for field in data.fields))
    for flow in policy.of(syntax.Workflow):
        _once(report, "step", flow.steps)
    _check_types(scope, report)
    _check_steps(scope, report)
    _check_ladders(scope, report)
    _check_plugins(scope, report)


def _once(report: Report, what: str, names: Iterable[syntax.Name]) -> None:
    seen: dict[str, syntax.Name] = {}
    for name in names:
        if name.text.startswith("_"):
            report.error("private-name", "names do not begin with an underscore", name)
        first = seen.setdefault(name.text, name)
        if first is not name:
            line = report.source.position(first.span.start)[0]
            report.error("declared-twice", f"the {what} `{name.text}` is declared twice", name, f"first on line {line}")


def _check_types(scope: Scope, report: Report) -> None:
    declared: set[str] = set()
    for item in scope.policy.items:
        if isinstance(item, syntax.Data):
            for one in syntax.walk(item):
                if isinstance(one, syntax.Type) and one.kind == "ref" and one.names[0].text not in declared:
                    report.unknown("unknown-type", "type", one.names[0], one.names[0].text, declared)
            declared.add(item.name.text)
        elif isinstance(item, syntax.DataFrom):
            declared.add(item.name.text)
    for typed in scope.policy.of(syntax.StepTypes):
        for name in (typed.takes, typed.gives):
            if name is not None and name.text not in declared:
                report.unknown("unknown-type", "type", name, name.text, declared)
    for one in scope.nodes:
        if isinstance(one, syntax.Type) and one.kind == "money" and not _is_currency(one.names[0].text):
            report.error("unknown-currency", f"`{one.names[0].text}` is no currency", one, "write it like `USD`")


def _is_currency(code: str) -> bool:
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def _check_steps(scope: Scope, report: Report) -> None:
    """Where the policy says what steps there are, every other name of a step must be one; a fallback may be new."""
    if not scope.declares_steps:
        return
    steps = {step.text for flow in scope.policy.of(syntax.Workflow) for step in flow.steps}
    for name in _steps(scope):
        if name.text not in steps:
            report.unknown("unknown-step", "step", name, name.text, steps)


def _steps(scope: Scope) -> Iterator[syntax.Name]:
    for node in scope.nodes:
        match node:
            case syntax.Anchor(step=syntax.Name() as name) | syntax.StepEvent(step=name) | syntax.StepTypes(step=name):
                yield name
            case syntax.Budget(step=syntax.Name() as name) | syntax.Answer(step=name) | syntax.Rollback(to=name):
                yield name
            case syntax.Handoff() | syntax.HandoffEvent():
                yield node.source
                yield node.target


def _check_ladders(scope: Scope, report: Report) -> None:
    ladders = {one.name.text for one in scope.policy.of(syntax.Recovery)}
    used = set()
    for node in scope.nodes:
        if isinstance(node, syntax.Recover):
            used.add(node.ladder.text)
            if node.ladder.text not in ladders:
                report.unknown("unknown-ladder", "recovery", node.ladder, node.ladder.text, ladders)
    for ladder in scope.policy.of(syntax.Recovery):
        if ladder.name.text not in used:
            report.warning("unused", f"the recovery `{ladder.name.text}` is never used", ladder.name)


def _check_plugins(scope: Scope, report: Report) -> None:
    registry = scope.registry
    for node in scope.nodes:
        match node:
            case syntax.PluginAction():
                _check_action(scope, report, node)
            case syntax.OnError(kinds=kinds):
                known = {*FAILURE_KINDS, *registry.failures}
                for kind in kinds:
                    if scope.full(kind.text) not in known:
                        report.unknown("unknown-failure", "kind of failure", kind, kind.text, known)
            case syntax.Meter(meter=name) if name.text not in BUILT_IN_METERS:
                if scope.full(name.text) not in registry.meters:
                    known = {*BUILT_IN_METERS, *registry.meters}
                    report.unknown("unknown-meter", "meter", name, name.text, known)
            case syntax.Extend():
                _check_section(scope, report, node)


def _check_action(scope: Scope, report: Report, node: syntax.PluginAction) -> None:
    spec = scope.registry.actions.get(scope.full(node.name.text))
    if spec is None:
        report.unknown("unknown-action", "action", node.name, node.name.text, scope.registry.actions)
        return
    for pair in node.arguments:
        if pair.name.text not in spec.parameters:
            report.unknown("unknown-argument", "argument", pair.name, pair.name.text, spec.parameters)
        else:
            _fits(report, pair, spec.parameters[pair.name.text])
    _missing(report, node, spec.name, set(spec.parameters) - {pair.name.text for pair in node.arguments})


def _check_section(scope: Scope, report: Report, node: syntax.Extend) -> None:
    spec = scope.registry.sections.get(scope.full(node.section.text))
    if spec is None:
        report.unknown("unknown-section", "section", node.section, node.section.text, scope.registry.sections)
        return
    for pair in node.pairs:
        if pair.name.text not in spec.fields:
            report.unknown("unknown-field", f"field of `{spec.name}` named", pair.name, pair.name.text, spec.fields)
        else:
            _fits(report, pair, spec.fields[pair.name.text])
    required = {name for name, kind in spec.fields.items() if not kind.optional}
    _missing(report, node, spec.name, required - {pair.name.text for pair in node.pairs})


def _fits(report: Report, pair: syntax.Pair, expected: types.ValueType) -> None:
    if isinstance(pair.value, syntax.Literal):
        given = types.of_literal(pair.value)
        if not types.comparable(expected, given):
            said = f"`{pair.name.text}` is {expected}, and this is {given}"
            report.error("type-mismatch", said, pair.value)


def _missing(report: Report, node: syntax.PluginAction | syntax.Extend, what: str, missing: Iterable[str]) -> None:
    for name in sorted(missing):
        report.error("missing-argument", f"`{what}` needs `{name}`", node, f"add `{name}: ...`")
