"""One generated function for all rules of a step: the quick answer to whether everything holds.

It is built of a few kinds of `ast` nodes and nothing else, and refers to nothing but its argument and constants that
are bound to it. Where it does not answer yes, `evaluator` is asked rule by rule, for the verdicts and their evidence.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from omium_policy.evaluator import evaluate
from omium_policy.readers import reader
from omium_policy.resolved import Apply, Both, Compared, Constant, Either, Inverted, Load, Part, Resolved
from omium_policy.types import ANYTHING

__all__ = ["Condition", "compile_conditions"]

_OPERATORS: dict[str, type[ast.cmpop]] = {
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
}
_NUMBERS = frozenset({"number", "percent", "duration"})
_QUICK: dict[str, type] = {"text": str, "boolean": bool, "integer": int}
_GIVEN = "given"


@attrs.frozen
class Condition:
    """What a rule requires, and when: `guards` that all hold make it ask for `requires`."""

    guards: tuple[Resolved, ...]
    requires: tuple[Resolved, ...]


def compile_conditions(conditions: Iterable[Condition]) -> Callable[[Mapping[str, Any]], bool]:
    """Return a function of what is given: True when all conditions hold; False or an exception says nothing more."""
    unit = _Unit()
    for condition in conditions:
        unit.body.extend(unit.condition(condition))
    unit.body.append(ast.Return(ast.Constant(True)))
    return unit.function()


@attrs.define
class _Unit:
    body: list[ast.stmt] = attrs.field(factory=list)
    constants: dict[str, Any] = attrs.field(factory=dict)
    loads: dict[Load, str] = attrs.field(factory=dict)
    variables: int = 0

    def condition(self, condition: Condition) -> list[ast.stmt]:
        """Return the statements that return False where a rule does not hold."""
        known = dict(self.loads)
        statements = self._hoisted(condition.guards[0]) if condition.guards else []
        if not condition.guards:
            for requirement in condition.requires:
                statements += self._demanded(requirement)
            return statements
        guard = self.expression(_all(condition.guards))
        inner: list[ast.stmt] = []
        for requirement in condition.requires:
            inner += self._demanded(requirement)
        # What was loaded behind the guard may not be there for the rules that follow.
        self.loads = {load: name for load, name in self.loads.items() if load in known}
        return [*statements, ast.If(guard, inner or [ast.Pass()], [])]

    def _demanded(self, requirement: Resolved) -> list[ast.stmt]:
        """Return statements that go on where it holds; each part is loaded when the one before it held."""
        if isinstance(requirement, Both):
            return [statement for one in requirement.conditions for statement in self._demanded(one)]
        statements = self._hoisted(requirement)
        test = ast.UnaryOp(ast.Not(), self.expression(requirement))
        return [*statements, ast.If(test, [ast.Return(ast.Constant(False))], [])]

    def _hoisted(self, node: Resolved) -> list[ast.stmt]:
        """Load into variables what the expression needs in any case."""
        return [statement for load in _needed(node) if load not in self.loads for statement in self._load(load)]

    def _load(self, load: Load) -> list[ast.stmt]:
        name = f"v{self.variables}"
        self.variables += 1
        self.loads[load] = name
        plain = self._plain(load, _named(name))
        if plain is None:
            return [ast.Assign([_stored(name)], self._read(load, self._raw(load)))]
        # What is as it should be is taken as it is; anything else the reader converts or refuses.
        read = ast.Assign([_stored(name)], self._read(load, _named(name)))
        return [ast.Assign([_stored(name)], self._raw(load)), ast.If(ast.UnaryOp(ast.Not(), plain), [read], [])]

    def _raw(self, load: Load) -> ast.expr:
        value: ast.expr = _named(_GIVEN)
        for key in load.path:
            value = ast.Subscript(value, ast.Constant(key), ast.Load())
        return value

    def _read(self, load: Load, value: ast.expr) -> ast.expr:
        return ast.Call(self._constant(reader(load.type)), [value], [])

    def _plain(self, load: Load, value: ast.expr) -> ast.expr | None:
        """Return the test that a value needs no reading; None where it always does."""
        kind = load.type.kind
        if kind == "enum":
            return self._among(value, frozenset(load.type.words))
        exact = ast.Call(self._constant(type), [value], [])
        if kind in _QUICK and load.type.limit is None:
            return ast.Compare(exact, [ast.Is()], [self._constant(_QUICK[kind])])
        if kind not in _NUMBERS:
            return None
        is_number = self._among(exact, frozenset({int, float}))
        finite = ast.Compare(self._constant(-math.inf), [ast.Lt(), ast.Lt()], [value, self._constant(math.inf)])
        return ast.BoolOp(ast.And(), [is_number, finite])

    def _among(self, value: ast.expr, values: frozenset[Any]) -> ast.expr:
        return ast.Compare(value, [ast.In()], [self._constant(values)])

    def expression(self, node: Resolved) -> ast.expr:
        """Return the expression; what is not loaded yet is loaded where it is asked for."""
        match node:
            case Constant(value):
                return self._constant(value)
            case Load():
                return _named(self.loads[node]) if node in self.loads else self._read(node, self._raw(node))
            case Part(Constant(value), key, type_, _) if type_ == ANYTHING and isinstance(value, dict):
                return ast.Subscript(self._constant(value), self.expression(key), ast.Load())
            case Compared(sign, left, right):
                return ast.Compare(self.expression(left), [_OPERATORS[sign]()], [self.expression(right)])
            case Inverted(condition):
                return ast.UnaryOp(ast.Not(), self.expression(condition))
            case Both(conditions):
                return ast.BoolOp(ast.And(), [self.expression(one) for one in conditions])
            case Either(conditions):
                return ast.BoolOp(ast.Or(), [self.expression(one) for one in conditions])
            case Apply(_, function, arguments):
                return ast.Call(self._constant(function), [self.expression(one) for one in arguments], [])
        return ast.Call(self._constant(partial(evaluate, node)), [_named(_GIVEN)], [])

    def _constant(self, value: Any) -> ast.expr:
        if isinstance(value, bool | str | int) or (isinstance(value, float) and math.isfinite(value)):
            return ast.Constant(value)
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return _named(name)

    def function(self) -> Callable[[Mapping[str, Any]], bool]:
        """Return the function."""
        names = list(self.constants)
        arguments = ast.arguments(
            posonlyargs=[],
            args=[ast.arg(_GIVEN), *(ast.arg(name) for name in names)],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[_named(f"_{name}") for name in names],
        )
        definition = ast.FunctionDef("holds", arguments, self.body, [])
        module = ast.fix_missing_locations(ast.Module([definition], []))
        space: dict[str, Any] = {"__builtins__": {}, **{f"_{name}": value for name, value in self.constants.items()}}
        exec(compile(module, "<policy>", "exec"), space)
        holds: Callable[[Mapping[str, Any]], bool] = space["holds"]
        return holds


def _all(conditions: tuple[Resolved, ...]) -> Resolved:
    return conditions[0] if len(conditions) == 1 else Both(conditions)


def _needed(node: Resolved) -> Iterable[Load]:
    """Give the loads that an expression makes whatever the values are."""
    match node:
        case Load():
            yield node
        case Compared(_, left, right):
            yield from _needed(left)
            yield from _needed(right)
        case Inverted(condition):
            yield from _needed(condition)
        case Both(conditions) | Either(conditions):
            yield from _needed(conditions[0])
        case Apply(_, _, arguments):
            for one in arguments:
                yield from _needed(one)
        case Part(_, key):
            yield from _needed(key)


def _named(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _stored(name: str) -> ast.Name:
    return ast.Name(name, ast.Store())
