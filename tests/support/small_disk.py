"""A file system of a test's own: it can be too small, and it can be made read-only. Nothing else sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import attrs

__all__ = ["Disk", "Done", "mounted"]

RUN_S = 120.0
# In a name space of its own, whoever runs the tests may mount; `cat` keeps it there until its input ends.
ALONE = ("unshare", "--user", "--map-root-user", "--mount")


@attrs.frozen
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that it said."""
        return self.out + self.err


@attrs.frozen
class Disk:
    """A mounted file system; commands run in its folder."""

    folder: Path
    holder: int

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> Done:
        """Run a command in the folder."""
        enter = ("nsenter", "--preserve-credentials", "--user", "--mount", f"--target={self.holder}")
        # The folder is entered from inside of the name space: outside there is another one of that name.
        inside = ("sh", "-c", 'cd "$0" && exec "$@"', str(self.folder), *command)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
        done = subprocess.run(
            (*enter, *inside), env={**clean, **(env or {})}, capture_output=True, text=True, timeout=RUN_S
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def omium(self, *args: str, **env: str) -> Done:
        """Run `omium`."""
        return self.run(sys.executable, "-m", "omium", *args, env=env)

    def resize(self, size: str) -> None:
        """Give the file system another size; it becomes writable."""
        self._mount("-o", f"remount,rw,size={size}", str(self.folder))

    def make_read_only(self) -> None:
        """Let nobody write to it, from now on."""
        self._mount("-o", "remount,ro", str(self.folder))

    def _mount(self, *args: str) -> None:
        done = self.run("mount", *args)
        assert done.status == 0, done.err


def missing() -> str:
    """Say why no file system can be mounted here; empty when one can."""
    if sys.platform != "linux" or not all(map(shutil.which, ("unshare", "nsenter", "mount"))):
        return "there is no `unshare`, `nsenter` and `mount` here"
    done = subprocess.run((*ALONE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"), capture_output=True, text=True)
    return f"nothing can be mounted here: {done.stderr.strip()}" if done.returncode else ""


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Disk]:
    """Mount an empty file system of that size in a folder; it is gone with all that is on it when the block ends."""
    keep = 'mount -t tmpfs -o size="$1" tmpfs "$0" && echo mounted && exec cat'
    command = (*ALONE, "sh", "-c", keep, str(folder), size)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mounted\n"
        yield Disk(folder, holder.pid)
        holder.terminate()
