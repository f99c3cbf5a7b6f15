"""Who judges a handoff: the Protocol that a voter implements."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Voter"]


class Voter(Protocol):
    """Judges what one agent hands to another, where a policy's `quorum` names it.

    It is called once for each handoff, in any thread, and MUST NOT touch the world: after a crash it may be asked
    again. It MUST NOT change the value. What it raises is a vote against, with what was raised as the reason.
    """

    def __call__(self, value: Any) -> bool | str | None:
        """Give True for it, False or a text that says why against it, None to abstain."""
