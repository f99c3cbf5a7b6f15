"""A project in a folder of its own, runners in other processes, and the operator in this one."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import attrs
import pytest

from omium import runtime as runtime_module
from omium.cli import cli

HERE = Path(__file__).parent
# A bound that only a fault reaches.
BOUND_S = 60.0
LOADING = ("run", "resume", "rollback", "fork")


@attrs.frozen
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


@attrs.frozen
class Site:
    """A folder with `flows.py` and a store, and the runners that were started in it."""

    folder: Path
    started: list[subprocess.Popen[str]] = attrs.field(factory=list)

    @property
    def store(self) -> str:
        """The store's URL."""
        return f"sqlite:///{self.folder}/.omium/omium.db"

    def omium(self, *args: str, **env: str) -> Done:
        """Run a command to its end: in a process of its own where it loads code, else in this one, which is faster."""
        if env or args[0] in LOADING:
            return self.end(self.start(*args, **env))
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            cli.main(args=list(args), prog_name="omium")
        return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())

    def start(self, *args: str, **env: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        command = [sys.executable, "-m", "omium", *args]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        runner = subprocess.Popen(
            command, cwd=self.folder, env=environment(env), stdin=subprocess.DEVNULL, encoding="utf-8", **pipes
        )
        self.started.append(runner)
        return runner

    def end(self, runner: subprocess.Popen[str]) -> Done:
        """Wait until a command has ended."""
        out, err = runner.communicate(timeout=BOUND_S)
        return Done(runner.returncode, out, err)

    def reached(self, *places: str) -> None:
        """Wait until the workflow has come to these places."""
        for place in places:
            self.until(lambda place=place: (self.folder / f"{place}.reached").exists() or self._ended())

    def _ended(self) -> bool:
        """Fail when the runner that was started last has ended."""
        assert self.started[-1].poll() is None, self.started[-1].communicate()
        return False

    def open(self, *places: str) -> None:
        """Let the workflow go on from these places."""
        for place in places:
            (self.folder / f"{place}.open").touch()

    def until(self, holds: Any) -> None:
        """Wait until a condition holds."""
        end = time.monotonic() + BOUND_S
        while not holds():
            assert time.monotonic() < end, "it never came to that"
            time.sleep(0.005)

    def world(self) -> list[str]:
        """What was done to the outside world, sorted."""
        file = self.folder / "world.txt"
        return sorted(file.read_text(encoding="utf-8").splitlines()) if file.exists() else []


def environment(env: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMIUM_", "COLUMNS", "NO_COLOR"))}
    return {**kept, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", **env}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty project, which is the working directory; what is still running at the end is killed."""
    shutil.copy(HERE / "flows.py", tmp_path)
    (tmp_path / "omium.toml").write_text('workflows = ["flows.py"]\n')
    monkeypatch.chdir(tmp_path)
    for name in [one for one in os.environ if one.startswith("OMIUM_")]:
        monkeypatch.delenv(name)
    one = Site(tmp_path)
    yield one
    for runner in one.started:
        if runner.poll() is None:
            runner.kill()
        runner.communicate()
    for runtime in list(runtime_module._PROCESS.runtimes.values()):
        runtime.close()
