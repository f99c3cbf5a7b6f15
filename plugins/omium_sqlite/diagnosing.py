"""What `omium doctor` says of SQLite and of the store's path."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from omium_core.errors import StoreError
from omium_core.specs import Finding
from omium_sqlite.locks import refuse_network

__all__ = ["findings"]

# Before, two connections that wrote and checkpointed at one moment could corrupt a database with a WAL.
WAL_RESET_FIXED = (3, 51, 3)


def findings(store: str) -> list[Finding]:
    """Return the findings for a store's URL; nothing of it is opened or made."""
    scheme, _, path = store.partition(":///")
    return [_version()] + ([_path(Path(path.partition("?")[0]))] if scheme == "sqlite" and path else [])


def _version() -> Finding:
    text = f"SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < WAL_RESET_FIXED:
        fixed = ".".join(map(str, WAL_RESET_FIXED))
        text += f"; it has the WAL-reset bug (before {fixed}), harmless under Omium's lock"
    return Finding("sqlite", "ok", text)


def _path(path: Path) -> Finding:
    try:
        refuse_network(path)
    except StoreError as error:
        return Finding("store path", "broken", str(error))
    folder = next(one for one in (path.parent, *path.parents) if one.exists())
    written = [one for one in (path, folder) if one.exists()]
    locked = [one for one in written if not os.access(one, os.W_OK)]
    if locked:
        return Finding("store path", "broken", f"`{locked[0]}` cannot be written; change its permissions or the store")
    return Finding("store path", "ok", f"`{path}` is on a local disk and can be written")
