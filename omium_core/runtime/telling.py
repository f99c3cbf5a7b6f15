"""People are told beside the execution; that they were, or that they could not be, is in its journal."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from omium_core.engine.commands import NotifyChannel, Tell
from omium_core.errors import PluginError
from omium_core.interfaces.checkpoint import Batch, ExecutionRow, JournalRow
from omium_core.model import events as e
from omium_core.model.notice import Notice
from omium_core.runtime.stopping import append_event, upkeep_of
from omium_core.runtime.store import Store

if TYPE_CHECKING:
    from omium_core.runtime.dispatch import Hooks
    from omium_core.runtime.run import Run

__all__ = ["tell", "tell_of_stop", "tell_the_rest"]


def tell(run: Run, command: NotifyChannel | Tell) -> None:
    """Have the channel told that a command names; nobody waits for it."""
    at = run.machine.now
    state = run.machine.state
    if isinstance(command, NotifyChannel):
        kind, channel, subject = "notify", command.channel, command.subject
    else:
        bound = run.hooks.channel_for(command.role)
        if bound is None:
            return
        kind, channel, subject = command.kind, bound, f"{state.workflow}: {command.kind}"
    notice = Notice(kind, channel, run.id, state.workflow, command.about, at, subject, command.message)
    _have_told(run, notice)


def tell_the_rest(run: Run, events: Iterable[e.Event]) -> None:
    """Have channels told of what a process that died had not told them of: the notices of ladders."""
    told: set[tuple[int, str]] = set()
    found: dict[tuple[int, str], Notice] = {}
    state = run.machine.state
    for event in events:
        if isinstance(event, e.ChannelTold):
            told.add((event.about, event.channel))
        elif isinstance(event, e.RecoveryDecided) and event.channel is not None:
            subject, message = f"{state.workflow}: {event.step}", f"failed: {event.failure}"
            place = (run.id, state.workflow, event.seq, event.at)
            found[event.seq, event.channel] = Notice("notify", event.channel, *place, subject, message)
    for key, notice in found.items():
        if key not in told and run.hooks.is_queued(notice.channel):
            _have_told(run, notice)


def tell_of_stop(store: Store, hooks: Hooks, execution: str, status: str) -> None:
    """Have the operators' channel told that a person stopped an execution from outside."""
    channel, row = hooks.channel_for(None), store.journal.execution(execution)
    if channel is None or row is None:
        return
    stops = [one for one in store.events(execution) if isinstance(one, e.ExecutionPaused | e.ExecutionHalted)]
    event = stops[-1]
    subject = f"{row.workflow}: {status}"
    notice = Notice(status, channel, execution, row.workflow, event.seq, event.at, subject, event.reason)
    error = hooks.tell(notice, partial(_record_at_end, store, notice, event.epoch))
    if error is not None:
        _record_at_end(store, notice, event.epoch, 1, error)


def _have_told(run: Run, notice: Notice) -> None:
    error = run.hooks.tell(notice, partial(_record, run, notice))
    if error is None:
        return
    if notice.kind == "notify":
        # The ladder goes on, and this goes to the journal with what it does next.
        run.plugin_failed(error.plugin, f"channel {notice.channel}", error.message)
    else:
        _record(run, notice, 1, error)


def _record(run: Run, notice: Notice, attempts: int, error: PluginError | None) -> None:
    """Journal what became of a notice: through the run while this process has the execution, else at its end."""
    kind, fields = _said(notice, attempts, error)
    if not run.journal_aside(kind, fields):
        _record_at_end(run.store, notice, run.recorder.epoch, attempts, error)


def _record_at_end(store: Store, notice: Notice, epoch: int, attempts: int, error: PluginError | None) -> None:
    def make(row: ExecutionRow, last: JournalRow) -> Batch | None:
        # Whoever has taken the execution over meanwhile must not be fenced by this.
        taken = row.epoch != epoch and row.status in ("running", "recovering")
        if taken or row.id in store.running:
            return None
        kind, fields = _said(notice, attempts, error)
        seq = last.first_seq + len(last.headers)
        return append_event(row, last, kind(seq=seq, epoch=row.epoch, at=store.clock.now(), **fields))

    upkeep_of(store).append_at_end(notice.execution, make)


def _said(notice: Notice, attempts: int, error: PluginError | None) -> tuple[type[e.Event], dict[str, Any]]:
    """Return the event for how a notice ended, but for its place in the journal."""
    if error is None:
        return e.ChannelTold, {"channel": notice.channel, "about": notice.about, "attempts": attempts}
    return e.PluginFailed, {"plugin": error.plugin, "hook": f"channel {notice.channel}", "message": error.message}
