"""A status line with the step that is at work, where a person is watching."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from omium.cli.output import Output, make_console
from omium.cli.wording import clean
from omium_core.errors import OmiumError
from omium_core.journal.wire import read_row
from omium_core.model import events as e
from omium_core.runtime.store import Store

__all__ = ["progress", "quiet_stdout"]

LOOK_S = 0.2


@contextlib.contextmanager
def progress(output: Output, store: Store, execution: str) -> Iterator[None]:
    """Show the present step until the block ends; nothing where stderr is not a terminal."""
    if output.as_json or not sys.stderr.isatty():
        yield
        return
    console = make_console(stderr=True, color=output.color)
    done = threading.Event()
    with console.status(clean(execution)) as line:
        thread = threading.Thread(target=_follow, args=(store, execution, line.update, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@contextlib.contextmanager
def quiet_stdout(output: Output) -> Iterator[None]:
    """Let what user code prints go to stderr where stdout is to hold one object of JSON."""
    if not output.as_json:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _follow(store: Store, execution: str, update: object, done: threading.Event) -> None:
    """Read what the journal has since, until told to stop."""
    assert callable(update)
    seq = 0
    # A status line that cannot be shown is no reason to end anything.
    with contextlib.suppress(OmiumError):
        while not done.wait(LOOK_S):
            for row in store.journal.rows(execution, bodies=False, after=seq):
                for event in read_row(row):
                    seq = event.seq
                    text = _text(event)
                    if text:
                        update(clean(text))


def _text(event: e.Event) -> str:
    match event:
        case e.StepStarted():
            return f"{event.step}, attempt {event.attempt}" if event.attempt > 1 else event.step
        case e.RolledBack():
            return "rolling back"
        case e.RecoveryDecided():
            return f"{event.step}: {event.strategy}"
    return ""
