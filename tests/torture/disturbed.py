"""One process that settles transfers and is disturbed at an exact point, or all the time. Tests start it with a job.

The job is one argument of JSON: `file` and `batches` as for `python -m transfers work`, and what is done to it. Where
`at` names a point (`payout inside#2`), `then` happens there, once. A point is a write of the bank, and a moment of it:

* `before`: its intent is durable, and nothing was sent;
* `inside`: everything was sent but the commit;
* `after`: it is committed, and its outcome is not journaled.

`file` is a point outside of any effect, in the step that files what became of an order.

Production code has no hooks for this: the functions of the ledger are replaced.
"""

from __future__ import annotations

import contextvars
import functools
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from transfers import effects, ledger, pool
from transfers.agents import Secretary
from transfers.orders import read_batch
from transfers.workflow import transfers

import omium
from omium.runtime import runtime_for
from omium_sqlite import runners

HOUR_S = 3_600.0
JUMP_EVERY = 50
COMMITTED_WAIT_S = 10.0


class Points:
    """Counts the points that are passed, and does what is asked for at one of them."""

    def __init__(self, at: str | None, then: Callable[[Any], None], slow_s: float) -> None:
        self.at = at
        self.then = then
        self.slow_s = slow_s
        self.passed: Counter[str] = Counter()
        self.lock = threading.Lock()

    def reach(self, point: str, cursor: Any = None) -> None:
        time.sleep(self.slow_s)
        with self.lock:
            self.passed[point] += 1
            here = f"{point}#{self.passed[point]}"
        if here == self.at:
            print(f"reached {here}", flush=True)
            self.then(cursor)


def tap(points: Points) -> None:
    """Let the bank's writes pass their points."""
    under, writing = ledger._under, threading.local()

    @contextmanager
    def tapped(key: str) -> Iterator[Any]:
        points.reach(f"{writing.name} before")
        with under(key) as cursor:
            yield cursor
            points.reach(f"{writing.name} inside", cursor)
        points.reach(f"{writing.name} after")

    def named(fn: Callable[..., Any], name: str | None = None) -> Callable[..., Any]:
        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            # A booking is named by its kind.
            writing.name = name or args[1]
            return fn(*args, **kwargs)

        return call

    ledger._under = tapped
    ledger.book = named(ledger.book)
    ledger.announce = named(ledger.announce, "announce")
    ledger.send_notice = named(ledger.send_notice, "notice")
    conclude = effects.conclude

    @functools.wraps(conclude)
    def filed(*args: Any) -> None:
        points.reach("file")
        conclude(*args)

    effects.conclude = filed


def stop(_: Any) -> None:
    """Stop this process, with all its threads, until somebody lets it go on.

    None of its threads may be in the middle of a commit: it would keep the store's file lock, and everybody waiting.
    """
    connections = runtime_for().store.journal._connections
    with connections._writing:
        os.kill(os.getpid(), signal.SIGSTOP)


def kill(_: Any) -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def lose_before_commit(cursor: Any) -> None:
    """Lose the connection before the commit is sent: nothing has happened."""
    with psycopg.connect(os.environ[ledger.VARIABLE], autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (cursor.connection.info.backend_pid,))


def lose_after_commit(cursor: Any) -> None:
    """Send the commit and lose the connection before its answer is read: it has happened."""
    cursor.connection.pgconn.send_query(b"COMMIT")
    cursor.connection.pgconn.flush()
    mine = cursor.connection.info.backend_pid
    with psycopg.connect(os.environ[ledger.VARIABLE], autocommit=True) as other:
        until = time.monotonic() + COMMITTED_WAIT_S
        while time.monotonic() < until:
            state = other.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", (mine,)).fetchone()
            if state == ("idle",):
                break
        else:
            raise AssertionError("the commit was sent and did not end")
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (mine,))


def fork(given: dict[str, Any]) -> Callable[[Any], None]:
    """Fork in the middle of a step. The child tries to go on with the execution, then settles a batch of its own."""

    def then(_: Any) -> None:
        child = os.fork()
        if child == 0:
            try:
                status = _child(Path(given["file"]), given["child_batch"])
            except BaseException as error:
                print(f"the child raised {error!r}", flush=True)
                status = 1
            os._exit(status)
        _, ended = os.waitpid(child, 0)
        print(f"child ended with {os.waitstatus_to_exitcode(ended)}", flush=True)

    return then


def _child(file: Path, batch: int) -> int:
    # The connections are the parent's, and so is where the code stands.
    ledger.database.cache_clear()
    order = read_batch(file, 1)[0]
    for go_on in (
        lambda: effects.send_notice(order.line, order.payer, "from the child"),
        lambda: Secretary().notify(order, None),
    ):
        try:
            go_on()
        except BaseException as error:  # However it is stopped, it has to be.
            print(f"the child was stopped: {error}", flush=True)
        else:
            return 1
    ended = contextvars.Context().run(pool._advance, f"{file.stem}-{batch:04}", False, file, batch)
    omium.open_store().close()
    return 0 if ended else 1


def jump(seed: int) -> None:
    """Let this process's clock jump by hours, now and then, in both directions."""
    chance, lock = random.Random(seed), threading.Lock()
    seconds, nanoseconds = time.time, time.time_ns
    now = {"offset": 0, "asked": 0}

    def offset() -> int:
        with lock:
            now["asked"] += 1
            if now["asked"] % JUMP_EVERY == 0:
                now["offset"] = int(chance.uniform(-30, 30) * HOUR_S)
            return now["offset"]

    time.time = lambda: seconds() + offset()
    time.time_ns = lambda: nanoseconds() + offset() * 1_000_000_000


def main() -> int:
    """Do the job; leave with 1 where something did not complete."""
    given = json.loads(sys.argv[1])
    random.seed(given.get("seed", 0))
    actions = {
        "stop": stop,
        "kill": kill,
        "lose before commit": lose_before_commit,
        "lose after commit": lose_after_commit,
        "fork": fork(given),
    }
    tap(Points(given.get("at"), actions[given.get("then", "stop")], given.get("slow_s", 0)))
    if "limits" in given:
        ledger.LIMITS = given["limits"]
    if "host" in given:
        runners.host = lambda: given["host"]
    if "lease_s" in given:
        runners.LEASE_S = given["lease_s"]
        runners.RENEW_S = given["renew_s"]
    if given.get("jumps"):
        jump(given["seed"])
    if given.get("together"):
        # Who is robbed looks as if it had died, and nobody here has to be asked about that.
        transfers.__omium__.options["crashes_max"] = None
    stuck: list[str] = []
    # One batch after the other means that all processes want the same one.
    for batches in range(1 if given.get("together") else given["batches"], given["batches"] + 1):
        stuck = pool.work(Path(given["file"]), batches)
    omium.open_store().close()
    print("\n".join(stuck), flush=True)
    return 1 if stuck else 0


if __name__ == "__main__":
    sys.exit(main())
