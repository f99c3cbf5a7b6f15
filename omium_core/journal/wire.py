"""Events as they are stored: a header is one line of JSON, the body stands apart and is named by its hash.

`hash = sha256(previous hash, header, sha256 of the body as stored)`, so a body may go while the chain still verifies.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

import attrs

from omium_core.errors import Corrupted
from omium_core.interfaces.checkpoint import JournalRow
from omium_core.model.events import EVENT_TYPES, Event

__all__ = ["GENESIS", "body_of", "header_of", "link", "read_row", "split_bodies"]

GENESIS = hashlib.sha256(b"omium journal 1").hexdigest()
"""What the first event of a chain follows."""

_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
_MISSING: Any = object()
_DIGEST = re.compile(r"[0-9a-f]{64}")


def _fields(kind: type[Event]) -> tuple[tuple[str, Any], ...]:
    """Return the header's fields with their defaults; a field that has its default is not written."""
    return tuple(
        (one.name, one.default if not isinstance(one.default, attrs.Factory) else _MISSING)  # type: ignore[arg-type]  # attrs types it as a function
        for one in attrs.fields(kind)
        if one.name not in ("body", "digest", "size", "seq", "epoch", "at")
    )


_HEADER_FIELDS = {name: _fields(kind) for name, kind in EVENT_TYPES.items()}
_TUPLES = {
    name: tuple(one.name for one in attrs.fields(kind) if one.type == "tuple[str, ...]")
    for name, kind in EVENT_TYPES.items()
}


def header_of(event: Event) -> str:
    """Return the event's header as it is stored."""
    name = type(event).__name__
    header: dict[str, Any] = {"type": name, "seq": event.seq, "epoch": event.epoch, "at": event.at}
    for field, default in _HEADER_FIELDS[name]:
        value = getattr(event, field)
        if value != default:
            header[field] = value
    if event.digest is not None:
        header["body"], header["size"] = event.digest, event.size
        if event.body is not None and event.body.key_id is not None:
            header["key_id"] = event.body.key_id
    return _ENCODE(header)


def link(previous: str, header: str, body_digest: str | None) -> str:
    """Return the chain's hash after an event, in hex."""
    content = bytes.fromhex(previous) + header.encode("utf-8", "surrogatepass")
    return hashlib.sha256(content + bytes.fromhex(body_digest or "")).hexdigest()


def read_row(row: JournalRow) -> list[Event]:
    """Return the events of a stored append, without their bodies."""
    return [_event(row, header) for header in row.headers]


def split_bodies(row: JournalRow, events: Sequence[Event]) -> dict[int, bytes]:
    """Return the stored bodies of an append's events by sequence number."""
    bodies, at = {}, 0
    for event in events:
        if event.digest is not None and row.bodies is not None:
            bodies[event.seq] = row.bodies[at : at + event.size]
            at += event.size
    return bodies


def body_of(row: JournalRow, seq: int) -> bytes:
    """Return the stored body of one event; raise `Corrupted` if it is not what was written."""
    events = read_row(row)
    event = next((one for one in events if one.seq == seq), None)
    if event is None or event.digest is None or row.bodies is None:
        raise Corrupted(f"event {seq} of `{row.execution}` has no body", row.execution, seq)
    data = split_bodies(row, events)[seq]
    if hashlib.sha256(data).hexdigest() != event.digest:
        raise Corrupted(f"the body of event {seq} of `{row.execution}` was changed", row.execution, seq)
    return data


def _event(row: JournalRow, header: str) -> Event:
    try:
        fields = json.loads(header)
        name = fields.pop("type")
        digest = fields["digest"] = fields.pop("body", None)
        if digest is not None and not _DIGEST.fullmatch(digest):
            raise ValueError(digest)
        fields.pop("key_id", None)
        for field in _TUPLES[name]:
            if field in fields:
                fields[field] = tuple(fields[field])
        return EVENT_TYPES[name](**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"the append at event {row.first_seq} of `{row.execution}` has an event that cannot be read"
        raise Corrupted(reason, row.execution, row.first_seq) from error
