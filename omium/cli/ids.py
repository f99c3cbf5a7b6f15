"""Ids as people read them."""

from __future__ import annotations

from omium_core.runtime.store import Store

__all__ = ["short_id"]

SHORT_CHARS_MIN = 12
_MADE = "exe_"


def short_id(store: Store, execution: str) -> str:
    """Return the shortest prefix of at least 12 characters that names only this execution.

    An id that somebody chose stays whole: it is short where they wanted that, and they know it as it is.
    """
    if not execution.startswith(_MADE):
        return execution
    for length in range(SHORT_CHARS_MIN, len(execution)):
        prefix = execution[:length]
        if len(store.journal.executions(prefix=prefix, limit=2)) == 1 and store.journal.execution(prefix) is None:
            return prefix
    return execution
