"""In which order appends are committed, what their commits say, and which of them are fenced."""

from __future__ import annotations

import asyncio
import functools
import threading

import attrs

from omium.testing.conforming import at_once, eventually, holds, refused
from omium.testing.journals.suite import BEGINNING, Author, Check, Opener, append, blob, check_into
from omium_core.errors import ExecutionFenced
from omium_core.interfaces.checkpoint import Commit, StatusChange

__all__ = ["CHECKS"]

CHECKS: list[Check] = []
_check = check_into(CHECKS)


@_check
def batches_keep_the_order_they_were_given_in(open: Opener) -> None:
    """Of one execution, a batch that nobody waited for is committed BEFORE one that was given after it."""
    journal, author = open(), Author()
    unawaited = [journal.append(author.batch(1)) for _ in range(50)]
    journal.append(author.batch(2)).wait()
    holds(all(one.done for one in unawaited), "a batch must not be committed before one that was given earlier")
    firsts = [one.first_seq for one in journal.rows("exe_a")]
    holds(firsts == list(range(1, 52)), "batches of one execution must be stored in the order they were given")


@_check
def a_batch_is_seen_whole_or_not_at_all(open: Opener) -> None:
    """A reader never sees a part of a batch, a batch without its blobs, or a gap; while others write."""
    writer, reader, stop = open(), open(), threading.Event()

    def write() -> None:
        author = Author()
        try:
            for number in range(60):
                parts = tuple(blob(f"{number} {part}".encode()) for part in range(3))
                names = " ".join(part.digest for part in parts)
                writer.append(author.batch(3, names.encode(), blobs=parts)).wait()
        finally:
            stop.set()

    def read() -> None:
        while not stop.is_set():
            next_seq = 1
            for row in reader.rows("exe_a"):
                holds(row.first_seq == next_seq, "a reader must never see a gap in the events of an execution")
                holds(len(row.headers) == 3, "a reader must see a batch whole or not at all")
                for name in (row.bodies or b"").decode().split():
                    holds(name in reader.blobs([name]), "the blobs of a batch must be there BEFORE it or with it")
                next_seq += 3

    at_once(write, read, read)


@_check
def many_threads_append_at_once(open: Opener) -> None:
    """Threads that append to executions of their own, through one journal, do not disturb each other."""
    journal = open()

    def work(name: str) -> None:
        author = Author(name)
        for _ in range(10):
            unawaited = journal.append(author.batch(1))
            journal.append(author.batch(2)).wait()
            holds(unawaited.done, "a batch must not be committed before one that was given earlier")

    at_once(*[functools.partial(work, f"exe_{number}") for number in range(20)])
    for number in range(20):
        firsts = [one.first_seq for one in journal.rows(f"exe_{number}", bodies=False)]
        expected = [first + more for first in range(1, 31, 3) for more in (0, 1)]
        holds(firsts == expected, "what threads append at once must all be there, in order")


@_check
def what_does_not_fit_is_fenced(open: Opener) -> None:
    """A batch with another sequence, epoch or history than the store's fails and leaves no trace."""
    journal, author = open(), Author()
    append(journal, [author.batch(3), author.batch(3, epoch=2)])
    good = attrs.evolve(author).batch(1, change=StatusChange("halted"))
    wrong = {
        "an event that is there already": attrs.evolve(good, first_seq=6),
        "a gap before its first event": attrs.evolve(good, first_seq=8),
        "an old epoch": attrs.evolve(good, expected_epoch=1),
        "an old epoch, raising it": attrs.evolve(good, expected_epoch=1, epoch=3),
        "an epoch that is still to come": attrs.evolve(good, expected_epoch=3, epoch=3),
        "another history": attrs.evolve(good, previous=BEGINNING),
        "the claim to be the first": attrs.evolve(good, expected_epoch=0),
        "the claim to be the first, from event 1": attrs.evolve(good, first_seq=1, expected_epoch=0),
        "no beginning": attrs.evolve(good, execution="exe_b"),
    }
    for what, batch in wrong.items():
        refused(journal.append(batch).wait, ExecutionFenced, f"a batch with {what} must fail with `ExecutionFenced`")
    row = journal.execution("exe_a")
    holds(len(list(journal.rows("exe_a"))) == 2, "a fenced batch must leave no trace in the journal")
    holds(row is not None and row.status != "halted" and row.epoch == 2, "a fenced batch must not change the status")
    holds(journal.execution("exe_b") is None, "a fenced batch must not begin an execution")
    journal.append(good).wait()


@_check
def a_history_need_not_be_compared(open: Opener) -> None:
    """A batch with `previous` None is judged by sequence and epoch alone."""
    journal, author = open(), Author()
    append(journal, [attrs.evolve(author.batch(1), previous=None), attrs.evolve(author.batch(1), previous=None)])
    holds(len(list(journal.rows("exe_a"))) == 2, "`previous=None` must not be compared")


@_check
def a_fenced_batch_fails_alone(open: Opener) -> None:
    """Batches of other executions that were given around a fenced one are committed."""
    journal = open()
    authors = [Author(f"exe_{number}") for number in range(10)]
    append(journal, [one.batch(1) for one in authors])
    commits: list[tuple[bool, Commit]] = []
    for _ in range(5):
        for number, author in enumerate(authors):
            batch = author.batch(1)
            fenced = number % 3 == 1
            commits.append(
                (fenced, journal.append(attrs.evolve(batch, expected_epoch=9, epoch=9) if fenced else batch))
            )
    for fenced, commit in commits:
        if fenced:
            refused(commit.wait, ExecutionFenced, "a batch with another epoch must fail with `ExecutionFenced`")
        else:
            commit.wait()
    lengths = [len(list(journal.rows(one.execution))) for one in authors]
    holds(lengths == [1 if number % 3 == 1 else 6 for number in range(10)], "a fenced batch must fail alone")


@_check
def an_execution_begins_once(open: Opener) -> None:
    """Of those that begin an execution under one id at once, one goes on and all others are fenced."""
    journals = [open() for _ in range(4)]
    begun: list[int] = []

    def begin(number: int) -> None:
        try:
            journals[number].append(Author("exe_a").batch(1, note=str(number))).wait()
        except ExecutionFenced:
            return
        begun.append(number)

    at_once(*[functools.partial(begin, number) for number in range(4)])
    rows = list(journals[0].rows("exe_a"))
    holds(len(begun) == 1 and len(rows) == 1, "of those that begin one execution at once exactly one must go on")
    holds(f'"note":"{begun[0]}"' in rows[0].headers[0], "the batch that is stored must be that of the one that goes on")


@_check
def an_old_runner_is_fenced(open: Opener) -> None:
    """After another runner raised the epoch, everything that the old one appends fails."""
    old, new, author = open(), open(), Author()
    append(old, [author.batch(1)])
    mine = attrs.evolve(author)
    append(new, [author.batch(1, epoch=2)])
    late = [old.append(mine.batch(1)) for _ in range(3)]
    for commit in late:
        refused(commit.wait, ExecutionFenced, "what a runner appends after another raised the epoch must fail")
    row = new.execution("exe_a")
    holds(row is not None and row.epoch == 2 and len(list(new.rows("exe_a"))) == 2, "an old runner must leave no trace")


@_check
def a_fork_goes_on_from_its_source(open: Opener) -> None:
    """A new execution may begin with any event, because a fork's sequence goes on from its source's."""
    journal, author = open(), Author("exe_fork", 40)
    append(journal, [author.batch(3), author.batch(1)])
    holds([one.first_seq for one in journal.rows("exe_fork")] == [41, 44], "an execution may begin with any event")
    holds(journal.row("exe_fork", 40) is None, "a fork does not have its source's events")


@_check
def a_commit_tells_its_fate(open: Opener) -> None:
    """`wait` returns when the append can be read anywhere; `done` and `on_done` say the same, the latter once each."""
    journal, elsewhere, author = open(), open(), Author()
    calls: list[str] = []
    commit = journal.append(author.batch(1))
    commit.on_done(lambda: calls.append("before"))
    commit.wait()
    holds(len(list(elsewhere.rows("exe_a"))) == 1, "what `wait` returned for must be there for every reader")
    holds(commit.done, "`done` must be true after `wait`")
    commit.on_done(lambda: calls.append("after"))
    eventually(lambda: len(calls) >= 2, "`on_done` must call back, also when the fate is known already")
    commit.wait()
    holds(sorted(calls) == ["after", "before"], "`on_done` must call each callback once")
    fenced = journal.append(attrs.evolve(author, epoch=9).batch(1))
    told = threading.Event()
    fenced.on_done(told.set)
    eventually(told.is_set, "`on_done` must call back when an append failed, too")
    for _ in range(2):
        refused(fenced.wait, ExecutionFenced, "`wait` must raise as often as it is asked")


@_check
def what_nobody_waits_for_becomes_durable(open: Opener) -> None:
    """An append is committed by itself, without `wait`, `flush` or another append."""
    journal, elsewhere = open(), open()
    for number in range(5):
        name = f"exe_{number}"
        journal.append(Author(name).batch(1))
        eventually(
            lambda name=name: elsewhere.execution(name),  # type: ignore[misc]  # mypy does not infer this lambda
            "what nobody waits for must become durable by itself",
        )


@_check
def callbacks_serve_an_event_loop(open: Opener) -> None:
    """`flush` and `on_done` are all that a loop needs to wait without a thread."""
    journal = open()

    async def work(name: str) -> None:
        loop, author = asyncio.get_running_loop(), Author(name)
        for _ in range(5):
            commit = journal.append(author.batch(1))
            known = asyncio.Event()
            # It is called in whatever thread commits, which may not touch the loop's events itself.
            commit.on_done(functools.partial(_tell, loop, known))
            loop.call_soon(journal.flush)
            await known.wait()
            commit.wait()

    async def all_at_once() -> None:
        await asyncio.gather(*[work(f"exe_{number}") for number in range(20)])

    at_once(lambda: asyncio.run(all_at_once()))
    holds(len(journal.executions()) == 20, "what tasks of one event loop append must all be there")


def _tell(loop: asyncio.AbstractEventLoop, known: asyncio.Event) -> None:
    loop.call_soon_threadsafe(known.set)
