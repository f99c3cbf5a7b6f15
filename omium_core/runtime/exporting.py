"""A journal as a file that a third party can check without Omium: every header, body, blob and link, as stored.

Each line is an object of JSON. The first says what the file is; then come the events in order, then the blobs that
their values refer to, and at last the end. With `hash` as the chain's hash after an event,

    hash = sha256(bytes of the hash before, header as UTF-8, bytes of sha256(body as stored), or nothing without a body)

in hex. The hash before the first event is in the first line.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

from omium_core.errors import Corrupted, OmiumError, ValuePruned
from omium_core.interfaces.checkpoint import ExecutionRow, JournalRow
from omium_core.journal.wire import GENESIS, link, read_row, split_bodies
from omium_core.model.events import Event, Forked
from omium_core.runtime.store import Store

__all__ = ["FORMAT", "exported"]

FORMAT = "omium-journal-1"


def exported(store: Store, row: ExecutionRow) -> Iterator[dict[str, Any]]:
    """Give the lines of the file. Raises `Corrupted` where the journal is not as it was written."""
    # Folding checks the chain from its first event on, and gives the hash that a fork's chain goes on from.
    loaded = store.load(row.id)
    first = next(read_row(one)[0] for one in store.journal.rows(row.id, bodies=False))
    digest = GENESIS
    source: dict[str, Any] = {}
    if isinstance(first, Forked):
        digest = store.load_until(first.source, first.source_seq).digest
        source = {"source": {"execution": first.source, "seq": first.source_seq}}
    facts = {"execution": row.id, "workflow": row.workflow, "status": loaded.state.status}
    yield {"format": FORMAT, **facts, **source, "previous": digest}
    seen: set[str] = set()
    events, blobs = 0, 0
    for one in store.journal.rows(row.id):
        for line in _events(store, one, digest, seen):
            digest, events = line["hash"], events + 1
            yield line
    for name in sorted(seen):
        blobs += 1
        yield {"blob": name, "stored": _text(_stored(store, name))}
    yield {"end": {"events": events, "blobs": blobs, "hash": digest}}


def _events(store: Store, row: JournalRow, digest: str, seen: set[str]) -> Iterator[dict[str, Any]]:
    events = read_row(row)
    bodies = split_bodies(row, events)
    for event, header in zip(events, row.headers, strict=True):
        digest = link(digest, header, event.digest)
        line = {"seq": event.seq, "header": header, "hash": digest}
        if event.digest is not None:
            line["body"] = _body(store, row.execution, event, bodies.get(event.seq), seen)
        yield line


def _body(store: Store, execution: str, event: Event, data: bytes | None, seen: set[str]) -> dict[str, Any]:
    """Give a body as it is stored, and as plain data; of one that was pruned only its hash is left."""
    if data is None:
        try:
            store.body(execution, event.seq)
        except ValuePruned as error:
            return {"sha256": event.digest, "pruned": error.by}
    assert data is not None
    if hashlib.sha256(data).hexdigest() != event.digest:
        store.body(execution, event.seq)
    store.verify_references(data, seen)
    try:
        value = {"value": store.view(execution, event.seq)}
    except OmiumError as error:
        value = {"unreadable": str(error)}
    return {"sha256": event.digest, "stored": _text(data), **value}


def _stored(store: Store, digest: str) -> bytes:
    """Give a blob exactly as it is stored; it was checked when the value above it was."""
    data = store.journal.blobs([digest]).get(digest)
    if data is None:
        raise Corrupted(f"blob `{digest[:16]}` is missing")
    return data


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
