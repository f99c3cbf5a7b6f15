"""What happened in an execution, as plain values: a small tree that a terminal, a page or a test can show."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import attrs

__all__ = ["Counts", "Kind", "Mark", "Node", "Story"]

Kind: TypeAlias = Literal[
    "step",
    "block",
    "transaction",
    "rule",
    "effect",
    "decision",
    "diagnosis",
    "circuit",
    "fix",
    "rollback",
    "compensation",
    "review",
    "policy",
    "choice",
    "answer",
    "pause",
    "resume",
    "halt",
    "fork",
    "plugin",
    "handoff",
    "vote",
]
Mark: TypeAlias = Literal[
    "ok", "failed", "open", "skipped", "back", "undone", "unsure", "paused", "resumed", "halted", "note"
]


@attrs.frozen(kw_only=True)
class Node:
    """One line: an attempt at a step, or something that was decided, undone, asked or found beside it.

    `texts` are said in this order. `checkpoint` is the id of the checkpoint that the attempt ended with, and `standing`
    whether that is still on the way to the head. A `detail` can be left out where a short form is wanted.
    """

    kind: Kind
    mark: Mark
    label: str
    texts: tuple[str, ...] = ()
    step: str = ""
    agent: str | None = None
    attempt: int = 0
    where: str | None = None
    checkpoint: str | None = None
    standing: bool = True
    detail: bool = False
    at: float = 0.0
    children: tuple[Node, ...] = ()


@attrs.frozen(kw_only=True)
class Counts:
    """What there was of everything that matters for recovery.

    `failures` are those without a broken rule. `redone` are steps that were begun more than once, `reused` finished
    steps that were kept when the execution went on after a failure, a rollback, a crash or a pause. `repeated` are
    effects that were performed although an equal one stood; `resent` ones went out again under their own idempotency
    key. `recovery_s` is the time from a failure until its step was done, without the waiting for people.
    """

    steps: int = 0
    effects: int = 0
    failures: int = 0
    violations: int = 0
    rollbacks: int = 0
    crashes: int = 0
    redone: int = 0
    reused: int = 0
    repeated: int = 0
    resent: int = 0
    compensated: int = 0
    recovery_s: float = 0.0


@attrs.frozen(kw_only=True)
class Story:
    """One execution from its first event to its last; `loose` are effects without an owner, or unresolved ones."""

    execution: str
    short: str
    workflow: str
    status: str
    reason: str
    started: float
    ended: float | None
    nodes: tuple[Node, ...]
    loose: tuple[Node, ...]
    counts: Counts
    summary: str

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return attrs.asdict(self)
