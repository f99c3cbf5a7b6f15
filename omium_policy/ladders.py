"""Which action follows when rules break: the strictest wins, and a ladder's actions come in their order."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from omium_policy import syntax
from omium_policy.program import Finding

__all__ = ["actions_of", "alike", "ladder_of", "strictest"]

_STRICTNESS: tuple[type, ...] = (
    syntax.Halt,
    syntax.Pause,
    syntax.Rollback,
    syntax.Fallback,
    syntax.Compensate,
    syntax.Retry,
    syntax.Skip,
    syntax.PluginAction,
    syntax.Notify,
)
"""Actions from the strictest to the mildest."""


def strictest(policy: syntax.Policy, findings: Iterable[Finding]) -> syntax.Handler | None:
    """Return what is done about several findings; a ladder is as strict as its first rung.

    Rules that do not block only ever notify. A rule that blocks and does not say what to do halts.
    """
    handlers: list[syntax.Handler] = []
    for finding in findings:
        if finding.handler is not None:
            handlers.append(finding.handler)
        elif finding.mode == "blocking":
            return syntax.Halt(policy.span)
    return min(handlers, key=lambda handler: _rank(policy, handler), default=None)


def _rank(policy: syntax.Policy, handler: syntax.Handler) -> int:
    actions = actions_of(policy, handler)
    return _STRICTNESS.index(type(actions[0])) if actions else len(_STRICTNESS)


def ladder_of(policy: syntax.Policy, name: str) -> syntax.Recovery:
    """Return a ladder by its name; the checks have seen that it is there."""
    return next(one for one in policy.of(syntax.Recovery) if one.name.text == name)


def actions_of(policy: syntax.Policy, handler: syntax.Handler | None) -> tuple[syntax.Action, ...]:
    """Return the actions of a handler, in their order."""
    if handler is None:
        return ()
    if isinstance(handler, syntax.Recover):
        return tuple(rung.action for rung in ladder_of(policy, handler.ladder.text).rungs)
    return (handler,)


def alike(expected: syntax.Action, taken: syntax.Action) -> bool:
    """True when an action is the one that was expected; what the expectation leaves out may be anything."""
    if type(expected) is not type(taken):
        return False
    for field in attrs.fields(type(expected)):
        wanted = getattr(expected, field.name)
        if field.name != "span" and wanted not in (None, (), False) and wanted != getattr(taken, field.name):
            return False
    return True
