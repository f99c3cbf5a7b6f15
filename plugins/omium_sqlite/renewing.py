"""Blobs that a batch takes for stored, where a prune may have removed them since."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from omium_core.errors import StoreError
from omium_core.interfaces.checkpoint import BlobStore
from omium_core.model.body import Blob, Reliance

__all__ = ["GENERATION", "renewed"]

GENERATION = "SELECT value FROM meta WHERE key = 'generation'"


def renewed(
    connection: sqlite3.Connection, reliances: Sequence[Reliance], large: BlobStore | None, large_bytes: int
) -> Iterator[tuple[bytes, bytes]]:
    """Give the blobs for the table that a batch has to bring as well, once the large ones are in their store.

    The caller is in the transaction of the append, so no prune can come between this and the commit.
    """
    found = connection.execute(GENERATION).fetchone()
    generation = found[0] if found and isinstance(found[0], int) else 0
    for one in reliances:
        if one.generation == generation:
            continue
        for blob in _asked(one, generation):
            if large is not None and len(blob.data) >= large_bytes:
                _put(large, blob.digest, blob.data)
            else:
                yield bytes.fromhex(blob.digest), blob.data


def _asked(reliance: Reliance, generation: int) -> tuple[Blob, ...]:
    try:
        return reliance.renew(generation)
    except StoreError:
        raise
    except Exception as problem:  # What stands behind a value is user code, and may raise anything.
        raise StoreError(f"a value could not be stored again after a prune: {problem}") from problem


def _put(large: BlobStore, digest: str, data: bytes) -> None:
    try:
        large.put(digest, data)
    except StoreError:
        raise
    except Exception as problem:  # A blob store is a plugin's, and may raise anything.
        raise StoreError(f"a large blob could not be stored: {problem}") from problem
