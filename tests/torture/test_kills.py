"""Hundreds of random `kill -9` while four processes move money: nothing is lost, and nothing is repeated."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import attrs
import pytest
from transfers_world import Settled, World

PROCESSES = 4
BATCHES = (2, 25)
KILLS = (6, 300)
SEED = 3
# Less than a batch takes, so that most of them are disturbed.
PAUSE_S = (0.0, 0.3)
LOOK_AGAIN_S = 0.01


@attrs.define
class Workers:
    """The living workers of a supervisor, as its output tells; each by a descriptor that no other process can get."""

    output: IO[str]
    alive: dict[int, int] = attrs.field(factory=dict)
    lines: list[str] = attrs.field(factory=list)
    changed: threading.Condition = attrs.field(factory=threading.Condition)
    over: bool = False

    def follow(self) -> None:
        """Read until the supervisor has ended."""
        for line in self.output:
            self.lines.append(line)
            with self.changed:
                match line.split():
                    case ["worker", pid, "begins"]:
                        self.alive[int(pid)] = os.pidfd_open(int(pid))
                    case ["worker", pid, "ended", *_]:
                        self._forget(int(pid))
                self.changed.notify()
        with self.changed:
            self.over = True
            self.changed.notify()

    def kill_one(self, chance: random.Random, at_work: Callable[[], set[int]]) -> int:
        """Kill any of them that is at work, as soon as there is one; return how many were killed."""
        while not (victims := sorted(at_work() & self.alive.keys())):
            with self.changed:
                if self.over or self.changed.wait_for(lambda: self.over, LOOK_AGAIN_S):
                    return 0
        with self.changed:
            descriptor = self.alive.pop(chance.choice(victims), None)
        if descriptor is None:
            return 0
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            # It had done all that there was to do.
            return 0
        finally:
            os.close(descriptor)
        return 1

    def _forget(self, pid: int) -> None:
        descriptor = self.alive.pop(pid, None)
        if descriptor is not None:
            os.close(descriptor)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this system has no pidfd_open")
def test_killed_at_random(postgres: Any, tmp_path: Path, pressed: Callable[[int, int], int]) -> None:
    """After any kills, with one store for all rounds, every order has ended as it does when nobody is killed."""
    chance = random.Random(SEED)
    batches = pressed(*BATCHES)
    wanted, _ = _round(World.new(postgres.database(), tmp_path, "calm"), chance, batches, 0)
    left, rounds, began = pressed(*KILLS), 0, time.monotonic()
    figures: dict[str, int] = {}

    while left > 0:
        world = World.new(postgres.database(), tmp_path, f"round{rounds:03}")
        settled, kills = _round(world, chance, batches, left)
        assert settled == wanted, f"round {rounds} with seed {SEED}"
        left, rounds = left - kills, rounds + 1
        for name, count in {**world.counts(), "kills": kills}.items():
            figures[name] = figures.get(name, 0) + count

    seconds = round(time.monotonic() - began)
    print(f"{figures} in {rounds} rounds and {seconds} s; the last: {world.books().strip()}")


def _round(world: World, chance: random.Random, batches: int, kills: int) -> tuple[Settled, int]:
    """Settle a file with at most so many kills; return how it ended, and how many there were."""
    done = 0
    with world.running(*world.work(batches, PROCESSES)) as supervisor:
        workers = Workers(supervisor.stdout)
        reader = threading.Thread(target=workers.follow)
        reader.start()
        while done < kills and not workers.over:
            # This is the test's point and not a wait: kills come at any moment.
            time.sleep(chance.uniform(*PAUSE_S))
            done += workers.kill_one(chance, world.at_work)
        status = supervisor.wait()
        reader.join()
    assert status == 0, "".join(workers.lines)
    world.books()
    assert world.problems() == []
    return world.settled(), done
