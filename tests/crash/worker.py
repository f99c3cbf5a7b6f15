"""Runs jobs in forked children and kills them at an exact write. `conftest.py` starts it and talks to it in JSON lines.

It has imported everything and opened nothing when it forks, so a child costs milliseconds and has its own store, server
and runner. A child counts its points: BEFORE and after every commit of the store, and before and after every call that
a declared effect makes to the world. At the point that the job names it sends SIGKILL to itself.

Production code has no hooks for this: a child replaces the connection that the store writes with, and the functions
that were declared.
"""

from __future__ import annotations

import functools
import importlib
import io
import json
import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import omium
import omium.demo
from omium.runtime import plugins, registry, runtime_for
from omium_core.errors import UnknownExecution
from omium_core.runtime.clock import SystemClock
from omium_core.runtime.declarations import EffectDeclaration, StepDeclaration
from omium_sqlite import commit
from omium_sqlite.connections import Connections

WARM = (
    "concurrent.futures.thread",
    "configparser",
    "ctypes",
    "fsspec.implementations.local",
    "omium.cli.reviewing",
    "omium.cli.running",
    "omium.demo.onboarding",
    "omium_fsspec.blobs",
    "omium_sqlite.opening",
    "rich.tree",
)
READS = ("BEGIN", "SELECT", "PRAGMA")
# Longer than any job: what nobody waits for is then only committed with what somebody waits for.
LINGER_S = 1_000.0


class Points:
    """Where a child can be killed, in order; `kill` is the number of the one where it is."""

    def __init__(self, kill: int | None) -> None:
        self.kill = kill
        self.labels: list[str] = []

    def reach(self, label: str) -> None:
        self.labels.append(label)
        if len(self.labels) - 1 == self.kill:
            os.kill(os.getpid(), signal.SIGKILL)


class Tapped:
    """A connection that names its commits: the word itself, and a statement that is a transaction of its own."""

    def __init__(self, connection: sqlite3.Connection, points: Points, said: list[str]) -> None:
        self._connection = connection
        self._points = points
        self._said = said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        if sql.startswith("COMMIT") or not (self._connection.in_transaction or sql.startswith(READS)):
            return self._committing(sql, values)
        return self._connection.execute(sql, values)

    def _committing(self, sql: str, values: Any) -> sqlite3.Cursor:
        what = "+".join(self._said) or sql.split("(")[0].strip()
        self._said.clear()
        self._points.reach(f"before the commit of {what}")
        cursor = self._connection.execute(sql, values)
        self._points.reach(f"after the commit of {what}")
        return cursor


def tap(points: Points, grouped: bool) -> None:
    """Count this process's writes; unless `grouped`, every append is a transaction of its own, whatever its urgency."""
    said: list[str] = []
    writer, append = Connections.writer, commit.GroupWriter.append

    def tapped(self: Connections) -> Any:
        return Tapped(writer(self), points, said)

    def appended(self: commit.GroupWriter, batch: Any) -> Any:
        said.extend(json.loads(one)["type"] for one in batch.headers)
        made = append(self, batch)
        if not grouped:
            self.settle(made)
        return made

    Connections.writer = tapped  # type: ignore[method-assign]  # a child is its own world
    commit.GroupWriter.append = appended  # type: ignore[method-assign]
    commit.LINGER_S = LINGER_S
    # A ladder's backoff is journaled; it need not pass.
    SystemClock.sleep = lambda self, seconds: None  # type: ignore[method-assign]


def watch(points: Points, log: Path, calls: list[str]) -> None:
    """Count calls of the world, and write down every body of a step that begins.

    They are the calls that declared effects make, and those of the functions in `calls` (`module:name`).
    """

    def counted(fn: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            points.reach(f"before `{name}`")
            value = fn(*args, **kwargs)
            points.reach(f"after `{name}`")
            return value

        return call

    def step(declaration: StepDeclaration) -> Callable[..., Any]:
        @functools.wraps(declaration.fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            with log.open("a") as file:
                file.write(f"{os.getpid()} {omium.current().step}\n")
            return fn(*args, **kwargs)

        fn = declaration.fn
        return call

    for declaration in list(registry()._named.values()):
        if isinstance(declaration, EffectDeclaration):
            object.__setattr__(declaration, "fn", counted(declaration.fn, declaration.name))
        elif isinstance(declaration, StepDeclaration):
            object.__setattr__(declaration, "fn", step(declaration))
    for place in calls:
        module, name = place.split(":")
        setattr(sys.modules[module], name, counted(getattr(sys.modules[module], name), name))


def start(module: str, workflow: str, arguments: dict[str, Any], execution: str) -> str:
    """Start an execution as user code would; return its status."""
    found = getattr(importlib.import_module(module), workflow)
    return str(found.start(execution_id=execution, **arguments).status)


def onboard(model: str, execution: str) -> str:
    """Start the demo's workflow."""
    from omium.demo.onboarding import Application

    application = Application("A. Rao", "rao@example.com", 72_000, model=model)
    return start("omium.demo.onboarding", "onboard", {"application": application}, execution)


def review(execution: str, answer: dict[str, Any]) -> None:
    """Answer a question as user code would."""
    omium.review(execution, by="ann", reason="she asked the provider", **answer)


def cli(*arguments: str) -> dict[str, Any]:
    """Run the command line as its script does; return its exit status and what it said."""
    from omium.cli import main

    sys.argv = ["omium", *arguments]
    out, err = io.StringIO(), io.StringIO()
    status: Any = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            status = ended.code
    return {"status": status or 0, "out": out.getvalue(), "err": err.getvalue()}


def look(execution: str) -> dict[str, Any] | None:
    """Return what the store and the world say; None when the execution never came to be."""
    store = runtime_for().store
    try:
        row = store.find(execution)
    except UnknownExecution:
        return None
    state = store.load(row.id).state
    verification = omium.verify()
    return {
        "status": row.status,
        "outcomes": {path: f"{entry.kind} {entry.digest}" for path, entry in state.outcomes.items()},
        "result": repr(omium.execution_of(row.id).result),
        "effects": [f"{one.name} {one.state}" for one in state.effects.values()],
        "asked": _asked(state),
        "problems": [str(one) for one in verification.problems],
        "events": [[type(one).__name__, getattr(one, "step", "")] for one in store.events(row.id)],
    }


def _asked(state: Any) -> str | None:
    open_review = state.review is not None and state.review.answer is None
    return str(state.review.request.kind) if open_review else None


DOES: dict[str, Callable[..., Any]] = {
    "start": start,
    "onboard": onboard,
    "review": review,
    "cli": cli,
    "look": look,
}


def child(job: dict[str, Any]) -> None:
    """Do a job in this process and write down what came of it, unless the job's point ends it first."""
    folder = Path(job["folder"])
    os.chdir(folder)
    os.environ.update(OMIUM_STORE=f"sqlite:///{folder}/omium.db", OMIUM_HOME=str(folder), OMIUM_DURABILITY="process")
    os.environ.update(job.get("environment", {}))
    sys.path.insert(0, str(folder))
    points = Points(job.get("kill"))
    tap(points, bool(job.get("grouped")))
    for module in job.get("modules", ["omium.demo.onboarding"]):
        importlib.import_module(module)
    watch(points, folder / "bodies.log", job.get("calls", []))
    answers: list[Any] = []
    error = None
    try:
        for name, *arguments in job["do"]:
            answers.append(DOES[name](*arguments))
    except BaseException:  # It is the test's to see.
        error = traceback.format_exc()
    # What is open is closed, because the last writes of a process can be its last moments too.
    runtime_for().close()
    told = {"answers": answers, "points": points.labels, "error": error}
    Path(job["tell"]).write_text(json.dumps(told))


def serve() -> None:
    """Do jobs until there are no more."""
    for module in WARM:
        importlib.import_module(module)
    plugins()
    # What reading a policy needs is made once, and not again in each child.
    omium.load_policy(Path(omium.demo.__file__).with_name("onboarding.omp"))
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                child(job)
            except BaseException:
                traceback.print_exc()
            # A fork of a server has nothing to finish but its own job.
            sys.stderr.flush()
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        os.write(1, json.dumps({"killed": os.WIFSIGNALED(status), "pid": pid}).encode() + b"\n")


if __name__ == "__main__":
    serve()
