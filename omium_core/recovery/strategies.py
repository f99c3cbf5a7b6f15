"""What a plugin's strategy is asked, and its answer as the rung of a ladder."""

from __future__ import annotations

import sys

from omium_core.interfaces.recovery import Decision
from omium_core.recovery.ladders import (
    Backoff,
    Compensate,
    Fallback,
    Halt,
    Notify,
    Pause,
    Retry,
    Rollback,
    Rung,
    Skip,
)

if sys.version_info >= (3, 11):
    from typing import assert_never
else:
    from typing_extensions import assert_never

__all__ = ["rung_of"]


def rung_of(decision: Decision) -> Rung:
    """Return the rung that a decision is; a retry is one further attempt, however often the strategy may be asked."""
    target = decision.target
    match decision.action:
        case "retry":
            wait_s = decision.wait_s
            return Retry(1, backoff=Backoff("constant", wait_s, wait_s, jitter=False) if wait_s else None)
        case "rollback":
            return Rollback(target)
        case "fallback":
            return Fallback(target or "")
        case "compensate":
            return Compensate()
        case "notify":
            return Notify(target) if target is not None else Notify()
        case "pause":
            return Pause(target)
        case "skip":
            return Skip()
        case "halt":
            return Halt()
    assert_never(decision.action)
