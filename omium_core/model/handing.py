"""What happened to a handoff: one agent's output, offered to another and judged by voters."""

from __future__ import annotations

from omium_core.model.event import EventBase
from omium_core.model.immutable import immutable

__all__ = ["HandoffCommitted", "HandoffProposed", "HandoffRejected", "VoteCast"]


@immutable(kw_only=True)
class HandoffProposed(EventBase):
    """A step's output is offered to the step `target`, and `voters` are asked; `quorum` of them must agree.

    `payload` is the digest of what is offered, `deadline` when the time for answers is up.
    """

    handoff: str
    step: str
    attempt: int
    target: str
    payload: str
    voters: tuple[str, ...]
    quorum: int
    deadline: float


@immutable(kw_only=True)
class VoteCast(EventBase):
    """A voter's answer: accept, reject or abstain. Body: `{"reason"}`."""

    handoff: str
    step: str
    attempt: int
    voter: str
    answer: str


@immutable(kw_only=True)
class HandoffCommitted(EventBase):
    """Enough voters agreed; it is committed with the checkpoint that follows. `accepted` are those who did."""

    handoff: str
    step: str
    attempt: int
    target: str
    accepted: tuple[str, ...]


@immutable(kw_only=True)
class HandoffRejected(EventBase):
    """Not enough voters agreed: they `disagreed`, or it was `late`."""

    handoff: str
    step: str
    attempt: int
    why: str
