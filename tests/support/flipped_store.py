"""A store with everything in it, copies of it with one bit changed, and what each reader then answers."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import attrs
import mixed_work

import omium
from omium import runtime
from omium.cli import cli
from omium.views import Execution
from omium_sqlite.schema import PAGE_BYTES

__all__ = [
    "EXECUTIONS",
    "Answer",
    "Answers",
    "Flip",
    "Original",
    "contents_of",
    "facts",
    "flips",
    "gone_on",
    "listed",
    "verified",
]

STORE = mixed_work.STORE
WAL_FRAME_BYTES = PAGE_BYTES + 24
# Most bits are in the database; those of the WAL that is in use come next.
FILES = {"database": 0.55, "wal": 0.35, "blobs": 0.1}
EXECUTIONS = ("sold", "undone", "forked", "asked", "halted", "late", "cut")
TABLES = ("sqlite_master", "execution", "append", "blob", "runner", "meta", "mention")
VIEWS = ("executions", "checkpoints", "rollbacks")


@attrs.frozen
class Flip:
    """One bit: the kind of file, the file's path in the store's folder, and which bit of it."""

    kind: str
    file: str
    bit: int

    def do(self, folder: Path) -> None:
        """Change that bit."""
        with (folder / self.file).open("r+b") as file:
            file.seek(self.bit // 8)
            (byte,) = file.read(1)
            file.seek(self.bit // 8)
            file.write(bytes([byte ^ 1 << self.bit % 8]))


@attrs.frozen
class Answer:
    """What a reader gave, as text; or the error that it gave instead, by its class."""

    value: str = ""
    error: str = ""
    message: str = ""
    is_omium: bool = True


Answers = dict[str, Answer]


@attrs.frozen
class Original:
    """An undamaged store that was left by a process that was killed. It is only copied."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Original:
        """Run the workflows; part of what they leave is in the database, part of it in the WAL only."""
        (folder / "omium.toml").write_text(f'store = "{STORE}"\ndurability = "process"\n', encoding="utf-8")
        for job, status in (("calm", 0), ("cut", -signal.SIGKILL)):
            command = [sys.executable, mixed_work.__file__, job]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert done.returncode == status, done.stderr
        return cls(folder)

    def copy(self, folder: Path) -> None:
        """Put a copy into a folder in the place of what is there."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)

    def used_bytes(self) -> int:
        """Return how much of the WAL is in use; the rest is zeros."""
        data = (self.folder / f"{STORE}-wal").read_bytes().rstrip(b"\0")
        return len(data) + WAL_FRAME_BYTES


def flips(original: Original, seed: int, count: int) -> list[Flip]:
    """Choose bits: anywhere in the database, in what is used of the WAL, and in the files of blobs."""
    chance = random.Random(seed)
    folder = original.folder
    blobs = sorted(str(one.relative_to(folder)) for one in (folder / "blobs").rglob("*") if one.is_file())
    chosen = []
    for kind in chance.choices(list(FILES), list(FILES.values()), k=count):
        file = {"database": STORE, "wal": f"{STORE}-wal"}.get(kind) or chance.choice(blobs)
        size = original.used_bytes() if kind == "wal" else (folder / file).stat().st_size
        chosen.append(Flip(kind, file, chance.randrange(size * 8)))
    return chosen


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder; its store is closed afterwards, as when the process ends."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        for opened in tuple(runtime._PROCESS.runtimes.values()):
            opened.close()
        os.chdir(before)


def facts() -> Answers:
    """Ask for everything that the chains vouch for: executions, states, effects, stories."""
    answers: Answers = {}
    for id in EXECUTIONS:
        answers[f"execution {id}"] = asked(lambda id=id: _execution(omium.execution_of(id)))
        answers[f"load {id}"] = asked(lambda id=id: omium.open_store().load(id))
        answers[f"states {id}"] = asked(lambda id=id: _states(id))
        answers[f"effects {id}"] = asked(lambda id=id: _effects(id))
        answers[f"omium show {id}"] = command("show", id, "--json")
    return answers


def listed() -> Answers:
    """Ask for everything that comes from tables beside the chains: the list, and the views for SQL."""
    answers = {"omium list": command("list", "--json")}
    for view in VIEWS:
        answers[f"SELECT * FROM {view}"] = asked(lambda view=view: _selected(f"SELECT * FROM {view}"))
    return answers


def verified() -> Answer:
    """Ask `omium verify`: `ok`, or an error with what it found."""
    done = command("verify", "--json")
    if done.error:
        return done
    told = json.loads(done.value)
    assert told["ok"]
    return Answer("ok")


def gone_on() -> Answers:
    """Go on with what was cut short and with what waits, and roll back what was done."""
    return {
        "resume": asked(_resumed),
        "reject": asked(_rejected),
        "rollback": asked(lambda: _execution(omium.rollback("late", to="valued", reason="broken", by="ann"))[:3]),
        "world": Answer(Path(mixed_work.WORLD).read_text(encoding="utf-8")),
    }


def contents_of(folder: Path) -> dict[str, list[Any]]:
    """Return every row of every table, and every definition, as SQLite gives them."""
    found: dict[str, list[Any]] = {}
    with closing(sqlite3.connect(f"file:{folder / STORE}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        for table in TABLES:
            found[table] = sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
    return found


def asked(question: Callable[[], Any]) -> Answer:
    """Return the answer as text, or the error that came instead."""
    try:
        return Answer(repr(question()))
    except Exception as error:
        return Answer(error=type(error).__name__, message=str(error), is_omium=isinstance(error, omium.OmiumError))


def command(*args: str) -> Answer:
    """Run a command in this process; return what it printed, or its exit status as an error."""
    out, err = io.StringIO(), io.StringIO()
    status: Any = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main(args=list(args), prog_name="omium")
        except SystemExit as left:
            status = left.code
    if status in (0, None):
        return Answer(out.getvalue())
    return Answer(
        error=f"exit {status}", message=err.getvalue() + out.getvalue(), is_omium="unexpected" not in err.getvalue()
    )


def _execution(execution: Execution) -> tuple[Any, ...]:
    points = [(one.id, one.name, one.step, one.parent, one.root, one.at) for one in execution.checkpoints]
    return (
        execution.workflow,
        execution.status,
        [point[1] for point in points],
        execution.result,
        execution.reason,
        points,
        execution.violations,
        execution.recoveries,
        execution.started,
        execution.ended,
    )


def _states(id: str) -> list[Any]:
    store = omium.open_store()
    # The last ones have the large value as well, which `load` gives.
    return [store.checkpoint(id, one.id) for one in store.execution(id).checkpoints[:5]]


def _effects(id: str) -> list[Any]:
    store = omium.runtime_for().store
    told = []
    for one in store.load(id).state.effects.values():
        # What a fork has from before it began is in its source's journal.
        owner = id if store.journal.row(id, one.value_seq) is not None else "sold"
        value = store.view(owner, one.value_seq) if one.value_seq else None
        told.append((one.id, one.name, one.kind, one.key, one.state, one.step, value))
    return told


def _selected(sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{STORE}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute(sql).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as problem:
            raise omium.StoreError(str(problem)) from problem


def _resumed() -> tuple[Any, ...]:
    mixed_work.sell.resume("cut")
    omium.review("cut", choice=0, value="did send a pot", by="ann", reason="it was seen")
    return _execution(mixed_work.sell.resume("cut"))[:4]


def _rejected() -> tuple[Any, ...]:
    omium.review("asked", reject=True, by="ann", reason="too much")
    return _execution(mixed_work.sell.resume("asked"))[:3]
