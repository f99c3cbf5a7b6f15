"""Recovery for multi-agent systems: validated checkpoints, rollback with compensation, effects done exactly once."""

# ruff: noqa: F405  # the names are those of `omium.exports`; a test keeps the two together

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omium.exports import *  # noqa: F403  # a type checker sees at once what `__getattr__` gives later

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        """Give what `omium.exports` has: importing it costs more than all that `omium --version` does."""
        if name == "__version__":
            from importlib.metadata import version

            return version("omium")
        if name not in __all__:
            raise AttributeError(f"module `omium` has no attribute `{name}`")
        exports = importlib.import_module("omium.exports")
        globals().update({one: getattr(exports, one) for one in __all__})
        return globals()[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "NOT_DONE",
    "Agent",
    "AgentConfig",
    "Apply",
    "AtMost",
    "Backoff",
    "Breaker",
    "Checkpoint",
    "CircuitOpen",
    "Compensate",
    "ConditionFailed",
    "Consensus",
    "Current",
    "Diverged",
    "Execution",
    "ExecutionBusy",
    "ExecutionFenced",
    "ExecutionHalted",
    "ExecutionPaused",
    "ExecutionRolledBack",
    "Fallback",
    "Hallucination",
    "Halt",
    "NotDone",
    "Notify",
    "OmiumError",
    "OpenStore",
    "Pause",
    "PolicyError",
    "Recovery",
    "Retry",
    "ReviewRefused",
    "Rollback",
    "RollbackRefused",
    "Runtime",
    "Skip",
    "StepError",
    "StoreError",
    "Transaction",
    "UnknownCheckpoint",
    "UnknownExecution",
    "Unstorable",
    "UsageError",
    "Verification",
    "Workflow",
    "agent",
    "bind",
    "checkpoint",
    "consensus",
    "current",
    "effect",
    "event",
    "execution",
    "execution_of",
    "fixes",
    "fork",
    "guard",
    "halt",
    "hookimpl",
    "load_policy",
    "now",
    "open_store",
    "pause",
    "random",
    "register",
    "require",
    "resume",
    "review",
    "revoke",
    "rollback",
    "rollback_on",
    "runtime_for",
    "scenario",
    "spend",
    "transaction",
    "uuid",
    "verify",
    "voter",
    "workflow",
]
