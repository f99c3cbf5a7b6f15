"""Stores of tests: the real ones, with a clock and faults of the test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from omium.runtime import Parts, open_runtime
from omium.stores import OpenStore
from omium.testing.faults import Faults
from omium_core.runtime.clock import Clock, SystemClock

__all__ = ["opened"]


@contextmanager
def opened(
    store: str | os.PathLike[str],
    *,
    clock: Clock | None = None,
    faults: Faults | None = None,
    durability: str = "process",
) -> Iterator[OpenStore]:
    """Open a real store for a test: with its clock instead of the system's, and with faults in its writes.

        with opened(tmp_path / "omium.db", clock=VirtualClock(), faults=Faults().fail(3)) as store: ...

    Every workflow over that URL uses them until the block ends. Raises `UsageError` when the store is open already.
    """
    runtime = open_runtime(store, parts_of(clock, faults), durability=durability)
    try:
        yield OpenStore(runtime)
    finally:
        runtime.close()


def parts_of(clock: Clock | None, faults: Faults | None) -> Parts:
    """Return what a runtime with this clock and these faults is put together from."""
    clock = clock or SystemClock()
    if faults is None:
        return Parts(clock)
    return Parts(
        clock,
        lambda inner, url: faults.journal(inner, _files(url)),
        lambda inner, url: faults.blobs(inner, _folder(url)),
    )


def _files(url: str) -> tuple[str, ...]:
    """Return where a journal's bytes go first: SQLite writes to its WAL, and copies from there."""
    parts = urlsplit(url)
    return (f"{parts.path[1:]}-wal",) if parts.scheme == "sqlite" else ()


def _folder(url: str) -> Path | None:
    return Path(url.removeprefix("file://")) if url.startswith("file://") else None
