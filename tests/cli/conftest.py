"""A project in a folder of its own, and `omium` as a user types it there."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import attrs
import pytest

from omium import runtime as runtime_module
from omium.cli import cli

HERE = Path(__file__).parent
RUN_S = 60.0


@attrs.frozen
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What `--json` printed: exactly one object."""
        return json.loads(self.out)


@attrs.frozen
class Project:
    """A folder with `flows.py` and a store."""

    folder: Path

    def omium(self, *args: str, **env: str) -> Done:
        """Run a command in a process of its own, without a terminal."""
        done = subprocess.run(
            command(*args),
            cwd=self.folder,
            env=environment(env),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            stdin=subprocess.DEVNULL,
            timeout=RUN_S,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def inside(self, *args: str) -> Done:
        """Run a command that loads no code of the project in this process, which is much faster."""
        out, err, before = io.StringIO(), io.StringIO(), os.getcwd()
        os.chdir(self.folder)
        try:
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
                cli.main(args=list(args), prog_name="omium")
        finally:
            os.chdir(before)
        return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())

    def command(self, *args: str) -> list[str]:
        """The command line as a list."""
        return command(*args)

    def environment(self, env: dict[str, str]) -> dict[str, str]:
        """The environment that commands run in."""
        return environment(env)

    def world(self) -> list[str]:
        """What the workflows did to the outside world, in order."""
        file = self.folder / "world.txt"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "omium", *args]


def environment(env: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMIUM_", "COLUMNS", "NO_COLOR"))}
    return {**kept, "PYTHONUTF8": "1", **env}


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close the stores that commands opened in this process."""
    yield
    for runtime in list(runtime_module._PROCESS.runtimes.values()):
        runtime.close()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project."""
    shutil.copy(HERE / "flows.py", tmp_path)
    (tmp_path / "omium.toml").touch()
    return Project(tmp_path)


@pytest.fixture(scope="session")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the execution `loan-1`, which recovered; tests only look at it, or at a copy."""
    return _made(tmp_path_factory.mktemp("recovered"), "loan", "loan-1", 0)


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the execution `q`, which waits for a person; tests only look at it, or at a copy."""
    return _made(tmp_path_factory.mktemp("asked"), "asks", "q", 4)


@pytest.fixture
def spawn(project: Project) -> Callable[..., subprocess.Popen[str]]:
    """Start a command and leave it running."""

    def start(*args: str, **env: str) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command(*args), cwd=project.folder, env=environment(env), **pipes)

    return start


def _made(folder: Path, workflow: str, execution: str, status: int) -> Project:
    shutil.copy(HERE / "flows.py", folder)
    (folder / "omium.toml").touch()
    made = Project(folder)
    done = made.omium("run", f"flows.py:{workflow}", "--input", "100", "--execution-id", execution)
    assert done.status == status, done.err
    return made
