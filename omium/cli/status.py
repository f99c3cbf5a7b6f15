"""From an error to an exit status and one line of text."""

from __future__ import annotations

from omium_core.errors import (
    Corrupted,
    Diverged,
    ExecutionHalted,
    ExecutionPaused,
    NotAStore,
    OmiumError,
    UnknownCheckpoint,
    UnknownExecution,
    UsageError,
)

__all__ = ["BROKEN", "DIVERGED", "FAILED", "HALTED", "PAUSED", "USAGE", "described", "status_of"]

FAILED = 1
USAGE = 2
HALTED = 3
PAUSED = 4
DIVERGED = 5
BROKEN = 6


def status_of(error: BaseException) -> int:
    """Return the exit status that an error means."""
    match error:
        case UsageError() | UnknownExecution() | UnknownCheckpoint() | NotAStore():
            return USAGE
        case ExecutionHalted():
            return HALTED
        case ExecutionPaused():
            return PAUSED
        case Diverged():
            return DIVERGED
        case Corrupted():
            return BROKEN
    return FAILED


def described(error: BaseException) -> tuple[str, str]:
    """Return an error's stable code and its sentence."""
    text = " ".join(str(error).split())
    if isinstance(error, OmiumError):
        return error.code, text
    kind = type(error).__name__
    return "unexpected", f"unexpected {kind}: {text}; run it again with `--traceback` to see where"
