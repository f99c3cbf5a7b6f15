"""The store that a command works on."""

from __future__ import annotations

from pathlib import Path

from omium.config import load_config
from omium.runtime import Runtime, runtime_for
from omium_core.errors import UsageError
from omium_core.interfaces.checkpoint import ExecutionRow
from omium_core.runtime.store import Store

__all__ = ["existing", "found", "known_ids", "last_rows", "store_file"]

COMPLETIONS_MAX = 50


def existing() -> Runtime:
    """Open the configured store; raise `UsageError` where there is none yet, because looking must not make one."""
    config = load_config()
    path = store_file(config.store)
    if path is not None and not path.exists():
        raise UsageError(f"there is no store at `{path}` yet; `omium demo` or `omium run FILE` makes one")
    return runtime_for()


def found(store: Store, execution: str | None) -> ExecutionRow:
    """Return an execution's row, by default the newest one's."""
    return store.find(execution or "@last")


def store_file(url: str) -> Path | None:
    """Return the file of a store that is one on this machine."""
    scheme, _, rest = url.partition(":///")
    path = rest.partition("?")[0]
    return Path(path) if scheme == "sqlite" and path and not path.startswith(":") else None


def last_rows(limit: int) -> list[ExecutionRow]:
    """Return the newest executions; none where there is no store yet."""
    try:
        return existing().store.journal.executions(limit=limit)
    except UsageError:
        return []


def known_ids(prefix: str) -> list[str]:
    """Return ids that start with a prefix, for completion in a shell."""
    special = [one for one in ("@last", "@last-failed") if prefix and one.startswith(prefix)]
    rows = existing().store.journal.executions(prefix=prefix, limit=COMPLETIONS_MAX)
    return special + [row.id for row in rows]
