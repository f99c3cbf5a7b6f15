"""Actions and handlers."""

from __future__ import annotations

from lark import Token, Tree

from omium_policy import syntax
from omium_policy.building.expressions import pairs
from omium_policy.building.parts import Part, Parts, duration, literal, name, some, span, token
from omium_policy.literals import number
from omium_policy.source import Span

__all__ = ["action", "handler", "recover"]


def handler(part: Part) -> syntax.Handler:
    """Return a named ladder, or one action."""
    return recover(part) if isinstance(part, Tree) and part.data == "recover" else action(part)


def recover(part: Part) -> syntax.Recover:
    """Return `recover ladder`."""
    assert isinstance(part, Tree)
    return syntax.Recover(name(part.children[0]), span(part))


def action(part: Part) -> syntax.Action:
    """Return an action."""
    assert isinstance(part, Tree)
    parts, place = part.children, span(part)
    match part.data:
        case "retry":
            return _retry(parts, place)
        case "rollback":
            return syntax.Rollback(name(parts[0]), place)
        case "fallback":
            return syntax.Fallback(name(parts[0]), place)
        case "pause":
            return _pause(parts, place)
        case "compensate":
            return syntax.Compensate(name(parts[0]), place)
        case "notify":
            return syntax.Notify(name(parts[0]), place)
        case "skip":
            return syntax.Skip(place)
        case "halt":
            return syntax.Halt(place)
        case _:
            arguments = some(parts, "kwargs")
            return syntax.PluginAction(name(parts[0]), pairs(arguments.children) if arguments else (), place)


def _retry(parts: Parts, place: Span) -> syntax.Retry:
    shapes = [one for one in parts if isinstance(one, Tree) and one.data in ("exponential", "linear", "constant")]
    jitter = some(parts, "jitter")
    return syntax.Retry(
        int(token(parts[0])),
        some(parts, "with_feedback") is not None,
        _backoff(shapes[-1]) if shapes else None,
        str(token(jitter)) if jitter else None,
        place,
    )


def _backoff(part: Tree[Token]) -> syntax.Backoff:
    first, *more = part.children
    most = duration(more[0]) if more else None
    factor = number(token(more[1])) if len(more) > 1 else None
    return syntax.Backoff(str(part.data), duration(first), most, factor, span(part))


def _pause(parts: Parts, place: Span) -> syntax.Pause:
    last = parts[-1]
    timeout = literal(last) if isinstance(last, Token) and last.type == "DURATION" else None
    return syntax.Pause(name(parts[0]), some(parts, "with_suggestion") is not None, timeout, place)
