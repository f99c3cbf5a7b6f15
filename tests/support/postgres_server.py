"""A throwaway PostgreSQL server.

`Postgres.start()` runs this file as a program of its own, which makes a cluster in a folder of its own and serves it on
a Unix socket there; where it is started by root, as an unprivileged user, because PostgreSQL refuses to run as root.
The program and the tests talk in lines. The end of its standard input, which is also how it learns that the tests died,
tells it to stop the server and to delete the folder.
"""

from __future__ import annotations

import itertools
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import psycopg
from psycopg.conninfo import conninfo_to_dict

__all__ = ["Postgres"]

USERS = ("postgres", "nobody")
OPTIONS = ("listen_addresses=", "shared_buffers=32MB", "max_connections=90", "restart_after_crash=on")
# The name of a Unix socket may have some hundred bytes, and the folders of tests are deep.
FOLDER = "/tmp"


@attrs.define
class Postgres:
    """A running server. Each test makes a database of its own in it."""

    folder: Path
    _guard: subprocess.Popen[str]
    _numbers: itertools.count[int] = attrs.field(factory=itertools.count)

    @classmethod
    def start(cls) -> Postgres:
        """Start a server; raise `RuntimeError` with what to do where PostgreSQL is not installed."""
        pipe = subprocess.PIPE
        # In a session of its own, it outlives a Ctrl-C for as long as it takes to clean up.
        guard = subprocess.Popen(
            [sys.executable, __file__], stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        assert guard.stdout is not None and guard.stderr is not None
        line = guard.stdout.readline()
        if not line:
            raise RuntimeError(guard.stderr.read().strip())
        return cls(Path(json.loads(line)), guard)

    def database(self, like: str | None = None) -> str:
        """Make a database, empty or a copy of the one with that URL; return its URL."""
        name = f"test{next(self._numbers)}"
        template = conninfo_to_dict(like)["dbname"] if like is not None else "template1"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self.url(name)

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://omium@/{database}?host={self.folder}"

    def restart(self, mode: str) -> None:
        """Restart it: `fast` ends what is running, `immediate` is a crash."""
        assert self._guard.stdin is not None and self._guard.stdout is not None
        self._guard.stdin.write(f"restart {mode}\n")
        self._guard.stdin.flush()
        assert self._guard.stdout.readline()

    def kill_backend(self, pid: int) -> None:
        """Kill the process behind one connection; the server then ends all others and recovers as after a crash."""
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop it and delete its files."""
        self._guard.communicate()


def main() -> None:
    """Serve until nobody listens any more."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=FOLDER))
    try:
        user = _user()
        if user:
            shutil.chown(folder, user["user"], user["group"])
        data = folder / "data"
        _run(user, _program("initdb"), "-D", data, "-U", "omium", "-A", "trust", "-E", "UTF8", "--no-sync")
        control = (_program("pg_ctl"), "-D", data, "-w", "-s", "-l", folder / "log")
        options = " ".join(f"-c {one}" for one in (*OPTIONS, f"unix_socket_directories={folder}"))
        _run(user, *control, "-o", options, "start")
        try:
            print(json.dumps(str(folder)), flush=True)
            for line in sys.stdin:
                _run(user, *control, "-m", line.split()[1], "restart")
                print("done", flush=True)
        finally:
            _run(user, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    for one in (shutil.which(name), *_installed(name)):
        if one is not None:
            return str(one)
    raise SystemExit(
        f"PostgreSQL's `{name}` is missing; install PostgreSQL, on Debian with `apt-get install postgresql`"
    )


def _installed(name: str) -> Iterator[Path]:
    """Give what Debian keeps outside of the search path, the newest version first."""
    found = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    yield from sorted(found, key=lambda path: float(path.parts[4]), reverse=True)


def _user() -> dict[str, Any]:
    """Return who the server runs as, for `subprocess`; nothing where that is who we are."""
    if os.geteuid() != 0:
        return {}
    known = {one.pw_name: one for one in pwd.getpwall()}
    user = next(known[name] for name in USERS if name in known)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(user: dict[str, Any], *command: object) -> None:
    # The server would keep our standard output open, and the tests would wait for its end.
    done = subprocess.run(
        [str(one) for one in command],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **user,
    )
    if done.returncode:
        raise SystemExit(f"`{command[0]}` failed: {done.stderr.strip()}")


if __name__ == "__main__":
    main()
