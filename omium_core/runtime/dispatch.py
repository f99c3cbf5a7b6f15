"""What plugins see of a run: wrappers around attempts, events off the hot path, notifications.

A plugin's failure is recorded and goes no further.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

from omium_core.errors import PluginError
from omium_core.interfaces.recovery import Case, Decision, Produced
from omium_core.model.events import Event
from omium_core.model.failure import Violation
from omium_core.model.notice import Notice

__all__ = ["Hooks"]


class Hooks(Protocol):
    """What the runtime calls; the facade binds it to the plugins that are loaded."""

    def tracker(self, execution: str) -> Callable[[list[Event]], None] | None:
        """Return what takes an execution's events once they are in the journal, at once; None for nobody."""

    def wrappers(self, execution: str, step: str) -> list[tuple[str, Generator[None, Any, None]]]:
        """Return a generator for each plugin that wants to see this attempt."""

    @property
    def detectors(self) -> tuple[str, ...]:
        """The detectors that look at the outcome of every step."""

    def detect(self, detector: str, produced: Produced) -> list[Violation]:
        """Ask a detector; raise `PluginError` when it has no usable answer."""

    @property
    def diagnosers(self) -> tuple[str, ...]:
        """The diagnosers of all plugins."""

    def diagnose(self, diagnoser: str, case: Case) -> list[str]:
        """Ask a diagnoser; raise `PluginError` when it has no usable answer."""

    def decide(self, strategy: str, case: Case) -> Decision | None:
        """Ask a strategy; raise `PluginError` when it has no usable answer."""

    def vote(self, voter: str, value: Any) -> bool | str | None:
        """Ask a plugin's voter; raise `PluginError` when there is none, or it has no usable answer."""

    def channel_for(self, role: str | None) -> str | None:
        """Return the channel that is bound for a role, else that of the operators; None where neither is."""

    def is_queued(self, channel: str) -> bool:
        """Say whether a channel is told in a thread of its own, so that it may not have been told before a crash."""

    def tell(self, notice: Notice, record: Callable[[int, PluginError | None], None]) -> PluginError | None:
        """Have a channel told and return at once, with what is wrong if that is known already.

        `record` is called later, in another thread, with the number of attempts and what went wrong, if anything did.
        """
