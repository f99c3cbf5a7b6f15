"""What is stored of a user's value: bytes that stand apart from the event's header."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from omium_core.model.immutable import immutable

__all__ = ["Blob", "Body", "Reliance"]


@immutable
class Blob:
    """A content-addressed part of a value: `digest` is the sha256 of `data` as stored, in hex."""

    digest: str
    data: bytes


@immutable
class Reliance:
    """That a body takes blobs for stored, as its maker knew the store at one of its generations.

    `renew` is called with the store's present generation where that is another one: it gives all blobs below the body
    that are not known to be stored in that generation, and raises `StoreError` where the value is not what it was.
    """

    generation: int
    renew: Callable[[int], tuple[Blob, ...]]


@immutable
class Body:
    """A value in its stored form.

    `digest` is the sha256 of `data` as stored, in hex. `blobs` are the parts that `data` refers to and that the
    store may not have yet; with any below it there is a `reliance`. `key_id` names the key the data is under; None is
    clear.
    """

    data: bytes
    digest: str
    blobs: tuple[Blob, ...] = ()
    key_id: str | None = None
    reliance: Reliance | None = attrs.field(default=None, eq=False)
