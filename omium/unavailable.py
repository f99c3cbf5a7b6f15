"""Names that decorate already and say, when they are called, that they come with a later version."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from omium_core.errors import UsageError

__all__ = ["Consensus", "consensus", "guard"]

F = TypeVar("F", bound=Callable[..., Any])


class Consensus:
    """Handoffs between agents: `@consensus.broadcast(...)` and `@consensus.receive(...)`."""

    def broadcast(
        self, name: str, *, to: list[str] | None = None, quorum: int | None = None, timeout: float = 5.0
    ) -> Callable[[F], F]:
        """Offer a function's value to other agents under `name`."""
        return lambda fn: _later(fn, f'consensus.broadcast("{name}")')

    def receive(self, name: str) -> Callable[[F], F]:
        """Mark the step that gets what is handed over under `name`."""
        return lambda fn: _later(fn, f'consensus.receive("{name}")')


consensus = Consensus()


def guard(obj: Any, policy: str | None = None, store: str | None = None) -> Any:
    """Put a framework's graph, crew or team under Omium; it raises `UsageError` until an adapter is there."""
    kind = f"{type(obj).__module__}.{type(obj).__qualname__}"
    raise UsageError(f"no adapter for `{kind}` is there yet; put `@checkpoint` on the functions that do the work")


def _later(fn: F, what: str) -> F:
    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        raise UsageError(f"`{what}` comes with the consensus package, which this version does not have")

    return call  # type: ignore[return-value]  # it has the signature of what it wraps
