"""The tree of an execution: `build_story` reads it from a store, `render` draws it."""

from __future__ import annotations

from typing import Any

from omium.cli.ids import short_id
from omium.cli.rendering import render
from omium.cli.story import Story
from omium.cli.telling import tell
from omium_core.engine.state import ExecutionState
from omium_core.model.events import Forked
from omium_core.runtime.store import Store

__all__ = ["Story", "build_story", "render"]


def build_story(store: Store, execution_id: str) -> Story:
    """Return what happened in an execution, by its id, a unique prefix of one, `@last` or `@last-failed`.

    Raises `UnknownExecution`, and `Corrupted` where the journal is not as it was written.
    """
    execution = store.find(execution_id).id
    events = list(store.events(execution))
    state = ExecutionState()
    if events and isinstance(events[0], Forked):
        state = store.load_until(events[0].source, events[0].source_seq).state

    def read(seq: int) -> Any:
        return store.view(execution, seq)

    return tell(state, events, read, short_id(store, execution))
