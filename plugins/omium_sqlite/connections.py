"""The connections of one process to one store, and the locks that they are used under.

SQLite before 3.51.3 can corrupt a WAL database when two connections write and checkpoint at the same moment. So one
connection of a process writes and checkpoints, and opening, closing, schema changes, write transactions and checkpoints
happen under `flock` on a file beside the database (never the database itself: closing any descriptor of it would drop
SQLite's own locks).

SQLite keeps one record of its locks per process and file, which a forked child inherits although the locks themselves
stay with the parent. A child that opens the database while it has such a record loses what it commits as soon as the
parent closes. So every connection is closed BEFORE a fork and opened again when it is next used, on both sides.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote

import attrs

from omium_core.errors import Corrupted, NotAStore, StoreError
from omium_sqlite import schema, wal
from omium_sqlite.locks import FileLock, make_folder, refuse_network
from omium_sqlite.schema import SQLITE_ERRORS

__all__ = ["CHECKPOINT_PAGES", "Connections", "Durability"]

Durability = Literal["power", "process"]
T = TypeVar("T")

# A WAL of this many pages is copied into the database and used again from its start. The cost per append is the same
# for 500 to 4000 pages, so the bound is what the file should take on a disk.
CHECKPOINT_PAGES = 1000
# Somebody else's SQL client may hold SQLite's own locks, which `flock` does not keep out.
BUSY_S = 5.0
# A fork waits this long for a transaction that another thread is in.
FORK_S = 5.0
SYNCHRONOUS = {"power": "FULL", "process": "NORMAL"}


@attrs.define(eq=False)
class Connections:
    """One writing and one reading connection, opened when they are first used.

    `enter` or `try_enter` come BEFORE `writer`, `leave` after it. Lock order: reading, writing, between processes.
    """

    path: str
    durability: Durability
    _between: FileLock = attrs.field(init=False)
    _writing: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _reading: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _writer: sqlite3.Connection | None = attrs.field(default=None, init=False)
    _reader: sqlite3.Connection | None = attrs.field(default=None, init=False)
    _pid: int = attrs.field(factory=os.getpid, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _fork_safe: bool = attrs.field(default=False, init=False)
    # True where nothing can be written, so that there is nobody to keep out either.
    read_only: bool = attrs.field(default=False, init=False)
    # What the files were like when the reading connection of a store that is only read was opened.
    _seen: tuple[int, ...] = attrs.field(default=(), init=False)

    def __attrs_post_init__(self) -> None:
        self._between = FileLock(f"{self.path}.lock")

    def open(self) -> None:
        """Make the file and its folders where they are missing; raise `StoreError` when this cannot be a store."""
        refuse_network(Path(self.path))
        try:
            make_folder(Path(self.path).parent)
        except OSError as problem:
            raise StoreError(f"the store `{self.path}` cannot be opened: {problem}") from problem
        if os.path.isdir(self.path):
            raise NotAStore(f"`{self.path}` is a folder, which cannot be opened as a store; give the path of a file")
        if _is_read_only(self.path):
            self.read_only = True
            self.read(lambda reader: schema.recognise(reader, self.path))
            return
        had_lock = os.path.exists(self._between.path)
        self.enter()
        try:
            self.writer()
        except NotAStore:
            # Nothing is left beside a file that is none of ours.
            if not had_lock:
                with suppress(OSError):
                    os.unlink(self._between.path)
            raise
        finally:
            self.leave()
            if self._writer is None:
                # Nobody closes what could not be opened.
                self._between.forget()

    @property
    def is_inherited(self) -> bool:
        """True in a child of a fork that could not be prepared for; its threads and locks are not real either."""
        return self._pid != os.getpid()

    def require_usable(self) -> None:
        """Raise `StoreError` when the store is closed, or was inherited in a way that SQLite does not survive."""
        if self._closed:
            raise StoreError(f"the store `{self.path}` is closed")
        if self.is_inherited:
            raise StoreError(
                f"the store `{self.path}` was open when this process was forked without Python's knowledge; "
                f"open it after the fork"
            )

    def require_writable(self) -> None:
        """Raise `StoreError` when the store can only be read."""
        self.require_usable()
        if self.read_only:
            raise StoreError(f"the store `{self.path}` is read-only here: it can be looked at, but nothing can be run")

    def try_enter(self) -> bool:
        """Begin to write if nobody else is writing, in this process or another; say whether that is so."""
        if self.read_only or not self._writing.acquire(blocking=False):
            return False
        try:
            if self._between.try_take():
                return True
        except BaseException:
            self._writing.release()
            raise
        self._writing.release()
        return False

    def enter(self, before: Callable[[], None] | None = None) -> None:
        """Begin to write when nobody else is writing; `before` is called with other processes not yet kept out."""
        if self.read_only:
            self.require_writable()
        self._writing.acquire()
        try:
            if before is not None:
                before()
            self._between.take()
        except BaseException as problem:
            self._writing.release()
            if isinstance(problem, OSError):
                raise StoreError(f"the store `{self.path}` cannot be locked: {problem}") from problem
            raise

    def leave(self) -> None:
        """End what `enter` began."""
        try:
            self._between.release()
        finally:
            self._writing.release()

    def writer(self) -> sqlite3.Connection:
        """Give the writing connection; it is opened anew after `poison`."""
        if self._writer is None:
            self.require_usable()
            self._writer = self._open_writer()
        return self._writer

    def poison(self) -> None:
        """Let the writing connection go after a failure: what it believes of the file may be wrong now."""
        connection, self._writer = self._writer, None
        if connection is not None:
            # The failure that led here is the one to report; closing a broken file fails once more.
            with suppress(*SQLITE_ERRORS):
                connection.rollback()
            with suppress(*SQLITE_ERRORS):
                connection.close()

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run `change` in one transaction, waiting for those who are writing."""
        self.enter()
        try:
            connection = self.writer()
            connection.execute("BEGIN IMMEDIATE")
            result = change(connection)
            connection.execute("COMMIT")
            return result
        except BaseException as problem:
            self.poison()
            if isinstance(problem, SQLITE_ERRORS):
                raise self.writing_failed(problem) from problem
            raise
        finally:
            self.leave()

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query`, which MUST fetch all of its rows, on the reading connection."""
        with self._reading:
            self.require_usable()
            try:
                return query(self._open_reader())
            except SQLITE_ERRORS as problem:
                raise self.reading_failed(problem) from problem

    def reading_failed(self, problem: Exception) -> StoreError:
        """Give the error for a failed read: damage where SQLite says so, and trouble with the file otherwise."""
        damaged = not isinstance(problem, sqlite3.OperationalError) or "decode" in str(problem)
        if damaged:
            return Corrupted(f"the store `{self.path}` is damaged: {problem}; restore it from a backup")
        return StoreError(f"the store `{self.path}` could not be read: {problem}")

    def writing_failed(self, problem: Exception) -> StoreError:
        """Give the error for a failed write: damage where SQLite says so, and trouble with the file otherwise."""
        if type(problem) is sqlite3.DatabaseError:
            return Corrupted(f"the store `{self.path}` is damaged: {problem}; restore it from a backup")
        return StoreError(f"the store `{self.path}` could not be written: {problem}")

    def checkpoint(self) -> int:
        """Copy the WAL into the database as far as readers allow; give the pages that are left. Only when entered."""
        if self._writer is None:
            return 0
        _, pages, copied = self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return max(0, int(pages) - int(copied))

    def close(self) -> None:
        """Checkpoint and close everything; a second call does nothing."""
        if self._closed:
            return
        with self._reading, self._writing:
            self._closed = True
            # Where the folder is gone there is nothing left to lock, and nobody to keep out.
            with suppress(OSError):
                self._between.take()
            try:
                # Everything is durable in the WAL already; whoever opens the store next does the checkpoint.
                with suppress(*SQLITE_ERRORS):
                    self.checkpoint()
                self._let_go()
            finally:
                self._between.forget()

    def before_fork(self) -> None:
        """Close the connections and keep every thread out until the fork is done."""
        self._fork_safe = False
        if self.is_inherited or not self._reading.acquire(timeout=FORK_S):
            return
        if not self._writing.acquire(timeout=FORK_S):
            self._reading.release()
            return
        # A process that cannot close its connections forks a child that refuses to use the store; the fork goes on.
        with suppress(OSError, *SQLITE_ERRORS):
            if self._writer is not None or self._reader is not None:
                self._between.take()
                self._let_go()
                self._between.release()
            self._between.forget()
        self._fork_safe = True

    def after_fork_in_parent(self) -> None:
        """Let the threads in again."""
        if self._fork_safe:
            self._writing.release()
            self._reading.release()

    def after_fork_in_child(self) -> None:
        """Start with fresh locks; without connections, unless they could not be closed before the fork."""
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._between.forget()
        if self._fork_safe and self._writer is None and self._reader is None:
            self._pid = os.getpid()

    def _let_go(self) -> None:
        # The reader goes first: the last connection that closes copies the WAL, and a reader could not.
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _open_reader(self) -> sqlite3.Connection:
        if self.read_only:
            return self._look()
        if self._reader is None:
            self.enter()
            try:
                self._reader = self._connect("ro")
            finally:
                self.leave()
        return self._reader

    def _look(self) -> sqlite3.Connection:
        """Give a connection to a store that is only read here; somebody who may write can change it meanwhile."""
        seen = tuple(one for suffix in ("", "-wal") for one in _stamp(f"{self.path}{suffix}"))
        if self._reader is None or seen != self._seen:
            reader, self._reader = self._reader, None
            if reader is not None:
                reader.close()
            self._refuse_emptied()
            self._refuse_changed_wal()
            self._reader, self._seen = self._connect(self._mode_to_look()), seen
        return self._reader

    def _mode_to_look(self) -> str:
        """Give the mode in which SQLite does not ask for files that it cannot make."""
        if not wal.is_begun(self.path):
            return "ro&immutable=1"
        if not os.path.exists(f"{self.path}-shm"):
            raise StoreError(
                f"the store `{self.path}` is read-only here, and its last appends are in `{self.path}-wal`, which can "
                f"only be read where it can be written; copy both files there"
            )
        return "ro"

    def _open_writer(self) -> sqlite3.Connection:
        try:
            self._refuse_emptied()
            self._refuse_changed_wal()
            connection = self._connect("rwc")
            try:
                made = schema.prepare(connection, self.path)
                self._set_up(connection)
                if made or os.path.getsize(f"{self.path}-wal") == 0:
                    connection.close()
                    self._grow_wal()
                    connection = self._connect("rwc")
                    self._set_up(connection)
            except BaseException:
                connection.close()
                raise
            return connection
        except (*SQLITE_ERRORS, OSError) as problem:
            raise StoreError(f"the store `{self.path}` cannot be opened: {problem}") from problem

    def _refuse_emptied(self) -> None:
        """Raise `Corrupted` for a store that lost all its bytes: a new one in its place would say that all is well."""
        with suppress(FileNotFoundError):
            if os.path.getsize(self.path) == 0 and schema.was_store(self.path):
                raise Corrupted(f"the store `{self.path}` is damaged: it is empty; restore it from a backup")

    def _refuse_changed_wal(self) -> None:
        """Raise `Corrupted` BEFORE the WAL is copied or written: SQLite would drop all after the change, in silence."""
        # SQLite reads a WAL when a process opens it first, so there is nothing to find out any more. And to look into
        # the shared memory would end the locks that the open connection has on it, as closing any descriptor does.
        if self._reader is not None or self._writer is not None:
            return
        wrong = wal.damage(self.path)
        if wrong:
            raise Corrupted(f"the store `{self.path}` is damaged: {wrong}; restore it from a backup")

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"file:{quote(self.path)}?mode={mode}"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)

    def _set_up(self, connection: sqlite3.Connection) -> None:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(f"the store `{self.path}` is on a file system where SQLite has no WAL; use a local disk")
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS[self.durability]}")
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        # A group of a hundred executions changes twice as many pages; what has no room is written to the WAL twice.
        connection.execute("PRAGMA cache_size = -2000")

    def _grow_wal(self) -> None:
        """Give the WAL its full size before its first use, as zeros, which SQLite takes for an empty WAL.

        A write into blocks that a file has already costs half of one that makes the file longer: 110 us and 210 us for
        the first 250 appends of 10 KB, for 1 to 3 ms here. The file is linked into place as a whole, and never where
        one exists.
        """
        new = f"{self.path}-wal.new"
        with suppress(FileNotFoundError):
            os.unlink(new)
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, os.stat(self.path).st_mode & 0o777)
        try:
            size = CHECKPOINT_PAGES * (schema.PAGE_BYTES + 24) + 32
            # Half a file does no harm: SQLite makes it longer.
            os.write(fd, bytes(size))
        finally:
            os.close(fd)
        with suppress(FileExistsError):
            os.link(new, f"{self.path}-wal")
        os.unlink(new)


def _is_read_only(path: str) -> bool:
    """Say whether a store is there that this process cannot write: the file, or those that SQLite makes beside it."""
    return os.path.exists(path) and not (os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK))


def _stamp(path: str) -> tuple[int, ...]:
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return ()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
