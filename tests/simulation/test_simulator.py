"""The simulator itself: a seed is one story, told the same way each time, and a broken promise can be told again."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import MUTANTS

import omium
from omium.testing.simulation import simulate
from omium.testing.simulation.drawing import draw
from omium.testing.simulation.image import Image, half_copied, shuffle
from omium.testing.simulation.process import Death, lab
from omium.testing.simulation.story import Ending

SEEDS = range(100, 120)
# One seed makes thousands of objects. Caches that are bounded may still grow by a few.
LEFT_MAX = 50


@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_is_kept(seed: int) -> None:
    """Each execution comes to rest, and what concepts.md promises holds whenever it does."""
    assert simulate(seed).status in ("completed", "halted")


def test_a_seed_is_one_story() -> None:
    """The same events and the same world each time, wherever no threads decide who goes first."""
    seed = next(one for one in SEEDS if "to_thread" not in str(draw(one)) and "'threads'" not in str(draw(one)))
    first, second = simulate(seed), simulate(seed)
    assert draw(seed) == draw(seed)
    assert first.world.history == second.world.history
    assert _told(first) == _told(second)


def test_a_seed_leaves_nothing_in_memory() -> None:
    """The simulator runs for days in one process; of each name only the last declaration is known."""
    counts = []
    for _ in range(4):
        simulate(SEEDS[1])
        gc.collect()
        counts.append(len(gc.get_objects()))
    assert counts[-1] - counts[1] < LEFT_MAX, counts


def test_a_broken_promise_says_how_to_see_it_again() -> None:
    """One line reproduces it, and what happened before it is told."""
    mutant = MUTANTS[0]
    with mutant.planted(), pytest.raises(AssertionError) as caught:
        simulate(mutant.seeds[0])
    text = str(caught.value)
    assert f"python -m omium.testing.simulation --seed {mutant.seeds[0]}" in text
    assert "ExecutionStarted" in text


def test_the_command_tells_one_seed_or_many(tmp_path: Path) -> None:
    """From any folder, also in two processes."""
    for given in (["--seed", "2"], ["--first", "2", "--seeds", "3", "--processes", "2"]):
        command = [sys.executable, "-m", "omium.testing.simulation", *given]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0, ended.stderr
        assert "every promise kept" in ended.stdout or "0 broken" in ended.stdout


@pytest.mark.parametrize(
    "death",
    [Death(9), Death(9, keep=8), Death(9, torn=0.5), Death(9, scattered=1), Death(9, copied=1), Death(10, torn=0.0)],
)
def test_a_simulated_death_leaves_what_a_real_one_leaves(death: Death) -> None:
    """What an append returned for is there, the store verifies, and the lock of the dead runner is free."""
    with lab() as where:

        @omium.checkpoint("part")
        def part(number: int) -> int:
            return number

        @omium.workflow(store=where.url)
        def flow() -> list[int]:
            return [part(number) for number in range(5)]

        where.process(death=death)
        with pytest.raises(BaseException):  # noqa: B017  # a `Crash`, which no user code can catch
            flow.start(execution_id="one")
        assert where.fate.dead
        runner = where.present.journal.name
        where.rest()
        assert not where.disk.is_alive(runner)
        assert omium.verify(store=where.url).ok
        assert flow.resume("one").result == [0, 1, 2, 3, 4]


def test_an_image_is_what_the_folder_was(tmp_path: Path) -> None:
    """Also the zeros at a file's end; what came later is gone."""
    (tmp_path / "a").write_bytes(b"one\0\0\0")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b").write_bytes(b"two")
    image = Image.of(tmp_path)
    (tmp_path / "a").write_bytes(b"changed")
    (tmp_path / "later").write_bytes(b"")
    image.restore(tmp_path)
    assert {one.name: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()} == {
        "a": b"one\0\0\0",
        "b": b"two",
    }


def test_torn_files_are_between_before_and_after() -> None:
    """Each block of a scattered write is the old or the new one; only pages of the WAL are copied."""
    import random

    before, after = bytes(20_000), b"\1" * 20_000
    mixed = shuffle(before, after, random.Random(3))
    blocks = {mixed[at : at + 4096] for at in range(0, 16_384, 4096)}
    assert blocks == {bytes(4096), b"\1" * 4096}
    assert half_copied(before, b"", after, random.Random(1)) == before


def _told(ending: Ending) -> list[tuple[str, int, int]]:
    return [(type(one).__name__, one.seq, one.epoch) for one in ending.events]
