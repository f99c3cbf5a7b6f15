"""Which execution, scope and lane the running code belongs to, carried by a context variable."""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import attrs

from omium_core.engine.scope import Lane, Scope
from omium_core.model.immutable import immutable

if TYPE_CHECKING:
    from omium_core.model.effect import EffectRecord
    from omium_core.runtime.run import Run

__all__ = ["CURRENT", "Frame", "current_frame", "owner"]


@immutable(eq=False)
class Frame:
    """Where code stands: in which run, attempt and lane. `owner` is the task or thread that the lane belongs to.

    `plain`: inside a check or a compensation, where declared effects are plain calls. `spent` takes what an effect says
    that it uses up, by meter.
    """

    run: Run
    scope: Scope
    lane: Lane
    owner: object
    name: str = ""
    agent: str | None = None
    told: tuple[dict[str, Any], ...] = ()
    fixes: tuple[Any, ...] = ()
    key: str | None = None
    undoing: Undoing | None = None
    plain: bool = False
    spent: dict[str, Any] | None = None


@attrs.frozen
class Undoing:
    """The effect that a compensation undoes: the key it was performed under, its arguments by name, and its value."""

    key: str
    arguments: dict[str, Any]
    value: Any
    effect: EffectRecord


CURRENT: ContextVar[Frame | None] = ContextVar("omium", default=None)


def owner() -> object:
    """Return what a lane belongs to: the running task, or the thread."""
    # A program that never imported it has no tasks, and need not pay for it.
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return threading.get_ident()
    return asyncio.current_task() or threading.get_ident()


def current_frame() -> Frame | None:
    """Return where this code stands; the first call in a task or thread that was started inside opens a lane."""
    frame = CURRENT.get()
    if frame is None:
        return None
    here = owner()
    if frame.owner == here:
        return frame
    if not isinstance(here, int):
        frame.run.tasks.add(here)
    frame = attrs.evolve(frame, lane=Lane(), owner=here)
    CURRENT.set(frame)
    return frame
