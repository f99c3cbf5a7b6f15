"""From a checked expression to one that is resolved: units converted, `let` replaced by its value."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs
from typing_extensions import assert_never

from omium_policy import patterns, resolved, syntax
from omium_policy.checking.report import Report
from omium_policy.checking.values import Values
from omium_policy.evaluator import OPERATORS
from omium_policy.functions import BUILT_IN
from omium_policy.readers import LIST_MAX
from omium_policy.resolved import Resolved
from omium_policy.scope import Scope
from omium_policy.source import Source
from omium_policy.types import ANYTHING, ValueType

__all__ = ["Resolver"]

_SHARES = ("percent", "ratio")
_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


@attrs.define
class Resolver:
    """Resolves expressions among names; they MUST have passed the checks."""

    scope: Scope
    names: Mapping[str, ValueType]
    _values: Values = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._values = Values(self.scope, Report(Source("", "")), self.names)

    def resolve(self, node: syntax.Expression, expected: ValueType = ANYTHING) -> Resolved:
        """Return the resolved expression."""
        match node:
            case syntax.Literal():
                return resolved.Constant(constant(node))
            case syntax.Path():
                return self._path(node)
            case syntax.Call():
                return self._call(node)
            case syntax.Compare(operators, operands):
                return self._chain(operators, operands)
            case syntax.Between(value, low, high):
                return self._chain(("<=", "<="), (low, value, high))
            case syntax.Member():
                return self._member(node)
            case syntax.Matches(value, pattern):
                found = patterns.matcher(str(pattern.value))
                return resolved.Apply("matches", found, (self.resolve(value),))
            case syntax.Quantified():
                return self._quantified(node)
            case syntax.Exists(path):
                inside = self._path(path)
                assert isinstance(inside, resolved.Load | resolved.Part)
                return resolved.Found(inside)
            case syntax.Not(condition):
                return resolved.Inverted(self.resolve(condition))
            case syntax.And(conditions):
                return resolved.Both(tuple(self.resolve(one) for one in conditions))
            case syntax.Or(conditions):
                return resolved.Either(tuple(self.resolve(one) for one in conditions))
            case syntax.Arithmetic():
                return self._arithmetic(node)
            case syntax.Negative(value):
                return resolved.Apply("-", operator.neg, (self.resolve(value),))
            case syntax.ListOf(items):
                return self._gathered("list", lambda *values: list(values), items)
            case syntax.Record(pairs):
                keys = [pair.name.text for pair in pairs]
                return self._gathered(
                    "record", lambda *values: dict(zip(keys, values, strict=True)), [pair.value for pair in pairs]
                )
        assert_never(node)

    def _gathered(self, name: str, function: Any, items: Any) -> Resolved:
        parts = tuple(self.resolve(item) for item in items)
        if all(isinstance(part, resolved.Constant) for part in parts):
            return resolved.Constant(function(*(part.value for part in parts)))  # type: ignore[union-attr]  # constants
        return resolved.Apply(name, function, parts)

    def type_of(self, node: syntax.Expression) -> ValueType:
        """Return the type of an expression."""
        return self._values.type_of(node)

    def _path(self, node: syntax.Path) -> Resolved:
        root = node.root.text
        if root in self.names:
            return self._below(resolved.Load((root,), self.names[root]), root, node.parts)
        if root not in self.scope.lets:
            # A bare word stands for itself: one of an enumeration's.
            return resolved.Constant(root)
        return self._below(self.let(root), root, node.parts, self._values.let_type(root))

    def let(self, name: str) -> Resolved:
        """Return what stands for the name of a `let`."""
        known = self.scope.let_values
        if name not in known:
            known[name] = Resolver(self.scope, {}).resolve(self.scope.lets[name].value)
        found: Resolved = known[name]
        return found

    def _below(
        self,
        value: Resolved,
        said: str,
        parts: tuple[syntax.Name | syntax.Expression, ...],
        kind: ValueType | None = None,
    ) -> Resolved:
        kind = kind if kind is not None else value.type if isinstance(value, resolved.Load) else ANYTHING
        for part in parts:
            named = isinstance(part, syntax.Name)
            key = part.text if isinstance(part, syntax.Name) else None
            below = _part_of(kind, key)
            if isinstance(value, resolved.Constant):
                # What a `let` gives is converted already.
                below = ANYTHING
            if named and isinstance(value, resolved.Load) and key is not None:
                value = resolved.Load((*value.path, key), below)
                said = f"{said}.{key}"
            else:
                index = resolved.Constant(key) if key is not None else self.resolve(part)  # type: ignore[arg-type]
                said = f"{said}[{key}]" if named else f"{said}[]"
                value = resolved.Part(value, index, below, said)
            kind = below
        return value

    def _call(self, node: syntax.Call) -> Resolved:
        written = node.function.text
        function = BUILT_IN.get(written) or self.scope.registry.functions[self.scope.full(written)]
        arguments = tuple(self.resolve(one) for one in node.arguments)
        if any(self.type_of(one).kind == "money" for one in node.arguments) and "same" in {
            one.kind for one in function.takes
        }:
            arguments = tuple(_as_decimal(one) for one in arguments)
        return resolved.Apply(written, _sound(function.call), arguments, function.cost)

    def _chain(self, operators: tuple[str, ...], operands: tuple[syntax.Expression, ...]) -> Resolved:
        values = [self.resolve(one) for one in operands]
        known = all(self.type_of(one).kind != "anything" for one in operands)
        links = tuple(
            resolved.Compared(sign, left, right) if known else resolved.Apply(sign, _compares(sign), (left, right))
            for sign, left, right in zip(operators, values, values[1:], strict=False)
        )
        return links[0] if len(links) == 1 else resolved.Both(links)

    def _member(self, node: syntax.Member) -> Resolved:
        found = resolved.Apply("in", _holds, (self.resolve(node.item), self.resolve(node.container)))
        return resolved.Inverted(found) if node.negated else found

    def _quantified(self, node: syntax.Quantified) -> Resolved:
        kind = self.type_of(node.container)
        variable = node.variable.text
        inside = Resolver(self.scope, {**self.names, variable: kind.of or ANYTHING})
        return resolved.All(
            node.every,
            variable,
            self.resolve(node.container),
            inside.resolve(node.condition),
            kind.limit or LIST_MAX,
        )

    def _arithmetic(self, node: syntax.Arithmetic) -> Resolved:
        kinds = self.type_of(node.left), self.type_of(node.right)
        left, right = self.resolve(node.left), self.resolve(node.right)
        shares = [one.kind in _SHARES for one in kinds]
        if node.operator == "*" and any(shares) and {one.kind for one in kinds} & {"money", "duration"}:
            # A share of an amount: 6% of $200 is $12.
            left, right = (_hundredth(one) if share else one for one, share in zip((left, right), shares, strict=True))
        if any(one.kind == "money" for one in kinds):
            left, right = _as_decimal(left), _as_decimal(right)
        return resolved.Apply(node.operator, _sound(_ARITHMETIC[node.operator]), (left, right))


def constant(node: syntax.Literal) -> Any:
    """Return a literal's value as data of its type is read."""
    value = node.value
    if node.kind == "money" or not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def _part_of(kind: ValueType, key: str | None) -> ValueType:
    if kind.kind == "list":
        return kind.of or ANYTHING
    if kind.fields is None:
        return ANYTHING
    return kind.fields.get(key, ANYTHING) if key is not None else next(iter(kind.fields.values()), ANYTHING)


def _as_decimal(value: Resolved) -> Resolved:
    if isinstance(value, resolved.Constant):
        return resolved.Constant(_decimal(value.value))
    return resolved.Apply("decimal", _decimal, (value,), 0)


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value))


def _hundredth(value: Resolved) -> Resolved:
    return resolved.Apply("/", operator.truediv, (value, resolved.Constant(100)), 0)


def _sound(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, refusing to give what is not a number: NaN would compare false and pass a `not`."""

    def call(*arguments: Any) -> Any:
        value = function(*arguments)
        if isinstance(value, float | Decimal) and not math.isfinite(value):
            raise ArithmeticError("it gives no finite number")
        return value

    return call


def _compares(sign: str) -> Callable[[Any, Any], Any]:
    """Return a comparison of values whose types are not known at load: of different kinds they cannot be compared."""
    compare = OPERATORS[sign]

    def compared(left: Any, right: Any) -> Any:
        if isinstance(left, str | bool | list | dict) != isinstance(right, str | bool | list | dict):
            raise TypeError("the two are of different kinds")
        return compare(left, right)

    return compared


def _holds(item: Any, container: Any) -> bool:
    return item in container
