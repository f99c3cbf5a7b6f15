"""A clean environment: a virtual environment into which Omium and strangers' distributions are really installed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

ROOT = Path(__file__).parents[3]
BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
VERSION = "1.0"


@attrs.frozen
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    def data(self) -> dict[str, Any]:
        """Return the one object of JSON that it printed."""
        content: dict[str, Any] = json.loads(self.out)
        return content


@attrs.frozen
class Environment:
    """A virtual environment with nothing of Omium in it but what is installed by `install`."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Environment:
        """Make it; the packages that Omium stands on are those of the Python that runs the tests."""
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
        made = cls(folder)
        borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        # What is installed here comes first, and `.pth` files of a borrowed folder are not read: an editable Omium of
        # the developer's is not in this environment.
        (made.packages / "borrowed.pth").write_text("\n".join(sorted(borrowed)) + "\n")
        # What is borrowed has its commands elsewhere, under another Python.
        pytest = made.folder / "bin" / "pytest"
        pytest.write_text(f'#!/bin/sh\nexec "{made.folder}/bin/python" -m pytest "$@"\n')
        pytest.chmod(0o755)
        return made

    @property
    def packages(self) -> Path:
        """Where packages are installed."""
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def install(self, wheels: Iterable[Path]) -> None:
        """Install wheels with pip, also those of which the tests' own environment has the same version."""
        pip = [self.folder / "bin" / "python", "-m", "pip", "install", "--no-index", "--no-deps", "--quiet"]
        self._checked([*pip, "--ignore-installed", "--disable-pip-version-check", *wheels])

    def uninstall(self, *distributions: str) -> None:
        """Uninstall distributions with pip."""
        self._checked([self.folder / "bin" / "python", "-m", "pip", "uninstall", "--yes", "--quiet", *distributions])

    def omium(self, *arguments: str | Path, cwd: Path, **variables: str) -> Ran:
        """Run `omium`."""
        return self.run(self.folder / "bin" / "omium", *arguments, cwd=cwd, **variables)

    def python(self, *arguments: str | Path, cwd: Path, **variables: str) -> Ran:
        """Run `python`."""
        return self.run(self.folder / "bin" / "python", *arguments, cwd=cwd, **variables)

    def run(self, *command: str | Path, cwd: Path, **variables: str) -> Ran:
        """Run a command of this environment, without what the tests' own environment says of Omium."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OMIUM_", "PYTHON", "COV_", "VIRTUAL_ENV"))
        }
        env = {**inherited, "PYTHONUTF8": "1", **variables}
        done = subprocess.run(
            [str(one) for one in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def _checked(self, command: list[str | Path]) -> None:
        done = self.run(*command, cwd=self.folder)
        assert done.status == 0, done.err


def built(project: Path, into: Path) -> Path:
    """Build a project's wheel as a user's tool would, with the backend that its pyproject.toml names."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(into)], cwd=project, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return into / done.stdout.splitlines()[-1]


def written(into: Path, distribution: str, modules: dict[str, str], entry_points: dict[str, str]) -> Path:
    """Write the wheel of a distribution that is a few modules and its entry points."""
    stem = f"{distribution.replace('-', '_')}-{VERSION}"
    info = f"{stem}.dist-info"
    names = "".join(f"{name} = {value}\n" for name, value in entry_points.items())
    files = {
        **{f"{name}.py": source for name, source in modules.items()},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[omium]\n{names}",
    }
    record = [f"{name},sha256={_digest(text)},{len(text.encode())}" for name, text in files.items()]
    wheel = into / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
