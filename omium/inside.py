"""What code inside a step can ask: who it is, what it was told, and clock and chance that a replay can repeat."""

from __future__ import annotations

import functools
import random as _random
import time
import uuid as _uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import attrs

from omium.calls import perform_effect
from omium_core.engine.watch import EVENT
from omium_core.errors import UsageError
from omium_core.runtime.context import CURRENT, Frame, Undoing, current_frame
from omium_core.runtime.declarations import Arguments, EffectDeclaration, check_name, is_async

__all__ = ["Current", "bind", "current", "event", "now", "random", "spend", "uuid"]

F = TypeVar("F", bound=Callable[..., Any])


@attrs.frozen
class Current:
    """Where the running code stands.

    `feedback` are the violations that the last attempt broke, each with `rule`, `message`, `where` and `values`;
    `fixes` are approved suggestions. `key` is the idempotency key inside an effect or a compensation, and `undoing`
    what a compensation undoes.
    """

    execution: str
    step: str
    agent: str | None
    attempt: int
    feedback: tuple[dict[str, Any], ...] = ()
    fixes: tuple[Any, ...] = ()
    key: str | None = None
    undoing: Undoing | None = None

    @property
    def feedback_text(self) -> str:
        """The violations in words, for a prompt; empty at a first attempt."""
        if not self.feedback:
            return ""
        lines = [f"- {one['message']}" for one in self.feedback]
        return "Your last answer was refused:\n" + "\n".join(lines)


def current() -> Current:
    """Return where the running code stands; raise `UsageError` outside an execution."""
    frame = CURRENT.get()
    if frame is None:
        raise UsageError("there is no current execution here; call this inside a step or an effect")
    step = frame.scope.step()
    return Current(
        frame.run.id,
        step.path,
        frame.agent,
        step.attempt,
        frame.told,
        frame.fixes,
        frame.key,
        frame.undoing,
    )


def bind(fn: F) -> F:
    """Return `fn` bound to the current execution, for a thread pool; each call of it is a lane of its own."""
    if not callable(fn):
        raise UsageError(f"`bind` takes a function, not `{fn!r}`")
    frame = current_frame()
    if frame is None:
        return fn
    if is_async(fn):

        @functools.wraps(fn)
        async def abound(*args: Any, **kwargs: Any) -> Any:
            token = CURRENT.set(_unowned(frame))
            try:
                return await fn(*args, **kwargs)
            finally:
                CURRENT.reset(token)

        return abound  # type: ignore[return-value]  # it has the signature of what it wraps

    @functools.wraps(fn)
    def bound(*args: Any, **kwargs: Any) -> Any:
        token = CURRENT.set(_unowned(frame))
        try:
            return fn(*args, **kwargs)
        finally:
            CURRENT.reset(token)

    return bound  # type: ignore[return-value]  # it has the signature of what it wraps


def spend(*, tokens: int = 0, cost: float | Decimal | str = 0, **meters: float) -> None:
    """Say inside an effect what it uses up: `tokens`, `cost` in US dollars, and a plugin's meters by their full names.

    It counts against the budgets of the policy, and is journaled with the effect. Outside an effect of an execution it
    says nothing. Raises `UsageError` for an amount below zero, or one that is no number.
    """
    frame = CURRENT.get()
    for meter, amount in {"tokens": tokens, "cost": cost, **meters}.items():
        number = _amount(meter, amount)
        if number and frame is not None and frame.spent is not None:
            total = Decimal(str(frame.spent.get(meter, 0))) + number
            frame.spent[meter] = int(total) if total == int(total) and meter != "cost" else str(total)


def event(name: str, **facts: Any) -> None:
    """Tell the policy that something of the program's own happens, such as `omium.disclosed`; rules see the `facts`.

    It is recorded, and told once however often the code is gone through again. A rule may keep it from happening, in
    the way in which it keeps a tool from being used.
    """
    perform_effect(EffectDeclaration(check_name(EVENT + name), _happen, _HAPPENING, read=True), (), facts)


def now() -> float:
    """Return the time in seconds since the epoch, UTC; the same again when the code is gone through again."""
    return float(perform_effect(_NOW, (), {}))


def random() -> float:
    """Return a random number in [0, 1); the same again when the code is gone through again."""
    return float(perform_effect(_RANDOM, (), {}))


def uuid() -> _uuid.UUID:
    """Return a random UUID; the same again when the code is gone through again."""
    value: _uuid.UUID = perform_effect(_UUID, (), {})
    return value


def _unowned(frame: Frame) -> Frame:
    # No task or thread has this owner, so the first call opens a lane of its own.
    return attrs.evolve(frame, owner=object())


def _amount(meter: str, given: Any) -> Decimal:
    try:
        amount = Decimal(str(given))
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(given, bool) or not amount.is_finite() or amount < 0:
        raise UsageError(f"`{meter}` cannot be `{given!r}`; it is a number, 0 or more")
    return amount


def _happen(**facts: Any) -> None:
    """That it is recorded is all there is to it."""


_HAPPENING = Arguments.of(_happen)


def _own(name: str, fn: Callable[[], Any]) -> EffectDeclaration:
    return EffectDeclaration(f"omium.{name}", fn, Arguments.of(fn), read=True)


_NOW = _own("now", lambda: time.time())
_RANDOM = _own("random", lambda: _random.random())
_UUID = _own("uuid", lambda: _uuid.uuid4())
