"""What a policy says while an execution runs: the Protocol between the engine and the policy language.

A policy is pure: the same question has the same answer, nothing is performed and nothing is kept. What has to be
remembered of the past (`memory`) is given to it and comes back; the engine folds it from the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias

import attrs

from omium_core.model.failure import Violation
from omium_core.recovery.ladders import Ladder

__all__ = ["Ballot", "Handoff", "Happening", "Memory", "Policy", "Spent", "Vote"]

Memory: TypeAlias = Mapping[str, Any]
"""What sequence rules remember, by rule: plain data."""

Answer = Literal["accept", "reject", "abstain"]


@attrs.frozen
class Happening:
    """Something that happens: `kind` is tool, step, handoff or event; `phase` is how (starts, passes, agreed, ...).

    `at_s` is the time in seconds since the epoch. `given` is what conditions (`where`) may ask for.
    """

    kind: str
    name: str
    phase: str = ""
    at_s: float = 0.0
    given: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Spent:
    """What was used up so far, by meter: `elapsed` in seconds without pauses, `tokens`, `cost` in US dollars, others.

    `run` is that of the execution, `step` that of the step and those in it, over all attempts.
    """

    run: Mapping[str, Any]
    step: Mapping[str, Any]


@attrs.frozen
class Handoff:
    """One agent's output offered to another: who judges it, how many must agree, and within how many seconds."""

    name: str
    source: str
    target: str
    voters: tuple[str, ...]
    quorum: int
    within_s: float
    where: str | None = None
    disagreed: str = ""
    late: str = ""


@attrs.frozen
class Vote:
    """One voter's answer, and why."""

    voter: str
    answer: Answer
    reason: str = ""


@attrs.frozen
class Ballot:
    """All answers to one handoff, in the order of its voters; who gave none in time has none. `late` is whether the
    time was up before everybody had answered."""

    votes: tuple[Vote, ...]
    late: bool = False


class Policy(Protocol):
    """What is in force for an execution, from its start to its end."""

    @property
    def name(self) -> str:
        """The policy's name."""

    @property
    def hash(self) -> str:
        """What names this very policy with its packs; an execution pins it."""

    @property
    def ladders(self) -> tuple[Ladder, ...]:
        """The ladders in order of precedence; those of rules come first, the strictest of them before others."""

    def asks(self, when: str, step: str) -> bool:
        """Say whether there are rules `before`, `after` or `during` a step."""

    def judge(self, when: str, step: str, given: Mapping[str, Any]) -> tuple[Violation, ...]:
        """Return what does not hold `before` or `after` a step."""

    def judge_tool(self, step: str, tool: str | None, given: Mapping[str, Any]) -> tuple[Violation, ...]:
        """Return what speaks against a call during a step: of a tool, or (None) of a model."""

    def vote(self, voter: str, step: str, given: Mapping[str, Any]) -> Vote | None:
        """Return the answer of a voter that is a rule; None where it is none."""

    def handoffs(self, step: str) -> tuple[Handoff, ...]:
        """Return the handoffs of what a step gives."""

    def exceeded(self, memory: Memory, step: str, spent: Spent, grants: Mapping[str, int]) -> tuple[Violation, ...]:
        """Return the budgets that are used up, and once those that nearly are (that blocks nothing).

        Each of the `grants` that people gave a budget, by its rule, allows as much again.
        """

    def hears(self, kind: str, name: str, phase: str) -> bool:
        """Say whether a sequence rule listens to this."""

    def peek(self, memory: Memory, happening: Happening) -> tuple[Violation, ...]:
        """Return what would break if this happened; nothing is counted."""

    def count(self, memory: Memory, happening: Happening) -> Memory:
        """Return the memory after this happened."""

    def overdue(self, memory: Memory, now_s: float) -> tuple[Violation, ...]:
        """Return what should have happened by now."""

    def told(self, memory: Memory, name: str) -> Memory:
        """Return the memory after a violation was said whose `told` is this name: a deadline is missed once."""

    def at_end(self, memory: Memory) -> tuple[Violation, ...]:
        """Return what should have happened before the end."""
