"""Everything that `omium` gives; it is imported when the first of it is asked for."""

from __future__ import annotations

from omium.blocks import Checkpoint, Transaction, execution
from omium.inside import Current, bind, current, now, random, uuid
from omium.decorators import agent, checkpoint, effect, require, rollback_on, transaction, workflow
from omium.views import Execution
from omium.operating import execution_of, fork, resume, review, rollback, verify
from omium.runtime import Runtime, register, runtime_for
from omium.stores import OpenStore, open_store
from omium.unavailable import Consensus, consensus, guard
from omium.workflows import Workflow
from omium_core.errors import (
    ConditionFailed,
    Diverged,
    ExecutionBusy,
    ExecutionFenced,
    ExecutionHalted,
    ExecutionPaused,
    ExecutionRolledBack,
    Hallucination,
    NotDone,
    OmiumError,
    ReviewRefused,
    RollbackRefused,
    StepError,
    StoreError,
    UnknownCheckpoint,
    UnknownExecution,
    Unstorable,
    UsageError,
)
from omium_core.hookspecs import hookimpl
from omium_core.model.agent import Agent
from omium_core.recovery.agents import AgentConfig
from omium_core.recovery.ladders import (
    AtMost,
    Backoff,
    Compensate,
    Fallback,
    Halt,
    Notify,
    Pause,
    Recovery,
    Retry,
    Rollback,
    Skip,
)
from omium_core.runtime.performing import NOT_DONE
from omium_core.runtime.verifying import Verification

__all__ = [
    "NOT_DONE",
    "Agent",
    "AgentConfig",
    "AtMost",
    "Backoff",
    "Checkpoint",
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
    "execution",
    "execution_of",
    "fork",
    "guard",
    "hookimpl",
    "now",
    "open_store",
    "random",
    "register",
    "require",
    "resume",
    "review",
    "rollback",
    "rollback_on",
    "runtime_for",
    "transaction",
    "uuid",
    "verify",
    "workflow",
]
