"""The world of `examples/transfers`: a bank in PostgreSQL, a project with a store, and processes that work on both."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import psycopg

from omium.runtime import runtime_for
from omium_core.model import events as e
from omium_core.runtime.verifying import verify_store

__all__ = ["Settled", "World"]

EXAMPLES = Path(__file__).parents[2] / "examples"
ORDERS = EXAMPLES / "transfers" / "orders.csv"
TIMEOUT_S = 300.0
# The file's own path is an argument of `read`, and each round of a test has a file of its own.
READ_LANE = re.compile(r"\[read~[0-9a-f]+\]")


@attrs.frozen
class Settled:
    """How the orders of a file ended: in PostgreSQL, and in the outcomes of every step of its executions."""

    balances: dict[str, int]
    orders: list[tuple[int, str, str | None]]
    notices: list[tuple[int, str, str]]
    outcomes: list[dict[str, str]]


@attrs.frozen
class World:
    """One bank and one project. Several banks may share a project, and so its store."""

    url: str
    project: Path
    file: Path

    @classmethod
    def new(cls, url: str, project: Path, name: str = "orders", *, opened: bool = True) -> World:
        """Open a bank in an empty database, with an order file of that name, unless the test does so itself."""
        project.mkdir(parents=True, exist_ok=True)
        world = cls(url, project, project / f"{name}.csv")
        shutil.copy(ORDERS, world.file)
        # Kills of processes are the point here, and for those the file system's cache is as good as its disk.
        (project / "omium.toml").write_text('durability = "process"\n')
        if opened:
            world.run("-m", "transfers", "open")
        return world

    def run(self, *arguments: object, status: int = 0) -> str:
        """Run Python to its end, which must have this exit status; return what it printed."""
        done = subprocess.run(**self.process(*arguments), timeout=TIMEOUT_S, check=False)
        assert done.returncode == status, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return str(done.stdout)

    @contextmanager
    def running(self, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        """Let Python run meanwhile; if it is still there at the end, it is killed with all that it started."""
        with subprocess.Popen(**self.process(*arguments), start_new_session=True) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def process(self, *arguments: object) -> dict[str, Any]:
        """Return what starts a Python that has the example and the bank."""
        paths = [str(EXAMPLES), *filter(None, [os.environ.get("PYTHONPATH")])]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
        return {
            "args": [sys.executable, *map(str, arguments)],
            "cwd": self.project,
            "env": {**kept, "TRANSFERS_DATABASE": self.url, "PYTHONPATH": os.pathsep.join(paths)},
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
        }

    def work(self, batches: int, processes: int = 1) -> tuple[object, ...]:
        """Return the arguments that settle the first batches of the file."""
        return "-m", "transfers", "work", "--file", self.file, "--batches", batches, "--processes", processes

    def books(self) -> str:
        """Return what the auditor says; fail where the books do not balance."""
        return self.run("-m", "transfers", "books")

    def settled(self) -> Settled:
        """Read how it ended."""
        with psycopg.connect(self.url) as bank:
            balances = bank.execute("SELECT id, balance FROM account").fetchall()
            orders = bank.execute("SELECT line, status, reason FROM instruction ORDER BY line").fetchall()
            notices = bank.execute("SELECT line, recipient, body FROM notice ORDER BY line").fetchall()
        return Settled(dict(balances), orders, notices, [self._outcomes(one) for one in self.executions()])

    def executions(self) -> list[str]:
        """Return the ids of this file's executions, in the order of its batches."""
        rows = self._store().journal.executions(prefix=f"{self.file.stem}-", limit=1_000)
        return sorted(row.id for row in rows)

    def at_work(self) -> set[int]:
        """Return the processes that run an execution of this file at the moment."""
        rows = self._store().journal.executions(prefix=f"{self.file.stem}-", status="running", limit=1_000)
        return {int(row.runner.split(":")[1]) for row in rows if row.runner is not None}

    def problems(self) -> list[str]:
        """Return what is wrong with the store: broken chains, what did not complete, steps that were done again."""
        store = self._store()
        wrong = [str(one) for one in verify_store(store, None, None).problems]
        for name in self.executions():
            status = store.find(name).status
            if status != "completed":
                wrong.append(f"{name} is {status}")
            wrong.extend(f"{name}: `{step}` was completed {times} times" for step, times in self._repeated(name))
        return wrong

    def counts(self) -> Counter[str]:
        """Count what the journals have: checkpoints, effects, resumes."""
        kinds = {e.CheckpointCommitted: "steps", e.EffectDone: "effects", e.ExecutionResumed: "resumes"}
        events = (event for name in self.executions() for event in self._store().events(name))
        return Counter(kinds[type(event)] for event in events if type(event) in kinds)

    def _repeated(self, name: str) -> list[tuple[str, int]]:
        completed: Counter[str] = Counter()
        for event in self._store().events(name):
            if isinstance(event, e.RolledBack):
                completed.clear()
            elif isinstance(event, e.StepCompleted):
                completed[event.step] += 1
        return [(step, times) for step, times in completed.items() if times > 1]

    def _outcomes(self, name: str) -> dict[str, str]:
        entries = self._store().load(name).state.outcomes.items()
        return {READ_LANE.sub("[read]", path): f"{entry.kind} {entry.digest}" for path, entry in entries}

    def _store(self) -> Any:
        return runtime_for(f"sqlite:///{self.project}/.omium/omium.db").store


def job(**fields: Any) -> str:
    """Return what `disturbed.py` is told."""
    return json.dumps({name: str(value) if isinstance(value, Path) else value for name, value in fields.items()})
