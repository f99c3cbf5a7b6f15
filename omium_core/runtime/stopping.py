"""Stop an execution from outside of its runner, whatever that is doing: the request is the stop itself."""

from __future__ import annotations

from typing import Literal

from omium_core.errors import UsageError
from omium_core.interfaces.checkpoint import Batch, ExecutionRow, JournalRow, StatusChange
from omium_core.interfaces.upkeep import Upkeep, offers_upkeep
from omium_core.journal.wire import header_of, link
from omium_core.model import events as e
from omium_core.runtime.store import Store

__all__ = ["UNFINISHED", "append_event", "stop", "upkeep_of"]

UNFINISHED = ("running", "recovering", "paused")
_STOPPABLE = {"paused": ("running", "recovering"), "halted": UNFINISHED}


def stop(store: Store, execution: str, status: Literal["paused", "halted"], by: str, reason: str) -> bool:
    """Pause or halt an execution; say whether that was done: one that ended, or is paused already, stays as it is.

    The event raises the epoch, so its runner, wherever it is, can append nothing more: it stops before its next effect
    that is not a read, or at its next append. It is appended behind whatever comes first, so two operators, or an
    operator and the execution's end, cannot meet halfway.
    """

    def make(row: ExecutionRow, last: JournalRow) -> Batch | None:
        if row.status not in _STOPPABLE[status]:
            return None
        seq, at = last.first_seq + len(last.headers), store.clock.now()
        why = f"{reason} (by {by})" if reason else f"by {by}"
        facts = {"seq": seq, "epoch": row.epoch + 1, "at": at, "reason": why, "by": by}
        event = e.ExecutionPaused(**facts) if status == "paused" else e.ExecutionHalted(**facts)  # type: ignore[arg-type]  # mypy takes the values for one kind
        return append_event(row, last, event, StatusChange(status, ended=at if status == "halted" else None))

    return upkeep_of(store).append_at_end(execution, make)


def append_event(row: ExecutionRow, last: JournalRow, event: e.Event, change: StatusChange | None = None) -> Batch:
    """Return the batch that appends one event without a body behind an execution's last append."""
    header = header_of(event)
    digest = link(last.digest, header, None)
    return Batch(row.id, event.seq, row.epoch, event.epoch, [header], b"", digest, change=change, previous=last.digest)


def upkeep_of(store: Store) -> Upkeep:
    """Return what the store's journal offers operators; raise `UsageError` where it offers nothing."""
    if not offers_upkeep(store.journal):
        raise UsageError(f"the store `{store.url}` cannot be operated from outside; stop the process that runs it")
    return store.journal
