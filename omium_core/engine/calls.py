"""What user code asks the engine for: a step or an effect, with what was declared about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omium_core.model.body import Body
from omium_core.model.failure import Failure
from omium_core.model.immutable import immutable
from omium_core.recovery.breakers import Breaker
from omium_core.recovery.ladders import Ladder

__all__ = ["EffectCall", "Outcome", "StepCall"]


@immutable(eq=False)
class StepCall:
    """A call of a step. `target` and `declaration` are the runtime's; the engine only hands them back.

    `effect` is what a transaction is when its body performs no declared effect.
    """

    name: str
    arguments: str
    target: Callable[[], Any]
    declaration: Any = None
    body: Body | None = None
    agent: str | None = None
    ladders: tuple[Ladder, ...] = ()
    validated: bool = False
    attributes: bool = False
    effect: EffectCall | None = None


@immutable(eq=False)
class EffectCall:
    """A call of an effect. `fingerprint` is its identity, `arguments` the digest of all it was given."""

    name: str
    kind: str
    fingerprint: str
    arguments: str
    target: Callable[[], Any] | None
    declaration: Any = None
    body: Body | None = None
    lineage: str | None = None
    on_conflict: str | None = None
    model: str | None = None
    request: Callable[[], Any] | None = None
    credentials: tuple[str, ...] = ()
    breaker: Breaker | None = None


@immutable(eq=False)
class Outcome:
    """How an attempt or an effect ended: a value with its stored form, or a failure with the exception behind it.

    `definite` says of a failed effect that it certainly did not happen, `usage` what it used up, by meter.
    """

    value: Any = None
    body: Body | None = None
    failure: Failure | None = None
    error: BaseException | None = None
    definite: bool = False
    attributes: Body | None = None
    usage: dict[str, Any] | None = None
