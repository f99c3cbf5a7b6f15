"""What people are told about an execution."""

from __future__ import annotations

import attrs

__all__ = ["OPERATORS", "Notice"]

OPERATORS = "operators"
"""The channel that is told of what has no channel of its own."""


@attrs.frozen
class Notice:
    """Something that a channel is told: a ladder says so (`notify`), or an execution is `paused`, `halted` or has
    effects that nobody knows about (`unresolved`).

    `about` is the seq of the event behind it, `at` its time in seconds since the epoch.
    """

    kind: str
    channel: str
    execution: str
    workflow: str
    about: int
    at: float
    subject: str
    message: str

    @property
    def id(self) -> str:
        """What is the same each time that the channel is told of this, so that a receiver can tell a repetition."""
        return f"{self.execution}/{self.about}/{self.channel}"
