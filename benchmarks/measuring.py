"""What the rows share: the disk's limit, times in rounds, a folder on a real disk, and how a row is reported."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns

import attrs

from omium.runtime import Runtime, runtime_for

__all__ = ["Limit", "Row", "Times", "main", "of_limit", "opened", "scratch", "timed", "verdict"]

# The folder MUST be on the disk that is meant: `/tmp` is memory on many machines, which has no limit to compare with.
FOLDER = os.environ.get("BENCH_FOLDER", "/var/tmp")
LIMIT_FILE_BYTES = 16 << 20


@attrs.frozen
class Row:
    """A line of the table. `met` is None where there is no target, or where it is not to be asserted."""

    number: int
    what: str
    measured: str
    target: str
    met: bool | None
    notes: tuple[str, ...] = ()


@attrs.define
class Times:
    """Nanoseconds by round, in the order in which they were measured."""

    rounds: list[list[int]] = attrs.field(factory=list)

    def next_round(self) -> None:
        """Begin a round."""
        self.rounds.append([])

    def extend(self, times: list[int]) -> None:
        """Add to the present round."""
        self.rounds[-1].extend(times)

    def p50_us(self) -> float:
        """Give the median over the rounds of their medians."""
        return statistics.median(map(statistics.median, self.rounds)) / 1e3

    def mean_us(self) -> float:
        """Give the median over the rounds of their means."""
        return statistics.median(map(statistics.fmean, self.rounds)) / 1e3

    def p50_times(self, other: Times) -> float:
        """Give how many times `other`'s this median is, round by round; the median of that."""
        return _ratio(self, other, statistics.median)

    def mean_times(self, other: Times) -> float:
        """Give how many times `other`'s this mean is, round by round; the median of that."""
        return _ratio(self, other, statistics.fmean)


class Limit:
    """What the disk can do: 10 KB over blocks that the file has already, synced."""

    def __init__(self, folder: Path, size: int = 10 * 1024) -> None:
        self._fd = os.open(folder / "limit", os.O_CREAT | os.O_RDWR)
        os.write(self._fd, bytes(LIMIT_FILE_BYTES))
        os.fsync(self._fd)
        self._data = os.urandom(size)
        self._at = 0

    def write(self) -> None:
        """Return when 10 KB survive a power loss."""
        if self._at + len(self._data) > LIMIT_FILE_BYTES:
            self._at = 0
        os.pwrite(self._fd, self._data, self._at)
        self._at += len(self._data)
        os.fdatasync(self._fd)

    def times(self, count: int) -> list[int]:
        """Give what so many writes take, each, in nanoseconds."""
        return [timed(self.write) for _ in range(count)]


def timed(call: Callable[..., object], *args: object) -> int:
    """Give what one call takes, in nanoseconds."""
    began = perf_counter_ns()
    call(*args)
    return perf_counter_ns() - began


def of_limit(times: Times, limit: Times) -> str:
    """Give times in words: as multiples of the limit's in the same rounds, and in microseconds for this run."""
    return (
        f"p50 {times.p50_us():,.0f} us = {times.p50_times(limit):.2f}x the limit, "
        f"mean {times.mean_us():,.0f} us = {times.mean_times(limit):.2f}x"
    )


@contextmanager
def scratch() -> Iterator[Path]:
    """Give an empty folder on the disk that is measured, and remove it."""
    with tempfile.TemporaryDirectory(prefix="omium-bench-", dir=FOLDER, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def opened(folder: Path) -> Iterator[Runtime]:
    """Open a store of its own whose appends survive a power loss, whatever the environment says."""
    folder.mkdir(exist_ok=True)
    runtime = runtime_for(f"sqlite:///{folder}/omium.db", blobs=f"file://{folder}/blobs", durability="power")
    try:
        yield runtime
    finally:
        runtime.close()


def main(measure: Callable[[Path], list[Row]]) -> None:
    """Run one script: print its rows, or give them to `run.py` as JSON."""
    with scratch() as folder:
        rows = measure(folder)
    if "--json" in sys.argv:
        print(json.dumps([attrs.asdict(row) for row in rows]))
        return
    for row in rows:
        print(f"row {row.number}: {row.what}")
        print(f"  measured {row.measured}\n  target   {row.target or 'none'}: {verdict(row)}")
        for note in row.notes:
            print(f"  {note}")


def verdict(row: Row) -> str:
    """Say in a word how a row stands to its target."""
    return {True: "met", False: "NOT MET", None: "reported"}[row.met]


def _ratio(ours: Times, theirs: Times, middle: Callable[[list[int]], float]) -> float:
    return statistics.median(middle(one) / middle(other) for one, other in zip(ours.rounds, theirs.rounds, strict=True))
