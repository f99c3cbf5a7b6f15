"""Programs as data: steps, effects, lanes, blocks and transactions, with what goes wrong in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs

import omium
from omium import Compensate, Fallback, Halt, Notify, Pause, Recovery, Retry, Rollback, Skip

__all__ = ["ERRORS", "LADDERS", "Effect", "Lanes", "Node", "Program", "Saved", "Step", "Strange", "Together"]


class Strange(Exception):
    """An exception type that Omium does not know."""


ERRORS: dict[str, Callable[[str], BaseException]] = {
    "value": ValueError,
    "condition": omium.ConditionFailed,
    "timeout": TimeoutError,
    "hallucination": omium.Hallucination,
    "strange": Strange,
}

LADDERS: dict[str, Recovery | None] = {
    "none": None,
    "retry": Recovery(Retry(3, backoff="exponential(1s, 10s)"), Halt()),
    "pause": Recovery(Pause(), Halt()),
    "retry, pause": Recovery(Retry(1), Pause(timeout_s="4h"), Halt()),
    "retry, skip": Recovery(Retry(1), Skip()),
    "rollback": Recovery(Rollback(), Retry(2), Halt()),
    "rollback to the start": Recovery(Rollback("start"), Rollback(), Retry(1), Halt()),
    "retry, compensate": Recovery(Retry(1), Compensate(), Retry(2), Halt()),
    "fallback": Recovery(Fallback("spare"), Retry(2), Halt()),
    "notify": Recovery(Notify("nowhere"), Retry(2), Halt()),
    "conflicts": Recovery(Retry(2), Halt(), kinds=("any", "effect_conflict")),
    "rollback_on": None,
    "config": None,
}


@attrs.frozen
class Effect:
    """A call to the world. `words` are an argument that a model gives; `trouble` is what its n-th call meets.

    With `token` it presents a credential that can be used once; a model gives it, and may give the same one again.
    `turned`: it is called for two arguments, and every second attempt plans them the other way round.
    """

    kind: str = "compensable"
    keyed: bool = False
    check: bool = False
    identity: str = "arguments"
    words: bool = False
    trouble: tuple[str, ...] = ()
    undo_trouble: tuple[str, ...] = ()
    on_conflict: str | None = None
    caught: bool = False
    token: bool = False
    turned: bool = False


@attrs.frozen
class Step:
    """A step around nodes. `fails` are the attempts that raise; `moody` lets a model decide.

    With `large` its outcome has a part that goes to the blob store.
    """

    body: tuple[Node, ...] = ()
    fails: frozenset[int] = frozenset()
    error: str = "value"
    early: bool = False
    moody: bool = False
    ladder: str = "none"
    transaction: bool = False
    caught: str = ""
    times: int = 1
    large: bool = False


@attrs.frozen
class Lanes:
    """Nodes side by side: `threads`, or in async code `gather`, `group` and `to_thread`."""

    lanes: tuple[tuple[Node, ...], ...]
    how: str = "threads"


@attrs.frozen
class Saved:
    """A `Checkpoint` block."""

    body: tuple[Node, ...] = ()
    state: bool = True


@attrs.frozen
class Together:
    """A `Transaction` block; it raises at its end in the attempts `fails` of what is around it."""

    body: tuple[Node, ...] = ()
    fails: frozenset[int] = frozenset()


Node: TypeAlias = "Effect | Step | Lanes | Saved | Together"


@attrs.frozen
class Program:
    """A workflow's body, as sync or async code."""

    nodes: tuple[Node, ...]
    concurrent: bool = False
