"""Which actions follow when rules break: the strictest wins, and a ladder's actions come in their order."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from omium_policy import syntax

__all__ = ["Handling", "alike", "handling_of", "strictest", "strictness"]

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


@attrs.frozen
class Handling:
    """What is done: actions in their order, of the ladder of this name or of none, within limits."""

    actions: tuple[syntax.Action, ...]
    ladder: str | None = None
    limits: tuple[syntax.Limit, ...] = ()


def handling_of(policy: syntax.Policy, handler: syntax.Handler, prefix: str = "") -> Handling:
    """Return what a handler of a policy stands for; `prefix` goes before the ladder's name."""
    if not isinstance(handler, syntax.Recover):
        return Handling((handler,))
    ladder = next(one for one in policy.of(syntax.Recovery) if one.name.text == handler.ladder.text)
    return Handling(tuple(rung.action for rung in ladder.rungs), f"{prefix}{ladder.name.text}", ladder.limits)


def strictest(handlings: Iterable[Handling]) -> Handling | None:
    """Return what is done of several; a ladder is as strict as its first rung, and the first of equals wins."""
    return min(handlings, key=strictness, default=None)


def strictness(handling: Handling) -> int:
    """Return the rank of what is done, from 0 for the strictest."""
    return _STRICTNESS.index(type(handling.actions[0]))


def alike(expected: syntax.Action, taken: syntax.Action) -> bool:
    """True when an action is the one that was expected; what the expectation leaves out may be anything."""
    if type(expected) is not type(taken):
        return False
    for field in attrs.fields(type(expected)):
        wanted = getattr(expected, field.name)
        if field.name != "span" and wanted not in (None, (), False) and wanted != getattr(taken, field.name):
            return False
    return True
