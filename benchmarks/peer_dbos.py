"""DBOS in a process of its own, because it brings its own SQLite: durable steps on command, and what they took.

`BENCH_DBOS` names a Python that has `dbos` (and `pysqlite3-binary` where its SQLite is older than 3.42); by
default it is this one. The peer's process is this file: one number a line asks for so many steps, and one line of JSON
gives the nanoseconds of each; two numbers ask for so many workflows at once with so many steps each, and get the steps
per second.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

__all__ = ["Dbos"]

START_S = 60.0


class Dbos:
    """The peer, asked from outside. It raises `RuntimeError` where DBOS cannot be run, and says why."""

    def __init__(self, folder: Path, values: list[dict[str, Any]]) -> None:
        python = os.environ.get("BENCH_DBOS", sys.executable)
        given = folder / "values.json"
        given.write_text(json.dumps(values), encoding="utf-8")
        command = [python, __file__, f"sqlite:///{folder / 'dbos.sqlite'}", str(given)]
        try:
            self._process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise RuntimeError(f"DBOS cannot be measured: {error}") from error
        self.name = self._line()

    def times(self, count: int) -> list[int]:
        """Give what so many steps take, each, in nanoseconds."""
        times: list[int] = json.loads(self._asked(f"{count}"))
        return times

    def rate(self, workflows: int, steps: int) -> float:
        """Give the steps per second of so many workflows at once, from the first step's begin to the last one's end."""
        return float(json.loads(self._asked(f"{workflows} {steps}")))

    def close(self) -> None:
        """End the peer's process."""
        self._process.communicate()

    def _asked(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            _, errors = self._process.communicate(timeout=START_S)
            raise RuntimeError(f"DBOS cannot be measured: {errors.strip().splitlines()[-1] if errors else 'it ended'}")
        return line


def _serve(url: str, given: str) -> None:
    # Its system table needs SQLite 3.42; the package has a newer one under another name.
    try:
        import pysqlite3

        sys.modules["sqlite3"] = pysqlite3
    except ImportError:
        pass
    import sqlite3
    from importlib.metadata import version

    from dbos import DBOS

    values = json.loads(Path(given).read_text(encoding="utf-8"))
    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR", "application_version": "1"})

    @DBOS.step()
    def note(index: int) -> Any:
        return values[index % len(values)]

    @DBOS.workflow()
    def flow(count: int) -> list[int]:
        times = []
        for index in range(count):
            began = perf_counter_ns()
            note(index)
            times.append(perf_counter_ns() - began)
        return times

    @DBOS.step()
    async def anote(index: int) -> Any:
        return values[index % len(values)]

    gate = _Gate()

    @DBOS.workflow()
    async def many(number: int, workflows: int, steps: int) -> float:
        await gate.passed(workflows)
        for index in range(steps):
            await anote(number + index)
        return perf_counter()

    async def rate(workflows: int, steps: int) -> float:
        gate.close()
        ended = await asyncio.gather(*(many(number, workflows, steps) for number in range(workflows)))
        return workflows * steps / (max(ended) - gate.opened)

    DBOS.launch()
    print(f"DBOS {version('dbos')} on SQLite {sqlite3.sqlite_version}", flush=True)
    for line in sys.stdin:
        asked = [int(one) for one in line.split()]
        print(json.dumps(flow(asked[0]) if len(asked) == 1 else asyncio.run(rate(*asked))), flush=True)
    # Its threads would keep the process for seconds.
    os._exit(0)


class _Gate:
    """Lets all workflows begin their steps at one moment."""

    def close(self) -> None:
        self._waiting, self._open, self.opened = 0, asyncio.Event(), 0.0

    async def passed(self, workflows: int) -> None:
        self._waiting += 1
        if self._waiting == workflows:
            self.opened = perf_counter()
            self._open.set()
        await self._open.wait()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
