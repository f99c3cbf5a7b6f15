"""Expressions, and the paths, pairs and records in them."""

from __future__ import annotations

from collections.abc import Callable

from lark import Token, Tree

from omium_policy import syntax
from omium_policy.building.parts import Part, Parts, literal, name, span, token
from omium_policy.source import Span

__all__ = ["expression", "pair", "pairs", "path"]


def expression(part: Part) -> syntax.Expression:
    """Return the expression that a part stands for."""
    if isinstance(part, Token):
        return literal(part)
    return _BUILDERS[part.data](part.children, span(part))


def path(part: Part) -> syntax.Path:
    """Return a path."""
    assert isinstance(part, Tree)
    return _path(part.children, span(part))


def _path(parts: Parts, place: Span) -> syntax.Path:
    return syntax.Path(name(parts[0]), tuple(_step(one) for one in parts[1:]), place)


def _step(part: Part) -> syntax.Name | syntax.Expression:
    assert isinstance(part, Tree)
    child = part.children[0]
    return name(child) if part.data == "member" else expression(child)


def pair(part: Part) -> syntax.Pair:
    """Return `name: value`."""
    assert isinstance(part, Tree)
    key, value = part.children
    return syntax.Pair(name(key), expression(value), span(part))


def pairs(parts: Parts) -> tuple[syntax.Pair, ...]:
    """Return several pairs."""
    return tuple(pair(part) for part in parts)


def _expressions(parts: Parts) -> tuple[syntax.Expression, ...]:
    return tuple(expression(part) for part in parts)


def _compare(parts: Parts, place: Span) -> syntax.Compare:
    return syntax.Compare(tuple(str(one) for one in parts[1::2]), _expressions(parts[::2]), place)


def _between(parts: Parts, place: Span) -> syntax.Between:
    value, low, high = _expressions(parts)
    return syntax.Between(value, low, high, place)


def _member(negated: bool) -> Callable[[Parts, Span], syntax.Expression]:
    def build(parts: Parts, place: Span) -> syntax.Member:
        item, container = _expressions(parts)
        return syntax.Member(item, container, negated, place)

    return build


def _matches(parts: Parts, place: Span) -> syntax.Matches:
    return syntax.Matches(expression(parts[0]), literal(token(parts[1])), place)


def _quantified(every: bool) -> Callable[[Parts, Span], syntax.Expression]:
    def build(parts: Parts, place: Span) -> syntax.Quantified:
        variable, container, condition = parts
        return syntax.Quantified(every, name(variable), expression(container), expression(condition), place)

    return build


def _arithmetic(operator: str) -> Callable[[Parts, Span], syntax.Expression]:
    def build(parts: Parts, place: Span) -> syntax.Arithmetic:
        left, right = _expressions(parts)
        return syntax.Arithmetic(operator, left, right, place)

    return build


def _call(parts: Parts, place: Span) -> syntax.Call:
    function = path(parts[0])
    return syntax.Call(syntax.Name(function.dotted, function.span), _expressions(parts[1:]), place)


_BUILDERS: dict[str, Callable[[Parts, Span], syntax.Expression]] = {
    "or_test": lambda parts, place: syntax.Or(_expressions(parts), place),
    "and_test": lambda parts, place: syntax.And(_expressions(parts), place),
    "not_": lambda parts, place: syntax.Not(expression(parts[0]), place),
    "compare": _compare,
    "compare_chain": _compare,
    "between": _between,
    "in_": _member(False),
    "not_in": _member(True),
    "matches": _matches,
    "all_": _quantified(True),
    "any_": _quantified(False),
    "exists": lambda parts, place: syntax.Exists(path(parts[0]), place),
    "add": _arithmetic("+"),
    "sub": _arithmetic("-"),
    "mul": _arithmetic("*"),
    "div": _arithmetic("/"),
    "neg": lambda parts, place: syntax.Negative(expression(parts[0]), place),
    "call": _call,
    "list_": lambda parts, place: syntax.ListOf(_expressions(parts), place),
    "record": lambda parts, place: syntax.Record(pairs(parts), place),
    "path": _path,
}
