"""`python -m omium.testing.simulation --seed 123`, or `--seeds 20000 --processes 2`."""

from __future__ import annotations

import argparse
import sys
import time

from omium.testing.simulation.simulating import broken_seeds, simulate


def main() -> int:
    """Simulate seeds, and print those under which a promise was broken; return the exit status."""
    parser = argparse.ArgumentParser("python -m omium.testing.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="one seed, with all that happened if a promise is broken")
    parser.add_argument("--first", type=int, default=0, help="the first of many (default: 0)")
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--processes", type=int, default=1, help="in how many processes (default: 1)")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed)
    return _many(range(given.first, given.first + given.seeds), given.processes)


def _one(seed: int) -> int:
    try:
        ending = simulate(seed)
    except AssertionError as error:
        print(error)
        return 1
    print(f"seed {seed}: {ending.status} after {ending.lives} lives, every promise kept")
    return 0


def _many(seeds: range, processes: int) -> int:
    began, broken = time.monotonic(), 0
    for _, what in broken_seeds(seeds, processes):
        broken += 1
        print(what.splitlines()[0], flush=True)
    took_s = time.monotonic() - began
    print(f"{len(seeds)} seeds in {took_s:.0f} s, {len(seeds) / took_s:.1f} a second: {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
