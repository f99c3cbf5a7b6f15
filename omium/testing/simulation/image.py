"""What a crash leaves of a folder: the files as they were at that moment, before anybody could tidy up."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import attrs

from omium.testing import tearing

__all__ = ["Image", "half_copied", "shuffle"]

# SQLite makes this file anew when the first process opens the database; what a dead one left in it counts for nothing.
SHARED_MEMORY = "-shm"
BLOCK_BYTES = 4096
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24


@attrs.frozen
class Image:
    """The files of a folder by their paths in it. Zeros at a file's end are only counted: a WAL is grown with them."""

    files: dict[str, tuple[bytes, int]]

    @classmethod
    def of(cls, folder: Path) -> Image:
        """Take the image of a folder as it is now."""
        files = {}
        for file in folder.rglob("*"):
            if file.is_file() and not file.name.endswith(SHARED_MEMORY):
                content = file.read_bytes()
                files[str(file.relative_to(folder))] = (content.rstrip(b"\0"), len(content))
        return cls(files)

    def restore(self, folder: Path) -> None:
        """Make the folder what it was."""
        for one in folder.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        for name, (content, size) in self.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as opened:
                opened.write(content)
                opened.truncate(size)

    def content(self, name: str) -> bytes:
        """Return a file's bytes; none where there is no such file."""
        content, size = self.files.get(name, (b"", 0))
        return content.ljust(size, b"\0")

    def with_file(self, name: str, content: bytes) -> Image:
        """Return the image with another content of one file."""
        return Image({**self.files, name: (content.rstrip(b"\0"), len(content))})


def shuffle(before: bytes, after: bytes, chance: random.Random) -> bytes:
    """Return what is there when some blocks of a write reached the disk and others did not, in no order."""
    mixed = bytearray(after)
    begin, end = tearing.changed(before, after)
    for at in range(begin - begin % BLOCK_BYTES, end, BLOCK_BYTES):
        if chance.random() < 0.5:
            old = before[at : at + BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0")
            mixed[at : at + BLOCK_BYTES] = old[: len(mixed) - at]
    return bytes(mixed)


def half_copied(database: bytes, wal: bytes, after: bytes, chance: random.Random) -> bytes:
    """Return the database as it is when a process dies while it copies the WAL into it.

    Only pages that the WAL has are copied, so whatever is in them, the WAL says what they hold
    (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
    """
    mixed = bytearray(database)
    size = int.from_bytes(wal[8:12], "big")
    for page in sorted(_pages(wal, size)):
        at = (page - 1) * size
        if chance.random() < 0.5 and at + size <= len(after):
            mixed.extend(bytes(max(0, at + size - len(mixed))))
            mixed[at : at + size] = after[at : at + size]
    return bytes(mixed)


def _pages(wal: bytes, size: int) -> set[int]:
    salt = wal[16:24]
    found: set[int] = set()
    for at in range(WAL_HEADER_BYTES, len(wal), FRAME_HEADER_BYTES + max(size, 1)):
        if not size or wal[at + 8 : at + 16] != salt:
            break
        found.add(int.from_bytes(wal[at : at + 4], "big"))
    return found
