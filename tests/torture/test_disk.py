"""A disk that is full, and a store that can only be read: one clear sentence, nothing lost, and it goes on later."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import mixed_work
import pytest
from small_disk import Disk, Done, missing, mounted

# For a little more than the WAL's first file, for less than that, and for some executions.
SIZES = ("8500k", "500k", "9200k", "10000k")
# What the system, SQLite and Omium say of a disk that is full.
FULL = ("full", "No space left", "disk I/O error", "there is no store")
PAUSED = 4
ENOUGH = "100m"
RUNS_MAX = 60
RUN_S = 120.0
LOOKING = (("list",), ("show", "sold"), ("checkpoints", "sold"), ("stats",), ("verify",), ("export", "sold"))
CODE = f"{mixed_work.__file__}:sell"
CHANGING = (
    ("run", CODE, "--input", '"a pen"'),
    ("resume", "cut", "--code", mixed_work.__file__),
    ("rollback", "sold", "mixed_paid", "--code", mixed_work.__file__, "--yes"),
    ("pause", "cut"),
    ("halt", "cut", "--by", "ann", "--reason", "no more"),
    ("prune", "--older-than", "0d", "--yes"),
)
SETTINGS = 'store = "omium.db"\n'


@pytest.fixture(scope="module")
def mounting() -> None:
    """Nothing can be shown of disks where none can be mounted."""
    reason = missing()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with everything in it, as a process leaves it that is killed."""
    folder = tmp_path_factory.mktemp("original")
    (folder / "omium.toml").write_text(SETTINGS, encoding="utf-8")
    for job in ("calm", "cut"):
        subprocess.run([sys.executable, mixed_work.__file__, job], cwd=folder, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def expected(
    original: Path, tmp_path_factory: pytest.TempPathFactory, pressed: Callable[[int, int], int]
) -> dict[tuple[str, ...], Done]:
    """What the commands say that only look, where everything can be written."""
    copy = tmp_path_factory.mktemp("expected") / "copy"
    shutil.copytree(original, copy)
    return {
        command: inside(copy, sys.executable, "-m", "omium", *command)
        for command in LOOKING[: pressed(2, len(LOOKING))]
    }


def one_sentence(done: Done) -> str:
    """Return the error that a command ends with, which is one line; a plan of what it would do may come before it."""
    lines = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "Traceback" not in done.text and "unexpected" not in done.text, done
    return lines[0]


def sell(disk: Disk, number: int) -> Done:
    return disk.omium("run", CODE, "--input", json.dumps(f"map {number}"), "--execution-id", f"e{number}")


def seen(disk: Disk) -> list[str]:
    """Return what the world saw."""
    return disk.run("cat", mixed_work.WORLD).out.splitlines()


def test_full_disk(mounting: None, tmp_path: Path, pressed: Callable[[int, int], int]) -> None:
    """What does not fit is told and can be looked at; when there is space again, everything is gone on with."""
    for size in SIZES[: pressed(1, len(SIZES))]:
        folder = tmp_path / size
        folder.mkdir()
        with mounted(folder, size) as disk:
            disk.run("sh", "-c", f"echo '{SETTINGS.strip()}' > omium.toml")
            last, done = filled(disk)
            print(size, last, done.err)
            assert any(text in one_sentence(done) for text in FULL), done
            for command in ("list", "verify"):
                looked = disk.omium(command)
                assert looked.status == 0 or any(text in one_sentence(looked) for text in FULL), looked
            disk.resize(ENOUGH)
            go_on(disk, last)


def filled(disk: Disk) -> tuple[int, Done]:
    """Sell one thing after the other until there is no space; return the number of the last, and how that ended."""
    for number in range(RUNS_MAX):
        done = sell(disk, number)
        if done.status:
            assert done.status == 1, done
            return number, done
    raise AssertionError("the disk was never full")


def go_on(disk: Disk, last: int) -> None:
    """Bring what was interrupted to its end, and sell one more; everything was sold once."""
    if f'"e{last}"' in disk.omium("list", "--json").out:
        done = disk.omium("resume", f"e{last}", "--code", mixed_work.__file__)
        if done.status == PAUSED:
            done = answer(disk, f"e{last}", happened=f"send map {last}" in seen(disk))
    else:
        done = sell(disk, last)
    assert done.status == 0, done
    assert sell(disk, last + 1).status == 0
    verified = json.loads(disk.omium("verify", "--json").out)
    assert (verified["ok"], verified["executions"]) == (True, last + 2)
    lines = Counter(seen(disk))
    for number in range(last + 2):
        price = 10.0 * len(f"map {number}")
        assert lines[f"charge {price} for map {number}"] == lines[f"send map {number}"] == 1, lines


def answer(disk: Disk, execution: str, *, happened: bool) -> Done:
    """Say what became of an effect, and go on."""
    choice = ("--choice", "0", "--value", '"seen"') if happened else ("--choice", "1")
    done = disk.omium("review", execution, *choice, "--by", "ann", "--reason", "it is on the statement")
    assert done.status == 0, done
    return disk.omium("resume", execution, "--code", mixed_work.__file__)


def test_read_only_disk(
    mounting: None,
    original: Path,
    expected: dict[tuple[str, ...], Done],
    tmp_path: Path,
    pressed: Callable[[int, int], int],
) -> None:
    """Everything can be looked at, nothing can be changed, and afterwards all is as it was."""
    with mounted(tmp_path, ENOUGH) as disk:
        disk.run("cp", "-r", f"{original}/.", ".")
        before = disk.run("sh", "-c", "cat omium.db* blobs/*/* | sha256sum").out
        disk.make_read_only()
        look(disk.omium, expected)
        refuse(disk.omium, CHANGING[: pressed(2, len(CHANGING))])
        assert disk.run("sh", "-c", "cat omium.db* blobs/*/* | sha256sum").out == before
        disk.resize(ENOUGH)
        assert disk.omium("resume", "cut", "--code", mixed_work.__file__).status == PAUSED
        assert answer(disk, "cut", happened=True).status == 0


@pytest.fixture
def locked(original: Path, tmp_path: Path) -> Iterator[Callable[..., Done]]:
    """`omium` as a user who may read a store and not write it."""
    folder = tmp_path / "locked"
    shutil.copytree(original, folder)
    places = [folder, *folder.rglob("*")]

    # The rights of files bind the superuser only without its privileges.
    humble = ("setpriv", "--inh-caps=-all", "--bounding-set=-all") if os.geteuid() == 0 else ()

    def omium(*args: str) -> Done:
        return inside(folder, *humble, sys.executable, "-m", "omium", *args)

    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    yield omium
    for place in places:
        if place.is_dir():
            place.chmod(0o755)


def test_a_user_who_may_not_write(
    expected: dict[tuple[str, ...], Done], locked: Callable[..., Done], pressed: Callable[[int, int], int]
) -> None:
    """Who has no right to write a store can look at it, and is told so when anything would be changed."""
    look(locked, expected)
    refuse(locked, CHANGING[: pressed(1, len(CHANGING))])


def inside(folder: Path, *command: str) -> Done:
    """Run a command in a folder."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=RUN_S)
    return Done(done.returncode, done.stdout, done.stderr)


def look(omium: Callable[..., Done], expected: dict[tuple[str, ...], Done]) -> None:
    """Every command that only looks says what it says elsewhere."""
    for command, right in expected.items():
        assert right.status == 0, right
        assert omium(*command) == right
    doctor = omium("doctor")
    assert doctor.status == 1 and "cannot be written" in doctor.out and "is whole below its chains" in doctor.out


def refuse(omium: Callable[..., Done], commands: Sequence[tuple[str, ...]]) -> None:
    """Every command that changes something says in one sentence why it cannot."""
    for command in commands:
        done = omium(*command)
        assert done.status == 1, done
        assert "read-only" in one_sentence(done), done
