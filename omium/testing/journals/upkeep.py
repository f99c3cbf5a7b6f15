"""What operators do to a journal: only for those that offer `Upkeep`, because executions do not need it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from omium.testing.conforming import holds, refused
from omium.testing.journals.suite import Author, Check, Opener, append, blob, check_into
from omium_core.errors import ExecutionFenced, StoreError
from omium_core.interfaces.checkpoint import Batch, ExecutionRow, JournalRow, StatusChange
from omium_core.interfaces.upkeep import Removal, offers_upkeep
from omium_core.model.body import Blob, Reliance

__all__ = ["CHECKS"]

CHECKS: list[Check] = []
_check = check_into(CHECKS)


@_check
def who_appends_at_the_end_fences_the_runner(open: Opener) -> None:
    """An intervention sees the execution as it is at that moment, is durable, and fences whoever ran it until then."""
    journal, elsewhere, author = open(), open(), Author()
    if not offers_upkeep(elsewhere):
        return
    append(journal, [author.batch(2, change=StatusChange("running", "flow")), author.batch(1)])

    def stop(row: ExecutionRow, last: JournalRow) -> Batch:
        holds((row.id, row.epoch, last.first_seq) == ("exe_a", 1, 3), "an intervention must see the last append")
        return Author(row.id, 3, row.epoch, last.digest).batch(1, epoch=2, change=StatusChange("paused"))

    holds(elsewhere.append_at_end("exe_a", stop), "`append_at_end` must say that something was appended")
    refused(journal.append(author.batch(1)).wait, ExecutionFenced, "the runner until then must be fenced")
    row = journal.execution("exe_a")
    holds(row is not None and (row.status, row.epoch) == ("paused", 2), "an intervention must change the status")
    holds(journal.row("exe_a", 4) is not None, "an intervention must be durable when `append_at_end` returns")
    holds(not elsewhere.append_at_end("exe_a", lambda row, last: None), "an intervention of None must append nothing")
    holds(not elsewhere.append_at_end("exe_none", stop), "an execution that is not there must be False")
    holds(len(list(journal.rows("exe_a"))) == 3, "what was not appended must leave no trace")


@_check
def the_ends_are_known(open: Opener) -> None:
    """`ends` gives the last sequence number of every execution."""
    journal = open()
    if not offers_upkeep(journal):
        return
    holds(dict(journal.ends()) == {}, "`ends` of a new store must be empty")
    append(journal, [Author("exe_a").batch(3), Author("exe_fork", 40).batch(2)])
    holds(dict(journal.ends()) == {"exe_a": 3, "exe_fork": 42}, "`ends` must give the last sequence numbers")


@_check
def pruning_removes_what_it_names(open: Opener) -> None:
    """Bodies and blobs that are named go, headers and everything else stay; what came meanwhile is shown before."""
    journal = open()
    if not offers_upkeep(journal):
        return
    old, young, shared, own = Author("exe_old"), Author("exe_young"), blob(b"shared" * 99), blob(b"own" * 99)
    append(journal, [old.batch(2, b"12345", blobs=(shared, own)), young.batch(1, b"kept", blobs=(shared,))])
    headers = [row.headers for row in journal.rows("exe_old")]
    since = journal.ends()
    late = young.batch(1, b"late")
    append(journal, [late])
    seen: list[JournalRow] = []

    def decide(later: Iterator[JournalRow], read: Callable[[str], bytes | None]) -> Removal:
        seen.extend(later)
        holds(read(own.digest) == own.data, "who decides must be able to read blobs")
        return Removal((old.batch(1, b"", epoch=2),), [own.digest])

    removed = journal.prune(since, decide)
    holds([row.bodies for row in seen] == [late.bodies], "who decides must be given the appends that came meanwhile")
    counts = (removed.executions, removed.bodies_bytes, removed.blobs)
    holds(counts == (("exe_old",), 5, 1), f"`prune` must say what it removed; it says {counts}")
    rows = list(journal.rows("exe_old"))
    holds(not any(row.bodies for row in rows), "bodies of executions that were named must go")
    holds([row.headers for row in rows][: len(headers)] == headers and len(rows) == 2, "headers must stay")
    holds([row.bodies for row in journal.rows("exe_young")] == [b"kept", b"late"], "bodies of others must stay")
    holds(list(journal.blobs([own.digest, shared.digest])) == [shared.digest], "only blobs that are named must go")


@_check
def after_pruning_blobs_are_asked_for_again(open: Opener) -> None:
    """A batch that took blobs of an older generation for stored is asked for them; one that cannot give them fails."""
    journal, other, gone, author = open(), open(), blob(b"gone" * 99), Author("exe_b")
    if not offers_upkeep(other):
        return
    asked: list[int] = []

    def renew(generation: int) -> tuple[Blob, ...]:
        asked.append(generation)
        return (gone,)

    def cannot(generation: int) -> tuple[Blob, ...]:
        raise StoreError("the value is not what it was")

    append(journal, [Author().batch(1, blobs=(gone,)), _relying(author, 0, renew)])
    holds(asked == [], "nothing must be asked for in the generation that a batch knows")
    other.prune(other.ends(), lambda later, read: Removal((), [gone.digest]))
    holds(journal.blobs([gone.digest]) == {}, "a blob that was pruned must be gone")
    refused(
        journal.append(_relying(attrs.evolve(author), 0, cannot)).wait, StoreError, "what cannot be renewed must fail"
    )
    append(journal, [_relying(author, 0, renew)])
    holds(asked == [1], "a batch of an older generation must be asked for its blobs, with the present one")
    holds(journal.blobs([gone.digest]) == {gone.digest: gone.data}, "blobs that are asked for must come with the batch")
    append(journal, [_relying(author, 1, renew)])
    holds(asked == [1], "nothing must be asked for in the generation that a batch knows")


def _relying(author: Author, generation: int, renew: Callable[[int], Any]) -> Batch:
    return attrs.evolve(author.batch(1), reliances=(Reliance(generation, renew),))
