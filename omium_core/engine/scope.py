"""Where calls come from: a scope is one attempt's body, a lane is one task or thread inside it."""

from __future__ import annotations

from typing import TypeVar

import attrs

from omium_core.engine.calls import StepCall
from omium_core.model.failure import Failure
from omium_core.recovery.ladders import Ladder

__all__ = ["Lane", "Scope", "counted"]

K = TypeVar("K")

MAIN = ""


@attrs.define(eq=False)
class Lane:
    """An order of calls inside a scope, named by its first call; the scope's own task has the empty name."""

    label: str | None = None
    cursor: int = 0
    steps: dict[str, int] = attrs.field(factory=dict)
    effects: dict[str, int] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Scope:
    """The body of one attempt, or of a `block` in it, as it runs in this process.

    `asked` are the effects that it asked for, `touched` the steps; what the journal has beyond them belongs to an
    attempt that did not survive. `call` is the step's, `ladders` are those that it comes with. `aborted` is a failure
    that user code must not swallow. `busy` counts the calls in it and below it that are the engine's at the moment, and
    not user code's; once it is `over`, lanes that were left behind can begin nothing more.
    """

    path: str
    attempt: int
    entry: int
    parent: Scope | None = None
    call: StepCall | None = None
    main: Lane = attrs.field(factory=lambda: Lane(MAIN))
    labels: dict[str, int] = attrs.field(factory=dict)
    asked: set[str] = attrs.field(factory=set)
    touched: set[str] = attrs.field(factory=set)
    answered: dict[tuple[str, str], int] = attrs.field(factory=dict)
    ladders: tuple[Ladder, ...] = ()
    transaction: str | None = None
    block: bool = False
    models: int = 0
    aborted: Failure | None = None
    busy: int = 0
    over: bool = False

    def count(self, calls: int) -> None:
        """Count calls that begin or end here."""
        at: Scope | None = self
        while at is not None:
            at.busy += calls
            at = at.parent

    def label_for(self, lane: Lane, name: str) -> str:
        """Return the lane's name, and name it after this first call when it has none yet."""
        if lane.label is None:
            count = counted(self.labels, name)
            lane.label = name if count == 1 else f"{name}~{count}"
        return lane.label

    def taker(self, kind: str) -> Scope | None:
        """Return the innermost step whose own ladders take failures of that kind: this one's, or one around it."""
        scope: Scope | None = self
        while scope is not None and not any(ladder.takes(kind, None) for ladder in scope.ladders):
            scope = scope.parent
        return scope

    def step(self) -> Scope:
        """Return the attempt that the code belongs to, outside of the blocks in it."""
        scope = self
        while scope.block and scope.parent is not None:
            scope = scope.parent
        return scope

    @property
    def name(self) -> str:
        """The name of the step that this is an attempt at; empty for the workflow's own body."""
        return self.call.name if self.call is not None and self.path else ""

    def transactions(self) -> tuple[str, ...]:
        """Return the effects that the transactions are which this scope is inside of, or is."""
        found, scope = [], self.enclosing_transaction()
        while scope is not None:
            found.append(scope.transaction or "")
            scope = scope.parent.enclosing_transaction() if scope.parent is not None else None
        return tuple(found)

    def is_within(self, transaction: str) -> bool:
        """Say whether this is inside of that transaction, or is it."""
        scope: Scope | None = self
        while scope is not None and scope.transaction != transaction:
            scope = scope.parent
        return scope is not None

    def enclosing_transaction(self) -> Scope | None:
        """Return the innermost transaction that this scope is inside of, or is."""
        scope: Scope | None = self
        while scope is not None and scope.transaction is None:
            scope = scope.parent
        return scope


def counted(counts: dict[K, int], key: K) -> int:
    """Count one more of `key`; return how many there are now."""
    counts[key] = count = counts.get(key, 0) + 1
    return count
