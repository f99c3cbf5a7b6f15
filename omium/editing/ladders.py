"""Ladders as they are written in Python: built from literals alone, so that nothing of the file is run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import attrs
from typing_extensions import assert_never

from omium.editing.naming import Names
from omium_core.errors import UsageError
from omium_core.recovery import ladders
from omium_core.recovery.agents import AgentConfig, ladder_of

__all__ = ["LadderSaid", "agent_ladder", "recovery_ladder", "rollback_ladder"]

TEXT_CHARS_MAX = 60
_RUNGS = ("Retry", "Rollback", "Fallback", "Compensate", "Notify", "Apply", "Pause", "Skip", "Halt")
_BUILT = (*_RUNGS, "Recovery", "Backoff", "AtMost")


@attrs.frozen
class LadderSaid:
    """A ladder in words, and where it is said. `retries` is None where that cannot be known without running the file.

    `only` names the failures that it takes; empty stands for all.
    """

    source: str
    words: str
    retries: int | None
    only: str = ""


def recovery_ladder(node: ast.expr, source: str, constants: Mapping[str, ast.expr], names: Names) -> LadderSaid:
    """Return what a `recovery=` means; where it cannot be known, what is written there."""
    meant = constants.get(node.id, node) if isinstance(node, ast.Name) else node
    try:
        built = _built(meant, constants, names)
    except (ValueError, TypeError, UsageError, RecursionError):
        return _unknown(node, source)
    return of_recovery(built, source) if isinstance(built, ladders.Recovery) else _unknown(node, source)


def rollback_ladder(decorator: ast.expr) -> LadderSaid:
    """Return what `@rollback_on(...)` means: once back, then a person."""
    call = decorator if isinstance(decorator, ast.Call) else None
    given = {one.arg: one.value for one in call.keywords if one.arg is not None} if call is not None else {}
    to = given.pop("to", None)
    kinds = [name.removesuffix("_detected") for name in given]
    classes = [ast.unparse(one) for one in call.args] if call is not None else []
    place = f" to {to.value}" if isinstance(to, ast.Constant) and isinstance(to.value, str) else ""
    return LadderSaid("`@rollback_on`", f"rollback{place}, pause, halt", 0, ", ".join((*kinds, *classes)))


def agent_ladder(agent: ast.ClassDef, constants: Mapping[str, ast.expr]) -> LadderSaid | None:
    """Return what an agent class's own `config` says of failures; None where it says nothing."""
    source = f"`{agent.name}.config`"
    for node in agent.body:
        if not (
            isinstance(node, ast.Assign)
            and any(isinstance(one, ast.Name) and one.id == "config" for one in node.targets)
        ):
            continue
        value = constants.get(node.value.id, node.value) if isinstance(node.value, ast.Name) else node.value
        try:
            given = (
                {one.arg: ast.literal_eval(one.value) for one in value.keywords if one.arg}
                if isinstance(value, ast.Call)
                else ast.literal_eval(value)
            )
            ladder = ladder_of(AgentConfig.given(given), agent.name)
        except (ValueError, TypeError, UsageError, RecursionError):
            return _unknown(node.value, source)
        return of_recovery(ladder.recovery, source) if ladder is not None else None
    return None


def of_recovery(recovery: ladders.Recovery, source: str) -> LadderSaid:
    """Return a ladder in words."""
    retries = sum(one.times for one in recovery.rungs if isinstance(one, ladders.Retry))
    words = ", ".join(_said(one) for one in recovery.rungs)
    return LadderSaid(source, words, retries, ", ".join(sorted(recovery.kinds or ())))


def _said(rung: ladders.Rung) -> str:
    match rung:
        case ladders.Retry(times):
            return f"retry {times}x"
        case ladders.Rollback(to):
            return f"rollback to {to}" if to is not None else "rollback"
        case ladders.Fallback(step):
            return f"fallback to {step}"
        case ladders.Compensate():
            return "compensate"
        case ladders.Notify(channel):
            return f"notify {channel}"
        case ladders.Apply(strategy, times):
            return f"{strategy} {times}x"
        case ladders.Pause(role):
            return f"pause for {role}" if role is not None else "pause"
        case ladders.Skip():
            return "skip"
        case ladders.Halt():
            return "halt"
    assert_never(rung)


def _unknown(node: ast.expr, source: str) -> LadderSaid:
    written = ast.unparse(node)
    return LadderSaid(source, written if len(written) <= TEXT_CHARS_MAX else f"{written[:TEXT_CHARS_MAX]}...", None)


def _built(node: ast.expr, constants: Mapping[str, ast.expr], names: Names) -> Any:
    """Build a ladder, or a part of one, of literals; raise `ValueError` where it is made of anything else."""
    name = names.of_omium(node.func) if isinstance(node, ast.Call) else None
    if not isinstance(node, ast.Call) or name not in _BUILT:
        if isinstance(node, ast.Name):
            node = constants.get(node.id, node)
        return ast.literal_eval(node)
    given = {one.arg: _built(one.value, constants, names) for one in node.keywords if one.arg is not None}
    if len(given) < len(node.keywords):
        raise ValueError("what `**` stands for is not known")
    return getattr(ladders, name)(*(_built(one, constants, names) for one in node.args), **given)
