"""Events as they are stored: a header is one line of JSON, the body stands apart and is named by its hash.

`hash = sha256(previous hash, header, sha256 of the body as stored)`, so a body may go while the chain still verifies.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any

import attrs

from omium_core.errors import Corrupted
from omium_core.interfaces.checkpoint import JournalRow
from omium_core.model.events import EVENT_TYPES, Event

__all__ = ["GENESIS", "body_of", "header_of", "link", "read_header", "read_row", "split_bodies"]

GENESIS = hashlib.sha256(b"omium journal 1").hexdigest()
"""What the first event of a chain follows."""

_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMON = ("body", "digest", "size", "seq", "epoch", "at")


@attrs.frozen
class _Form:
    """How the header of one kind of event is written: the texts that it always has, then what has another value.

    A field that has its default is not written. Most events have all of theirs, so that is found out at once.
    """

    opening: str
    texts: Callable[[Event], tuple[str, ...]]
    names: tuple[str, ...]
    defaults: tuple[Any, ...]
    others: Callable[[Event], tuple[Any, ...]]
    tuples: tuple[str, ...]

    @classmethod
    def of(cls, kind: type[Event]) -> _Form:
        """Return the form of a kind of event."""
        own = [one for one in attrs.fields(kind) if one.name not in _COMMON]
        texts = [one.name for one in own if one.default is attrs.NOTHING and one.type == "str"]
        others = [one for one in own if one.name not in texts]
        return cls(
            f'{{"type":"{kind.__name__}","seq":%d,"epoch":%d,"at":%r' + "".join(f',"{name}":%s' for name in texts),
            _values_of(texts),
            tuple(one.name for one in others),
            tuple(one.default for one in others),
            _values_of([one.name for one in others]),
            tuple(one.name for one in own if one.type == "tuple[str, ...]"),
        )


def _values_of(names: list[str]) -> Callable[[Event], tuple[Any, ...]]:
    """Return what gives the values of fields."""
    if len(names) > 1:
        return attrgetter(*names)
    # Of a single one `attrgetter` gives no tuple, and of none it is not there.
    single = attrgetter(*names) if names else None
    return lambda event: (single(event),) if single is not None else ()


_FORMS = {name: _Form.of(kind) for name, kind in EVENT_TYPES.items()}


def header_of(event: Event) -> str:
    """Return the event's header as it is stored."""
    form = _FORMS[type(event).__name__]
    header = form.opening % (event.seq, event.epoch, event.at, *map(_json, form.texts(event)))
    others = form.others(event)
    if others != form.defaults:
        for name, value, default in zip(form.names, others, form.defaults, strict=True):
            if value != default:
                header += f',"{name}":{_json(value)}'
    if event.digest is not None:
        header += f',"body":"{event.digest}","size":{event.size}'
        if event.body is not None and event.body.key_id is not None:
            header += f',"key_id":{_json(event.body.key_id)}'
    return header + "}"


def _json(value: Any) -> str:
    # The encoder comes to the same for all of them, in a longer way.
    if type(value) is str:
        return encode_basestring(value)
    return str(value) if type(value) is int else _ENCODE(value)


def link(previous: str, header: str, body_digest: str | None) -> str:
    """Return the chain's hash after an event, in hex."""
    content = bytes.fromhex(previous) + header.encode("utf-8", "surrogatepass")
    return hashlib.sha256(content + bytes.fromhex(body_digest or "")).hexdigest()


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
        for field in _FORMS[name].tuples:
            if field in fields:
                fields[field] = tuple(fields[field])
        return EVENT_TYPES[name](**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"the append at event {row.first_seq} of `{row.execution}` has an event that cannot be read"
        raise Corrupted(reason, row.execution, row.first_seq) from error
