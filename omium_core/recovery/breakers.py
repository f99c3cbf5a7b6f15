"""Circuit breakers: an effect that keeps failing is left alone for a while, by every process of the store.

What a breaker knows is what journals say of its effect; nothing is kept beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import attrs

from omium_core.errors import UsageError
from omium_core.model import events as e
from omium_core.recovery.ladders import seconds

__all__ = ["LOOK_BACK_MAX", "Breaker", "Circuit", "circuit", "first_trial", "topic_of"]

LOOK_BACK_MAX = 100
"""A breaker looks at this many of an effect's last events, so it can count no more failures than that."""


def _failures(of: object, field: attrs.Attribute[int], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LOOK_BACK_MAX // 2:
        raise UsageError(
            f"`failures` of a breaker cannot be `{value!r}`; it is a whole number, 1 to {LOOK_BACK_MAX // 2}"
        )


def _duration(of: object, field: attrs.Attribute[float], value: float) -> None:
    if not 0 < value < float("inf"):
        name = field.name.removesuffix("_s")
        raise UsageError(f"`{name}` of a breaker cannot be `{value!r}`; it is a duration such as `30s`")


@attrs.frozen
class Breaker:
    """Leave an effect alone after `failures` within `window`, for `cooldown`; then one call tries whether it works.

    While the circuit is open a call fails at once with `CircuitOpen`, of kind `circuit_open`, and nothing is performed.
    It is one circuit per effect name and store, whichever processes and executions use it.
    """

    failures: int = attrs.field(default=5, validator=_failures)
    window_s: float = attrs.field(default=60.0, alias="window", converter=seconds, validator=_duration)
    cooldown_s: float = attrs.field(default=30.0, alias="cooldown", converter=seconds, validator=_duration)


@attrs.frozen
class Circuit:
    """Where a circuit stands. `failed` counts the failures that count; `until` is when an open one may be tried."""

    state: Literal["closed", "open", "half_open"]
    failed: int = 0
    until: float = 0.0


def topic_of(effect: str) -> str:
    """Return the topic under which an effect's failures are found, whichever executions they were in."""
    return f"circuit:{effect}"


def circuit(breaker: Breaker, newest_first: Iterable[e.Event], now: float) -> Circuit:
    """Return where the circuit stands; `half_open` is to whoever asks: the next call may try.

    A trial that was begun holds others off for another cooldown: whoever began it may have died.
    """
    failures: list[float] = []
    opened: e.CircuitChanged | None = None
    tried: e.CircuitChanged | None = None
    for event in newest_first:
        match event:
            case e.CircuitChanged(state="closed"):
                break
            case e.CircuitChanged(state="open"):
                opened = opened or event
            case e.CircuitChanged(state="half_open") if not failures and opened is None:
                tried = tried or event
            case e.EffectFailed():
                failures.append(event.at)
    recent = sum(at >= now - breaker.window_s for at in failures)
    if opened is None and recent < breaker.failures:
        return Circuit("closed", recent)
    since = max(failures[0] if failures else 0.0, opened.at if opened is not None else 0.0)
    until = max(since, tried.at if tried is not None else 0.0) + breaker.cooldown_s
    # A clock that was set back must not keep a circuit open for longer than a cooldown from now.
    until = min(until, now + breaker.cooldown_s)
    return Circuit("open" if now < until else "half_open", len(failures), until)


def first_trial(breaker: Breaker, newest_first: Sequence[tuple[str, e.Event]], now: float) -> tuple[str, int] | None:
    """Return the execution and the event of the trial that is under way: of several that began, the first committed."""
    found: tuple[str, int] | None = None
    for execution, event in newest_first:
        if not (isinstance(event, e.CircuitChanged) and event.state == "half_open"):
            break
        if event.at > now - breaker.cooldown_s:
            found = execution, event.seq
    return found
