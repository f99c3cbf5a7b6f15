"""Children that are killed at an exact write, two at a time."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import attrs
import pytest

WORKERS = 2


@attrs.frozen
class Ended:
    """How a child ended: killed at its point, or with answers, the points that it passed, and what it raised."""

    killed: bool
    pid: int
    answers: list[Any] = attrs.field(factory=list)
    points: list[str] = attrs.field(factory=list)
    error: str | None = None


@attrs.define
class Children:
    """Processes that fork one child for each job (`worker.py`)."""

    idle: SimpleQueue[subprocess.Popen[str]] = attrs.field(factory=SimpleQueue)
    numbers: itertools.count[int] = attrs.field(factory=itertools.count)

    def run(self, folder: Path, *do: list[Any], kill: int | None = None, **options: Any) -> Ended:
        """Do this in a new process, in `folder`; kill it at point number `kill`."""
        folder.mkdir(parents=True, exist_ok=True)
        tell = folder / f"told-{next(self.numbers)}.json"
        job = {"folder": str(folder), "do": do, "kill": kill, "tell": str(tell), **options}
        worker = self.idle.get()
        try:
            assert worker.stdin is not None and worker.stdout is not None
            worker.stdin.write(json.dumps(job) + "\n")
            worker.stdin.flush()
            answer = json.loads(worker.stdout.readline())
        finally:
            self.idle.put(worker)
        if answer["killed"]:
            return Ended(True, answer["pid"])
        assert tell.exists(), f"the child in {folder} died of something else; its standard error says what"
        return Ended(False, answer["pid"], **json.loads(tell.read_text()))

    def done(self, folder: Path, *do: list[Any], **options: Any) -> Ended:
        """Do this in a new process that must come to its end."""
        ended = self.run(folder, *do, **options)
        assert not ended.killed
        assert ended.error is None, ended.error
        return ended

    def each(self, check: Callable[[int], list[str]], numbers: Iterable[int]) -> list[str]:
        """Check each number, as many at a time as there are workers; return all that is wrong."""
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(itertools.chain.from_iterable(pool.map(check, numbers)))


@pytest.fixture(scope="session")
def children() -> Iterator[Children]:
    """Workers that have imported everything and opened nothing."""
    here = Path(__file__).parent / "worker.py"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
    pipe = subprocess.PIPE
    workers = [
        subprocess.Popen([sys.executable, str(here)], stdin=pipe, stdout=pipe, text=True, env=environment)
        for _ in range(WORKERS)
    ]
    made = Children()
    for worker in workers:
        made.idle.put(worker)
    yield made
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
        worker.wait()
