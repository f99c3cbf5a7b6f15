"""Random workflows through crashes, torn writes, lost replies, other runners and people: no promise is broken."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from omium.testing.simulation import simulate
from omium.testing.simulation.simulating import broken_seeds

sys.path.insert(0, str(Path(__file__).parents[1] / "simulation"))

from mutants import MUTANTS, Mutant  # a module beside the simulator's tests

FIRST = 1_000


def test_no_promise_is_broken_under_any_seed(pressed: Callable[[int, int], int]) -> None:
    """20,000 seeds in an hour on two cores; a failure names the line that tells its story again."""
    count = pressed(20, 20_000)
    processes = min(2, os.cpu_count() or 1) if count > 100 else 1
    broken = [what.splitlines()[0] for _, what in broken_seeds(range(FIRST, FIRST + count), processes)]
    assert not broken, "\n".join(broken)


def test_a_mutant_is_found_without_knowing_where(pressed: Callable[[int, int], int]) -> None:
    """Whoever breaks the engine at one of these places hears of it from the first few hundred seeds."""
    survived = [one.name for one in MUTANTS[: pressed(1, len(MUTANTS))] if not _found(one, pressed(3, 1_000))]
    assert not survived, survived


def _found(mutant: Mutant, searched: int) -> bool:
    for seed in range(searched):
        try:
            with mutant.planted():
                simulate(seed)
        except AssertionError:
            return True
    return False
