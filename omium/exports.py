"""Everything that `omium` gives; it is imported when the first of it is asked for."""

from __future__ import annotations

from omium.blocks import Checkpoint as Checkpoint
from omium.blocks import Transaction as Transaction
from omium.blocks import execution as execution
from omium.decorators import (
    agent as agent,
)
from omium.decorators import (
    checkpoint as checkpoint,
)
from omium.decorators import (
    effect as effect,
)
from omium.decorators import (
    require as require,
)
from omium.decorators import (
    rollback_on as rollback_on,
)
from omium.decorators import (
    transaction as transaction,
)
from omium.decorators import (
    workflow as workflow,
)
from omium.inside import (
    Current as Current,
)
from omium.inside import (
    bind as bind,
)
from omium.inside import (
    current as current,
)
from omium.inside import (
    event as event,
)
from omium.inside import (
    now as now,
)
from omium.inside import (
    random as random,
)
from omium.inside import (
    spend as spend,
)
from omium.inside import (
    uuid as uuid,
)
from omium.operating import (
    execution_of as execution_of,
)
from omium.operating import (
    fork as fork,
)
from omium.operating import (
    halt as halt,
)
from omium.operating import (
    pause as pause,
)
from omium.operating import (
    resume as resume,
)
from omium.operating import (
    rollback as rollback,
)
from omium.operating import (
    verify as verify,
)
from omium.policies import load_policy as load_policy
from omium.reviewing import (
    fixes as fixes,
)
from omium.reviewing import (
    review as review,
)
from omium.reviewing import (
    revoke as revoke,
)
from omium.runtime import Runtime as Runtime
from omium.runtime import register as register
from omium.runtime import runtime_for as runtime_for
from omium.stores import OpenStore as OpenStore
from omium.stores import open_store as open_store
from omium.testing.scenarios import scenario as scenario
from omium.unavailable import Consensus as Consensus
from omium.unavailable import consensus as consensus
from omium.unavailable import guard as guard
from omium.views import Execution as Execution
from omium.voting import voter as voter
from omium.workflows import Workflow as Workflow
from omium_core.errors import (
    CircuitOpen as CircuitOpen,
)
from omium_core.errors import (
    ConditionFailed as ConditionFailed,
)
from omium_core.errors import (
    Diverged as Diverged,
)
from omium_core.errors import (
    ExecutionBusy as ExecutionBusy,
)
from omium_core.errors import (
    ExecutionFenced as ExecutionFenced,
)
from omium_core.errors import (
    ExecutionHalted as ExecutionHalted,
)
from omium_core.errors import (
    ExecutionPaused as ExecutionPaused,
)
from omium_core.errors import (
    ExecutionRolledBack as ExecutionRolledBack,
)
from omium_core.errors import (
    Hallucination as Hallucination,
)
from omium_core.errors import (
    NotDone as NotDone,
)
from omium_core.errors import (
    OmiumError as OmiumError,
)
from omium_core.errors import (
    PolicyError as PolicyError,
)
from omium_core.errors import (
    ReviewRefused as ReviewRefused,
)
from omium_core.errors import (
    RollbackRefused as RollbackRefused,
)
from omium_core.errors import (
    StepError as StepError,
)
from omium_core.errors import (
    StoreError as StoreError,
)
from omium_core.errors import (
    UnknownCheckpoint as UnknownCheckpoint,
)
from omium_core.errors import (
    UnknownExecution as UnknownExecution,
)
from omium_core.errors import (
    Unstorable as Unstorable,
)
from omium_core.errors import (
    UsageError as UsageError,
)
from omium_core.hookspecs import hookimpl as hookimpl
from omium_core.model.agent import Agent as Agent
from omium_core.recovery.agents import AgentConfig as AgentConfig
from omium_core.recovery.breakers import Breaker as Breaker
from omium_core.recovery.ladders import (
    Apply as Apply,
)
from omium_core.recovery.ladders import (
    AtMost as AtMost,
)
from omium_core.recovery.ladders import (
    Backoff as Backoff,
)
from omium_core.recovery.ladders import (
    Compensate as Compensate,
)
from omium_core.recovery.ladders import (
    Fallback as Fallback,
)
from omium_core.recovery.ladders import (
    Halt as Halt,
)
from omium_core.recovery.ladders import (
    Notify as Notify,
)
from omium_core.recovery.ladders import (
    Pause as Pause,
)
from omium_core.recovery.ladders import (
    Recovery as Recovery,
)
from omium_core.recovery.ladders import (
    Retry as Retry,
)
from omium_core.recovery.ladders import (
    Rollback as Rollback,
)
from omium_core.recovery.ladders import (
    Skip as Skip,
)
from omium_core.runtime.performing import NOT_DONE as NOT_DONE
from omium_core.runtime.verifying import Verification as Verification
