"""Events, and the sentences of sequence rules."""

from __future__ import annotations

from lark import Tree

from omium_policy import syntax
from omium_policy.building.expressions import expression
from omium_policy.building.parts import Part, duration, name, span, token
from omium_policy.source import Span

__all__ = ["SEQUENCES", "event", "sequence"]

SEQUENCES = ("absence", "precedence", "forbidden_after", "response", "bounded", "existence")


def event(part: Part) -> syntax.Event:
    """Return an event."""
    assert isinstance(part, Tree)
    parts, place = part.children, span(part)
    match part.data:
        case "ev_tool":
            return syntax.ToolEvent(name(parts[0]), _condition(parts), token(parts[0]).type == "STRING", place)
        case "ev_step":
            return syntax.StepEvent(name(parts[0]), str(token(parts[1])), place)
        case "ev_handoff":
            return syntax.HandoffEvent(name(parts[0]), name(parts[2]), str(token(parts[3])), place)
        case _:
            return syntax.CustomEvent(name(parts[0]), _condition(parts), place)


def _condition(parts: list[Part]) -> syntax.Expression | None:
    return expression(parts[1]) if len(parts) > 1 else None


def sequence(part: Tree) -> syntax.Sequence:  # type: ignore[type-arg]  # its leaves are tokens
    """Return a sequence rule's sentence."""
    parts, place = part.children, span(part)
    match part.data:
        case "absence":
            return syntax.Never(event(parts[0]), place)
        case "precedence":
            return syntax.NeverBefore(event(parts[0]), event(parts[1]), place)
        case "forbidden_after":
            until = event(parts[2]) if len(parts) > 2 else None
            return syntax.NeverAfter(event(parts[0]), event(parts[1]), until, place)
        case "response":
            return syntax.Response(duration(parts[0]), event(parts[1]), event(parts[2]), place)
        case "bounded":
            return _bounded(parts, place)
        case _:
            return syntax.ByEnd(event(parts[0]), place)


def _bounded(parts: list[Part], place: Span) -> syntax.Bounded:
    most, what, *per = parts
    within = [one for one in per if isinstance(one, Tree) and one.children]
    return syntax.Bounded(int(token(most)), event(what), duration(within[0]) if within else None, place)
