"""The writing half of an execution: events become headers, bodies and links of the chain, in order."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from omium_core.errors import OmiumError
from omium_core.interfaces.checkpoint import Batch, Commit, Journal, StatusChange
from omium_core.journal.wire import header_of, link
from omium_core.model.body import Blob
from omium_core.model.events import Event

__all__ = ["Recorder"]


@attrs.define(eq=False)
class Recorder:
    """Appends one execution's events. `digest` is the chain's hash so far, `epoch` what the store has.

    `stored` is told the digests of blobs once they are durable, `track` the events.
    """

    journal: Journal
    execution: str
    digest: str
    epoch: int
    stored: Callable[[list[str]], None]
    track: Callable[[list[Event]], None] | None = None
    row: StatusChange | None = None
    last: Commit | None = None

    def append(self, events: list[Event], row: StatusChange) -> Commit:
        """Hand events to the journal; `row` is what the execution's row should say now."""
        batch = self._batch(events, row)
        self.last = commit = self.journal.append(batch)
        if batch.blobs or self.track is not None:
            digests = [blob.digest for blob in batch.blobs]
            commit.on_done(lambda: self._landed(commit, digests, events))
        return commit

    def _batch(self, events: list[Event], row: StatusChange) -> Batch:
        headers: list[str] = []
        bodies: list[bytes] = []
        blobs: list[Blob] = []
        digest = self.digest
        for event in events:
            header = header_of(event)
            headers.append(header)
            digest = link(digest, header, event.digest)
            if event.body is not None:
                bodies.append(event.body.data)
                blobs.extend(event.body.blobs)
        before, previous, self.digest = self.epoch, self.digest, digest
        self.epoch = events[-1].epoch
        change = row if before != self.epoch or row != self.row else None
        self.row = row
        return Batch(
            self.execution,
            events[0].seq,
            before,
            self.epoch,
            headers,
            b"".join(bodies),
            digest,
            tuple(blobs),
            change,
            previous,
        )

    def _landed(self, commit: Commit, digests: list[str], events: list[Event]) -> None:
        try:
            commit.wait()
        except OmiumError:
            # Whoever waits for this commit is told; here it only means that nothing was stored.
            return
        self.stored(digests)
        if self.track is not None:
            self.track(events)
