"""What the engine asks the runtime to do. The runtime performs a command and sends the result back."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import attrs

from omium_core.engine.calls import EffectCall, Outcome, StepCall
from omium_core.engine.scope import Scope
from omium_core.interfaces.policy import Handoff
from omium_core.interfaces.recovery import Case
from omium_core.model.effect import EffectRecord
from omium_core.model.failure import Failure
from omium_core.model.fix import Suggestion
from omium_core.model.immutable import immutable

__all__ = [
    "DURABLE",
    "SOON",
    "Append",
    "Attempt",
    "Check",
    "CheckReady",
    "Command",
    "Consult",
    "Correct",
    "Diagnose",
    "Diagnosed",
    "Fetch",
    "FindStop",
    "Jitter",
    "NotifyChannel",
    "Perform",
    "Poll",
    "Quiesce",
    "Recall",
    "Resend",
    "Restore",
    "Screen",
    "Sleep",
    "Stopped",
    "Suggest",
    "Tell",
    "Undo",
    "Validate",
]


@attrs.frozen
class Append:
    """Journal the events that were made since the last append; go on at once, or when they are on disk."""

    durable: bool


SOON = Append(durable=False)
DURABLE = Append(durable=True)


@immutable(eq=False)
class Attempt:
    """Run a step's body within `scope`; give an `Outcome`. `told` are violations, `fixes` approved suggestions."""

    call: StepCall
    scope: Scope
    told: tuple[dict[str, Any], ...] = ()
    fixes: tuple[Any, ...] = ()
    attributes: Any = None
    performer: str | None = None


@attrs.frozen(eq=False)
class Perform:
    """Perform an effect under an idempotency key; give an `Outcome`."""

    call: EffectCall
    key: str


@attrs.frozen(eq=False)
class Resend:
    """Perform a recorded effect again under its own key, with its recorded arguments; give an `Outcome`."""

    effect: EffectRecord


@attrs.frozen(eq=False)
class Check:
    """Ask the world whether an effect happened.

    Give None when nobody can be asked, an `Outcome` with `definite` when it did not happen, one with a failure when the
    question itself failed, else one with its value.
    """

    effect: EffectRecord


@attrs.frozen(eq=False)
class Undo:
    """Compensate an effect under the compensation's own key; give an `Outcome`."""

    effect: EffectRecord
    key: str


@attrs.frozen(eq=False)
class Validate:
    """Check the outcome of an attempt, whose scope is `scope`, against the step's rules; give the violations."""

    call: StepCall
    outcome: Outcome
    scope: Scope


@attrs.frozen(eq=False)
class Screen:
    """Ask the policy about a step or a call that is about to begin; give the violations. `slot` is the call's."""

    call: StepCall | EffectCall
    scope: Scope
    slot: str = ""


@attrs.frozen(eq=False)
class Poll:
    """Ask the voters of a handoff about an outcome; give a `Ballot`."""

    handoff: Handoff
    call: StepCall
    outcome: Outcome
    scope: Scope


@attrs.frozen
class Correct:
    """Set values at paths of a refused outcome; give an `Outcome`."""

    value: Any
    changes: dict[str, Any]


@attrs.frozen(eq=False)
class Diagnose:
    """Find out where a failure comes from, in the record and without a model; give a `Diagnosed`.

    With `fallbacks` also what could be done about it, because a person will be asked.
    """

    call: StepCall
    scope: Scope
    failure: Failure
    error: BaseException | None
    fallbacks: tuple[str, ...] | None


@attrs.frozen(eq=False)
class Diagnosed:
    """A failure with what was found in its evidence, the name that the failure catalog has for it, and proposals."""

    failure: Failure
    fingerprint: str
    suggestions: tuple[Suggestion, ...] | None = None


@attrs.frozen(eq=False)
class Suggest:
    """Give the `Suggestion`s for a failure that is on record, the one that is most likely to work first."""

    scope: Scope
    failure: Failure
    fingerprint: str
    fallbacks: tuple[str, ...]


@attrs.frozen
class Recall:
    """Give the execution and the event of what the whole store has under a topic, newest first, as of now."""

    topic: str
    limit: int


@attrs.frozen
class Fetch:
    """Give the value that the body of an event holds."""

    execution: str
    seq: int


@attrs.frozen
class Restore:
    """Give the exception that a recorded failure left its step with."""

    step: str
    evidence: dict[str, Any]


@attrs.frozen
class CheckReady:
    """Read and verify the state at a checkpoint and find each undo; give None, or why the rollback must be refused."""

    outcomes: tuple[tuple[str, int], ...]
    effects: tuple[EffectRecord, ...]


@attrs.frozen
class Sleep:
    """Wait on the runtime's clock."""

    seconds: float


@attrs.frozen
class Jitter:
    """Give a random number in [0, 1)."""


@attrs.frozen
class Quiesce:
    """Return when nothing is in progress in a scope whose lanes can begin nothing more; `cancel` ends them as well."""

    scope: Scope
    cancel: bool = False


@attrs.frozen
class FindStop:
    """Give the `Stopped` by which a person stopped this execution while it was run here; None where nobody did.

    What effects in flight came to is journaled first, so that nobody has to be asked about them.
    """


@attrs.frozen
class Stopped:
    """That a person stopped an execution from outside of its runner: it is `paused` or `halted`, and why."""

    status: Literal["paused", "halted"]
    reason: str


@attrs.frozen(eq=False)
class Consult:
    """Ask a plugin's strategy; give its `Decision`, or None where it has none or failed, which is recorded."""

    strategy: str
    case: Case


@attrs.frozen
class NotifyChannel:
    """Tell a channel of the event with seq `about`; a channel that fails is recorded and goes no further."""

    channel: str
    subject: str
    message: str
    about: int


@attrs.frozen
class Tell:
    """Tell people of what the event with seq `about` did: those of the `role`, or the operators, if they are bound."""

    kind: Literal["paused", "halted", "unresolved"]
    message: str
    about: int
    role: str | None = None


Command: TypeAlias = (
    Append
    | Attempt
    | Perform
    | Resend
    | Check
    | Undo
    | Validate
    | Screen
    | Poll
    | Correct
    | Fetch
    | Restore
    | CheckReady
    | Sleep
    | Jitter
    | Quiesce
    | FindStop
    | NotifyChannel
    | Tell
    | Consult
    | Diagnose
    | Suggest
    | Recall
)
