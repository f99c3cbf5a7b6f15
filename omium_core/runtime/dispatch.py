"""What plugins see of a run: wrappers around attempts, events off the hot path, notifications.

A plugin's failure is recorded and goes no further.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

from omium_core.model.events import Event

__all__ = ["Hooks"]


class Hooks(Protocol):
    """What the runtime calls; the facade binds it to the plugins that are loaded."""

    def tracker(self, execution: str) -> Callable[[list[Event]], None] | None:
        """Return what takes an execution's events once they are in the journal, at once; None for nobody."""

    def wrappers(self, execution: str, step: str) -> list[tuple[str, Generator[None, Any, None]]]:
        """Return a generator for each plugin that wants to see this attempt."""

    def notify(self, channel: str, subject: str, message: str) -> str | None:
        """Tell a channel; return what went wrong, if anything did."""
