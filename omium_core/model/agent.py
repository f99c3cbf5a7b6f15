"""What an agent is."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

__all__ = ["Agent"]


@runtime_checkable
class Agent(Protocol):
    """A class that `@agent` decorated, or an instance of one: who performs steps."""

    __omium_agent__: str
    config: Any
