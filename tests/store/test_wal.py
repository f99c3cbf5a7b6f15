"""A WAL of which SQLite passes over a part: what a crash left undone is nothing, what was changed is damage."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from omium_core.errors import Corrupted
from omium_sqlite.journal import SqliteJournal
from omium_sqlite.schema import PAGE_BYTES
from omium_sqlite.wal import damage

SEED = 9
FLIPS = 40
HEADER_BYTES = 32
FRAME_BYTES = PAGE_BYTES + 24
ROWS = 12


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A store as it is after a crash: everything but its tables is in its WAL, whose rest is zeros."""
    path = tmp_path / "omium.db"
    SqliteJournal(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    for number in range(ROWS):
        connection.execute("INSERT INTO meta VALUES (?, ?)", (f"row {number}", os.urandom(6_000)))
    copy = tmp_path / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", copy)
    connection.close()
    with open(copy / "omium.db-wal", "ab") as file:
        file.write(bytes(3 * FRAME_BYTES))
    return copy / "omium.db"


def used(path: Path) -> int:
    return len(Path(f"{path}-wal").read_bytes().rstrip(b"\0"))


def change(path: Path, make: Callable[[bytearray], None]) -> str:
    """Change a copy of the WAL; return what is said of it."""
    folder = path.parent / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", folder)
    wal = folder / "omium.db-wal"
    data = bytearray(wal.read_bytes())
    make(data)
    wal.write_bytes(data)
    return damage(str(folder / "omium.db"))


def flip(bit: int) -> Callable[[bytearray], None]:
    def make(data: bytearray) -> None:
        data[bit // 8] ^= 1 << bit % 8

    return make


def test_any_flipped_bit_is_named(left: Path) -> None:
    """A bit of the header or of any frame is found, which SQLite would take for the end."""
    assert damage(str(left)) == ""
    chance = random.Random(SEED)
    bits = [chance.randrange(used(left) * 8) for _ in range(FLIPS)]
    # Every field of a frame's header, of the first frame and of the last.
    last = HEADER_BYTES + (used(left) - HEADER_BYTES - 1) // FRAME_BYTES * FRAME_BYTES
    fields = [(begin + at) * 8 for begin in (HEADER_BYTES, last) for at in range(0, 24, 4)]
    for bit in (*range(0, HEADER_BYTES * 8, 32), *fields, *bits):
        said = change(left, flip(bit))
        frame = (bit // 8 - HEADER_BYTES) // FRAME_BYTES + 1
        expected = f"frame {frame} of" if bit >= HEADER_BYTES * 8 else "the header of"
        assert said == f"{expected} its WAL was changed", bit


def test_what_a_crash_leaves_is_no_damage(left: Path) -> None:
    """A frame that was written in part, not at all, or over an older one, was promised to nobody."""
    end, chance = used(left), random.Random(SEED)

    def torn(data: bytearray) -> None:
        at = end - chance.randrange(64, FRAME_BYTES - 64)
        data[at:] = bytes(len(data) - at)

    def older(data: bytearray) -> None:
        at = end - chance.randrange(64, FRAME_BYTES - 64)
        data[at:end] = chance.randbytes(end - at)

    def cut(data: bytearray) -> None:
        del data[end - chance.randrange(1, 3 * FRAME_BYTES) :]

    for make in (torn, older, cut):
        for _ in range(5):
            assert change(left, make) == ""


def test_a_changed_store_is_left_as_it_is(left: Path) -> None:
    """Who opens it is told, and neither the database nor the WAL is touched: both can be kept as evidence."""
    wal = Path(f"{left}-wal")
    data = bytearray(wal.read_bytes())
    flip((HEADER_BYTES + FRAME_BYTES * 3 + 500) * 8)(data)
    wal.write_bytes(data)
    before, descriptors = left.read_bytes(), len(os.listdir("/dev/fd"))

    for _ in range(2):
        with pytest.raises(Corrupted, match="frame 4 of its WAL was changed"):
            SqliteJournal(left)

    assert (left.read_bytes(), wal.read_bytes()) == (before, bytes(data))
    assert len(os.listdir("/dev/fd")) == descriptors


LOOK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
    except OSError:
        sys.exit(0)
sys.exit("nobody has the lock")
"""


def test_a_writer_that_is_opened_again_keeps_the_locks_of_the_reader(tmp_path: Path) -> None:
    """SQLite's lock on its shared memory says that somebody has it open; whoever finds none begins it anew."""
    journal = SqliteJournal(tmp_path / "omium.db")
    journal.executions()
    connections = journal._connections
    connections.write(lambda writer: writer.execute("INSERT INTO meta VALUES ('row', 1)"))
    connections.enter()
    # As after a write that failed: the writing connection is opened again while the reading one is there.
    connections.poison()
    connections.writer()
    connections.leave()

    look = [sys.executable, "-c", LOOK, str(tmp_path / "omium.db-shm")]
    done = subprocess.run(look, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    journal.close()
