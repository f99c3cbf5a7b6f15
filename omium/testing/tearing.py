"""Writes that a crash cuts off, done to the real files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["changed", "tear_blob", "tear_file", "torn"]

CHUNK_BYTES = 64 * 1024


@contextmanager
def torn(files: Sequence[Path], part: float) -> Iterator[None]:
    """Take back, at the end, all but the first `part` of what was written to `files` meanwhile."""
    before = [_content(file) for file in files]
    yield
    for file, content in zip(files, before, strict=True):
        tear_file(file, content, part)


def tear_file(file: Path, before: bytes, part: float) -> None:
    """Leave in `file` the first `part` of what was written since it had the content `before`."""
    after = _content(file)
    begin, end = changed(before, after)
    cut = begin + int((end - begin) * part)
    if cut >= end:
        return
    with file.open("r+b") as opened:
        opened.seek(cut)
        opened.write(before[cut:end])
        opened.truncate(max(len(before), cut))


def tear_blob(folder: Path, part: float, put: Callable[[], None], die: Callable[[], NoReturn]) -> NoReturn:
    """Let `put` die while it writes: the file that it made has the first `part` of its bytes.

    A store that writes beside the final place dies BEFORE it renames, and one that writes in place dies there.
    """

    def cut(path: Any) -> None:
        size = os.path.getsize(path)
        os.truncate(path, int(size * part))

    def replaced(source: Any, *_: Any, **__: Any) -> None:
        cut(source)
        die()

    there = set(_files(folder))
    replace, rename = os.replace, os.rename
    os.replace = os.rename = replaced  # type: ignore[assignment]  # what is called in between takes any arguments
    try:
        put()
    finally:
        os.replace, os.rename = replace, rename
    for file in set(_files(folder)) - there:
        cut(file)
    die()


def _files(folder: Path) -> Iterator[Path]:
    return (one for one in folder.rglob("*") if one.is_file())


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def changed(before: bytes, after: bytes) -> tuple[int, int]:
    """Return where the two contents of a file differ first, and behind where they differ last."""
    length = max(len(before), len(after))
    begin = next((at for at in range(0, length, CHUNK_BYTES) if not _same(before, after, at)), length)
    while begin < length and before[begin : begin + 1] == after[begin : begin + 1]:
        begin += 1
    end = length
    while end - CHUNK_BYTES > begin and _same(before, after, end - CHUNK_BYTES):
        end -= CHUNK_BYTES
    while end > begin and before[end - 1 : end] == after[end - 1 : end]:
        end -= 1
    return begin, end


def _same(before: bytes, after: bytes, at: int) -> bool:
    return before[at : at + CHUNK_BYTES] == after[at : at + CHUNK_BYTES]
