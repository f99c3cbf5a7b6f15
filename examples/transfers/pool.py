"""Processes that settle a file together: each takes a batch that nobody is at, and goes on where a dead one stopped."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import omium
from omium import ExecutionBusy, ExecutionFenced, UsageError
from transfers.workflow import transfers

ENDED = ("completed", "halted", "paused")
GOING = ("running", "recovering")
EXECUTIONS_MAX = 100_000
LOOK_AGAIN_S = 0.1


def work(file: Path, batches: int) -> list[str]:
    """Settle batches until each has come to an end; return the executions that did not complete, with the reason."""
    names = {f"{file.stem}-{batch:04}": batch for batch in range(1, batches + 1)}
    while left := names.keys() - _in_status(*ENDED):
        begun = _in_status(*GOING)
        # In any order, so that few processes want the same one.
        tried = [_advance(name, name in begun, file, names[name]) for name in random.sample(sorted(left), len(left))]
        if not any(tried):
            # All that is left is another process's, until it has done it or died.
            time.sleep(LOOK_AGAIN_S)
    stuck = names.keys() & _in_status("paused", "halted")
    return [f"{name} is waiting: {omium.execution_of(name).reason}" for name in sorted(stuck)]


def supervise(file: Path, batches: int, processes: int) -> int:
    """Keep that many processes at work until every batch has ended; return an exit status.

    One that dies is replaced by the next. It takes over at once what the dead one was at.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])

    def begin() -> ForkServerProcess:
        worker = context.Process(target=_worker, args=(file, batches))
        worker.start()
        print(f"worker {worker.pid} begins", flush=True)
        return worker

    workers = [begin() for _ in range(processes)]
    status = 0
    while workers:
        wait([one.sentinel for one in workers])
        for worker in [one for one in workers if not one.is_alive()]:
            workers.remove(worker)
            code = worker.exitcode or 0
            print(f"worker {worker.pid} ended with {code}", flush=True)
            if code < 0:
                workers.append(begin())
            status = max(status, code)
    return status


def _worker(file: Path, batches: int) -> None:
    stuck = work(file, batches)
    omium.open_store().close()
    if stuck:
        raise SystemExit("\n".join(stuck))


def _advance(name: str, begun: bool, file: Path, batch: int) -> bool:
    """Start or resume one execution; say whether this process brought it to an end, or to a person's decision."""
    try:
        asyncio.run(transfers.resume(name) if begun else transfers.start(file, batch, execution_id=name))
    except (ExecutionBusy, ExecutionFenced):
        return False
    except UsageError:
        # Somebody else started it since we looked.
        return False
    return True


def _in_status(*wanted: str) -> set[str]:
    store = omium.open_store()
    return {one.id for status in wanted for one in store.executions(status=status, limit=EXECUTIONS_MAX)}
