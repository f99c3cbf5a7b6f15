"""What survives: closing and opening, `kill -9`, a fork; and what is known of the processes that run executions."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from omium.testing.conforming import Child, Shelf, eventually, forked, holds, refused
from omium.testing.journals.suite import LARGE_BYTES, Author, Check, Opener, append, blob, check_into
from omium_core.errors import ExecutionFenced, OmiumError, StoreError
from omium_core.interfaces.checkpoint import Journal

__all__ = ["CHECKS"]

KILLS = 4
LINES_UNTIL_KILL = (1, 17, 60, 5)

CHECKS: list[Check] = []
_check = check_into(CHECKS)


@_check
def closing_commits_what_was_appended(open: Opener) -> None:
    """`close` loses nothing that nobody waited for, and may be called twice; what is closed takes nothing more."""
    journal, author = open(), Author()
    commits = [journal.append(author.batch(1)) for _ in range(100)]
    journal.close()
    journal.close()
    for commit in commits:
        commit.wait()
    refused(lambda: journal.append(author.batch(1)).wait(), StoreError, "a closed journal must refuse to append")
    refused(lambda: list(journal.rows("exe_a")), StoreError, "a closed journal must refuse to read")
    holds(len(list(open().rows("exe_a"))) == 100, "`close` must commit what was appended")


@_check
def what_was_written_is_there_when_opened_again(open: Opener) -> None:
    """Rows, blobs and status are the same after closing and opening, and an execution goes on from there."""
    journal, author = open(), Author()
    parts = (blob(os.urandom(LARGE_BYTES)), blob(b"small"))
    append(journal, [author.batch(2, os.urandom(9000), blobs=parts), author.batch(1)])
    before, row = list(journal.rows("exe_a")), journal.execution("exe_a")
    journal.close()
    again = open()
    holds(list(again.rows("exe_a")) == before, "the same rows must be there when a journal is opened again")
    holds(again.execution("exe_a") == row, "the same status must be there when a journal is opened again")
    holds(
        again.blobs([one.digest for one in parts]) == {one.digest: one.data for one in parts},
        "blobs must be there, too",
    )
    append(again, [author.batch(1)])


@_check
def a_sound_store_has_no_findings(open: Opener) -> None:
    """`check` finds nothing wrong in what was written in the ordinary way."""
    journal, author = open(), Author()
    append(journal, [author.batch(2, blobs=(blob(b"part"),)), author.batch(1, epoch=3), Author("exe_f", 7).batch(1)])
    holds(journal.check() == [], f"`check` must find nothing wrong in a sound store; it says {journal.check()}")


@_check
def a_kill_loses_nothing_that_was_acknowledged(open: Opener) -> None:
    """Whenever a process is killed, every append whose `wait` had returned is there, whole, and others can go on."""
    acknowledged = 0

    def work(say: Callable[[str], None]) -> None:
        journal = open()
        rows = list(journal.rows("exe_a"))
        author = Author("exe_a", sum(len(row.headers) for row in rows), int(bool(rows)))
        author.digest = rows[-1].digest if rows else author.digest
        while True:
            part = blob(f"part {author.seq + 3}".encode() * 500)
            journal.append(author.batch(1))
            journal.append(author.batch(2, part.digest.encode(), blobs=(part,))).wait()
            say(str(author.seq))

    for lines in LINES_UNTIL_KILL:
        with forked(work) as child:
            for _ in range(lines):
                acknowledged = int(child.line() or 0) or _failed(child)
            child.kill()
            acknowledged = int([str(acknowledged), *child.lines()][-1])
        journal = open()
        row = journal.row("exe_a", acknowledged)
        holds(row is not None, "what `wait` had returned for must survive a kill")
        assert row is not None and row.bodies is not None
        holds(journal.blobs([row.bodies.decode()]), "the blobs of an acknowledged append must survive a kill")
        firsts = [one.first_seq for one in journal.rows("exe_a", bodies=False)]
        holds(firsts == _in_ones_and_twos(firsts[-1]), "a kill must leave no gap and no half of a batch")
        holds(journal.check() == [], "a kill must leave a store that `check` finds nothing wrong in")
        journal.close()


@_check
def processes_append_at_once(open: Opener) -> None:
    """Processes that write to one store at once do not disturb each other."""

    def work(name: str) -> Callable[[Callable[[str], None]], None]:
        def append_all(say: Callable[[str], None]) -> None:
            journal, author = open(), Author(name)
            for _ in range(30):
                journal.append(author.batch(1, os.urandom(5000), blobs=(blob(b"shared"),))).wait()
            journal.close()

        return append_all

    with forked(work("exe_0")) as one, forked(work("exe_1")) as two, forked(work("exe_2")) as three:
        for child in (one, two, three):
            child.finish()
    journal = open()
    lengths = {row.id: len(list(journal.rows(row.id))) for row in journal.executions()}
    holds(lengths == {f"exe_{number}": 30 for number in range(3)}, "what processes append at once must all be there")
    holds(journal.check() == [], "processes that write at once must leave a sound store")


@_check
def of_processes_that_begin_one_execution_one_goes_on(open: Opener) -> None:
    """Of processes that begin executions under the same ids, each id is won by one and all others are fenced."""

    def work(say: Callable[[str], None]) -> None:
        journal = open()
        for number in range(20):
            try:
                journal.append(Author(f"exe_{number}").batch(1)).wait()
                say(str(number))
            except ExecutionFenced:
                continue
        journal.close()

    with forked(work) as one, forked(work) as two:
        won = [*one.finish(), *two.finish()]
    holds(sorted(map(int, won)) == list(range(20)), "an execution that two processes begin must be won by exactly one")


@_check
def what_one_process_writes_another_reads(open: Opener) -> None:
    """An append that was acknowledged in one process is there for a journal that another one opened before."""
    journal = open()
    holds(journal.executions() == [], "`executions` of a new store must be empty")

    def work(say: Callable[[str], None]) -> None:
        mine, author = open(), Author()
        append(mine, [author.batch(2, blobs=(blob(b"part"),)), author.batch(1)])
        mine.close()

    with forked(work) as child:
        child.finish()
    holds(len(list(journal.rows("exe_a"))) == 2, "what another process wrote must be read")
    holds(b"part" in journal.blobs([blob(b"part").digest]).values(), "blobs that another process wrote must be read")


@_check
def a_journal_survives_a_fork(open: Opener) -> None:
    """Both sides of a fork go on with the journal that was open, each as a runner of its own, and lose nothing."""
    journal, author = open(), Author()
    mine = journal.runner()
    append(journal, [author.batch(1)])
    unawaited = journal.append(author.batch(1))

    def work(say: Callable[[str], None]) -> None:
        theirs = Author("exe_child")
        append(journal, [theirs.batch(1)])
        holds(journal.runner() != mine, "a child of a fork must be a runner of its own")
        holds(journal.is_alive(mine), "the runner that forked must count as alive in its child")
        holds(journal.row("exe_a", 1) is not None, "a child of a fork must be able to read")
        journal.append(theirs.batch(1))
        journal.close()

    with forked(work) as child:
        unawaited.wait()
        append(journal, [author.batch(1)])
        child.finish()
    append(journal, [author.batch(1)])
    holds(journal.is_alive(mine), "a runner must stay alive when a child of its fork ends")
    holds(len(list(journal.rows("exe_a"))) == 4, "the parent of a fork must lose nothing")
    holds(len(list(journal.rows("exe_child"))) == 2, "the child of a fork must lose nothing")


@_check
def a_runner_is_alive_while_its_process_is(open: Opener) -> None:
    """A living runner is never taken for dead; one that was closed or killed is known to be dead in the end."""
    journal = open()
    mine = journal.runner()
    holds(mine == journal.runner(), "a process's runner must keep its name")
    holds(journal.is_alive(mine), "a runner that is asked for must count as alive")

    def work(say: Callable[[str], None]) -> None:
        theirs = open()
        say(theirs.runner())
        say(str(theirs.is_alive(mine)))
        os.read(waiting, 1)
        theirs.close()

    waiting, go_on = os.pipe()
    with forked(work) as one, forked(work) as two:
        names = [one.line(), two.line()]
        holds(one.line() == two.line() == "True", "a living runner must count as alive in other processes")
        holds(len({mine, *names}) == 3, "each process must be a runner of its own")
        holds(all(journal.is_alive(name) for name in names), "a living runner must count as alive in other processes")
        one.kill()
        eventually(
            lambda: not journal.is_alive(names[0]), "a runner that was killed must be known to be dead in the end"
        )
        holds(journal.is_alive(names[1]), "a runner must not be taken for dead because another one is")
        os.write(go_on, b"x")
        two.finish()
        eventually(
            lambda: not journal.is_alive(names[1]), "a runner that was closed must be known to be dead in the end"
        )
    os.close(waiting)
    os.close(go_on)


def other_urls_are_refused(open_journal: Callable[..., Journal], url: str) -> None:
    """A URL that is not the journal's own is refused in one sentence, and nothing is made."""
    scheme = url.partition(":")[0]
    for rubbish in ("", "rubbish", f"not-{scheme}://somewhere/omium", f"{scheme}:", f"{scheme}://"):
        sentence = f"the URL `{rubbish}` must be refused with an error of Omium's"
        refused(partial(open_journal, rubbish, durability="process", large=Shelf()), OmiumError, sentence)


CHECKS.append(other_urls_are_refused)


def _failed(child: Child) -> int:
    child.finish()
    raise AssertionError("a process of its own ended before it was killed")


def _in_ones_and_twos(last: int) -> list[int]:
    """Return where batches of one and two events in turn begin."""
    return [first for first in range(1, last + 1) if first % 3]
