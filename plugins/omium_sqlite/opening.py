"""From a store's URL to its journal."""

from __future__ import annotations

from urllib.parse import urlsplit

from omium_core.errors import UsageError
from omium_core.interfaces.checkpoint import BlobStore
from omium_sqlite.connections import Durability
from omium_sqlite.journal import SqliteJournal

__all__ = ["open_journal"]


def open_journal(url: str, *, durability: Durability = "power", large: BlobStore | None = None) -> SqliteJournal:
    """Open `sqlite:///relative.db` or `sqlite:////absolute.db`; large blobs go to `large`."""
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) < 2:
        raise UsageError(f"`{url}` names no database file; write it like `sqlite:///.omium/omium.db`")
    return SqliteJournal(parts.path[1:], durability=durability, large=large)
