"""The items of a policy, the policy itself, and the file."""

from __future__ import annotations

from collections.abc import Callable

from lark import Token, Tree

from omium_policy import syntax
from omium_policy.building.actions import action, handler, recover
from omium_policy.building.expressions import expression, pairs
from omium_policy.building.parts import Part, Parts, duration, literal, name, names, some, span, text, token, trees
from omium_policy.building.rules import rule, test
from omium_policy.source import Span

__all__ = ["file"]


def file(part: Tree[Token]) -> syntax.File:
    """Return the whole file."""
    edition = token(next(trees(part.children, "edition")))
    uses = tuple(_use(one) for one in trees(part.children, "use"))
    policies = tuple(_policy(one) for one in trees(part.children, "policy"))
    return syntax.File(int(edition), uses, policies, span(part))


def _use(part: Tree[Token]) -> syntax.Use:
    parts = part.children
    version, alias, pin = (some(parts, kind) for kind in ("version", "alias", "pin"))
    return syntax.Use(
        text(parts[0]),
        text(version) if version else None,
        name(token(alias)) if alias else None,
        text(pin) if pin else None,
        span(part),
    )


def _policy(part: Tree[Token]) -> syntax.Policy:
    called, *rest = part.children
    version = some(rest, "version")
    items = tuple(_ITEMS[one.data](one.children, span(one)) for one in trees(rest) if one is not version)
    return syntax.Policy(name(called), text(version) if version else None, items, span(part))


def _step(parts: Parts, place: Span) -> syntax.StepTypes:
    io = parts[1]
    assert isinstance(io, Tree)
    takes, gives = some(io.children, "takes"), some(io.children, "gives")
    return syntax.StepTypes(
        name(parts[0]), name(token(takes)) if takes else None, name(token(gives)) if gives else None, place
    )


def _data(parts: Parts, place: Span) -> syntax.Data:
    return syntax.Data(name(parts[0]), tuple(_field(one) for one in trees(parts)), place)


def _field(part: Tree[Token]) -> syntax.Field:
    called, type_, *rest = part.children
    bound = some(rest, "bound")
    optional = any(isinstance(one, Token) and one.type == "OPTIONAL" for one in rest)
    return syntax.Field(name(called), _type(type_), _bound(bound) if bound else None, optional, span(part))


def _bound(part: Tree[Token]) -> syntax.Bound:
    operator, value = part.children
    return syntax.Bound(str(operator), literal(token(value)), span(part))


def _type(part: Part) -> syntax.Type:
    assert isinstance(part, Tree)
    parts, place = part.children, span(part)
    kind = str(part.data).removeprefix("t_")
    match kind:
        case "text":
            return syntax.Type(kind, int(token(parts[0])) if parts else None, (), None, place)
        case "list":
            return syntax.Type(kind, int(token(parts[0])), (), _type(parts[1]), place)
        case "money" | "enum" | "ref":
            return syntax.Type(kind, None, names(parts), None, place)
        case _:
            return syntax.Type(kind, None, (), None, place)


def _budget(parts: Parts, place: Span) -> syntax.Budget:
    scope, *statements = trees(parts)
    step = name(scope.children[0]) if scope.data == "scope_step" else None
    return syntax.Budget(step, tuple(_budget_statement(one) for one in statements), place)


def _budget_statement(part: Tree[Token]) -> syntax.BudgetStatement:
    parts, place = part.children, span(part)
    match part.data:
        case "meter":
            return syntax.Meter(name(parts[0]), literal(token(parts[1])), place)
        case "warn_at":
            return syntax.WarnAt(literal(token(parts[0])), place)
        case _:
            return syntax.OnExceed(handler(parts[0]), place)


def _recovery(parts: Parts, place: Span) -> syntax.Recovery:
    rungs = tuple(
        syntax.Rung(str(one.data).removesuffix("_rung").replace("final", "finally"), action(one.children[0]), span(one))
        for one in trees(parts, "first_rung", "then_rung", "final_rung")
    )
    return syntax.Recovery(name(parts[0]), rungs, tuple(_limit(one) for one in trees(parts, "limit")), place)


def _limit(part: Tree[Token]) -> syntax.Limit:
    most, per, otherwise = part.children
    return syntax.Limit(int(token(most)), duration(per), action(otherwise), span(part))


def _on_error(parts: Parts, place: Span) -> syntax.OnError:
    kinds, ladder = parts
    assert isinstance(kinds, Tree)
    return syntax.OnError(names(kinds.children), recover(ladder), place)


def _handoff(parts: Parts, place: Span) -> syntax.Handoff:
    source, _, target, *_ = parts
    return syntax.Handoff(name(source), name(target), tuple(_handoff_statement(one) for one in trees(parts)), place)


def _handoff_statement(part: Tree[Token]) -> syntax.HandoffStatement:
    parts, place = part.children, span(part)
    match part.data:
        case "on_disagree":
            return syntax.OnDisagree(handler(parts[0]), place)
        case "on_timeout":
            return syntax.OnTimeout(handler(parts[0]), place)
        case _:
            count, *voters, within = parts
            return syntax.Quorum(part.data == "byzantine", int(token(count)), names(voters), duration(within), place)


def _change_statement(part: Tree[Token]) -> syntax.ChangeStatement:
    parts, place = part.children, span(part)
    match part.data:
        case "window":
            days = [str(token(one)) for one in trees(parts, "day")]
            opens, closes, zone = (one for one in parts if isinstance(one, Token))
            return syntax.Window(days[0], days[-1], str(opens), str(closes), literal(zone), place)
        case "freeze":
            first, last = (str(token(one)) for one in parts)
            return syntax.Freeze(first, last, place)
        case _:
            people, role, *lasts = parts
            return syntax.Override(int(token(people)), text(role), duration(lasts[0]) if lasts else None, place)


def _extend(parts: Parts, place: Span) -> syntax.Extend:
    section, *rest = parts
    label = next((one for one in rest if isinstance(one, Token)), None)
    return syntax.Extend(name(section), name(label) if label else None, pairs(list(trees(rest))), place)


_ITEMS: dict[str, Callable[[Parts, Span], syntax.Item]] = {
    "title": lambda parts, place: syntax.Title(text(parts[0]), place),
    "owner": lambda parts, place: syntax.Owner(text(parts[0]), place),
    "default_mode": lambda parts, place: syntax.DefaultMode(str(next(trees(parts)).data), place),
    "workflow": lambda parts, place: syntax.Workflow(names(one for one in parts if token(one).type != "ARROW"), place),
    "data": _data,
    "data_from": lambda parts, place: syntax.DataFrom(name(parts[0]), text(parts[1]), place),
    "step": _step,
    "let": lambda parts, place: syntax.Let(name(parts[0]), expression(parts[1]), place),
    "rule": rule,
    "budget": _budget,
    "recovery": _recovery,
    "on_error": _on_error,
    "handoff": _handoff,
    "change": lambda parts, place: syntax.Change(tuple(_change_statement(one) for one in trees(parts)), place),
    "test": test,
    "extend": _extend,
}
