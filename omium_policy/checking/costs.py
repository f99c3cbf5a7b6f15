"""What conditions cost at most, as a sum that is known at load: loops are over lists whose bound is in their type.

One is a value that is read, a comparison or an arithmetic operation; a pattern is ten, a function what its plugin says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from omium_policy import syntax
from omium_policy.checking.report import Report
from omium_policy.checking.values import Values
from omium_policy.functions import BUILT_IN
from omium_policy.readers import LIST_MAX
from omium_policy.scope import Scope, roots
from omium_policy.source import Source
from omium_policy.types import ANYTHING

__all__ = ["COST_MAX", "MomentCost", "RuleCost", "check_costs", "costs_of"]

COST_MAX = 1_000_000
"""A rule costs at most this, which is about a second where every condition has to be asked."""

DEPTH_MAX = 100
PATTERN_COST = 10


@attrs.frozen
class RuleCost:
    """What one rule costs, and the statement that costs the most of it."""

    rule: str
    cost: int
    most: syntax.When | syntax.Require


@attrs.frozen
class MomentCost:
    """What is paid `before`, `after` or `during` a step, the dearest rule first; without a step, at any step."""

    when: str
    step: str | None
    rules: tuple[RuleCost, ...]

    @property
    def cost(self) -> int:
        """The sum of all rules."""
        return sum(one.cost for one in self.rules)


def costs_of(scope: Scope) -> tuple[MomentCost, ...]:
    """Return what each moment of each step costs; rules of `any step` are part of the steps that are known."""
    moments: dict[tuple[str, str | None], list[RuleCost]] = {}
    everywhere: dict[str, list[RuleCost]] = {}
    for rule in scope.policy.of(syntax.Rule):
        cost = _rule(scope, rule)
        if cost is None or rule.anchor is None:
            continue
        if rule.anchor.step is None:
            everywhere.setdefault(rule.anchor.when, []).append(cost)
        else:
            moments.setdefault((rule.anchor.when, rule.anchor.step.text), []).append(cost)
    for when, rules in everywhere.items():
        for step in (*scope.steps, None):
            moments.setdefault((when, step), []).extend(rules)
    dearest = {key: sorted(rules, key=lambda one: -one.cost) for key, rules in moments.items()}
    return tuple(MomentCost(when, step, tuple(rules)) for (when, step), rules in dearest.items())


def check_costs(scope: Scope, report: Report) -> None:
    """Report a `let` or a rule that would take too long or too much."""
    for let in scope.policy.of(syntax.Let):
        size, depth = _let(scope, let.name.text)
        if depth > DEPTH_MAX:
            said = f"`{let.name.text}` has more than {DEPTH_MAX} parts inside each other, with all that it uses"
            report.error("too-deep", said, let, "write its value out")
            return
        if size > COST_MAX:
            _too_costly(report, let, f"`{let.name.text}`", size)
            return
    for rule in scope.policy.of(syntax.Rule):
        cost = _rule(scope, rule)
        if cost is not None and cost.cost > COST_MAX:
            _too_costly(report, cost.most, "this", cost.cost)


def _too_costly(report: Report, node: syntax.Let | syntax.When | syntax.Require, what: str, cost: int) -> None:
    cost_said = f"{cost:,}" if cost < 10**12 else "more than 10^12"
    said = f"{what} may take {cost_said} operations, and {COST_MAX:,} are the most"
    report.error("too-costly", said, node, "give the lists in it a smaller bound: `list max 50 of ...`")


def _rule(scope: Scope, rule: syntax.Rule) -> RuleCost | None:
    statements = [one for one in rule.statements if isinstance(one, syntax.When | syntax.Require)]
    names = roots(scope, rule.anchor)
    costs = [_cost(Values(scope, Report(Source("", "")), names), one.condition)[0] for one in statements]
    if not statements:
        return None
    return RuleCost(rule.name.text, sum(costs), statements[costs.index(max(costs))])


def _let(scope: Scope, name: str) -> tuple[int, int]:
    """Return size and depth of a `let` with all that it uses; each is looked at once, and uses those before it."""
    if name not in scope.let_costs:
        # A `let` that uses itself is reported elsewhere, and ends here.
        scope.let_costs[name] = (1, 1)
        scope.let_costs[name] = _cost(Values(scope, Report(Source("", "")), {}), scope.lets[name].value)
    return scope.let_costs[name]


def _cost(values: Values, node: syntax.Expression) -> tuple[int, int]:
    """Return what an expression costs, and how deep it is."""
    match node:
        case syntax.Literal():
            return 0, 1
        case syntax.Path(root):
            is_let = root.text in values.scope.lets and root.text not in values.names
            known = _let(values.scope, root.text) if is_let else (1, 1)
            return _sum(len(node.parts), [known, *_all(values, _keys(node))])
        case syntax.Quantified(_, variable, container, condition):
            kind = values.type_of(container)
            inside = attrs.evolve(values, names={**values.names, variable.text: kind.of or ANYTHING})
            each, depth = _cost(inside, condition)
            times = LIST_MAX if kind.limit is None else kind.limit
            return _sum(times * (each + 1), [_cost(values, container), (0, depth)])
        case syntax.Call(function, arguments):
            registered = values.scope.registry.functions
            called = BUILT_IN.get(function.text) or registered.get(values.scope.full(function.text))
            return _sum(called.cost if called is not None else 1, _all(values, arguments))
        case syntax.Matches(value):
            return _sum(PATTERN_COST, [_cost(values, value)])
    return _sum(1, _all(values, _inside(node)))


def _keys(path: syntax.Path) -> Iterator[syntax.Expression]:
    return (part for part in path.parts if not isinstance(part, syntax.Name))


def _inside(node: syntax.Expression) -> Iterable[syntax.Expression]:
    match node:
        case syntax.Compare(_, operands):
            return operands
        case syntax.Between(value, low, high):
            return (value, low, high)
        case syntax.Member(item, container):
            return (item, container)
        case syntax.Exists(path):
            return (path,)
        case syntax.Not(one) | syntax.Negative(one):
            return (one,)
        case syntax.And(several) | syntax.Or(several) | syntax.ListOf(several):
            return several
        case syntax.Arithmetic(_, left, right):
            return (left, right)
        case syntax.Record(pairs):
            return tuple(pair.value for pair in pairs)
    return ()


def _all(values: Values, nodes: Iterable[syntax.Expression]) -> list[tuple[int, int]]:
    return [_cost(values, one) for one in nodes]


def _sum(own: int, parts: list[tuple[int, int]]) -> tuple[int, int]:
    return own + sum(cost for cost, _ in parts), 1 + max((depth for _, depth in parts), default=0)
