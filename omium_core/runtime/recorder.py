"""The writing half of an execution: events become headers, bodies and links of the chain, in order."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import attrs

from omium_core.engine.state import ExecutionState
from omium_core.errors import OmiumError
from omium_core.interfaces.checkpoint import Batch, Commit, Journal, StatusChange
from omium_core.journal.wire import chained, header_of
from omium_core.model.body import Blob, Reliance
from omium_core.model.events import Event

__all__ = ["Recorder"]

# The fields of a `StatusChange`, which is only made when one of them changed.
Row: TypeAlias = tuple[str, str, str, float, float | None]


@attrs.define(eq=False)
class Recorder:
    """Appends one execution's events. `digest` is the chain's hash so far, `epoch` what the store has.

    `stored` is told the digests of blobs once they are durable, `track` the events.
    """

    journal: Journal
    execution: str
    digest: str
    epoch: int
    stored: Callable[[list[str], int], None]
    track: Callable[[list[Event]], None] | None = None
    row: Row | None = None
    last: Commit | None = None
    _unlanded: deque[tuple[Commit, list[Event]]] = attrs.field(factory=deque, init=False)

    def append(self, events: list[Event], state: ExecutionState) -> Commit:
        """Hand events to the journal; `state` is what they lead to, which the execution's row says as well."""
        batch = self._batch(events, (state.status, state.workflow, state.runner, state.started, state.ended))
        self.last = commit = self.journal.append(batch)
        self._forget_landed()
        self._unlanded.append((commit, events))
        if batch.blobs or self.track is not None:
            digests = [blob.digest for blob in batch.blobs]
            generation = min((one.generation for one in batch.reliances), default=0)
            commit.on_done(lambda: self._landed(commit, digests, generation, events))
        return commit

    def refused(self) -> list[Event]:
        """Return the events that the journal did not take, oldest first, once the last append's fate is known."""
        if self.last is not None:
            with contextlib.suppress(OmiumError):
                self.last.wait()
        self._forget_landed()
        return [event for _, events in self._unlanded for event in events]

    def _forget_landed(self) -> None:
        """Keep events only until they are on disk, or for good from the first one that was refused."""
        unlanded = self._unlanded
        try:
            while unlanded and unlanded[0][0].done:
                unlanded[0][0].wait()
                unlanded.popleft()
        except OmiumError:
            return

    def _batch(self, events: list[Event], row: Row) -> Batch:
        headers: list[str] = []
        digests: list[str | None] = []
        stored: list[bytes] = []
        blobs: tuple[Blob, ...] = ()
        reliances: tuple[Reliance, ...] = ()
        for event in events:
            headers.append(header_of(event))
            digests.append(event.digest)
            body = event.body
            if body is not None:
                stored.append(body.data)
                if body.reliance is not None:
                    blobs, reliances = blobs + body.blobs, (*reliances, body.reliance)
        before, previous, said = self.epoch, self.digest, self.row
        digest = chained(previous, headers, digests)
        self.digest, self.epoch, self.row = digest, events[-1].epoch, row
        return Batch(
            self.execution,
            events[0].seq,
            before,
            self.epoch,
            headers,
            b"".join(stored),
            digest,
            blobs,
            StatusChange(*row) if before != self.epoch or row != said else None,
            previous,
            reliances,
        )

    def _landed(self, commit: Commit, digests: list[str], generation: int, events: list[Event]) -> None:
        try:
            commit.wait()
        except OmiumError:
            # Whoever waits for this commit is told; here it only means that nothing was stored.
            return
        self.stored(digests, generation)
        if self.track is not None:
            self.track(events)
