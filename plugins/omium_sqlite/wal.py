"""Damage that SQLite passes over: what follows a damaged frame of a WAL is to it as if it had never been written.

A crash leaves frames that were written in part, and those were promised to nobody. So what SQLite passes over counts as
damage only where that is certain: where a frame, or the header, is one bit away from the checksum it was written with.
The formats are those of https://www.sqlite.org/fileformat2.html#walformat and https://www.sqlite.org/walformat.html.
"""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from omium_sqlite.schema import SQLITE_ERRORS

__all__ = ["damage", "is_begun"]

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
MAGIC = 0x377F0682
WORD = 0xFFFF_FFFF
# Of the index in shared memory: how many frames SQLite takes for written, the checksum of the last, and the salts.
INDEX = struct.Struct("=16xI4xII8s")

Sums = tuple[int, int]


def damage(path: str) -> str:
    """Say what was changed of the WAL beside a database; empty when nothing was that SQLite would not notice itself.

    The caller holds the lock between processes.
    """
    try:
        with Path(f"{path}-wal").open("rb") as file:
            header = file.read(HEADER_BYTES)
            # A WAL is made as zeros.
            if len(header) < HEADER_BYTES or not any(header):
                return ""
            if not _is_header(header):
                return "the header of its WAL was changed" if any(map(_is_header, _one_bit_away(header))) else ""
            done, sums = _index(path, header)
            number = _changed_frame(file, header, done, sums)
            return f"frame {number} of its WAL was changed" if number else ""
    except FileNotFoundError:
        return ""


def is_begun(path: str) -> bool:
    """Say whether there is a WAL beside the database that anything was written to."""
    try:
        with Path(f"{path}-wal").open("rb") as file:
            return any(file.read(HEADER_BYTES))
    except FileNotFoundError:
        return False


def _index(path: str, header: bytes) -> tuple[int, Sums]:
    """Return how many frames SQLite takes for written, with the checksum there; none where it keeps that to itself.

    The first connection after a crash reads the WAL. One that only reads never copies it into the database, and does
    not remove it when it is closed.
    """
    with suppress(*SQLITE_ERRORS), closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        with suppress(OSError, struct.error), Path(f"{path}-shm").open("rb") as file:
            frames, first, second, salts = INDEX.unpack(file.read(INDEX.size))
            if frames and salts == header[16:24]:
                return frames, (first, second)
    return 0, (_word(header, 24), _word(header, 28))


def _changed_frame(file: BinaryIO, header: bytes, done: int, sums: Sums) -> int:
    """Return the number of the first frame after those that are `done` if it was changed since it was written."""
    page_bytes, order = _word(header, 8), _order(header)
    if page_bytes < 512 or page_bytes & (page_bytes - 1):
        return 0
    file.seek(HEADER_BYTES + done * (FRAME_HEADER_BYTES + page_bytes))
    while len(frame := file.read(FRAME_HEADER_BYTES + page_bytes)) == FRAME_HEADER_BYTES + page_bytes:
        done += 1
        salts = int.from_bytes(frame[8:16], "big") ^ int.from_bytes(header[16:24], "big")
        sums = _summed(frame[24:], _summed(frame[:8], sums, order), order)
        wrong = (sums[0] ^ _word(frame, 16)) << 32 | sums[1] ^ _word(frame, 20)
        if not salts and not wrong:
            # It is part of a transaction that was not committed.
            continue
        if salts:
            return done if not wrong and _is_bit(salts) else 0
        return done if _is_bit(wrong) or _is_bit_of_content(frame, sums, page_bytes) else 0
    return 0


def _is_bit_of_content(frame: bytes, sums: Sums, page_bytes: int) -> bool:
    """Say whether another value of one bit would have given the checksum that the frame has.

    The checksum is a linear one, so what a bit adds to it depends only on how many words come after that bit's.
    """
    wanted = ((sums[0] - _word(frame, 16)) & WORD, (sums[1] - _word(frame, 20)) & WORD)
    wanted_too = (-wanted[0] & WORD, -wanted[1] & WORD)
    even, odd = (1, 1), (0, 1)
    for _ in range(1 + page_bytes // 8):
        for first, second in (even, odd):
            for bit in range(32):
                added = (first << bit & WORD, second << bit & WORD)
                if added in (wanted, wanted_too):
                    return True
        even, odd = _followed(even), _followed(odd)
    return False


def _followed(added: Sums) -> Sums:
    first = (added[0] + added[1]) & WORD
    return first, (added[1] + first) & WORD


def _summed(data: bytes, sums: Sums, order: str) -> Sums:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        first = (first + even + second) & WORD
        second = (second + odd + first) & WORD
    return first, second


def _is_header(header: bytes) -> bool:
    # The lowest bit of the magic number says in which order the words of checksums are.
    if _word(header, 0) & ~1 != MAGIC:
        return False
    return _summed(header[:24], (0, 0), _order(header)) == (_word(header, 24), _word(header, 28))


def _one_bit_away(header: bytes) -> list[bytes]:
    whole = int.from_bytes(header, "big")
    return [(whole ^ 1 << bit).to_bytes(len(header), "big") for bit in range(len(header) * 8)]


def _order(header: bytes) -> str:
    return ">" if header[3] & 1 else "<"


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _is_bit(value: int) -> bool:
    return value.bit_count() == 1
