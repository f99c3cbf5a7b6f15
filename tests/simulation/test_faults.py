"""Each fault does to the real store what the plan says, and what it leaves is gone on from."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

import omium
from omium import StoreError, UsageError
from omium.testing import Faults, VirtualClock, opened
from omium_core.interfaces.checkpoint import Batch
from omium_sqlite.journal import SqliteJournal

SCRIPT = Path(__file__).parent / "faulted.py"


def lived(folder: Path, fault: str = "") -> list[str] | None:
    """Let one process live with a fault; give what it printed, None if it was killed."""
    command = [sys.executable, str(SCRIPT), f"sqlite:///{folder}/omium.db", str(folder / "world"), fault]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    if ended.returncode == -signal.SIGKILL:
        return None
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def flow_of(folder: Path, log: list[str]) -> omium.Workflow:
    """A workflow of three steps with an effect each."""

    @omium.effect(irreversible=True, name="mail")
    def mail(number: int) -> int:
        log.append(f"mail {number}")
        return number

    @omium.checkpoint("part")
    def part(number: int) -> int:
        return mail(number)

    @omium.workflow(store=str(folder / "omium.db"), name="flow")
    def flow() -> list[int]:
        return [part(number) for number in range(3)]

    return flow


@pytest.mark.parametrize(
    "fault",
    [
        "kill(1)",
        "kill(1, after=True)",
        "kill(4)",
        "kill(4, after=True)",
        "tear(1, part=0.5)",
        "tear(3, part=0.0)",
        "tear(4, part=0.3)",
        "tear(4, part=0.999)",
        "kill(2, to='blobs')",
        "kill(2, to='blobs', after=True)",
        "tear(2, part=0.7, to='blobs')",
        "tear(1, part=0.0, to='blobs')",
    ],
)
def test_a_process_that_dies_in_a_write_is_gone_on_from(tmp_path: Path, fault: str) -> None:
    """Whatever is left of the write: each mail is sent once, the store verifies, no blob is half there."""
    assert lived(tmp_path, fault) is None
    again = lived(tmp_path)
    assert again is not None
    assert again[:2] == ["completed", "True"]
    sent = [line.split()[1] for line in (tmp_path / "world").read_text().splitlines()]
    assert sent == ["0", "1", "2"]


def test_a_torn_write_leaves_a_part_of_its_bytes(tmp_path: Path) -> None:
    """The first ones are in the WAL, the others are what was there before."""

    class Died(Exception):
        pass

    def die() -> NoReturn:
        raise Died

    inner = SqliteJournal(tmp_path / "omium.db", durability="process")
    wal = tmp_path / "omium.db-wal"
    journal = Faults(die=die).tear(2, part=0.5).journal(inner, [wal])
    journal.append(Batch("one", 1, 0, 1, ("{}",), b"first", "01" * 32)).wait()
    before = wal.read_bytes()
    with pytest.raises(Died):
        journal.append(Batch("one", 2, 1, 1, ("{}",), b"second" * 1000, "02" * 32))
    torn = wal.read_bytes()
    inner.append(Batch("two", 1, 0, 1, ("{}",), b"third", "03" * 32)).wait()
    written = len(torn.rstrip(b"\0")) - len(before.rstrip(b"\0"))
    assert 4000 < written < 40_000
    assert torn.startswith(before.rstrip(b"\0"))
    with pytest.raises(Died):
        journal.append(Batch("two", 2, 1, 1, ("{}",), b"", "04" * 32))
    inner.close()


def test_a_torn_blob_is_never_taken_for_whole(tmp_path: Path) -> None:
    """The local store writes beside the place and renames, so what a crash leaves is under no blob's name."""
    assert lived(tmp_path, "tear(1, part=0.4, to='blobs')") is None
    files = [one for one in (tmp_path).rglob("*") if one.is_file() and "blobs" in str(one)]
    # The store's thread may have been about to write the same blob.
    assert files
    assert all(one.name.startswith(".") for one in files)


@pytest.mark.parametrize("write", range(1, 8))
def test_a_write_that_fails_once_stops_and_loses_nothing(tmp_path: Path, write: int) -> None:
    """The execution ends with the store's error; resumed, it comes to its end, and no mail is sent twice."""
    log: list[str] = []
    faults = Faults().fail(write)
    flow = flow_of(tmp_path, log)
    with opened(tmp_path / "omium.db", clock=VirtualClock(), faults=faults) as store:
        # Nobody waits for the outcome of an effect: the step's end fails then, because it does not fit.
        with pytest.raises(StoreError, match="the plan of faults"):
            flow.start(execution_id="one")
        for _ in range(4):
            if not store.executions():
                flow.start(execution_id="one")
            elif store.execution("one").status == "paused":
                # The outcome was lost with the write; a person knows that it was sent.
                omium.review("one", choice=0, value=len(log) - 1, by="ann", store=store.url)
            if store.execution("one").status != "completed":
                flow.resume("one")
        assert store.execution("one").result == [0, 1, 2]
        assert log == ["mail 0", "mail 1", "mail 2"]
        assert omium.verify(store=store.url).ok
        assert faults.writes() > write


def test_a_write_that_fails_after_it_was_stored_is_not_done_again(tmp_path: Path) -> None:
    """Its caller is told that it failed, and the next process finds it there."""
    log: list[str] = []
    flow = flow_of(tmp_path, log)
    with opened(tmp_path / "omium.db", faults=Faults().fail(4, after=True)) as store:
        with pytest.raises(StoreError):
            flow.start(execution_id="one")
        assert flow.resume("one").result == [0, 1, 2]
        assert log == ["mail 0", "mail 1", "mail 2"]
        assert omium.verify(store=store.url).ok


def test_writes_that_fail_for_good_fail_until_the_disk_is_well(tmp_path: Path) -> None:
    """No attempt to go on performs anything; after `heal` the first one comes to the end."""
    log: list[str] = []
    flow = flow_of(tmp_path, log)
    faults = Faults().fail_from(3)
    with opened(tmp_path / "omium.db", faults=faults) as store:
        with pytest.raises(StoreError):
            flow.start(execution_id="one")
        before = list(log)
        for _ in range(3):
            with pytest.raises(StoreError):
                flow.resume("one")
        assert log == before
        faults.heal()
        flow.resume("one")
        if store.execution("one").status == "paused":
            omium.review("one", choice=0, value=0, by="ann", store=store.url)
            flow.resume("one")
        assert store.execution("one").result == [0, 1, 2]
        assert log == ["mail 0", "mail 1", "mail 2"]


def test_a_delay_passes_on_the_clock(tmp_path: Path) -> None:
    """The write is stored that much later, and a test does not wait for it."""
    clock = VirtualClock()
    faults = Faults(clock=clock).delay(2, seconds=3600)
    with opened(tmp_path / "omium.db", clock=clock, faults=faults):
        flow_of(tmp_path, [])()
    assert clock.slept == [3600]


def test_the_writes_of_a_blob_store_fail_by_themselves(tmp_path: Path) -> None:
    """The append that needs the blob fails with it, and nothing refers to what is not there."""
    faults = Faults().fail(1, to="blobs")
    with opened(tmp_path / "omium.db", faults=faults) as store:

        @omium.workflow(store=str(tmp_path / "omium.db"), name="large")
        def large() -> bytes:
            return random.Random(1).randbytes(300_000)

        with pytest.raises(StoreError, match="write 1 to the blobs"):
            large.start(execution_id="one")
        assert len(large.resume("one").result) == 300_000
        assert omium.verify(store=store.url).ok


def test_faults_go_around_a_journal_of_ones_own(tmp_path: Path) -> None:
    """The plan needs nothing but the protocol: a plugin's author wraps the journal itself."""
    faults = Faults().fail(2)
    inner = SqliteJournal(tmp_path / "omium.db", durability="process")
    journal = faults.journal(inner)
    batches = [Batch("one", n, min(n - 1, 1), 1, ("{}",), b"", f"{n:02x}" * 32) for n in (1, 2, 3)]
    commits = [journal.append(one) for one in batches]
    commits[0].wait()
    for commit in commits[1:]:
        with pytest.raises(StoreError, match="write 2"):
            commit.wait()
    journal.append(batches[1]).wait()
    journal.append(batches[2]).wait()
    assert [row.first_seq for row in journal.rows("one")] == [1, 2, 3]
    journal.close()


def test_a_plan_that_means_nothing_is_refused(tmp_path: Path) -> None:
    """In one sentence, before anything is written."""
    with pytest.raises(UsageError, match="counted from 1"):
        Faults().fail(0)
    with pytest.raises(UsageError, match="from 0 to 1"):
        Faults().tear(1, part=2)
    inner = SqliteJournal(tmp_path / "omium.db", durability="process")
    with pytest.raises(UsageError, match="give its files"):
        Faults().tear(1).journal(inner).append(Batch("one", 1, 0, 1, ("{}",), b"", "00" * 32))
    inner.close()
