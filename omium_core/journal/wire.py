"""Events as they are stored: a header is one line of JSON, the body stands apart and is named by its hash.

`hash = sha256(previous hash, header, sha256 of the body as stored)`, so a body may go while the chain still verifies.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from json.encoder import encode_basestring
from typing import Any

import attrs

from omium_core.errors import Corrupted
from omium_core.interfaces.checkpoint import JournalRow
from omium_core.model.events import EVENT_TYPES, Event

__all__ = ["GENESIS", "body_of", "chained", "header_of", "link", "read_header", "read_row", "split_bodies"]

GENESIS = hashlib.sha256(b"omium journal 1").hexdigest()
"""What the first event of a chain follows."""

_sha256 = hashlib.sha256
_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMON = ("body", "digest", "size", "seq", "epoch", "at")
_TUPLES = {
    name: [one.name for one in attrs.fields(kind) if one.type == "tuple[str, ...]"]
    for name, kind in EVENT_TYPES.items()
}


def header_of(event: Event) -> str:
    """Return the event's header as it is stored."""
    return _writer_of(type(event).__name__)(event)


@cache
def _writer_of(kind: str) -> Callable[[Event], str]:
    """Return what writes the headers of one kind of event: the texts that it always has, then what has another value.

    It is compiled from the class's fields, as attrs makes constructors: three headers are written in every step.
    """
    own = [one for one in attrs.fields(EVENT_TYPES[kind]) if one.name not in _COMMON]
    texts = [one.name for one in own if one.default is attrs.NOTHING and one.type == "str"]
    others = [one for one in own if one.name not in texts]
    always = '"seq":{event.seq},"epoch":{event.epoch},"at":{event.at!r}'
    always += "".join(f',"{name}":{{_text(event.{name})}}' for name in texts)
    lines = ["def write(event):", f"""    header = f'{{{{"type":"{kind}",{always}'"""]
    for one in others:
        lines.append(f"    if event.{one.name} != {one.name}:")
        lines.append(f"""        header += f',"{one.name}":{{_json(event.{one.name})}}'""")
    lines.append("""    return header + (_end(event) if event.digest is not None else "}")""")
    names: dict[str, Any] = {one.name: one.default for one in others}
    made: dict[str, Callable[[Event], str]] = {}
    exec("\n".join(lines), names | {"_text": encode_basestring, "_json": _json, "_end": _end}, made)
    return made["write"]


def _end(event: Event) -> str:
    """Return the end of the header of an event that has a body."""
    key = event.body.key_id if event.body is not None else None
    return f',"body":"{event.digest}","size":{event.size}' + (f',"key_id":{_json(key)}}}' if key is not None else "}")


def _json(value: Any) -> str:
    # The encoder comes to the same for all of them, in a longer way.
    if type(value) is str:
        return encode_basestring(value)
    return str(value) if type(value) is int else _ENCODE(value)


def link(previous: str, header: str, body_digest: str | None) -> str:
    """Return the chain's hash after an event, in hex."""
    return chained(previous, (header,), (body_digest,))


def chained(previous: str, headers: Sequence[str], body_digests: Sequence[str | None]) -> str:
    """Return the chain's hash after events, in hex."""
    digest = bytes.fromhex(previous)
    for header, body in zip(headers, body_digests, strict=True):
        content = digest + header.encode("utf-8", "surrogatepass")
        digest = _sha256(content + bytes.fromhex(body) if body else content).digest()
    return digest.hex()


def read_row(row: JournalRow) -> list[Event]:
    """Return the events of a stored append, without their bodies."""
    return [_event(row, header) for header in row.headers]


def read_header(execution: str, header: str) -> Event:
    """Return the event that a header tells of by itself, without its body."""
    return _event(JournalRow(execution, 0, 0, (header,), None, ""), header)


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
