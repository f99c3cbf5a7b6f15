"""Telling people beside the execution: each notice until its channel took it, a bounded number of times."""

from __future__ import annotations

import atexit
import contextlib
import inspect
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from omium_core.errors import PluginError
from omium_core.model.notice import Notice

__all__ = ["Record", "Teller", "accepts_notice"]

_LOG = logging.getLogger("omium")

Record: TypeAlias = Callable[[int, PluginError | None], None]
"""Is told after how many attempts a channel took a notice, or why it did not."""

WAITING_MAX = 1_000
ATTEMPTS_MAX = 4
# Before the second attempt, the third, and the fourth.
BACKOFFS_S = (0.5, 2.0, 5.0)
# A process that ends waits this long for channels that do not answer; what was not told is told on the next resume.
CLOSE_S = 15.0


@attrs.define(eq=False)
class Teller:
    """A thread that tells channels; `tell` gives one attempt and returns what went wrong, if anything did."""

    _tell: Callable[[Notice], PluginError | None]
    _waiting: queue.Queue[tuple[Notice, Record] | None] = attrs.field(factory=lambda: queue.Queue(WAITING_MAX))
    _closing: threading.Event = attrs.field(factory=threading.Event)
    _starting: threading.Lock = attrs.field(factory=threading.Lock)
    _thread: threading.Thread | None = None

    def take(self, notice: Notice, record: Record) -> None:
        """Queue a notice and return at once."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._closing.clear()
                thread = threading.Thread(target=self._run, name="omium-notices", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    # The machine has no thread left, or the interpreter is about to end.
                    self._end(notice, record, 0, PluginError("notify", f"cannot be told beside the execution: {error}"))
                    return
                self._thread = thread
                atexit.register(self.close)
        try:
            self._waiting.put_nowait((notice, record))
        except queue.Full:
            self._end(notice, record, 0, PluginError("notify", f"has {WAITING_MAX} notices waiting already"))

    def close(self) -> None:
        """Tell what is queued without waiting between attempts; return when that is done, or after a bound."""
        atexit.unregister(self.close)
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        thread.join(CLOSE_S)

    def _run(self) -> None:
        while (one := self._waiting.get()) is not None:
            notice, record = one
            for attempt in range(1, ATTEMPTS_MAX + 1):
                error = self._tell(notice)
                if error is None or attempt == ATTEMPTS_MAX:
                    break
                self._closing.wait(BACKOFFS_S[attempt - 1])
            self._end(notice, record, attempt, error)

    def _end(self, notice: Notice, record: Record, attempts: int, error: PluginError | None) -> None:
        if error is not None:
            said = f"channel `%s` was not told `%s` in {attempts} attempts: %s"
            _LOG.error(said, notice.channel, notice.subject, error.message)
        try:
            record(attempts, error)
        except Exception as problem:  # A store that is closed or broken must not end the thread.
            _LOG.error("that channel `%s` was told could not be journaled: %s", notice.channel, problem)


def accepts_notice(notifier: Callable[..., Any]) -> bool:
    """Say whether a notifier wants the notice itself, beside the target, the subject and the message."""
    try:
        return "notice" in inspect.signature(notifier).parameters
    except (TypeError, ValueError):
        return False
