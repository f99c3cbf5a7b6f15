"""What is stored of a user's value: bytes that stand apart from the event's header."""

from __future__ import annotations

import attrs

__all__ = ["Blob", "Body"]


@attrs.frozen
class Blob:
    """A content-addressed part of a value: `digest` is the sha256 of `data` as stored, in hex."""

    digest: str
    data: bytes


@attrs.frozen
class Body:
    """A value in its stored form.

    `digest` is the sha256 of `data` as stored, in hex. `blobs` are the parts that `data` refers to and that the
    store may not have yet. `key_id` names the key the data is under; None is clear.
    """

    data: bytes
    digest: str
    blobs: tuple[Blob, ...] = ()
    key_id: str | None = None
