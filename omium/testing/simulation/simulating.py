"""One seed after the other, in as many processes as one likes."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import tempfile
from collections.abc import Iterable, Iterator

from omium.testing.simulation.drawing import draw
from omium.testing.simulation.story import Ending, Story, tell

__all__ = ["broken_seeds", "same_end", "simulate"]

SEEDS_AT_ONCE = 20


def simulate(seed: int) -> Ending:
    """Live through what a seed stands for; raise `AssertionError`, with all that happened, when a promise is broken.

    A program that comes to the same end whatever happens to it is run undisturbed as well, and has to come there.
    Where lanes are threads the system decides who goes first, so such a seed may need a few runs to fail again.
    """
    tale = draw(seed)
    with _quiet():
        try:
            ending = tell(tale.program, tale.story, keys_in_values=not tale.calm, seed=seed)
            if tale.calm:
                same_end(tell(tale.program, Story(), seed=seed), ending)
        except AssertionError as error:
            again = f"python -m omium.testing.simulation --seed {seed}"
            raise AssertionError(f"seed {seed} (`{again}`): {error}\n{tale.program}\n{tale.story}") from error
    return ending


def broken_seeds(seeds: Iterable[int], processes: int = 1) -> Iterator[tuple[int, str]]:
    """Give the seeds under which a promise was broken, with what was broken, as they are found."""
    if processes == 1:
        found: Iterable[tuple[int, str]] = map(_outcome, seeds)
        yield from (one for one in found if one[1])
        return
    # Forked workers would share what the simulated processes must not: a process is made anew for each.
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from (one for one in pool.imap_unordered(_outcome, seeds, SEEDS_AT_ONCE) if one[1])


def same_end(undisturbed: Ending, disturbed: Ending) -> None:
    """Raise `AssertionError` unless both came to the same end, in the record and in the world."""
    assert undisturbed.status == "completed", undisturbed.reason
    for field in ("status", "result", "state", "root"):
        found, expected = getattr(disturbed, field), getattr(undisturbed, field)
        assert found == expected, f"the {field} is {found!r}, undisturbed it is {expected!r}"
    found, expected = disturbed.world.net(), undisturbed.world.net()
    assert found == expected, f"in the world stands {found}, undisturbed it is {expected}"


def _outcome(seed: int) -> tuple[int, str]:
    try:
        simulate(seed)
    except AssertionError as error:
        return seed, str(error)
    return seed, ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Read no project's configuration, and write no warnings of channels that are not there."""
    before, log = os.getcwd(), logging.getLogger("omium")
    level = log.level
    with tempfile.TemporaryDirectory(prefix="omium-") as nowhere:
        os.chdir(nowhere)
        log.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            log.setLevel(level)
            os.chdir(before)
