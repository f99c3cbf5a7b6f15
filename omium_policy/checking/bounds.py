"""Bounds on one field that can never hold together."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs

from omium_policy import syntax
from omium_policy.checking.report import Placed, Report
from omium_policy.scope import Scope, StepIO
from omium_policy.types import ANYTHING

__all__ = ["check_bounds"]

_NUMERIC = ("integer", "number", "percent", "money", "duration")


@attrs.frozen
class _Bound:
    """A field's values lie from `low` to `high`, without the ends where they are open."""

    path: str
    low: Decimal
    high: Decimal
    open: bool
    rule: str
    node: Placed


@attrs.define
class _Interval:
    low: Decimal = Decimal("-Infinity")
    high: Decimal = Decimal("Infinity")
    open_low: bool = False
    open_high: bool = False
    rules: list[str] = attrs.field(factory=list)

    def narrow(self, bound: _Bound) -> bool:
        """Cut the interval; False when nothing is left."""
        if bound.low > self.low or (bound.low == self.low and bound.open):
            self.low, self.open_low = bound.low, bound.open
        if bound.high < self.high or (bound.high == self.high and bound.open):
            self.high, self.open_high = bound.high, bound.open
        return self.low < self.high or (self.low == self.high and not (self.open_low or self.open_high))


def check_bounds(scope: Scope, report: Report) -> None:
    """Report requirements on one field of one step that exclude each other, and rules that can never apply."""
    intervals: dict[tuple[str, str, str], _Interval] = {}
    for rule in scope.policy.of(syntax.Rule):
        _check_guards(report, rule)
        guarded = any(isinstance(one, syntax.When) for one in rule.statements)
        step = rule.anchor.step.text if rule.anchor is not None and rule.anchor.step is not None else ""
        when = rule.anchor.when if rule.anchor is not None else ""
        # A rule with a guard need not hold together with the others, where its guard does not.
        known = {} if guarded else intervals
        for bound in _bounds(rule, syntax.Require):
            interval = known.get((when, step, bound.path))
            if interval is None:
                interval = known[when, step, bound.path] = _declared(scope, step, bound.path)
            others = [name for name in interval.rules if name != bound.rule]
            if not interval.narrow(bound):
                said = f"no value of `{bound.path}` satisfies this"
                also = " and ".join(f"`{name}`" for name in dict.fromkeys(others))
                report.error("impossible", f"{said} together with {also}" if also else said, bound.node)
                break
            interval.rules.append(bound.rule)


def _check_guards(report: Report, rule: syntax.Rule) -> None:
    """A rule that never applies never says anything, which is not what its author thinks."""
    intervals: dict[str, _Interval] = {}
    for bound in _bounds(rule, syntax.When):
        if not intervals.setdefault(bound.path, _Interval()).narrow(bound):
            said = f"`{rule.name.text}` never applies: no value of `{bound.path}` satisfies this"
            report.error("unreachable", said, bound.node)
            return


def _declared(scope: Scope, step: str, path: str) -> _Interval:
    """Return the values that a field's own bound leaves, where it has one."""
    root, *below = path.split(".")
    io = scope.steps.get(step, StepIO())
    data = {"input": io.takes, "output": io.gives}.get(root, ANYTHING)
    interval = _Interval()
    for operator, value in data.at(tuple(below)).bounds:
        ends = _range(operator, Decimal(value)) if isinstance(value, int | Decimal) else None
        if ends is not None:
            interval.narrow(_Bound(path, *ends, data.name or path, scope.policy))
            interval.rules.append(data.name or path)
    return interval


def _bounds(rule: syntax.Rule, kind: type[syntax.When] | type[syntax.Require]) -> Iterator[_Bound]:
    for statement in rule.statements:
        if isinstance(statement, kind):
            yield from _of(statement.condition, rule.name.text)


def _of(node: syntax.Expression, rule: str) -> Iterator[_Bound]:
    match node:
        case syntax.And(conditions):
            for one in conditions:
                yield from _of(one, rule)
        case syntax.Between(syntax.Path() as path, low, high):
            ends = _number(low), _number(high)
            if ends[0] is not None and ends[1] is not None and _plain(path):
                yield _Bound(path.dotted, ends[0], ends[1], False, rule, node)
        case syntax.Compare(operators, operands):
            for operator, left, right in zip(operators, operands, operands[1:], strict=False):
                yield from _compared(operator, left, right, rule, node)


def _compared(
    operator: str, left: syntax.Expression, right: syntax.Expression, rule: str, node: Placed
) -> Iterator[_Bound]:
    if isinstance(right, syntax.Path):
        operator = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(operator, operator)
        left, right = right, left
    value = _number(right)
    if not isinstance(left, syntax.Path) or not _plain(left) or value is None:
        return
    ends = _range(operator, value)
    if ends is not None:
        yield _Bound(left.dotted, *ends, rule, node)


def _range(operator: str, value: Decimal) -> tuple[Decimal, Decimal, bool] | None:
    """Return the lowest and the highest value that a comparison leaves, and whether they are left out."""
    infinite = Decimal("Infinity")
    match operator:
        case "<" | "<=":
            return -infinite, value, operator == "<"
        case ">" | ">=":
            return value, infinite, operator == ">"
        case "==":
            return value, value, False
    return None


def _plain(path: syntax.Path) -> bool:
    return bool(path.parts) and all(isinstance(part, syntax.Name) for part in path.parts)


def _number(node: syntax.Expression) -> Decimal | None:
    if isinstance(node, syntax.Negative):
        value = _number(node.value)
        return None if value is None else -value
    if isinstance(node, syntax.Literal) and node.kind in _NUMERIC:
        amount: Any = node.value
        return Decimal(amount)
    return None
