"""Actions of `omium.finance`: a case for the people of a queue."""

from __future__ import annotations

from omium_core.interfaces.recovery import Case, Decision

__all__ = ["open_case"]


def open_case(case: Case) -> Decision:
    """Return the decision to wait until somebody of the queue has looked into it."""
    queue = str(case.options["queue"])
    return Decision("pause", target=queue, reason=f"a case for `{queue}`")
