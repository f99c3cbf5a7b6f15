"""A real process is killed with SIGKILL at some write or call, and the next one brings it to the undisturbed end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "torture" / "killed.py"
# All moments take minutes; the slice takes every n-th, and another first one for each kind of program.
EVERY = int(os.environ.get("OMIUM_KILL_EVERY", "13"))


def lived(how: str, folder: Path, moment: int = 0) -> str | None:
    """Let one process live; give what it printed, None if it was killed."""
    command = [sys.executable, str(SCRIPT), how, f"sqlite:///{folder}/omium.db", str(folder / "world"), str(moment)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    if ended.returncode == -signal.SIGKILL:
        return None
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def net(folder: Path) -> Counter[str]:
    """Count what stands in the world, which recognises a compensation by its key."""
    lines = [line.split() for line in (folder / "world").read_text().splitlines()]
    undone = {tuple(one) for one in lines if one[0].startswith("undo-")}
    done = [tuple(one) for one in lines if not one[0].startswith("undo-")]
    assert len(set(done)) == len(done), "something was done twice under one key"
    return Counter(what for what, _ in done) - Counter(what.removeprefix("undo-") for what, _ in undone)


@pytest.mark.parametrize(("how", "first"), [("sync", 3), ("threads", 5), ("tasks", 7)])
def test_a_killed_process_is_gone_on_with(how: str, first: int, tmp_path: Path) -> None:
    """Every effect stands once, the result is the undisturbed one, and the store verifies."""
    (calm := tmp_path / "calm").mkdir()
    undisturbed = lived(how, calm)
    assert undisturbed is not None
    status, moments, verified, *result = undisturbed.split(maxsplit=3)
    assert (status, verified) == ("completed", "True")
    for moment in range(first, int(moments), EVERY):
        (folder := tmp_path / str(moment)).mkdir()
        printed = lived(how, folder, moment)
        for _ in range(3):
            printed = printed or lived(how, folder)
        assert printed is not None
        again = printed.split(maxsplit=3)
        assert (again[0], again[2], again[3:]) == ("completed", "True", result), f"killed at {moment}"
        assert net(folder) == net(calm), f"killed at {moment}"
