"""What the engine asks the runtime to do. The runtime performs a command and sends the result back."""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs

from omium_core.engine.calls import EffectCall, Outcome, StepCall
from omium_core.engine.scope import Scope
from omium_core.model.effect import EffectRecord

__all__ = [
    "DURABLE",
    "SOON",
    "Append",
    "Attempt",
    "Check",
    "CheckReady",
    "Command",
    "Correct",
    "Fetch",
    "Jitter",
    "NotifyChannel",
    "Perform",
    "Quiesce",
    "Resend",
    "Restore",
    "Sleep",
    "Undo",
    "Validate",
]


@attrs.frozen
class Append:
    """Journal the events that were made since the last append; go on at once, or when they are on disk."""

    durable: bool


SOON = Append(durable=False)
DURABLE = Append(durable=True)


@attrs.frozen(eq=False)
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
    """Check an outcome against the step's rules; give the violations."""

    call: StepCall
    outcome: Outcome


@attrs.frozen
class Correct:
    """Set values at paths of a refused outcome; give an `Outcome`."""

    value: Any
    changes: dict[str, Any]


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
class NotifyChannel:
    """Tell a channel; a channel that fails is recorded and goes no further."""

    channel: str
    subject: str
    message: str


Command: TypeAlias = (
    Append
    | Attempt
    | Perform
    | Resend
    | Check
    | Undo
    | Validate
    | Correct
    | Fetch
    | Restore
    | CheckReady
    | Sleep
    | Jitter
    | Quiesce
    | NotifyChannel
)
