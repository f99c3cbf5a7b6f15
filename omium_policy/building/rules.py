"""Rules and tests, statement by statement."""

from __future__ import annotations

from lark import Token, Tree

from omium_policy import syntax
from omium_policy.building.actions import action, handler
from omium_policy.building.events import SEQUENCES, event, sequence
from omium_policy.building.expressions import expression, path
from omium_policy.building.parts import Part, Parts, name, names, span, text, token, trees
from omium_policy.messages import values
from omium_policy.source import Span

__all__ = ["anchor", "rule", "test"]

ANCHORS = ("before", "after", "during")
MODES = ("blocking", "monitoring", "advisory")


def rule(parts: Parts, place: Span) -> syntax.Rule:
    """Return a rule."""
    stands = next(trees(parts, *ANCHORS), None)
    mode = next(trees(parts, *MODES), None)
    statements = [one for one in trees(parts[1:]) if one.data not in (*ANCHORS, *MODES)]
    return syntax.Rule(
        name(parts[0]),
        anchor(stands) if stands else None,
        str(mode.data) if mode else None,
        tuple(_rule_statement(one) for one in statements),
        place,
    )


def anchor(part: Tree[Token]) -> syntax.Anchor:
    """Return when a rule is looked at."""
    place = part.children[0]
    any_step = isinstance(place, Tree) and place.data == "any_step"
    return syntax.Anchor(str(part.data), None if any_step else name(place), span(part))


def _rule_statement(part: Tree[Token]) -> syntax.RuleStatement:
    parts, place = part.children, span(part)
    match part.data:
        case "when":
            return syntax.When(expression(parts[0]), place)
        case "require":
            return syntax.Require(expression(parts[0]), place)
        case "allow_tools":
            return syntax.Allow(_tools(parts[0]), place)
        case "deny_tools":
            return syntax.Deny(_tools(parts[0]), place)
        case "message":
            said = text(parts[0])
            return syntax.Message(said, values(said), place)
        case "cite":
            return syntax.Cite(text(parts[0]), place)
        case "severity":
            return syntax.Severity(str(token(parts[0])), place)
        case "suggest":
            return syntax.Suggest(path(parts[0]), expression(parts[1]), place)
        case "on_fail":
            return syntax.OnFail(handler(parts[0]), place)
    assert part.data in SEQUENCES
    return syntax.Must(sequence(part), place)


def _tools(part: Part) -> tuple[syntax.Name, ...]:
    assert isinstance(part, Tree)
    return names(part.children)


def test(parts: Parts, place: Span) -> syntax.Test:
    """Return a test."""
    tokens = [one for one in parts if isinstance(one, Token)]
    of = name(tokens[0]) if tokens[0].type != "STRING" else None
    return syntax.Test(of, text(tokens[-1]), tuple(_test_statement(one) for one in trees(parts)), place)


def _test_statement(part: Tree[Token]) -> syntax.TestStatement:
    parts, place = part.children, span(part)
    match part.data:
        case "given":
            return syntax.Given(path(parts[0]), expression(parts[1]), place)
        case "case":
            return syntax.Case(path(parts[0]), expression(parts[1]), str(token(parts[2])), place)
        case "trace":
            return syntax.Trace(tuple(event(one) for one in parts), place)
        case "answer":
            return syntax.Answer(name(parts[0]), expression(parts[1]), place)
        case "expect_rule":
            return syntax.ExpectRule(name(parts[0]), str(token(parts[1])), place)
        case "expect_actions":
            return syntax.ExpectActions(tuple(action(one) for one in parts), place)
        case _:
            return syntax.Expect(expression(parts[0]), place)
