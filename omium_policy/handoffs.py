"""Handoffs of a policy as the engine performs them."""

from __future__ import annotations

from collections.abc import Iterator

from omium_core.interfaces.policy import Handoff
from omium_policy import syntax
from omium_policy.program import Program

__all__ = ["handoffs_of"]


def handoffs_of(program: Program) -> Iterator[Handoff]:
    """Give the handoffs that a policy declares a quorum for."""
    for handoff in program.policy.of(syntax.Handoff):
        quorum = next((one for one in handoff.statements if isinstance(one, syntax.Quorum)), None)
        if quorum is None:
            continue
        name = f"{handoff.source.text} -> {handoff.target.text}"
        yield Handoff(
            name,
            handoff.source.text,
            handoff.target.text,
            tuple(voter.text for voter in quorum.voters),
            _needed(quorum),
            float(quorum.within.value),
            program.source.where(handoff.span).rpartition("/")[2],
            f"handoff {name}",
            f"handoff {name} in time",
        )


def _needed(quorum: syntax.Quorum) -> int:
    """Return how many must agree: of voters of whom `f` may lie, 2f+1."""
    return 2 * quorum.count + 1 if quorum.byzantine else quorum.count
