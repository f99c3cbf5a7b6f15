"""Which processes may still be running executions of this store."""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from omium_core.errors import StoreError
from omium_sqlite.connections import Connections
from omium_sqlite.locks import FileLock, host, make_folder

__all__ = ["Runners"]

LEASE_S = 30.0
RENEW_S = 5.0
# A row that nobody renewed for this long is of no use to anybody.
FORGET_S = 86_400.0

RENEW = """
INSERT INTO runner(name, host, pid, started, expires) VALUES (?, ?, ?, ?, ?)
ON CONFLICT(name) DO UPDATE SET expires = excluded.expires
"""


@attrs.frozen
class Self:
    """This process as a runner."""

    name: str
    lock: FileLock
    started: float
    stop: threading.Event
    thread: threading.Thread


@attrs.define(eq=False)
class Runners:
    """The lease of this process, and what can be known of the others'."""

    _connections: Connections
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _self: Self | None = attrs.field(default=None, init=False)

    def name(self) -> str:
        """Give this process's name as a runner; its lease begins with the first call."""
        self._connections.require_usable()
        with self._lock:
            if self._self is None:
                self._self = self._register()
            return self._self.name

    def is_alive(self, name: str) -> bool:
        """Say whether that runner can still be running."""

        def query(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return connection.execute("SELECT host, expires FROM runner WHERE name = ?", (name,)).fetchall()

        found = self._connections.read(query)
        if not found:
            # The row is there from before the name is known to anybody until the runner has ended.
            return False
        where, expires = found[0]
        if where != host():
            return bool(expires > time.time())
        return self._is_locked(name)

    def close(self) -> None:
        """End this process's lease."""
        with self._lock:
            me, self._self = self._self, None
        if me is None:
            return
        me.stop.set()
        if me.thread is not threading.current_thread():
            me.thread.join()
        # The lease's end is a courtesy: without it the lock's end says the same.
        with suppress(StoreError):
            self._connections.write(lambda writer: writer.execute("DELETE FROM runner WHERE name = ?", (me.name,)))
        with suppress(FileNotFoundError):
            os.unlink(me.lock.path)
        me.lock.forget()

    def after_fork_in_child(self) -> None:
        """Become another runner: the lease and the lock stay the parent's."""
        self._lock = threading.Lock()
        me, self._self = self._self, None
        if me is not None:
            me.lock.forget()

    def _register(self) -> Self:
        self._connections.require_writable()
        node = re.sub(r"[^A-Za-z0-9._-]", "-", os.uname().nodename) or "host"
        name = f"{node}:{os.getpid()}:{secrets.token_hex(6)}"
        lock = FileLock(str(self._file(name)))
        try:
            make_folder(self._file(name).parent)
            # The lock comes BEFORE the row: a row whose file nobody has locked is a dead runner's.
            lock.take()
        except OSError as problem:
            path = self._connections.path
            raise StoreError(f"this process cannot become a runner of `{path}`: {problem}") from problem
        started, stop = time.time(), threading.Event()
        renew = (name, started, stop)
        thread = threading.Thread(target=self._renew, args=renew, name="omium-sqlite-lease", daemon=True)
        try:
            self._connections.write(lambda connection: self._write(connection, name, started))
            self._forget_dead()
            thread.start()
        except BaseException:
            lock.forget()
            raise
        return Self(name, lock, started, stop, thread)

    def _renew(self, name: str, started: float, stop: threading.Event) -> None:
        while not stop.wait(RENEW_S):
            # A store that cannot be written for this tells every append the same. If it lasts, the lease runs out,
            # and the epochs keep this process from doing harm.
            with suppress(StoreError):
                self._connections.write(lambda connection: self._write(connection, name, started))

    def _write(self, connection: sqlite3.Connection, name: str, started: float) -> None:
        connection.execute(RENEW, (name, host(), os.getpid(), started, time.time() + LEASE_S))

    def _forget_dead(self) -> None:
        """Delete the rows and files of runners that ended long ago without a word."""
        before = time.time() - FORGET_S

        def change(connection: sqlite3.Connection) -> list[str]:
            found = connection.execute("SELECT name FROM runner WHERE expires < ? AND host = ?", (before, host()))
            dead = [str(name) for (name,) in found.fetchall() if not self._is_locked(str(name))]
            connection.execute("DELETE FROM runner WHERE expires < ? AND host <> ?", (before, host()))
            connection.executemany("DELETE FROM runner WHERE name = ?", [(name,) for name in dead])
            return dead

        for name in self._connections.write(change):
            with suppress(OSError):
                os.unlink(self._file(name))

    def _is_locked(self, name: str) -> bool:
        path = self._file(name)
        if "/" in name or not path.exists():
            return False
        lock = FileLock(str(path))
        try:
            if not lock.try_take():
                return True
        except OSError:
            # What cannot be asked may be alive.
            return True
        finally:
            lock.forget()
        return False

    def _file(self, name: str) -> Path:
        return Path(f"{self._connections.path}.runners") / f"{name}.lock"
