"""A store as users open it: executions, their checkpoints and states, from any process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from omium.runtime import Runtime, runtime_for
from omium.views import Execution
from omium_core.errors import UnknownCheckpoint, UnknownType, UsageError
from omium_core.model.events import CheckpointCommitted, Event

__all__ = ["OpenStore", "open_store"]

SEARCHED_MAX = 10_000


@attrs.frozen
class OpenStore:
    """An open store. The same URL gives the same store within a process; `close` it when nothing runs any more."""

    _runtime: Runtime

    @property
    def url(self) -> str:
        """Where it is."""
        return self._runtime.store.url

    def executions(
        self, *, status: str | None = None, workflow: str | None = None, limit: int = 100
    ) -> list[Execution]:
        """Return executions, newest first."""
        rows = self._runtime.store.executions(status=status, workflow=workflow, limit=limit)
        return [Execution(self._runtime.store, row.id) for row in rows]

    def execution(self, execution_id: str) -> Execution:
        """Return one execution by its id or a unique prefix; raise `UnknownExecution`."""
        return Execution(self._runtime.store, self._runtime.store.find(execution_id).id)

    def journal(self, execution_id: str) -> Iterator[Event]:
        """Give the events of an execution in order, without their bodies."""
        return self._runtime.store.events(self._runtime.store.find(execution_id).id)

    def checkpoint(self, execution_id: str, checkpoint: str | None = None) -> dict[str, Any]:
        """Return the state at a checkpoint: outcomes and saved blocks by step path. Raises `UnknownCheckpoint`.

        A checkpoint's id is enough: `checkpoint("ckpt_...")` looks through the newest executions for it.
        """
        if checkpoint is None:
            execution_id, checkpoint = self._owner_of(execution_id), execution_id
        store = self._runtime.store
        state = store.load(store.find(execution_id).id).state
        point = state.find_checkpoint(checkpoint) or state.checkpoints.get(checkpoint)
        if point is None:
            raise UnknownCheckpoint(state.id, checkpoint, tuple(one.name for one in state.path_to_head()))
        return {
            path: self._value(entry.execution, entry.seq) if entry.digest else None
            for path, entry in sorted(point.outcomes.items())
        }

    def load(self, execution_id: str) -> dict[str, Any]:
        """Return the state at the head: outcomes and saved blocks by step path."""
        store = self._runtime.store
        row = store.find(execution_id)
        return self.checkpoint(row.id, store.load(row.id).state.head)

    def close(self) -> None:
        """Commit what was appended and let everything go."""
        self._runtime.close()

    def __enter__(self) -> OpenStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _owner_of(self, checkpoint: str) -> str:
        """Return the execution that committed a checkpoint; a fork only has it from there."""
        store = self._runtime.store
        for row in store.executions(limit=SEARCHED_MAX):
            for event in store.events(row.id):
                if isinstance(event, CheckpointCommitted) and event.checkpoint == checkpoint:
                    return row.id
        raise UsageError(
            f"no execution has a checkpoint `{checkpoint}`; give a checkpoint's whole id, or an execution and a name"
        )

    def _value(self, execution: str, seq: int) -> Any:
        try:
            return self._runtime.store.value(execution, seq)
        except UnknownType:
            return self._runtime.store.view(execution, seq)


def open_store(url: str | None = None) -> OpenStore:
    """Open a store, by default the configured one: `sqlite:///relative.db`, `sqlite:////absolute.db`, or a path."""
    return OpenStore(runtime_for(url))
