"""Where loaded policies are kept: in the project's own folder, where it has one that nobody else can write to."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import attrs

__all__ = ["KeptPolicies"]

BYTES_MAX = 16 << 20
ENTRIES_MAX = 64
"""So many policies are kept, the newest; each change of a text makes another."""


@attrs.frozen
class KeptPolicies:
    """Bytes by key, in files of a folder that is this user's alone."""

    folder: Path

    @classmethod
    def of(cls, home: Path) -> KeptPolicies | None:
        """Return what is kept in Omium's folder of a project; None where there is none: looking makes no folder."""
        return cls(home / "policies") if home.is_dir() else None

    def get(self, key: str) -> bytes | None:
        """Return what is kept; None for what is not, or what somebody else may have put there."""
        try:
            if not _is_ours(os.lstat(self.folder)):
                return None
            with open(os.open(self._path(key), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
                found = os.fstat(file.fileno())
                usable = stat.S_ISREG(found.st_mode) and _is_ours(found) and found.st_size <= BYTES_MAX
                return file.read(BYTES_MAX) if usable else None
        except OSError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keep data under a key; where it cannot be kept, nothing is."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            if len(data) > BYTES_MAX or not _is_ours(os.lstat(self.folder)):
                return
            part = self.folder / f"{key}.{os.getpid()}.{os.urandom(8).hex()}.part"
            try:
                with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(data)
                os.replace(part, self._path(key))
            finally:
                part.unlink(missing_ok=True)
            self._forget()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _forget(self) -> None:
        """Remove the oldest, and what a process left that ended while it wrote."""
        entries = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in entries[ENTRIES_MAX:]:
            path.unlink(missing_ok=True)


def _is_ours(found: os.stat_result) -> bool:
    """True for what this user owns and nobody else can write to; where files have no owners, for all."""
    if not hasattr(os, "geteuid"):
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
