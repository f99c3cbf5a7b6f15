"""Ladders: strategies in order, bounded, ending in a terminal one. Which rung is next is decided here, without I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from omium_core.errors import UsageError
from omium_core.model.failure import UNSWALLOWABLE, Violation

__all__ = [
    "Apply",
    "AtMost",
    "Backoff",
    "Compensate",
    "Fallback",
    "Halt",
    "Ladder",
    "Notify",
    "Pause",
    "Recovery",
    "Retry",
    "Rollback",
    "Rung",
    "Skip",
    "seconds",
]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")
_SHAPES = ("constant", "linear", "exponential")
_BACKOFF = re.compile(r"\s*(constant|linear|exponential)\s*\(([^)]*)\)\s*")


def seconds(duration: str | float) -> float:
    """Return a duration such as `"250ms"`, `"10s"` or `"4h"` in seconds; a number is seconds already."""
    if isinstance(duration, int | float) and not isinstance(duration, bool):
        return float(duration)
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None:
        raise UsageError(f"`{duration}` is not a duration; write it like `250ms`, `10s`, `5m` or `4h`")
    return float(match[1]) * _UNITS[match[2]]


def _refuse(of: object, field: str, value: object, expected: str) -> UsageError:
    return UsageError(f"`{field}` of `{type(of).__name__}` cannot be `{value!r}`; it is {expected}")


def _whole(of: object, field: attrs.Attribute[int], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _refuse(of, field.name, value, "a whole number, 0 or more")


def _amount(of: object, field: attrs.Attribute[float], value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise _refuse(of, field.name, value, "a number, 0 or more")


def _named(of: object, field: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise _refuse(of, field.name, value, "a name")


def _truth(of: object, field: attrs.Attribute[bool], value: object) -> None:
    if not isinstance(value, bool):
        raise _refuse(of, field.name, value, "true or false")


def _shape(of: object, field: attrs.Attribute[str], value: object) -> None:
    if value not in _SHAPES:
        raise _refuse(of, field.name, value, f"one of {', '.join(_SHAPES)}")


@attrs.frozen
class Backoff:
    """How long to wait before further attempts, with full jitter unless said otherwise.

    `least` is the share of a wait that jitter leaves alone.
    """

    shape: str = attrs.field(default="exponential", validator=_shape)
    first_s: float = attrs.field(default=1.0, validator=_amount)
    max_s: float = attrs.field(default=10.0, validator=_amount)
    factor: float = attrs.field(default=2.0, validator=_amount)
    jitter: bool = attrs.field(default=True, validator=_truth)
    least: float = attrs.field(default=0.0, validator=_amount)

    @classmethod
    def parse(cls, text: str) -> Backoff:
        """Read `"exponential(1s, 10s)"`, `"exponential(1s, 10s, 3)"`, `"linear(1s, 10s)"` or `"constant(2s)"`."""
        match = _BACKOFF.fullmatch(text)
        if match is None:
            raise UsageError(f"`{text}` is not a backoff; write it like `exponential(1s, 10s)` or `constant(2s)`")
        given = [one.strip() for one in match[2].split(",") if one.strip()]
        if not 1 <= len(given) <= 3:
            raise UsageError(f"`{text}` takes a first wait, a longest wait and a factor")
        first_s = seconds(given[0])
        max_s = seconds(given[1]) if len(given) > 1 else first_s
        try:
            factor = float(given[2]) if len(given) > 2 else 2.0
        except ValueError:
            raise UsageError(f"the factor of `{text}` cannot be `{given[2]}`; it is a number") from None
        return cls(match[1], first_s, max_s, factor)

    def wait_s(self, retry: int, chance: float) -> float:
        """Return the wait before the `retry`-th further attempt (from 1); `chance` in [0, 1) is the jitter's draw."""
        if self.shape == "constant":
            longest = self.first_s
        elif self.shape == "linear":
            longest = min(self.max_s, self.first_s * retry)
        else:
            # The exponent is bounded so that the power cannot overflow before `min` cuts it.
            longest = min(self.max_s, self.first_s * self.factor ** min(retry - 1, 64))
        return longest * (self.least + (1 - self.least) * chance) if self.jitter else longest


def _backoff(given: Backoff | str | None) -> Backoff | None:
    return Backoff.parse(given) if isinstance(given, str) else given


def _backoff_or_none(of: object, field: attrs.Attribute[Backoff | None], value: object) -> None:
    if value is not None and not isinstance(value, Backoff):
        raise _refuse(of, field.name, value, "a backoff such as `exponential(1s, 10s)`")


@attrs.frozen
class Retry:
    """Try the step again, `times` further attempts; with `feedback` the agent is told what was wrong."""

    times: int = attrs.field(default=1, validator=_whole)
    feedback: bool = attrs.field(default=True, validator=_truth)
    backoff: Backoff | None = attrs.field(default=None, converter=_backoff, validator=_backoff_or_none)


@attrs.frozen
class Rollback:
    """Go back to the checkpoint `to` (a step's name), by default to the one before the step began."""

    to: str | None = attrs.field(default=None, validator=attrs.validators.optional(_named))


@attrs.frozen
class Fallback:
    """Let another registered step do it."""

    step: str = attrs.field(validator=_named)


@attrs.frozen
class Compensate:
    """Undo the compensable effects of the failed attempts, all or those of these names; go on with the next rung."""

    effects: tuple[str, ...] = ()


@attrs.frozen
class Notify:
    """Tell a channel, then go on with the next rung."""

    channel: str = attrs.field(default="log", validator=_named)


@attrs.frozen
class Pause:
    """Wait for a person, at most `timeout`; then the next rung is taken."""

    role: str | None = attrs.field(default=None, validator=attrs.validators.optional(_named))
    timeout_s: float | None = attrs.field(
        default=None, converter=attrs.converters.optional(seconds), validator=attrs.validators.optional(_amount)
    )


def _times(of: object, field: attrs.Attribute[int], value: object) -> None:
    _whole(of, field, value)
    if value == 0:
        raise _refuse(of, field.name, value, "a whole number, 1 or more")


def _plain(of: object, field: attrs.Attribute[Mapping[str, object]], value: object) -> None:
    plain = isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(one, str | int | float | bool) for name, one in value.items()
    )
    if not plain:
        raise _refuse(of, field.name, value, "names with texts, numbers, true or false")


@attrs.frozen
class Apply:
    """Let a plugin's strategy decide, at most `times`; where it does not, the next rung is taken.

    `options` are the strategy's own.
    """

    strategy: str = attrs.field(validator=_named)
    times: int = attrs.field(default=1, validator=_times)
    options: Mapping[str, str | int | float | bool] = attrs.field(factory=dict, validator=_plain)


@attrs.frozen
class Skip:
    """Go on without an outcome."""


@attrs.frozen
class Halt:
    """Stop for good."""


Rung: TypeAlias = Retry | Rollback | Fallback | Compensate | Notify | Apply | Pause | Skip | Halt

_TERMINAL = (Skip, Halt)


@attrs.frozen
class AtMost:
    """An outer limit: no more than `recoveries` within `window`, else halt, or what else ends it."""

    recoveries: int = attrs.field(validator=_whole)
    window_s: float = attrs.field(converter=seconds, validator=_amount)
    otherwise: Pause | Skip | Halt = Halt()


@attrs.frozen(init=False)
class Recovery:
    """A ladder in Python: `Recovery(Retry(3), Rollback("credit"), Pause("credit-officer"), Halt())`.

    `kinds` limits it to failures of those kinds. The last rung must be terminal (`Pause`, `Skip` or `Halt`) and nothing
    may follow `Skip` or `Halt`. Raises `UsageError` for a ladder that could not end.
    """

    rungs: tuple[Rung, ...]
    kinds: frozenset[str] | None
    at_most: AtMost | None

    def __init__(self, *rungs: Rung, kinds: tuple[str, ...] | None = None, at_most: AtMost | None = None) -> None:
        for rung in rungs:
            if not isinstance(rung, Rung):
                raise UsageError(f"`{rung!r}` cannot be in a recovery; write it like `Retry(3)` or `Pause()`")
        if not rungs or not isinstance(rungs[-1], (*_TERMINAL, Pause)):
            raise UsageError("a recovery must end with `Pause()`, `Skip()` or `Halt()`")
        if any(isinstance(rung, _TERMINAL) for rung in rungs[:-1]):
            raise UsageError("nothing can follow `Skip()` or `Halt()` in a recovery")
        self.__attrs_init__(rungs, frozenset(kinds) if kinds is not None else None, at_most)


@attrs.frozen
class Ladder:
    """A recovery and where it was written, which `omium show` prints.

    `classes` are exception types that it takes beside its kinds. `values` are journaled with each decision. One that
    has `rules` is for what breaks these rules of a policy, and for nothing else.
    """

    recovery: Recovery
    source: str
    classes: tuple[type[BaseException], ...] = ()
    values: Mapping[str, object] = attrs.field(factory=dict)
    rules: frozenset[str] = frozenset()

    def takes(self, kind: str, error: BaseException | None, violations: tuple[Violation, ...] = ()) -> bool:
        """Say whether a failure of that kind, with that exception, or that breaks these rules, is this ladder's."""
        if self.rules:
            return any(one.blocks and one.rule in self.rules for one in violations)
        if error is not None and self.classes and isinstance(error, self.classes):
            return True
        kinds = self.recovery.kinds
        if kinds is None:
            return kind not in UNSWALLOWABLE
        return kind in kinds or ("any" in kinds and kind not in UNSWALLOWABLE)

    @property
    def decisions_max(self) -> int:
        """How many decisions can come from it."""
        return sum(map(_uses, self.recovery.rungs))

    def next_rung(self, used: Mapping[tuple[str, int], int], beyond: int = -1) -> int | None:
        """Return the index of the rung to take, given how often each was taken; None when the ladder is used up.

        Rungs up to `beyond` are passed over: they were asked and had no answer.
        """
        taken = [used.get((self.source, index), 0) for index in range(len(self.recovery.rungs))]
        # A rung behind the last one taken is over, even if it had tries left.
        first = max((index for index, count in enumerate(taken) if count), default=0)
        for index in range(max(first, beyond + 1), len(taken)):
            if taken[index] < _uses(self.recovery.rungs[index]):
                return index
        return None


def _uses(rung: Rung) -> int:
    return rung.times if isinstance(rung, Retry | Apply) else 1
