"""Each planted mutant breaks a promise under a seed that the real engine keeps it under."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mutants import MUTANTS, Mutant, lock_released_in_checkpoint

from omium.testing.simulation import simulate
from omium.testing.simulation.programs import Program
from omium.testing.simulation.simulating import same_end
from omium.testing.simulation.story import Story, tell
from omium_core.interfaces.checkpoint import Batch
from omium_sqlite import commit
from omium_sqlite.commit import GroupWriter
from omium_sqlite.connections import Connections
from omium_sqlite.journal import SqliteJournal
from omium_sqlite.locks import FileLock

SEEDED = [(mutant, seed) for mutant in MUTANTS for seed in mutant.seeds[:1]]
SMALLEST = [(mutant, mutant.smallest) for mutant in MUTANTS if mutant.smallest is not None]


@pytest.mark.parametrize(("mutant", "seed"), SEEDED, ids=[one.name for one, _ in SEEDED])
def test_a_mutant_is_caught(mutant: Mutant, seed: int) -> None:
    """Under a seed that is known to catch it, with the sentence that says what it breaks."""
    simulate(seed)
    with mutant.planted(), pytest.raises(AssertionError, match=mutant.broken):
        simulate(seed)


@pytest.mark.parametrize(("mutant", "program"), SMALLEST, ids=[one.name for one, _ in SMALLEST])
def test_a_mutant_is_caught_in_the_smallest_program(mutant: Mutant, program: Program) -> None:
    """One step is enough to see it: the promise is broken, or the end is another than the real engine's."""
    expected = tell(program, Story(), keys_in_values=True)
    assert expected.status == "completed"
    with mutant.planted(), pytest.raises(AssertionError, match=mutant.broken):
        same_end(expected, tell(program, Story(), keys_in_values=True))


def test_every_mutant_is_caught_somewhere() -> None:
    """The fifteen of the reference model, and the three that are seen in a whole execution."""
    assert len(MUTANTS) == 18
    assert all(one.seeds or one.smallest for one in MUTANTS)


@contextmanager
def observed_checkpoints(patch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Give, for each copy of the WAL that is made meanwhile, whether another process could have taken the lock."""
    seen: list[bool] = []
    real: Callable[[Connections], int] = Connections.checkpoint

    def checkpoint(connections: Connections) -> int:
        # Another open file of the lock is what another process has; `flock` knows no other difference.
        other = FileLock(f"{connections.path}.lock")
        seen.append(other.try_take())
        other.forget()
        return real(connections)

    patch.setattr(Connections, "checkpoint", checkpoint)
    yield seen


@pytest.mark.parametrize("mutated", [False, True])
def test_nobody_else_writes_while_the_wal_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutated: bool
) -> None:
    """The lock between processes is held during each copy; a store that lets go of it is seen to do so."""
    monkeypatch.setattr(commit, "CHECKPOINT_PAGES", 1)
    if mutated:
        lock_released_in_checkpoint(monkeypatch)
    journal = SqliteJournal(tmp_path / "omium.db", durability="process")
    with observed_checkpoints(monkeypatch) as seen:
        for seq in range(1, 6):
            previous = f"{seq - 1:02x}" * 32 if seq > 1 else None
            batch = Batch("one", seq, min(seq - 1, 1), 1, ("{}",), b"", f"{seq:02x}" * 32, previous=previous)
            journal.append(batch).wait()
            writer: GroupWriter = journal._writer
            writer._drain(1)
        assert seen
        assert any(seen) is mutated
    journal.close()
