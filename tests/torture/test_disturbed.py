"""Kills at exact moments, two runners on one execution, forks, jumping clocks, lost connections: nothing doubles."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from transfers_world import World, job

DISTURBED = Path(__file__).parent / "disturbed.py"
WRITES = ("announce", "reserve", "payout", "release", "notice")
MOMENTS = ("before", "inside", "after")
# So that whoever takes over need not wait long for the locks of a session whose process is stopped.
LIMITS = "-c idle_in_transaction_session_timeout=300ms -c lock_timeout=30s"
# The first order whose payee's account is closed, so that its reservation is released, is in the third batch.
BATCHES = {"release": 3}
SEED = 11


@pytest.fixture
def world(postgres: Any, tmp_path: Path) -> World:
    """A bank that nobody has worked for."""
    return World.new(postgres.database(), tmp_path)


def points(count: int) -> list[str]:
    """Return some moments of some writes, always the same; all where there are not more."""
    every = [f"{write} {moment}" for write in WRITES for moment in MOMENTS]
    return every if count >= len(every) else random.Random(SEED).sample(every, count)


def batches_with(point: str) -> int:
    """Return how many batches have to be settled until that point is passed."""
    return BATCHES.get(point.split()[0], 1)


def check(world: World) -> None:
    """The books balance, every execution completed, no step was done twice, and the chains verify."""
    world.books()
    assert world.problems() == []


def everybody(world: World, jobs: list[str]) -> None:
    """Do these jobs at the same time, each in a process of its own that must come to its end."""
    with ExitStack() as stack:
        processes = [stack.enter_context(world.running(DISTURBED, one)) for one in jobs]
        said = [process.communicate()[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * len(jobs), said


def test_killed_in_a_write(postgres: Any, tmp_path: Path, pressed: Callable[[int, int], int]) -> None:
    """Killed at any moment of any write, the batch is gone on with, and that write happens once."""
    for number, point in enumerate(points(pressed(1, len(WRITES) * len(MOMENTS)))):
        world = World.new(postgres.database(), tmp_path / str(number))
        common = {"file": world.file, "batches": batches_with(point)}
        told = world.run(DISTURBED, job(**common, at=f"{point}#1", then="kill"), status=-signal.SIGKILL)
        assert f"reached {point}#1" in told
        world.run(DISTURBED, job(**common))
        check(world)


def test_second_runner_takes_over_from_a_stopped_one(
    postgres: Any, tmp_path: Path, pressed: Callable[[int, int], int]
) -> None:
    """Stopped anywhere in a write until its lease ran out, and let go when another has done it all, it does no harm."""
    for number, point in enumerate(points(pressed(1, len(WRITES) * len(MOMENTS)))):
        world = World.new(postgres.database(), tmp_path / str(number))
        common = {"file": world.file, "batches": batches_with(point), "limits": LIMITS, "lease_s": 0.5, "renew_s": 0.1}
        with world.running(DISTURBED, job(**common, host="one", at=f"{point}#1", then="stop")) as first:
            _, status = os.waitpid(first.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status), f"{point}: {first.communicate()}"
            world.run(DISTURBED, job(**common, host="two"))
            check(world)
            settled = world.settled()

            os.kill(first.pid, signal.SIGCONT)

            said, _ = first.communicate()
            assert first.returncode == 0, f"{point}: {said}"
        check(world)
        assert world.settled() == settled, point


def test_runners_that_take_everything_from_each_other(world: World, pressed: Callable[[int, int], int]) -> None:
    """On machines where no lease ever holds, living runners steal from each other all the time, and nothing doubles."""
    batches = pressed(2, 25)
    common = {"file": world.file, "batches": batches, "limits": LIMITS, "lease_s": 0.02, "renew_s": 0.5}
    hosts = [f"machine {number}" for number in range(3)]
    everybody(world, [job(**common, host=host, together=True, slow_s=0.02) for host in hosts])
    check(world)
    assert world.counts()["resumes"] > batches
    print(dict(world.counts()))


def test_fork_in_the_middle_of_a_step(postgres: Any, tmp_path: Path, pressed: Callable[[int, int], int]) -> None:
    """The child can do nothing in its parent's execution, and works on one of its own; the parent goes on."""
    for number in range(1, 1 + pressed(1, 20)):
        world = World.new(postgres.database(), tmp_path / str(number))
        told = world.run(DISTURBED, job(file=world.file, batches=1, at=f"file#{number}", then="fork", child_batch=2))
        assert told.count("belongs to the process that forked; this one cannot go on with it") == 2, told
        assert "child ended with 0" in told
        check(world)


def test_clocks_that_jump(world: World, pressed: Callable[[int, int], int]) -> None:
    """Processes whose clocks jump by more than a day, in both directions, share the work as if they did not."""
    batches = pressed(2, 25)
    everybody(world, [job(file=world.file, batches=batches, jumps=True, seed=SEED + number) for number in range(3)])
    check(world)


@pytest.mark.parametrize("loss", ["lose before commit", "lose after commit"])
def test_connection_lost_in_a_write(
    postgres: Any, tmp_path: Path, pressed: Callable[[int, int], int], loss: str
) -> None:
    """Whether a commit whose answer was lost has happened is found out from PostgreSQL, whichever it is."""
    writes = WRITES if pressed(0, 1) else ("payout",)
    for write in writes:
        world = World.new(postgres.database(), tmp_path / write)
        told = world.run(
            DISTURBED, job(file=world.file, batches=batches_with(write), at=f"{write} inside#1", then=loss)
        )
        assert "reached" in told
        check(world)


def test_database_goes_away_again_and_again(postgres: Any, world: World, pressed: Callable[[int, int], int]) -> None:
    """Connections end, backends are killed with `kill -9`, the server crashes: the orders are settled all the same."""
    chance = random.Random(SEED)
    blows = pressed(3, 60)
    with world.running(*world.work(pressed(4, 25), 4)) as supervisor:
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.extend(supervisor.stdout or ()))
        reader.start()
        for number in range(blows):
            if supervisor.poll() is not None:
                break
            # This is the test's point and not a wait: the blows come at any moment.
            time.sleep(chance.uniform(0.05, 0.3))
            struck = number + 1
            strike(postgres, world, chance, ("end", "kill", "crash")[number % 3])
        assert supervisor.wait() == 0, "".join(said)
        reader.join()
    check(world)
    print(f"{struck} blows, {world.counts()}: {world.books().strip()}")


def strike(postgres: Any, world: World, chance: random.Random, blow: str) -> None:
    """End some connections, or kill the process behind one, or crash the server."""
    if blow == "crash":
        postgres.restart("immediate")
        return
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    try:
        with psycopg.connect(world.url, autocommit=True, connect_timeout=10) as connection:
            pids = [pid for (pid,) in connection.execute(f"SELECT pid {others}").fetchall()]
            if pids and blow == "end":
                connection.execute("SELECT pg_terminate_backend(%s)", (chance.choice(pids),))
            elif pids:
                postgres.kill_backend(chance.choice(pids))
    except psycopg.OperationalError:
        # It is still recovering from the last blow, which is as good as one.
        return
