"""What the conformance suites are written with: sentences instead of bare assertions, processes that are killed."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import attrs

__all__ = ["Child", "Shelf", "at_once", "eventually", "forked", "holds", "judged", "refused"]

# Nothing is judged by how long it takes: this only ends a check that would wait for ever. Leases run out within it.
PATIENCE_S = 60.0
POLL_S = 0.002


def holds(condition: object, sentence: str) -> None:
    """Raise `AssertionError` with the sentence unless the condition holds, also under `python -O`."""
    if not condition:
        raise AssertionError(sentence)


@contextmanager
def judged(check: str) -> Iterator[None]:
    """Let what a check's subject raises, and should not, be the check's own failure, which says so."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"`{check}` must hold; it raised {type(error).__name__}: {error}") from error


def eventually(condition: Callable[[], object], sentence: str) -> None:
    """Return as soon as the condition holds."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        holds(time.monotonic() < until, sentence)
        time.sleep(POLL_S)


def refused(use: Callable[[], object], kind: type[Exception], sentence: str) -> None:
    """Raise `AssertionError` with the sentence unless `use` raises that kind of error."""
    try:
        use()
    except kind:
        return
    except Exception as error:
        raise AssertionError(f"{sentence}; it raised {type(error).__name__}: {error}") from error
    raise AssertionError(sentence)


def at_once(*works: Callable[[], object]) -> None:
    """Run each in a thread of its own, all at once; raise what the first of them raised."""
    raised: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        start.wait(PATIENCE_S)
        try:
            work()
        except BaseException as error:  # It is raised again in the thread that waits.
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    holds(not any(thread.is_alive() for thread in threads), "threads that use it at once must all come to an end")
    if raised:
        raise raised[0]


@attrs.define
class Shelf:
    """Blobs in memory: the store for large blobs that journals are opened with."""

    blobs: dict[str, bytes] = attrs.field(factory=dict)

    def put(self, digest: str, data: bytes) -> None:
        """Keep a blob; the first under a name stays."""
        self.blobs.setdefault(digest, data)

    def get(self, digest: str) -> bytes | None:
        """Give a blob."""
        return self.blobs.get(digest)

    def close(self) -> None:
        """Nothing is held open."""


def forked(work: Callable[[Callable[[str], None]], None]) -> Child:
    """Run `work(say)` in a process of its own, forked from this one; what it says comes as lines."""
    incoming, outgoing = os.pipe()
    with warnings.catch_warnings():
        # Newer Pythons warn of a fork beside other threads, which is what a journal has to survive.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os.close(incoming)
        _work(work, outgoing)
    os.close(outgoing)
    return Child(pid, incoming)


@attrs.define(eq=False)
class Child:
    """A process that was forked; it is killed when nobody waits for it any more."""

    pid: int
    _incoming: int
    _text: bytes = b""
    _status: int | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self._incoming)

    def line(self) -> str:
        """Return the next line that it says; empty when it has ended."""
        until = time.monotonic() + PATIENCE_S
        while b"\n" not in self._text:
            ready, _, _ = select.select([self._incoming], [], [], max(0.0, until - time.monotonic()))
            holds(ready, f"process {self.pid} must come to an end or say something")
            more = os.read(self._incoming, 65536)
            if not more:
                break
            self._text += more
        line, _, self._text = self._text.partition(b"\n")
        return line.decode()

    def lines(self) -> Iterator[str]:
        """Give what it says until it ends."""
        while line := self.line():
            yield line

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self._status is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._wait()

    def finish(self) -> list[str]:
        """Wait until it ends by itself; raise `AssertionError` with its traceback when it failed."""
        said = list(self.lines())
        status = self._wait()
        holds(status == 0, "a process of its own failed: " + "\n".join(said))
        return said

    def _wait(self) -> int:
        if self._status is None:
            self._status = os.waitpid(self.pid, 0)[1]
        return self._status


def _work(work: Callable[[Callable[[str], None]], None], outgoing: int) -> NoReturn:
    """Do a child's work and end the process at once: nothing of what the parent had in hand is the child's to end."""
    status = 1
    try:
        work(lambda line: _say(outgoing, line))
        status = 0
    except BaseException:  # It is said to the parent, and the process ends here whatever happens.
        _say(outgoing, " | ".join(traceback.format_exc().splitlines()))
    finally:
        os._exit(status)


def _say(outgoing: int, line: str) -> None:
    os.write(outgoing, f"{line}\n".encode())
