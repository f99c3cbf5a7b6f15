"""The SQLite journal: real files, real threads, real processes that are really killed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from omium_core.errors import Corrupted, ExecutionFenced, OmiumError, SchemaTooNew, StoreError, UsageError
from omium_core.interfaces.checkpoint import Batch, Commit, Journal, StatusChange
from omium_core.model.body import Blob
from omium_fsspec.blobs import FsspecBlobStore
from omium_sqlite import rows
from omium_sqlite.commit import LINGER_S, QUIET_PAGES
from omium_sqlite.connections import Connections
from omium_sqlite.journal import SqliteJournal
from omium_sqlite.locks import FileLock, host, refuse_network

HERE = str(Path(__file__).parent)
PATIENCE_S = 20.0

pytestmark = pytest.mark.filterwarnings("error")


def event(seq: int, epoch: int = 1, type: str = "StepStarted", **more: Any) -> str:
    """Give a header as the engine writes it."""
    return json.dumps({"type": type, "seq": seq, "epoch": epoch, "at": 1763660000.25 + seq, **more})


def batch(
    execution: str = "exe_a",
    first: int = 1,
    count: int = 3,
    *,
    expected: int | None = None,
    epoch: int = 1,
    body: bytes = b"body",
    headers: list[str] | None = None,
    blobs: tuple[Blob, ...] = (),
    change: StatusChange | None = None,
) -> Batch:
    """Give a batch; `expected` is 0 for the first one of an execution, and else the epoch."""
    headers = headers or [event(first + i, epoch) for i in range(count)]
    expected = (0 if first == 1 else epoch) if expected is None else expected
    digest = hashlib.sha256(f"{execution}{first}".encode()).hexdigest()
    return Batch(execution, first, expected, epoch, headers, body, digest, blobs, change)


def blob(data: bytes) -> Blob:
    return Blob(hashlib.sha256(data).hexdigest(), data)


def eventually(condition: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "did not come to hold"
        time.sleep(0.001)


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Run a script in a process of its own, with this file as the module `test_sqlite`."""
    path = os.pathsep.join([HERE, *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", "from test_sqlite import *\n" + script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    return output


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    made = SqliteJournal(path)
    yield made
    made.close()


class Failing:
    """The writing connection with one statement that fails; everything else is real."""

    def __init__(self, journal: SqliteJournal, where: str, error: BaseException, *, after: bool = False) -> None:
        self._connection = journal._connections.writer()
        self._where, self._error, self._after = where, error, after
        journal._connections._writer = self  # type: ignore[assignment]  # a stand-in, for one failure

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if self._where not in sql:
            return self._connection.execute(sql, *values)
        if self._after:
            self._connection.execute(sql, *values)
        raise self._error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


# What an append keeps


def test_exact_bytes_come_back(journal: SqliteJournal) -> None:
    """What is read is byte for byte what was appended, also around the separator of the headers."""
    protocol: Journal = journal
    odd = [event(1, note='",\\n[]{}'), '{"seq":2,"x":"\u2028 \U0001f600 ],[,"}', '{"seq": 3}']
    one = batch(headers=odd, body=bytes(range(256)) * 50)
    protocol.append(one).wait()
    two = batch(first=4, count=1, body=b"")
    protocol.append(two).wait()
    for given, got in zip([one, two], protocol.rows("exe_a"), strict=True):
        assert (got.execution, got.first_seq, got.epoch) == ("exe_a", given.first_seq, 1)
        assert (got.headers, got.bodies, got.digest) == (tuple(given.headers), given.bodies, given.digest)
    assert [row.bodies for row in journal.rows("exe_a", bodies=False)] == [None, None]


def test_rows_begin_where_asked(journal: SqliteJournal) -> None:
    """`after` gives the append that holds the next event; `row` gives the one that holds an event."""
    for first in range(1, 900, 3):
        journal.append(batch(first=first))
    journal.append(batch("exe_b")).wait()
    assert [row.first_seq for row in journal.rows("exe_a")] == list(range(1, 900, 3))
    assert [next(journal.rows("exe_a", after=after)).first_seq for after in (0, 2, 3, 4, 5, 6)] == [1, 1, 4, 4, 4, 7]
    assert list(journal.rows("exe_a", after=900)) == list(journal.rows("exe_none")) == []
    found = [journal.row("exe_a", seq) for seq in (1, 3, 4, 900)]
    assert [row and row.first_seq for row in found] == [1, 1, 4, 898]
    assert [journal.row("exe_a", seq) for seq in (-1, 0, 901, 2**40)] == [None] * 4
    assert journal.row("exe_none", 1) is None


def test_blobs_are_kept_once(journal: SqliteJournal) -> None:
    """A blob comes with its append; one that is there already stays."""
    one, two = blob(b"one" * 1000), blob(b"")
    journal.append(batch(blobs=(one, two))).wait()
    journal.append(batch(first=4, blobs=(one,))).wait()
    known = {one.digest: one.data, two.digest: b""}
    assert journal.blobs([one.digest, "00" * 32, two.digest, "no hash"]) == known
    assert journal.blobs([]) == {}
    assert journal.check() == []


def test_executions(journal: SqliteJournal) -> None:
    """The row of an execution follows the changes, and the list is filtered, newest first."""
    for i, name in enumerate(["exe_a1", "exe_a2", "exe_b_", "exe_bx"]):
        change = StatusChange(status="running", workflow=f"flow{i % 2}", runner="r", started=100.0 + i)
        journal.append(batch(name, change=change))
    journal.append(batch("exe_a2", first=4, change=StatusChange(status="completed", ended=111.0)))
    journal.append(batch("exe_b_", first=4, epoch=7, expected=1)).wait()
    found = journal.execution("exe_a2")
    assert found is not None
    assert (found.id, found.workflow, found.status, found.epoch) == ("exe_a2", "flow1", "completed", 1)
    assert (found.runner, found.started, found.ended) == ("r", 101.0, 111.0)
    raised = journal.execution("exe_b_")
    assert raised is not None
    assert raised.epoch == 7
    assert journal.execution("exe_a") is None

    def ids(**asked: Any) -> list[str]:
        return [one.id for one in journal.executions(**asked)]

    assert ids() == ["exe_bx", "exe_b_", "exe_a2", "exe_a1"]
    assert ids(prefix="exe_a") == ["exe_a2", "exe_a1"]
    assert ids(prefix="exe_b_") == ["exe_b_"]
    assert ids(prefix="%") == []
    assert ids(status="completed") == ["exe_a2"]
    assert ids(workflow="flow0", limit=1) == ["exe_b_"]


@pytest.mark.parametrize(
    "wrong",
    [
        batch(headers=["{}\n"]),
        Batch("e", 1, 0, 1, [], b"", "00"),
        batch(first=0),
        batch(first=2**32 - 1),
        batch(expected=3, epoch=2),
        batch(epoch=0),
        batch(headers=["\ud800"]),
        Batch("e", 1, 0, 1, ["{}"], b"", "no hex"),
        batch(blobs=(Blob("no hex", b""),)),
    ],
)
def test_malformed_batches_are_refused_at_once(journal: SqliteJournal, wrong: Batch) -> None:
    """A batch that could not be read back is refused before it is queued, so it can fail nobody else's."""
    with pytest.raises(UsageError):
        journal.append(wrong)


def test_an_end_is_taken_back_by_the_next_change_only(journal: SqliteJournal) -> None:
    """An execution that goes on has not ended; an append that says nothing of the row leaves it."""
    journal.append(batch(change=StatusChange(status="paused", ended=5.0)))
    journal.append(batch(first=4, expected=1, epoch=2)).wait()
    left = journal.execution("exe_a")
    journal.append(batch(first=7, epoch=2, change=StatusChange(status="running"))).wait()
    taken_back = journal.execution("exe_a")
    assert left is not None
    assert taken_back is not None
    assert (left.status, left.ended, left.epoch) == ("paused", 5.0, 2)
    assert (taken_back.status, taken_back.ended) == ("running", None)


def test_a_fork_goes_on_from_its_source(journal: SqliteJournal) -> None:
    """A new execution may begin with any sequence number, and is read and checked from there."""
    journal.append(batch("exe_fork", first=41, expected=0))
    journal.append(batch("exe_fork", first=44)).wait()
    assert [row.first_seq for row in journal.rows("exe_fork")] == [41, 44]
    assert journal.row("exe_fork", 40) is None
    assert journal.check() == []


# Fencing


@pytest.mark.parametrize(
    "stale",
    [
        batch(first=4, expected=1, epoch=1),
        batch(first=5, expected=2, epoch=2),
        batch(first=7, expected=1, epoch=3),
        batch(first=10, expected=2, epoch=2),
        batch(first=8, expected=2, epoch=2),
        batch(first=1, expected=0),
        batch(first=7, expected=0),
        batch(first=7, expected=3, epoch=3),
        batch("exe_other", first=4, expected=1),
        batch("exe_other", first=1, expected=1),
    ],
)
def test_what_does_not_fit_is_fenced(journal: SqliteJournal, stale: Batch) -> None:
    """A batch with another sequence or epoch than the store's leaves no trace, and the right one still goes in."""
    journal.append(batch()).wait()
    journal.append(batch(first=4, expected=1, epoch=2)).wait()
    with pytest.raises(ExecutionFenced):
        journal.append(stale).wait()
    assert journal.execution("exe_other") is None
    journal.append(batch(first=7, epoch=2)).wait()
    assert [row.first_seq for row in journal.rows("exe_a")] == [1, 4, 7]
    assert journal.check() == []


def test_a_fenced_batch_fails_alone(journal: SqliteJournal, path: Path) -> None:
    """Of one group the fenced execution's batches fail and all others are committed."""
    journal.append(batch("exe_f")).wait()
    other = FileLock(f"{path}.lock")
    other.take()
    commits: dict[str, list[Commit]] = {"exe_f": [], "exe_a": [], "exe_b": []}
    for first in (1, 4, 7):
        for name, of in commits.items():
            skipped = 3 if name == "exe_f" else 0
            of.append(journal.append(batch(name, first=first + skipped + (first > 1) * skipped, blobs=(blob(b"x"),))))
    commits["exe_f"].insert(0, journal.append(batch("exe_f", first=5)))
    other.forget()
    for name, of in commits.items():
        for commit in of[1:] if name == "exe_f" else of:
            if name == "exe_f" and commit is not of[1]:
                with pytest.raises(ExecutionFenced):
                    commit.wait()
            else:
                commit.wait()
    with pytest.raises(ExecutionFenced):
        commits["exe_f"][0].wait()
    assert [row.first_seq for row in journal.rows("exe_b")] == [1, 4, 7]
    assert journal.check() == []


MANY = [f"exe_{number}" for number in range(20)]


def _many(journal: SqliteJournal, path: Path, batches: list[Batch]) -> list[Commit]:
    """Append batches that wait for each other, so that the thread writes all of them as one group."""
    other = FileLock(f"{path}.lock")
    other.take()
    commits: list[Commit] = [journal.append(one) for one in batches]
    other.forget()
    return commits


@pytest.mark.parametrize(
    "stale",
    [
        batch("exe_f", first=7),
        batch("exe_f", first=3),
        batch("exe_f", first=4, epoch=2),
        batch("exe_none", first=4),
        attrs.evolve(batch("exe_f", first=4), previous="ab" * 32),
    ],
)
def test_a_fenced_batch_fails_alone_among_many_executions(journal: SqliteJournal, path: Path, stale: Batch) -> None:
    """A group of plain appends, which takes one statement, fails nobody but who does not fit, and loses nothing."""
    for name in [*MANY, "exe_f"]:
        journal.append(batch(name)).wait()
    behind = [attrs.evolve(batch(name, first=4), previous=batch(name).digest) for name in MANY]
    commits = _many(journal, path, [*behind[:10], stale, *behind[10:]])
    with pytest.raises(ExecutionFenced):
        commits.pop(10).wait()
    for commit in commits:
        commit.wait()
    for name in MANY:
        assert [row.first_seq for row in journal.rows(name)] == [1, 4]
    assert [row.first_seq for row in journal.rows("exe_f")] == [1]
    assert journal.check() == []


def test_many_executions_are_written_by_one_statement(
    journal: SqliteJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain appends of different executions are one transaction of one statement, and each is what it was."""
    for name in MANY:
        journal.append(batch(name)).wait()
    written: list[int] = []
    together = rows.extend_all
    monkeypatch.setattr(rows, "extend_all", lambda db, all_: (written.append(len(all_)), together(db, all_))[1])
    given = [batch(name, first=4, body=name.encode()) for name in MANY]
    for commit in _many(journal, path, given):
        commit.wait()
    assert sum(written) >= len(MANY) - 1
    for one in given:
        row = journal.row(one.execution, 4)
        assert row is not None
        assert (row.bodies, row.digest, list(row.headers)) == (one.bodies, one.digest, list(one.headers))


# Threads, and callers on an event loop


def test_many_threads(journal: SqliteJournal) -> None:
    """A hundred threads append at once; every execution has its batches in order, and nobody waits for ever."""

    def work(name: str) -> None:
        for first in range(1, 31, 3):
            unawaited = journal.append(batch(name, first=first, count=1))
            journal.append(batch(name, first=first + 1, count=2)).wait()
            assert unawaited.done

    threads = [threading.Thread(target=work, args=(f"exe_{i}",)) for i in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(100):
        assert [row.first_seq for row in journal.rows(f"exe_{i}")] == [n for f in range(1, 31, 3) for n in (f, f + 1)]
    assert journal.check() == []


async def test_event_loop(journal: SqliteJournal) -> None:
    """`flush` and `on_done` are all that a loop needs; callbacks come once, also when the fate is known already."""
    loop = asyncio.get_running_loop()

    async def work(name: str) -> None:
        for first in range(1, 31, 3):
            commit = journal.append(batch(name, first=first))
            known = loop.create_future()
            commit.on_done(lambda known=known: loop.call_soon_threadsafe(known.set_result, None))
            loop.call_soon(journal.flush)
            await known
            commit.wait()

    await asyncio.gather(*[work(f"exe_{i}") for i in range(50)])
    calls: list[int] = []
    commit = journal.append(batch("exe_late"))
    commit.wait()
    commit.on_done(lambda: calls.append(1))
    assert calls == [1]


def test_flush_never_waits(journal: SqliteJournal, path: Path) -> None:
    """While another process writes, `flush` returns with nothing done; the thread commits as soon as it can."""
    other = FileLock(f"{path}.lock")
    other.take()
    commit = journal.append(batch())
    done = threading.Event()
    commit.on_done(done.set)
    journal.flush()
    assert not commit.done
    other.forget()
    assert done.wait(PATIENCE_S)
    commit.wait()


def test_a_failing_callback_harms_nobody(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback that raises is reported as the thread's own trouble; the others are called."""
    reported: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", reported.append)
    commit, calls = journal.append(batch()), []
    commit.on_done(lambda: 1 / 0 and None)
    commit.on_done(lambda: calls.append(1))
    commit.wait()
    eventually(lambda: calls == [1])
    assert reported[0].exc_type is ZeroDivisionError


def test_what_nobody_waits_for_is_soon_durable(journal: SqliteJournal) -> None:
    """Unawaited appends come on disk by themselves; the writer lingers for less than the 10 ms that are promised."""
    assert LINGER_S < 0.010
    for i in range(21):
        done = threading.Event()
        journal.append(batch(f"exe_{i}")).on_done(done.set)
        assert done.wait(PATIENCE_S)


# Processes


def test_the_end_of_the_interpreter_loses_nothing(path: Path) -> None:
    """A program that ends without `close` has its unawaited appends committed."""
    finish(python("j = SqliteJournal(sys.argv[1])\nfor f in range(1, 3000, 3): j.append(batch(first=f))", path))
    journal = SqliteJournal(path)
    assert [row.first_seq for row in journal.rows("exe_a")] == list(range(1, 3000, 3))
    journal.close()


MULTIPROCESSING = """
import multiprocessing
journal = None
def work(path, name):
    mine = journal or SqliteJournal(path)
    mine.append(batch(name))
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    for given in (True, False):
        journal = SqliteJournal(sys.argv[1]) if given else None
        children = [context.Process(target=work, args=(sys.argv[1], f"exe_{given}{i}")) for i in range(3)]
        for child in children: child.start()
        for child in children: child.join()
        assert all(child.exitcode == 0 for child in children)
        if journal: journal.close()
"""


def test_the_end_of_a_multiprocessing_child_loses_nothing(path: Path) -> None:
    """Children of `multiprocessing` end without `atexit`; their unawaited appends are committed all the same."""
    finish(python(MULTIPROCESSING, path))
    journal = SqliteJournal(path)
    assert len(journal.executions()) == 6
    journal.close()


def test_processes_append_at_once(path: Path) -> None:
    """Four processes write to one store, each with several threads, and everything is there."""
    script = """
j = SqliteJournal(sys.argv[1])
def work(name):
    for first in range(1, 301, 3):
        j.append(batch(name, first=first, body=b"b" * 5000)).wait()
threads = [threading.Thread(target=work, args=(f"exe_{sys.argv[2]}_{i}",)) for i in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    processes = [python(script, path, i) for i in range(4)]
    for process in processes:
        finish(process)
    journal = SqliteJournal(path)
    assert len(journal.executions()) == 12
    for one in journal.executions():
        assert [row.first_seq for row in journal.rows(one.id)] == list(range(1, 301, 3))
    assert journal.check() == []
    journal.close()


def test_kill_loses_nothing_acknowledged(path: Path) -> None:
    """Killed at any moment, a store has every append whose `wait` had returned, and is sound."""
    script = """
j = SqliteJournal(sys.argv[1])
def work(name):
    row = list(j.rows(name))
    first = row[-1].first_seq + len(row[-1].headers) if row else 1
    while True:
        j.append(batch(name, first=first, count=1))
        j.append(batch(name, first=first + 1, count=2, body=b"b" * 9000, blobs=(blob(os.urandom(3000)),))).wait()
        first += 3
        os.write(1, f"{name} {first - 1}\\n".encode())
for i in range(3): threading.Thread(target=work, args=(f"exe_{i}",), daemon=True).start()
threading.Event().wait()
"""
    dice = random.Random(7)
    acknowledged: dict[str, int] = {}
    for _ in range(6):
        process = python(script, path)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(dice.randrange(1, 400))]
        os.kill(process.pid, signal.SIGKILL)
        for line in [*lines, *process.communicate()[0].splitlines(keepends=True)]:
            if re.fullmatch(r"exe_\d \d+\n", line):
                acknowledged[line.split()[0]] = int(line.split()[1])
        journal = SqliteJournal(path)
        for name, seq in acknowledged.items():
            row = journal.row(name, seq)
            assert row is not None
            assert row.bodies == b"b" * 9000
        assert journal.check() == []
        journal.close()
    assert len(acknowledged) == 3


FORK = """
journal = SqliteJournal(sys.argv[1])
parent_runner = journal.runner()
journal.append(batch("exe_parent")).wait()
list(journal.rows("exe_parent"))
stop = threading.Event()
def busy():
    first = 1
    while not stop.is_set():
        journal.append(batch("exe_busy", first=first)).wait()
        first += 3
thread = threading.Thread(target=busy)
thread.start()
from_parent, to_child = os.pipe()
from_child, to_parent = os.pipe()
inherited = journal.append(batch("exe_inherited"))
child = os.fork()
if child == 0:
    journal.append(batch("exe_child")).wait()
    assert journal.runner() != parent_runner
    assert journal.is_alive(parent_runner) and journal.is_alive(journal.runner())
    os.write(to_parent, b"x")
    os.read(from_parent, 1)
    journal.append(batch("exe_child", first=4)).wait()
    journal.append(batch("exe_child", first=7))
    journal.close()
    os._exit(0)
os.read(from_child, 1)
inherited.wait()
stop.set()
thread.join()
assert journal.is_alive(parent_runner)
journal.close()
os.write(to_child, b"x")
assert os.waitpid(child, 0)[1] == 0
"""


def test_fork(path: Path) -> None:
    """Both sides of a fork write on; what the child commits after the parent closed the store is not lost."""
    finish(python(FORK, path))
    journal = SqliteJournal(path)
    assert [row.first_seq for row in journal.rows("exe_child")] == [1, 4, 7]
    assert [row.first_seq for row in journal.rows("exe_inherited")] == [1]
    assert len(list(journal.rows("exe_busy"))) > 0
    assert journal.check() == []
    journal.close()


def test_fork_without_python(path: Path) -> None:
    """A child of a fork that Python did not see refuses the inherited store, which SQLite could lose data in."""
    script = """
import ctypes
journal = SqliteJournal(sys.argv[1])
journal.append(batch()).wait()
child = ctypes.PyDLL(None).fork()
if child == 0:
    refused = 0
    for use in (lambda: journal.append(batch("exe_c")), lambda: list(journal.rows("exe_a")), journal.runner):
        try: use()
        except StoreError: refused += 1
    journal.close()
    os._exit(refused)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
journal.append(batch(first=4)).wait()
"""
    finish(python(script, path))


# Runners


def test_runners(journal: SqliteJournal, path: Path) -> None:
    """A runner is alive while its process is, and known to be dead at once when it was killed."""
    name = journal.runner()
    assert name == journal.runner()
    assert journal.is_alive(name)
    assert not journal.is_alive("host:1:never")
    script = "j = SqliteJournal(sys.argv[1]); print(j.runner(), flush=True); sys.stdin.readline(); j.close()"
    other, killed = python(script, path), python(script, path)
    assert other.stdout is not None
    assert killed.stdout is not None
    other_name, killed_name = other.stdout.readline().strip(), killed.stdout.readline().strip()
    assert journal.is_alive(other_name)
    assert journal.is_alive(killed_name)
    killed.kill()
    killed.communicate()
    assert not journal.is_alive(killed_name)
    other.communicate("\n")
    assert not journal.is_alive(other_name)
    assert not Path(f"{path}.runners", f"{other_name}.lock").exists()


def test_runners_elsewhere(journal: SqliteJournal, path: Path) -> None:
    """On another machine, or after this one was started again, the lease's time decides."""
    name = journal.runner()
    with sqlite3.connect(path) as connection:
        leases = [("late", "elsewhere x", 1, 0.0, time.time() - 1), ("timely", "elsewhere x", 1, 0.0, time.time() + 30)]
        connection.executemany("INSERT INTO runner VALUES (?, ?, ?, ?, ?)", [*leases, ("here", host(), 1, 0.0, 9e9)])
    connection.close()
    assert [journal.is_alive(one) for one in ("late", "timely", "here", name)] == [False, True, False, True]


def test_a_subprocess_does_not_keep_a_runner_alive(path: Path) -> None:
    """A program that a runner started outlives it, and the runner still counts as dead."""
    script = """
j = SqliteJournal(sys.argv[1])
print(j.runner(), flush=True)
print(subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL).pid, flush=True)
sys.stdin.readline()
"""
    process = python(script, path)
    assert process.stdout is not None
    name, orphan = process.stdout.readline().strip(), int(process.stdout.readline())
    process.kill()
    process.communicate()
    journal = SqliteJournal(path)
    try:
        assert not journal.is_alive(name)
    finally:
        os.kill(orphan, signal.SIGKILL)
        journal.close()


# Failures


def test_a_full_disk_fails_the_append_and_not_the_store(journal: SqliteJournal) -> None:
    """When the disk is full the group fails, its execution's later appends say why, and others are not touched."""
    journal.append(batch()).wait()
    pages = journal._connections.writer().execute("PRAGMA page_count").fetchone()[0]
    journal._connections.writer().execute(f"PRAGMA max_page_count = {pages}")
    big = journal.append(batch(first=4, body=os.urandom(1_000_000)))
    after = journal.append(batch(first=7))
    with pytest.raises(StoreError, match="full"):
        big.wait()
    with pytest.raises(StoreError, match="full"):
        after.wait()
    assert [row.first_seq for row in journal.rows("exe_a")] == [1]
    journal.append(batch(first=4)).wait()
    journal.append(batch("exe_b")).wait()
    assert journal.check() == []


@pytest.mark.parametrize("where", ["BEGIN", "INTO append", "COMMIT"])
def test_a_failed_statement_fails_its_group(journal: SqliteJournal, where: str) -> None:
    """Whatever statement fails, the tickets get the error, nothing stays half done, and the next append goes in."""
    journal.append(batch()).wait()
    Failing(journal, where, sqlite3.OperationalError("disk I/O error"))
    commit = journal.append(batch(first=4, blobs=(blob(b"x"),)))
    with pytest.raises(StoreError, match="disk I/O error"):
        commit.wait()
    assert not isinstance(journal._connections._writer, Failing)
    journal.append(batch(first=4)).wait()
    assert [row.first_seq for row in journal.rows("exe_a")] == [1, 4]


@pytest.mark.parametrize("after", [False, True])
def test_an_interruption_loses_nothing(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    """Ctrl-C just before or just after the commit: the append is there once, and its ticket says so."""
    journal.append(batch()).wait()
    # The writer thread stays away, so that this thread is the one that is interrupted.
    monkeypatch.setattr("omium_sqlite.commit.LINGER_S", PATIENCE_S)
    eventually(lambda: not journal._writer._armed.is_set())
    Failing(journal, "COMMIT", KeyboardInterrupt(), after=after)
    commit = journal.append(batch(first=4, blobs=(blob(b"x"),)))
    with pytest.raises(KeyboardInterrupt):
        commit.wait()
    assert not commit.done
    commit.wait()
    assert [row.first_seq for row in journal.rows("exe_a")] == [1, 4]
    journal.append(batch(first=7)).wait()


@pytest.mark.parametrize("after", [False, True])
def test_an_interruption_of_many_loses_nothing(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Ctrl-C just before or just after a group's one statement: each append is there once, and its ticket says so."""
    for name in MANY:
        journal.append(batch(name)).wait()
    monkeypatch.setattr("omium_sqlite.commit.LINGER_S", PATIENCE_S)
    eventually(lambda: not journal._writer._armed.is_set())
    Failing(journal, "WITH given", KeyboardInterrupt(), after=after)
    commits = [journal.append(batch(name, first=4)) for name in MANY]
    with pytest.raises(KeyboardInterrupt):
        commits[0].wait()
    for commit in commits:
        commit.wait()
    for name in MANY:
        assert [row.first_seq for row in journal.rows(name)] == [1, 4]


def test_a_closed_store_refuses(path: Path) -> None:
    """After `close`, which may be called twice, everything is refused in one sentence."""
    journal = SqliteJournal(path)
    commit = journal.append(batch())
    journal.close()
    journal.close()
    assert commit.done
    commit.wait()
    for use in (lambda: journal.append(batch()), lambda: list(journal.rows("exe_a")), journal.runner):
        with pytest.raises(StoreError, match="is closed"):
            use()
    assert not Path(f"{path}-wal").exists()


# Files that are not stores, and damage


def test_a_newer_schema_is_refused(path: Path) -> None:
    """A store of a newer Omium is not opened, and the error says what to do."""
    SqliteJournal(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = 2 WHERE key = 'schema_version'")
    connection.commit()
    connection.close()
    with pytest.raises(SchemaTooNew, match=r"schema version 2.*upgrade Omium") as caught:
        SqliteJournal(path)
    assert (caught.value.found, caught.value.known) == (2, 1)


def test_foreign_files_are_refused_untouched(tmp_path: Path) -> None:
    """A text file, another application's database and a folder are refused, and stay byte for byte what they were."""
    text = tmp_path / "notes.txt"
    text.write_text("dear diary " * 1000)
    database = tmp_path / "other.db"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE t(x)")
    connection.commit()
    connection.close()
    for foreign in (text, database):
        before = foreign.read_bytes()
        with pytest.raises(StoreError, match=r"not a store of Omium.*give another path"):
            SqliteJournal(foreign)
        assert foreign.read_bytes() == before
        assert not Path(f"{foreign}-wal").exists()
    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteJournal(tmp_path)


def test_network_file_systems_are_refused() -> None:
    """The innermost mount decides, and only network file systems are refused."""
    mounts = "/dev/vda / ext4 rw 0 0\nhost:/x /mnt/nfs nfs4 rw 0 0\n/dev/vdb /mnt/nfs/local ext4 rw 0 0\n"
    mounts += "me@host: /mnt/my\\040ssh fuse.sshfs rw 0 0\n"
    for fine in ("/mnt/nfs/local/a.db", "/mnt/nfsx/a.db", "/a.db"):
        refuse_network(Path(fine), mounts)
    for wrong in ("/mnt/nfs/a.db", "/mnt/my ssh/x/a.db"):
        with pytest.raises(StoreError, match="network file system"):
            refuse_network(Path(wrong), mounts)


def test_check_names_what_is_wrong(journal: SqliteJournal, path: Path) -> None:
    """Each kind of damage below the chain has its sentence, and reading damaged rows raises `Corrupted`."""
    good = blob(b"good")
    for name in ("exe_a", "exe_b", "exe_c", "exe_d"):
        journal.append(batch(name, blobs=(good,)))
        journal.append(batch(name, first=4)).wait()
    assert journal.check() == []
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE blob SET data = x'00'")
    connection.execute("UPDATE append SET headers = '[{}]' WHERE id = 1 << 32 | 6")
    connection.execute("UPDATE append SET first_seq = 5 WHERE id = 2 << 32 | 6")
    connection.execute("UPDATE append SET headers = x'00' WHERE id = 3 << 32 | 6")
    connection.execute("UPDATE execution SET workflow = x'00' WHERE num = 3")
    connection.execute("DELETE FROM append WHERE id >> 32 = 4")
    connection.execute("INSERT INTO append SELECT id + (9 << 32), 4, 1, headers, digest, NULL FROM append LIMIT 1")
    connection.close()
    found = "\n".join(journal.check())
    for sentence in (
        f"blob `{good.digest}`",
        "`exe_a` that ends with event 6 begins with event 4 and has 1 headers",
        "`exe_b` that ends with event 6 begins with event 5, and the one before it ends with event 3",
        "`exe_c` that ends with event 6 has fields of another kind",
        "execution `exe_d` has no appends",
        "execution number 10 have no execution",
    ):
        assert sentence in found
    for damaged in ("exe_a", "exe_b", "exe_c"):
        with pytest.raises(Corrupted):
            list(journal.rows(damaged))
    with pytest.raises(Corrupted):
        journal.execution("exe_c")


def test_flipped_bits_never_crash(path: Path, tmp_path: Path) -> None:
    """Whatever bits flip, opening, checking and reading give sentences and errors of Omium, never anything else."""
    journal = SqliteJournal(path)
    for name in ("exe_a", "exe_b"):
        for first in range(1, 60, 3):
            journal.append(batch(name, first=first, body=os.urandom(3000), blobs=(blob(os.urandom(500)),)))
    journal.close()
    sound, dice, found = path.read_bytes(), random.Random(11), 0
    for i in range(150):
        damaged = bytearray(sound)
        within = (100, 4096, len(sound), len(sound))[i % 4]
        for _ in range(dice.choice([1, 20, 400])):
            damaged[dice.randrange(within)] ^= 1 << dice.randrange(8)
        victim = tmp_path / f"{i}.db"
        victim.write_bytes(damaged)
        found += use_damaged(victim)
    assert found > 75


def use_damaged(path: Path) -> bool:
    """Do everything with a store that may be damaged; say whether the damage was noticed."""
    try:
        journal = SqliteJournal(path)
    except OmiumError:
        return True
    sentences = journal.check()
    assert all(isinstance(one, str) for one in sentences)
    uses: list[Callable[[], object]] = [
        lambda: list(journal.rows("exe_a")),
        lambda: journal.row("exe_b", 30),
        lambda: journal.executions(),
        lambda: journal.append(batch("exe_c", body=b"b" * 9000)).wait(),
    ]
    for use in uses:
        with suppress(OmiumError):
            use()
    journal.close()
    return bool(sentences)


# For people with another SQL client


def test_views(journal: SqliteJournal, path: Path) -> None:
    """The views give what happened, from headers alone, and can be read by any SQLite client."""
    started = StatusChange(workflow="flow", status="running", runner="r", started=1763660000.0)
    first = [
        event(1, type="ExecutionStarted"),
        event(2, type="CheckpointCommitted", checkpoint="c1", parent=None, step="s1", name="one", agent="a", root="h1"),
        event(3, type="PolicyViolated", note='"CheckpointCommitted"'),
    ]
    then = [
        event(4, 2, "CheckpointCommitted", checkpoint="c2", parent="c1", step="s2", name=None, agent="b", root="h2"),
        event(5, 2, "RolledBack", origin="c2", target="c1", reason="cut short", by="policy"),
        event(6, 2, "RolledBack", origin="c2", target="c1", reason="wrong", by="ana"),
        event(7, 2, "RollbackFinished", target="c1", compensated=["k1", "k2"]),
        event(8, 2, "RolledBack", origin="c2", target="c1", reason="again", by="ana"),
    ]
    journal.append(batch(headers=first, change=started))
    ended = StatusChange(status="done", ended=1763660001.5)
    journal.append(batch(first=4, headers=then, epoch=2, expected=1, change=ended))
    journal.append(batch("exe_b")).wait()
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    with sqlite3.connect(path) as writer:
        writer.execute("UPDATE append SET bodies = NULL")
    writer.close()

    def view(name: str) -> list[dict[str, Any]]:
        cursor = connection.execute(f"SELECT * FROM {name}")
        return [dict(zip([one[0] for one in cursor.description], row, strict=True)) for row in cursor]

    done, running = view("executions")
    assert done == {
        "execution_id": "exe_a",
        "workflow": "flow",
        "status": "done",
        "started_at": "2025-11-20T17:33:20.000Z",
        "ended_at": "2025-11-20T17:33:21.500Z",
        "duration_s": 1.5,
        "epoch": 2,
        "runner": "r",
        "checkpoints": 2,
        "violations": 1,
        "rollbacks": 3,
    }
    assert (running["execution_id"], running["ended_at"], running["checkpoints"]) == ("exe_b", None, 0)
    one, two = view("checkpoints")
    assert one == {
        "checkpoint_id": "c1",
        "execution_id": "exe_a",
        "workflow": "flow",
        "name": "one",
        "step": "s1",
        "agent": "a",
        "parent_id": None,
        "state_hash": "h1",
        "created_at": "2025-11-20T17:33:22.250Z",
        "seq": 2,
        "epoch": 1,
    }
    assert (two["checkpoint_id"], two["parent_id"], two["epoch"]) == ("c2", "c1", 2)
    cut, wrong, again = view("rollbacks")
    assert wrong == {
        "execution_id": "exe_a",
        "from_checkpoint": "c2",
        "to_checkpoint": "c1",
        "reason": "wrong",
        "decided_by": "ana",
        "started_at": "2025-11-20T17:33:26.250Z",
        "finished_at": "2025-11-20T17:33:27.250Z",
        "compensated": '["k1","k2"]',
    }
    assert (cut["reason"], cut["finished_at"], cut["compensated"]) == ("cut short", None, None)
    assert (again["reason"], again["finished_at"]) == ("again", None)
    connection.close()
    assert [row.bodies for row in journal.rows("exe_a")] == [None, None]


# Large blobs, durability, the WAL


class Recorded:
    """A blob store in memory that remembers which thread put what, and can fail."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.threads: set[int] = set()
        self.fails = False

    def put(self, digest: str, data: bytes) -> None:
        self.threads.add(threading.get_ident())
        if self.fails:
            raise OSError("no such bucket")
        self.data[digest] = data

    def get(self, digest: str) -> bytes | None:
        return self.data.get(digest)

    def close(self) -> None:
        pass


def test_large_blobs_go_elsewhere(path: Path) -> None:
    """A large blob is in its store before its append is, never put by `flush`, and found by `blob`."""
    store = Recorded()
    journal = SqliteJournal(path, large=store, large_bytes=1000)
    small, large, other = blob(b"s" * 999), blob(b"l" * 1000), blob(b"o" * 5000)
    journal.append(batch(blobs=(small, large))).wait()
    assert set(store.data) == {large.digest}
    assert journal.blobs([small.digest, large.digest]) == {one.digest: one.data for one in (small, large)}
    store.threads.clear()
    commit = journal.append(batch(first=4, blobs=(other,)))
    journal.flush()
    eventually(lambda: commit.done)
    commit.wait()
    assert threading.get_ident() not in store.threads
    store.fails = True
    failing, fine = journal.append(batch(first=7, blobs=(blob(b"f" * 2000),))), journal.append(batch("exe_b"))
    with pytest.raises(StoreError, match="no such bucket"):
        failing.wait()
    fine.wait()
    assert [row.first_seq for row in journal.rows("exe_a")] == [1, 4]
    journal.close()


def test_large_blobs_in_a_folder(path: Path, tmp_path: Path) -> None:
    """The two plugins fit together."""
    journal = SqliteJournal(path, large=FsspecBlobStore(str(tmp_path / "blobs")), durability="process")
    large = blob(os.urandom(300_000))
    journal.append(batch(blobs=(large,))).wait()
    assert journal.blobs([large.digest]) == {large.digest: large.data}
    journal.close()


def test_the_wal_stays_small(journal: SqliteJournal, path: Path) -> None:
    """The WAL is copied into the database in time, also when everything is appended inline."""
    for first in range(1, 2000):
        journal.append(batch(first=first, count=1, body=b"b" * 9000)).wait()
    assert os.path.getsize(f"{path}-wal") < 3 * 4_200_000


def test_the_wal_is_copied_when_nobody_writes(
    journal: SqliteJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some hundred pages are copied once it is quiet, though the bound is far; a reader holds that up and no more."""
    tries: list[int] = []
    checkpoint = Connections.checkpoint
    monkeypatch.setattr(Connections, "checkpoint", lambda self: (tries.append(1), checkpoint(self))[1])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM execution").fetchone()
    for first in range(1, 102):
        journal.append(batch(first=first, count=1, body=b"b" * 9000)).wait()
    eventually(lambda: bool(tries) and not journal._writer._claimed)
    assert len(tries) <= 3
    reader.close()
    tries.clear()
    for first in range(102, 203):
        journal.append(batch(first=first, count=1, body=b"b" * 9000)).wait()
    eventually(lambda: journal._writer._pages < QUIET_PAGES)
    assert tries


@pytest.mark.parametrize(("durability", "level"), [("power", 2), ("process", 1)])
def test_durability(path: Path, durability: Any, level: int) -> None:
    """The named choice is SQLite's own setting, also after the connection was opened anew."""
    journal = SqliteJournal(path, durability=durability)
    for _ in range(2):
        assert journal._connections.writer().execute("PRAGMA synchronous").fetchone() == (level,)
        assert journal._connections.writer().execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        journal._connections.poison()
    journal.close()


def test_another_history_is_fenced(tmp_path: Path) -> None:
    """An append that follows events which are not the stored ones fails, though sequence and epoch fit."""
    journal = SqliteJournal(tmp_path / "omium.db")
    try:
        journal.append(Batch("e", 1, 0, 1, ["{}"], b"", "aa" * 32)).wait()

        with pytest.raises(ExecutionFenced):
            journal.append(Batch("e", 2, 1, 1, ["{}"], b"", "cc" * 32, previous="bb" * 32)).wait()
        journal.append(Batch("e", 2, 1, 1, ["{}"], b"", "cc" * 32, previous="aa" * 32)).wait()
    finally:
        journal.close()
