"""What happened to an execution: the immutable events that its journal holds.

An event is a header (plain fields, stored as one line of JSON) and at most one body (a value, stored apart and hashed
as stored). Status, the command line's trees, metrics and audit reports are projections of events.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs

from omium_core.model.event import EventBase as _Event
from omium_core.model.governing import PolicyActivated, PolicyOverridden
from omium_core.model.handing import HandoffCommitted, HandoffProposed, HandoffRejected, VoteCast
from omium_core.model.immutable import immutable
from omium_core.model.judged import PolicyViolated

__all__ = [
    "EVENT_TYPES",
    "ChannelTold",
    "CheckpointCommitted",
    "CircuitChanged",
    "CompensationFailed",
    "EffectClaimed",
    "EffectCompensated",
    "EffectDone",
    "EffectFailed",
    "EffectIntended",
    "EffectResolved",
    "Event",
    "ExecutionCompleted",
    "ExecutionHalted",
    "ExecutionPaused",
    "ExecutionResumed",
    "ExecutionStarted",
    "FixApplied",
    "FixRevoked",
    "Forked",
    "HandoffCommitted",
    "HandoffProposed",
    "HandoffRejected",
    "PluginFailed",
    "PolicyActivated",
    "PolicyOverridden",
    "PolicyViolated",
    "Pruned",
    "RecoveryDecided",
    "ReviewDecided",
    "ReviewRequested",
    "RollbackFinished",
    "RolledBack",
    "StepCompleted",
    "StepFailed",
    "StepStarted",
    "SuggestionMade",
    "VoteCast",
]


@immutable(kw_only=True)
class ExecutionStarted(_Event):
    """The first event. Body: `{"arguments": {name: value}}`.

    `policy` is the hash of the policy that it runs under to its end, `policy_name` that policy's name.
    """

    execution: str
    workflow: str
    arguments: str = ""
    runner: str = ""
    policy: str = ""
    policy_name: str = ""


@immutable(kw_only=True)
class Forked(_Event):
    """The first event of an execution that starts from a checkpoint of another; the chain goes on from that one's."""

    execution: str
    workflow: str
    source: str
    checkpoint: str
    source_seq: int


@immutable(kw_only=True)
class StepStarted(_Event):
    """An attempt begins; it is told the violations of the `StepFailed` with seq `told`.

    `initial`: the body has the agent's attributes as they were first seen. `refused`: the policy did not let it begin.
    Body: `{"arguments", "attributes"}` as far as they are storable, `{"opaque"}` names the types of the others.
    """

    step: str
    name: str
    attempt: int = 1
    arguments: str
    scope: str = ""
    scope_attempt: int = 1
    lane: str = ""
    agent: str | None = None
    kind: str = "step"
    performer: str | None = None
    told: int = 0
    initial: bool = False
    refused: bool = False


@immutable(kw_only=True)
class StepCompleted(_Event):
    """The outcome held. Body: the value. `unowned` effects of earlier attempts stand without an owner."""

    step: str
    attempt: int = 1
    skipped: bool = False
    corrected: bool = False
    unowned: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@immutable(kw_only=True)
class StepFailed(_Event):
    """An attempt failed. `final`: the failure is the step's outcome and reaches the workflow.

    Body: `{"message", "error", "violations", "value", "diagnosis"}`; `value` is the outcome that a rule refused, when
    it is known. `fingerprint` is what the failure catalog knows it by.
    """

    step: str
    attempt: int
    kind: str
    where: str | None = None
    final: bool = False
    fingerprint: str = ""


@immutable(kw_only=True)
class CheckpointCommitted(_Event):
    """A validated state; `root` is the Merkle root of the whole of it.

    Body: the saved state of a `Checkpoint` block (`saves` is "state"), or the agent's saved attributes ("attributes").
    """

    checkpoint: str
    parent: str
    step: str
    name: str
    root: str
    agent: str | None = None
    saves: str | None = None
    dropped: tuple[str, ...] = ()


@immutable(kw_only=True)
class EffectIntended(_Event):
    """An effect that is not a read is about to be performed; durable BEFORE it is. Body: `{"arguments"}`."""

    effect: str
    name: str
    step: str
    attempt: int
    slot: str
    kind: str
    key: str
    fingerprint: str
    arguments: str
    incarnation: int = 0
    lineage: str = ""
    keyed: bool = False
    within: str | None = None
    of: str | None = None
    credentials: tuple[str, ...] = ()


@immutable(kw_only=True)
class EffectDone(_Event):
    """An effect happened. Body of a read: `{"arguments", "value"}`; of any other: the value.

    `usage` is what it used up, by meter: `tokens`, `cost` in US dollars as a text, and others.
    """

    effect: str
    name: str
    step: str
    attempt: int
    kind: str
    slot: str = ""
    arguments: str = ""
    model: str | None = None
    usage: dict[str, Any] | None = None


@immutable(kw_only=True)
class EffectFailed(_Event):
    """An effect raised. `definite`: it certainly did not happen, else it is unresolved. Body: the evidence.

    Without a body it was stopped before it was performed, and its caller saw nothing. `refused`: its circuit was open,
    so nobody was asked. `topic` is that of its circuit, where it has one.
    """

    effect: str
    name: str
    step: str
    attempt: int
    kind: str
    definite: bool
    slot: str = ""
    arguments: str = ""
    refused: bool = False
    topic: str = ""
    usage: dict[str, Any] | None = None


@attrs.frozen(kw_only=True)
class CircuitChanged(_Event):
    """The circuit of an effect is `open`, `half_open` while one call tries it, or `closed` again; for all executions.

    `failures` in its window opened it.
    """

    name: str
    state: str
    step: str
    attempt: int
    failures: int = 0
    topic: str = ""


@immutable(kw_only=True)
class EffectClaimed(_Event):
    """A standing effect answers a later request for the same, `within` a transaction it is one of its effects.

    So it is with what a finished step did that a further attempt at the transaction goes on from.
    """

    effect: str
    step: str
    attempt: int
    slot: str
    within: str | None = None


@immutable(kw_only=True)
class EffectResolved(_Event):
    """What became of an unresolved effect, and who says so (`check`, `sent again`, or a person). Body: the value."""

    effect: str
    done: bool
    by: str


@immutable(kw_only=True)
class EffectCompensated(_Event):
    """An effect was undone in meaning."""

    effect: str
    key: str


@immutable(kw_only=True)
class CompensationFailed(_Event):
    """An effect could not be undone, this time or (`final`) for good. Body: `{"message", "error"}`."""

    effect: str
    key: str
    attempt: int
    final: bool = False


@immutable(kw_only=True)
class RecoveryDecided(_Event):
    """What is done about a failure: which rung of which ladder, with the values that were used."""

    step: str
    attempt: int
    failure: str
    strategy: str
    rung: int
    source: str
    target: str | None = None
    delay_s: float | None = None
    channel: str | None = None
    values: dict[str, Any] = attrs.field(factory=dict)


@immutable(kw_only=True)
class RolledBack(_Event):
    """The head goes back; from here on an older runner can append nothing. `failure` is the seq of what led to it."""

    origin: str
    target: str
    reason: str
    by: str
    failure: int = 0


@immutable(kw_only=True)
class RollbackFinished(_Event):
    """Everything behind the new head is compensated, or named in `standing`."""

    target: str
    compensated: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()


@immutable(kw_only=True)
class SuggestionMade(_Event):
    """A fix is proposed for a failed step, as number `number` of the question that follows.

    `worked` of `tried` fixes of this kind did for failures with this fingerprint, when it was made. Body:
    `{"label", "change", "evidence"}`.
    """

    step: str
    attempt: int
    number: int
    kind: str
    fingerprint: str
    worked: int = 0
    tried: int = 0


@immutable(kw_only=True)
class ReviewRequested(_Event):
    """A person must decide. Body: `{"question", "choices": [{"action", "label"}], "evidence"}`."""

    review: str
    step: str
    kind: str
    head: str
    attempt: int = 0
    effect: str | None = None
    slot: str | None = None
    role: str | None = None
    deadline: float | None = None


@immutable(kw_only=True)
class ReviewDecided(_Event):
    """What a person decided. Body: `{"edit", "set", "value", "fix"}`.

    `always` is the place of a step, in the workflow whose fixes have this `topic`: the advice also reaches that step in
    later executions. `fingerprint` is the failure's that it is for.
    """

    review: str
    action: str
    by: str
    reason: str
    head: str
    always: str = ""
    fingerprint: str = ""
    topic: str = ""


@immutable(kw_only=True)
class FixApplied(_Event):
    """An approved fix reaches an attempt, or (`kind` is `value`) the outcome that it produced. Body: the fix.

    `origin` is the execution whose review approved it, where that is another one. `topic` is that of the failure which
    it is for, under which the catalog finds it.
    """

    step: str
    attempt: int
    review: str
    kind: str = "prompt"
    origin: str = ""
    topic: str = ""


@immutable(kw_only=True)
class FixRevoked(_Event):
    """A fix that was approved for always reaches no later execution any more."""

    review: str
    by: str
    reason: str
    topic: str = ""


@immutable(kw_only=True)
class ExecutionPaused(_Event):
    """No process has the execution until somebody resumes it. `by` is who stopped it from outside of its runner."""

    reason: str
    review: str | None = None
    by: str = ""


@immutable(kw_only=True)
class ExecutionResumed(_Event):
    """A runner took the execution over; from here on the one before can append nothing."""

    runner: str


@immutable(kw_only=True)
class ExecutionCompleted(_Event):
    """The workflow returned. Body: its value."""

    unowned: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()


@immutable(kw_only=True)
class ExecutionHalted(_Event):
    """The execution was stopped for good; everything is kept. `by` is who stopped it from outside of its runner."""

    reason: str
    step: str | None = None
    by: str = ""


@immutable(kw_only=True)
class Pruned(_Event):
    """The bodies of the events up to and with `until` are gone; their headers stay, so the chain still verifies."""

    until: int
    by: str
    reason: str = ""


@immutable(kw_only=True)
class ChannelTold(_Event):
    """A channel was told of the event with seq `about`."""

    channel: str
    about: int
    attempts: int = 1


@immutable(kw_only=True)
class PluginFailed(_Event):
    """A plugin raised; the workflow went on without it."""

    plugin: str
    hook: str
    message: str


Event: TypeAlias = (
    ExecutionStarted
    | Forked
    | StepStarted
    | StepCompleted
    | StepFailed
    | PolicyViolated
    | CheckpointCommitted
    | EffectIntended
    | EffectDone
    | EffectFailed
    | CircuitChanged
    | EffectClaimed
    | EffectResolved
    | EffectCompensated
    | CompensationFailed
    | RecoveryDecided
    | RolledBack
    | RollbackFinished
    | SuggestionMade
    | ReviewRequested
    | ReviewDecided
    | HandoffProposed
    | VoteCast
    | HandoffCommitted
    | HandoffRejected
    | FixApplied
    | FixRevoked
    | ExecutionPaused
    | ExecutionResumed
    | ExecutionCompleted
    | ExecutionHalted
    | PolicyActivated
    | PolicyOverridden
    | PluginFailed
    | Pruned
    | ChannelTold
)

EVENT_TYPES: dict[str, type[Event]] = {cls.__name__: cls for cls in Event.__args__}
