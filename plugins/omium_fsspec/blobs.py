"""Content-addressed blobs in a folder or under any URL that fsspec knows."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from omium_core.errors import MissingExtra, StoreError, UsageError

__all__ = ["FsspecBlobStore"]

DIGEST = re.compile(r"[0-9a-f]{64}")


class FsspecBlobStore:
    """A `BlobStore` under `url`: a plain path, `file:///...`, `memory://...`, `s3://...`, and whatever fsspec knows.

    A blob is at `aa/bb...`, named by its hash, and is never written twice. On the local file system it survives a power
    loss when `put` returns; elsewhere it is as durable as the service's answer to a put.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        try:
            system, root = url_to_fs(url)
        except ImportError as problem:
            raise MissingExtra("fsspec", extra=url.split(":", 1)[0]) from problem
        except ValueError as problem:
            reason = f"{problem}"
            raise UsageError(f"`{url}` is not a place for blobs: {reason[:1].lower()}{reason[1:]}") from problem
        # fsspec's own local writer moves files into place without syncing them.
        local = "file" in ((system.protocol,) if isinstance(system.protocol, str) else system.protocol)
        self._store: Folder | Remote = Folder(Path(root)) if local else Remote(system, root.rstrip("/"), url)

    def put(self, digest: str, data: bytes) -> None:
        """Return when the blob survives a power loss; a blob that is there already stays as it is."""
        self._store.put(_checked(digest), data)

    def get(self, digest: str) -> bytes | None:
        """Give the blob's bytes; None when it is not there. The caller checks the digest."""
        return self._store.get(_checked(digest))

    def remove(self, digest: str) -> None:
        """Remove the blob; one that is not there is no error."""
        self._store.remove(_checked(digest))

    def close(self) -> None:
        """Let everything go."""
        self._store.close()


@attrs.frozen
class Folder:
    """Blobs on the local file system."""

    root: Path

    def put(self, digest: str, data: bytes) -> None:
        """Write beside the final place, sync, rename, and sync the folder, so that a name always has all its bytes."""
        place = self._place(digest)
        try:
            if not place.exists():
                _make_folder(place.parent)
                _write(place, data)
            # Whoever made the file or its folder may not have come to sync them, and this caller is promised both.
            _sync_folder(place.parent)
            _sync_folder(self.root)
        except OSError as problem:
            raise StoreError(f"blob `{digest}` could not be written: {problem}") from problem

    def get(self, digest: str) -> bytes | None:
        """Read the file."""
        try:
            return self._place(digest).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise StoreError(f"blob `{digest}` could not be read: {problem}") from problem

    def remove(self, digest: str) -> None:
        """Delete the file."""
        try:
            self._place(digest).unlink(missing_ok=True)
        except OSError as problem:
            raise StoreError(f"blob `{digest}` could not be removed: {problem}") from problem

    def close(self) -> None:
        """Nothing is kept open."""

    def _place(self, digest: str) -> Path:
        return self.root / digest[:2] / digest[2:]


@attrs.frozen
class Remote:
    """Blobs behind any other file system of fsspec."""

    system: Any  # fsspec has no types
    root: str
    url: str

    def put(self, digest: str, data: bytes) -> None:
        """Put the blob only if it is absent, in one request where the service can."""
        place = self._place(digest)
        try:
            if self.system.exists(place):
                return
            try:
                self._create(place, data)
            except FileNotFoundError:
                # Object stores have no folders, and making one there asks for a bucket; so it is made on demand.
                self.system.makedirs(place.rsplit("/", 1)[0], exist_ok=True)
                self._create(place, data)
        except Exception as problem:
            raise StoreError(f"blob `{digest}` could not be put under `{self.url}`: {problem}") from problem

    def get(self, digest: str) -> bytes | None:
        """Fetch the blob."""
        try:
            return bytes(self.system.cat_file(self._place(digest)))
        except FileNotFoundError:
            return None
        except Exception as problem:
            raise StoreError(f"blob `{digest}` could not be fetched from `{self.url}`: {problem}") from problem

    def remove(self, digest: str) -> None:
        """Delete the blob."""
        try:
            self.system.rm_file(self._place(digest))
        except FileNotFoundError:
            return
        except Exception as problem:
            raise StoreError(f"blob `{digest}` could not be removed from `{self.url}`: {problem}") from problem

    def close(self) -> None:
        """Nothing is kept open: fsspec shares its clients between all that use them."""

    def _create(self, place: str, data: bytes) -> None:
        try:
            self.system.pipe_file(place, data, mode="create")
        except FileExistsError:
            return
        except (TypeError, ValueError, NotImplementedError):
            # An implementation without put-if-absent. The same name has the same bytes, so nothing is lost.
            self.system.pipe_file(place, data)

    def _place(self, digest: str) -> str:
        return f"{self.root}/{digest[:2]}/{digest[2:]}"


def _checked(digest: str) -> str:
    # A digest becomes a path: anything but hex could lead out of the root.
    if not DIGEST.fullmatch(digest):
        raise UsageError(f"`{digest}` is not the name of a blob; a name is 64 hex digits")
    return digest


def _write(place: Path, data: bytes) -> None:
    new = place.with_name(f".{place.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.replace(new, place)
    except BaseException:
        with suppress(OSError):
            os.unlink(new)
        raise


def _make_folder(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        _sync_folder(one.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
