"""What is read back of executions, appends and blobs."""

from __future__ import annotations

import os

import attrs

from omium.testing.conforming import holds
from omium.testing.journals.suite import LARGE_BYTES, Author, Check, Opener, append, blob, check_into, ids, same
from omium_core.interfaces.checkpoint import StatusChange

__all__ = ["CHECKS"]

CHECKS: list[Check] = []
_check = check_into(CHECKS)


@_check
def what_is_read_is_what_was_appended(open: Opener) -> None:
    """Headers, bodies and hashes come back byte for byte, whatever is in them."""
    journal, author = open(), Author()
    odd = ['",\n[]{}', "\u2028 \U0001f600 ],[,", "\\ \x7f\x00 '", "x" * 100_000]
    given = [author.batch(3, bytes(range(256)) * 50, note=note) for note in odd] + [author.batch(1, b"")]
    append(journal, given)
    for one, found in zip(given, list(journal.rows("exe_a")), strict=True):
        same(found, one, "what is read must be what was appended, byte for byte")


@_check
def bodies_can_be_left_out(open: Opener) -> None:
    """`rows(bodies=False)` gives the same rows without their bodies."""
    journal, author = open(), Author()
    append(journal, [author.batch(2), author.batch(1)])
    with_bodies, without = list(journal.rows("exe_a")), list(journal.rows("exe_a", bodies=False))
    expected = [attrs.evolve(one, bodies=None) for one in with_bodies]
    holds(without == expected, "`rows(bodies=False)` must give the same rows with `bodies` None")


@_check
def rows_begin_where_they_are_asked_to(open: Opener) -> None:
    """`rows(after=n)` begins with the append that holds event n + 1, and `row(n)` is the one that holds event n."""
    journal, author = open(), Author()
    append(journal, [author.batch(3) for _ in range(700)])
    append(journal, [Author("exe_b").batch(1)])
    firsts = [one.first_seq for one in journal.rows("exe_a", bodies=False)]
    holds(firsts == list(range(1, 2100, 3)), "`rows` must give every append of the execution in order")
    for after, first in ((0, 1), (2, 1), (3, 4), (4, 4), (6, 7), (2098, 2098)):
        found = next(iter(journal.rows("exe_a", after=after)), None)
        holds(found is not None and found.first_seq == first, f"`rows(after={after})` must begin at event {first}")
    holds(not list(journal.rows("exe_a", after=2100)), "`rows` after the last event must give nothing")
    for seq, first in ((1, 1), (3, 1), (4, 4), (2100, 2098)):
        one = journal.row("exe_a", seq)
        holds(one is not None and one.first_seq == first, f"`row({seq})` must be the append from event {first}")
    for seq in (-1, 0, 2101, 2**40):
        holds(journal.row("exe_a", seq) is None, f"`row({seq})` must be None where the execution has 2100 events")


@_check
def what_is_not_there_is_not_found(open: Opener) -> None:
    """An execution or blob that nobody appended is None or empty, never an error."""
    journal = open()
    holds(journal.execution("exe_none") is None, "`execution` of an unknown id must be None")
    holds(list(journal.rows("exe_none")) == [], "`rows` of an unknown id must be empty")
    holds(journal.row("exe_none", 1) is None, "`row` of an unknown id must be None")
    holds(journal.blobs(["00" * 32]) == {}, "`blobs` must leave an unknown hash out")
    holds(journal.executions() == [], "`executions` of a new store must be empty")


@_check
def ids_are_taken_as_they_are(open: Opener) -> None:
    """An id may hold any printable character; none of them is a pattern, a path or a quote."""
    journal = open()
    odd = ["exe 1", "100%", "a_b", "axb", "../up", "it's", 'say "x"', "né😀", "x" * 200, "a/b", ":", "A", "a"]
    for id in odd:
        append(journal, [Author(id).batch(1)])
    for id in odd:
        row = journal.execution(id)
        holds(row is not None and row.id == id, f"the id `{id}` must be kept as it is")
        holds(len(list(journal.rows(id))) == 1, f"`{id}` must have its own append and no other")


@_check
def large_bodies_come_back(open: Opener) -> None:
    """Bodies of several megabytes are stored whole, also beside small ones."""
    journal, author = open(), Author()
    given = [author.batch(1, body) for body in (os.urandom(LARGE_BYTES), b"small", os.urandom(LARGE_BYTES))]
    append(journal, given)
    for one, found in zip(given, list(journal.rows("exe_a")), strict=True):
        same(found, one, "a large body must come back whole")


@_check
def the_status_follows_the_changes(open: Opener) -> None:
    """None leaves a field as it is, but for the end: what goes on has not ended. No change at all leaves everything."""
    journal, author = open(), Author()
    append(journal, [author.batch(1, change=StatusChange("running", "flow", "r1", 100.0))])
    append(journal, [author.batch(1, change=StatusChange("paused", ended=111.5))])
    append(journal, [author.batch(1, epoch=4)])
    row = journal.execution("exe_a")
    holds(row is not None, "`execution` must give the row of an execution that was begun")
    assert row is not None
    told = (row.workflow, row.status, row.epoch, row.runner, row.started, row.ended)
    holds(told == ("flow", "paused", 4, "r1", 100.0, 111.5), f"the row must be what the changes say; it is {told}")
    append(journal, [author.batch(1, change=StatusChange("running", runner="r2"))])
    again = journal.execution("exe_a")
    holds(again is not None and again.ended is None, "a change without an end must take the end back")
    holds(again is not None and (again.started, again.runner) == (100.0, "r2"), "None must leave a field as it is")


@_check
def executions_are_found(open: Opener) -> None:
    """They are listed newest first, by exact prefix, status and workflow, up to the limit."""
    journal = open()
    for number, name in enumerate(["exe_a1", "exe_a2", "exe_b_", "exe_bx", "EXE_c"]):
        change = StatusChange("paused" if number == 1 else "running", f"flow{number % 2}", started=100.0 + number)
        append(journal, [Author(name).batch(1, change=change)])
    asked: dict[str, tuple[list[str], list[str]]] = {
        "all": (ids(journal), ["EXE_c", "exe_bx", "exe_b_", "exe_a2", "exe_a1"]),
        "prefix `exe_a`": (ids(journal, prefix="exe_a"), ["exe_a2", "exe_a1"]),
        "prefix `exe_b_`": (ids(journal, prefix="exe_b_"), ["exe_b_"]),
        "prefix `%`": (ids(journal, prefix="%"), []),
        "prefix `exe_c`": (ids(journal, prefix="exe_c"), []),
        "status": (ids(journal, status="paused"), ["exe_a2"]),
        "workflow": (ids(journal, workflow="flow0"), ["EXE_c", "exe_b_", "exe_a1"]),
        "limit 2": (ids(journal, limit=2), ["EXE_c", "exe_bx"]),
        "all together": (ids(journal, prefix="exe_", status="running", workflow="flow0", limit=1), ["exe_b_"]),
    }
    for what, (found, expected) in asked.items():
        holds(found == expected, f"`executions` by {what} must be {expected}; it is {found}")


@_check
def mentions_are_found(open: Opener) -> None:
    """Events are found by the topic in their header, those committed last first; what only looks like one is none."""
    journal, one, two = open(), Author("exe_a"), Author("exe_b")
    odd = 'it\'s "50%"'
    given = [
        one.batch(2, topic="paid"),
        two.batch(1, topic="paid"),
        one.batch(1, topic=odd, note='"topic":"paid"'),
        one.batch(3, topic="paid"),
        two.batch(1, b'{"topic":"paid"}'),
    ]
    for batch in given:
        append(journal, [batch])
    expected = [(batch.execution, batch.headers[-1]) for batch in (given[3], given[1], given[0])]
    holds(journal.mentions("paid") == expected, "`mentions` must give the events with that topic, the last one first")
    holds(journal.mentions("paid", limit=2) == expected[:2], "`mentions` must give no more than its limit")
    holds(journal.mentions(odd) == [("exe_a", given[2].headers[0])], "a topic is a text, not a pattern")
    holds(
        journal.mentions("pai") == [] == journal.mentions("%"), "`mentions` of a topic that no event has must be empty"
    )


@_check
def blobs_come_with_their_append(open: Opener) -> None:
    """A blob is there when its append is, once, however often it is appended, also an empty and a large one."""
    journal, author = open(), Author()
    parts = (blob(b"one" * 1000), blob(b""), blob(os.urandom(LARGE_BYTES)))
    journal.append(author.batch(1, blobs=parts)).wait()
    append(journal, [author.batch(1, blobs=parts), Author("exe_b").batch(1, blobs=parts[:1])])
    for reader in (journal, open()):
        for part in parts:
            holds(
                reader.blobs([part.digest]) == {part.digest: part.data},
                f"a blob of {len(part.data)} bytes must come back as it was",
            )
