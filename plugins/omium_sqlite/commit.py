"""Group commit: many appends in one transaction, by whichever thread can do it soonest."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import attrs

from omium_core.errors import ExecutionFenced, OmiumError, StoreError
from omium_core.interfaces.checkpoint import Batch, BlobStore
from omium_sqlite import rows
from omium_sqlite.connections import CHECKPOINT_PAGES, Connections
from omium_sqlite.ending import at_end_of_child
from omium_sqlite.renewing import renewed
from omium_sqlite.rows import Entry
from omium_sqlite.schema import SQLITE_ERRORS

__all__ = ["GroupWriter", "SqliteCommit"]

# A loop's tasks go through the thread in groups of this size: while one is written, the next one's steps are computed.
GROUP_MAX = 64
# The caller writes no more than this itself; handing over to the thread and back costs as much as a few appends.
INLINE_MAX = 8
QUEUE_MAX = 100_000
# A WAL of this many pages is checkpointed once nobody has written for as long as the thread lingers: a checkpoint takes
# as long as dozens of steps, and between two calls of a model nobody waits for it.
QUIET_PAGES = CHECKPOINT_PAGES // 4
# The writer thread waits this long for an append that somebody waits for, which then carries the others. What nobody
# waits for is promised within 10 ms.
LINGER_S = 0.005


@attrs.define(eq=False)
class SqliteCommit:
    """The fate of one append. Its batch is let go when the fate is known."""

    execution: str
    _writer: GroupWriter
    entry: Entry | None
    done: bool = False
    error: OmiumError | None = None
    _callbacks: list[Callable[[], None]] = attrs.field(factory=list, init=False)

    def wait(self) -> None:
        """Commit in this thread if nobody else is writing, and otherwise wait for who does."""
        if not self.done:
            self._writer.settle(self)
        if self.error is not None:
            raise self.error

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, from any thread, when the fate is known; at once when it already is."""
        self._callbacks.append(callback)
        # Whoever decides the fate sets `done` BEFORE it looks for callbacks, so one of the two sees this one.
        if self.done:
            self.announce()

    def decide(self, error: OmiumError | None) -> None:
        """Set the fate. `announce` follows when no lock is held."""
        self.error = error
        self.entry = None
        self.done = True

    def announce(self) -> None:
        """Call those who asked for the fate, each once, whatever the one before it did."""
        while self._callbacks:
            try:
                callback = self._callbacks.pop(0)
            except IndexError:
                return
            try:
                callback()
            except Exception:
                # It is nobody's error but the callback's own, and it must not stop the thread that it happened to.
                arguments = (*sys.exc_info(), threading.current_thread())
                threading.excepthook(threading.ExceptHookArgs(arguments))


@attrs.define(eq=False)
class GroupWriter:
    """A queue of appends, committed in order: inline by who waits, or by a thread that starts when it is needed.

    INVARIANT: only who has entered the connections takes from the queue, so an execution's batches keep their order.
    """

    _connections: Connections
    _large: BlobStore | None
    _large_bytes: int
    _queue: deque[SqliteCommit] = attrs.field(factory=deque, init=False)
    # Appends whose large blobs may not be in their store yet.
    _uploads: deque[SqliteCommit] = attrs.field(factory=deque, init=False)
    # Executions of which an append was lost to an I/O failure: what follows it does not fit, and this says why.
    _failed: dict[str, StoreError] = attrs.field(factory=dict, init=False)
    _armed: threading.Event = attrs.field(factory=threading.Event, init=False)
    _urgent: threading.Event = attrs.field(factory=threading.Event, init=False)
    _starting: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False)
    # Commits whose fate is decided, until those who asked for it are told.
    _decided: deque[SqliteCommit] = attrs.field(factory=deque, init=False)
    # True while the thread wants to write, so that a caller in a loop does not take the lock before it every time.
    _claimed: bool = attrs.field(default=False, init=False)
    _stopping: bool = attrs.field(default=False, init=False)
    # Pages that this process has put into the WAL since the last checkpoint, about.
    _pages: int = attrs.field(default=0, init=False)

    def append(self, batch: Batch) -> SqliteCommit:
        """Queue the batch; the thread commits it soon if nobody does so before."""
        self._connections.require_usable()
        if len(self._queue) >= QUEUE_MAX:
            raise StoreError(
                f"the store `{self._connections.path}` is {QUEUE_MAX} appends behind; wait for some of them first"
            )
        entry = Entry.of(batch, self._large_bytes if self._large is not None else None)
        commit = SqliteCommit(batch.execution, self, entry)
        if entry.large:
            self._uploads.append(commit)
        self._queue.append(commit)
        if not self._armed.is_set():
            self._wake()
        return commit

    def flush(self) -> None:
        """Commit up to one group, if that needs neither waiting nor an upload; the thread does what is left."""
        if not self._queue:
            return
        self._connections.require_usable()
        if len(self._queue) > INLINE_MAX:
            self._wake(urgent=True)
            return
        # An append that has something to upload stops the group, and is the thread's.
        if not self._commit_inline():
            self._wake(urgent=True)

    def settle(self, commit: SqliteCommit) -> None:
        """Return when the commit's fate is known."""
        self._connections.require_usable()
        self._upload(commit)
        self._commit_inline()
        if commit.done:
            return
        known = threading.Event()
        commit.on_done(known.set)
        self._wake(urgent=True)
        known.wait()

    def close(self) -> None:
        """Stop the thread and commit what is queued; raise `StoreError` when that cannot be done."""
        self._stopping = True
        self._armed.set()
        self._urgent.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        left = list(self._queue)
        self._drain(CHECKPOINT_PAGES)
        # Nobody may be there any more who waits for these.
        for commit in left:
            if isinstance(commit.error, StoreError):
                raise commit.error

    def after_fork_in_child(self) -> None:
        """Forget the parent's appends and thread; the parent still has them."""
        inherited = f"the append to the store `{self._connections.path}` belongs to the process that forked this one"
        for commit in self._queue:
            commit.decide(StoreError(inherited))
        self._queue, self._uploads, self._decided = deque(), deque(), deque()
        self._armed, self._urgent, self._starting = threading.Event(), threading.Event(), threading.Lock()
        self._thread, self._claimed = None, False

    def _wake(self, *, urgent: bool = False) -> None:
        """Let the thread commit: now, or after it has lingered."""
        if urgent:
            self._urgent.set()
        self._armed.set()
        if self._thread is None or not self._thread.is_alive():
            self._start_thread()

    def _start_thread(self) -> None:
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            if not self._stopping:
                thread = threading.Thread(target=self._run, name="omium-sqlite-writer", daemon=True)
                try:
                    thread.start()
                    self._thread = thread
                    at_end_of_child(self._end)
                    return
                except RuntimeError:
                    # The interpreter is about to end and starts no more threads, so this is the last occasion.
                    pass
        self._drain(CHECKPOINT_PAGES)

    def _run(self) -> None:
        while not self._stopping:
            self._armed.wait()
            pages = self._pages
            self._urgent.wait(LINGER_S)
            # They are cleared BEFORE the queue is looked at: what is appended from here on sets them again.
            self._armed.clear()
            self._urgent.clear()
            quiet = self._pages == pages
            self._drain(QUIET_PAGES if quiet else CHECKPOINT_PAGES)
            if not quiet and self._pages >= QUIET_PAGES:
                # It is looked at again, for the moment at which nobody writes any more.
                self._armed.set()

    def _drain(self, pages: int) -> None:
        """Commit everything that is queued, waiting for those who are writing; checkpoint a WAL of so many pages."""
        try:
            # A bound, because appends may come as fast as they are committed; the thread comes back for the rest.
            for _ in range(QUEUE_MAX):
                if not self._queue and self._pages < pages:
                    break
                self._claimed = threading.current_thread() is self._thread
                self._commit_waiting(pages)
        finally:
            self._claimed = False
        self._announce()

    def _end(self) -> None:
        """Commit what is queued, and wait for the group that the thread is committing: it ends with this process."""
        self._drain(CHECKPOINT_PAGES)
        with suppress(StoreError):
            self._connections.enter(before=self._upload_all)
            self._connections.leave()

    def _commit_waiting(self, pages: int) -> None:
        try:
            self._connections.enter(before=self._upload_all)
        except StoreError as problem:
            self._fail_queue(problem)
            return
        try:
            self._commit_group()
            if self._pages >= pages:
                self._checkpoint()
        finally:
            self._connections.leave()
        self._announce()

    def _commit_inline(self) -> bool:
        """Commit one group if nobody is writing; say whether that was so."""
        if self._claimed:
            return False
        try:
            if not self._connections.try_enter():
                return False
        except OSError:
            # The thread meets the same failure, and gives it to those who wait.
            return False
        try:
            self._commit_group()
        finally:
            self._connections.leave()
        self._announce()
        if self._queue or self._pages >= CHECKPOINT_PAGES:
            self._wake(urgent=True)
        return True

    def _commit_group(self) -> None:
        """Commit one group and decide its fates; `_announce` follows when the locks are released."""
        group: list[tuple[SqliteCommit, Entry]] = []
        try:
            self._take(group)
            if group:
                self._decide(group, self._write(group))
        except Exception as problem:
            self._connections.poison()
            error = self._connections.writing_failed(problem)
            for commit, _ in group:
                self._failed[commit.execution] = error
            self._decide(group, [error] * len(group))
        except BaseException:
            # The program is interrupted between two steps of a transaction, which may be committed already.
            self._connections.poison()
            unknown = [(commit, entry) for commit, entry in group if not commit.done]
            for _, entry in unknown:
                entry.tried = True
            self._queue.extendleft(commit for commit, _ in reversed(unknown))
            self._armed.set()
            raise

    def _decide(self, group: list[tuple[SqliteCommit, Entry]], fates: Sequence[OmiumError | None]) -> None:
        for (commit, entry), fate in zip(group, fates, strict=True):
            self._pages += entry.pages
            # It is listed BEFORE it is decided, so that an interruption can forget nobody who waits.
            self._decided.append(commit)
            commit.decide(fate)

    def _announce(self) -> None:
        """Tell those who asked; the thread goes on where an interruption ends this."""
        while self._decided:
            try:
                commit = self._decided.popleft()
            except IndexError:
                return
            try:
                commit.announce()
            except BaseException:
                self._decided.appendleft(commit)
                self._armed.set()
                raise

    def _take(self, group: list[tuple[SqliteCommit, Entry]]) -> None:
        """Move a group from the queue, up to an append whose large blobs are not stored yet."""
        while self._queue and len(group) < GROUP_MAX:
            commit = self._queue[0]
            entry = commit.entry
            if entry is not None:
                if entry.large:
                    return
                # It is in the group BEFORE it leaves the queue; one that an interruption leaves in both is known by
                # its `tried`, and what is decided already is passed over.
                group.append((commit, entry))
            self._queue.popleft()

    def _write(self, group: list[tuple[SqliteCommit, Entry]]) -> list[OmiumError | None]:
        connection = self._connections.writer()
        if len(group) == 1 and group[0][1].plain:
            # A single statement is a transaction of its own.
            return [self._put(connection, group[0][1])]
        if self._put_together(connection, [entry for _, entry in group]):
            return [None] * len(group)
        connection.execute("BEGIN IMMEDIATE")
        fates = [self._put(connection, entry) for _, entry in group]
        connection.execute("COMMIT")
        return fates

    def _put_together(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> bool:
        """Write a group by one statement, which lets other threads go on meanwhile; say False where it takes more.

        Between two statements this thread would wait for the interpreter as often as the group has appends.
        """
        if self._failed or not all(entry.plain for entry in entries):
            return False
        # Of one execution, a second append has to find the first one.
        if len({entry.batch.execution for entry in entries}) < len(entries):
            return False
        return rows.extend_all(connection, entries)

    def _put(self, connection: sqlite3.Connection, entry: Entry) -> OmiumError | None:
        """Write one batch into the open transaction, or leave the transaction as it was and say why."""
        if entry.failure is not None:
            self._failed[entry.batch.execution] = entry.failure
            return entry.failure
        blobs = entry.blobs
        if entry.batch.reliances:
            try:
                blobs = [*blobs, *renewed(connection, entry.batch.reliances, self._large, self._large_bytes)]
            except StoreError as problem:
                self._failed[entry.batch.execution] = problem
                return problem
        write = rows.start if entry.batch.expected_epoch == 0 else rows.extend
        if not write(connection, entry):
            if entry.tried and rows.is_present(connection, entry):
                return None
            return self._failed.get(entry.batch.execution) or ExecutionFenced(entry.batch.execution)
        if blobs:
            connection.executemany(rows.BLOB, blobs)
        if self._failed:
            self._failed.pop(entry.batch.execution, None)
        return None

    def _checkpoint(self) -> None:
        try:
            left = self._connections.checkpoint()
        except (*SQLITE_ERRORS, StoreError):
            # Nothing is lost: the WAL has it all. If the disk is at fault, the next append finds that out and says so.
            self._connections.poison()
            left = 0
        # Readers can hold a checkpoint up; it is tried again when the WAL has grown by half of the lower bound.
        self._pages = min(left, QUIET_PAGES // 2)

    def _upload_all(self) -> None:
        while self._uploads:
            self._upload(self._uploads[0])
            # Another thread may have taken it in the meantime.
            with suppress(IndexError):
                self._uploads.popleft()

    def _upload(self, commit: SqliteCommit) -> None:
        """Put the append's large blobs into their store; a failure becomes this append's fate, and no other's."""
        entry = commit.entry
        if entry is None or not entry.large or self._large is None:
            return
        try:
            for digest, data in entry.large:
                self._large.put(digest, data)
        except Exception as problem:
            entry.failure = StoreError(f"a large blob of `{commit.execution}` could not be stored: {problem}")
        entry.large = ()

    def _fail_queue(self, problem: StoreError) -> None:
        """Fail what is queued now, because the lock between processes cannot be had at all."""
        for _ in range(len(self._queue)):
            try:
                commit = self._queue.popleft()
            except IndexError:
                return
            self._failed[commit.execution] = problem
            commit.decide(problem)
            commit.announce()
