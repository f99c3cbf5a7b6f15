"""Keeps blobs as files in a folder."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from omium_core.errors import StoreError, UsageError

__all__ = ["YoursBlobStore"]

DIGEST = re.compile(r"[0-9a-f]{64}")


class YoursBlobStore:
    """A blob store under `yours:///folder`: each blob is a file that has its hash as its name."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "yours" or not parts.path.strip("/"):
            raise UsageError(f"`{url}` is not a place for blobs; write it like `yours:///var/lib/agents`")
        self._folder = Path(unquote(parts.path))

    def put(self, digest: str, data: bytes) -> None:
        """Return when the blob survives a power loss; a blob that is there already stays as it is."""
        place = self._place(digest)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                self._write(place, data)
            _sync(self._folder)
        except OSError as error:
            raise StoreError(f"blob `{digest}` could not be written: {error}") from error

    def get(self, digest: str) -> bytes | None:
        """Give the blob's bytes; None when it is not there."""
        try:
            return self._place(digest).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"blob `{digest}` could not be read: {error}") from error

    def close(self) -> None:
        """Nothing is held open."""

    def _place(self, digest: str) -> Path:
        # A name becomes a path, so that nothing but a hash may be one.
        if not DIGEST.fullmatch(digest):
            raise UsageError(f"`{digest}` is not the name of a blob; a name is 64 hex digits")
        return self._folder / digest

    def _write(self, place: Path, data: bytes) -> None:
        """Write beside the place, sync and rename, so that a name always has all its bytes."""
        handle, beside = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, place)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise


def _sync(folder: Path) -> None:
    """Make the names in a folder survive a power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
