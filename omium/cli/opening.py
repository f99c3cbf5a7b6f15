"""The store that a command works on."""

from __future__ import annotations

from pathlib import Path

import click

from omium.config import load_config
from omium.runtime import Runtime, runtime_for
from omium_core.errors import UsageError
from omium_core.interfaces.checkpoint import ExecutionRow
from omium_core.runtime.store import Store

__all__ = ["check_workflow", "existing", "found", "known_ids", "last_rows", "store_file", "warn_of_configuration"]

COMPLETIONS_MAX = 50
PATH_SHOWN = 80
# The newest executions, whose workflows are suggested for a misspelt one.
WORKFLOWS_OF = 1000


def existing() -> Runtime:
    """Open the configured store; raise `UsageError` where there is none yet, because looking must not make one."""
    warn_of_configuration()
    return _opened()


def warn_of_configuration() -> None:
    """Say on stderr what in the configuration is not known: a misspelt key leaves something as it is by default."""
    for warning in load_config().warnings:
        click.echo(f"warning: {warning}", err=True)


def _opened() -> Runtime:
    config = load_config()
    path = store_file(config.store)
    try:
        missing = path is not None and not path.exists()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"there can be no store at `{str(path)[:PATH_SHOWN]}`: {reason.lower()}") from error
    if missing:
        raise UsageError(f"there is no store at `{path}` yet; `omium demo` or `omium run FILE` makes one")
    return runtime_for()


def found(store: Store, execution: str | None) -> ExecutionRow:
    """Return an execution's row, by default the newest one's."""
    return store.find(execution or "@last")


def check_workflow(store: Store, name: str | None) -> None:
    """Raise `UsageError` for a workflow of which the store has no execution: who acts on many must not act on none."""
    if name is None or store.executions(workflow=name, limit=1):
        return
    import difflib  # only a misspelt name needs it

    known = sorted({row.workflow for row in store.executions(limit=WORKFLOWS_OF)})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else "`omium list` shows what there is"
    raise UsageError(f"there is no execution of a workflow `{name}` here; {hint}")


def store_file(url: str) -> Path | None:
    """Return the file of a store that is one on this machine."""
    scheme, _, rest = url.partition(":///")
    path = rest.partition("?")[0]
    return Path(path) if scheme == "sqlite" and path and not path.startswith(":") else None


def last_rows(limit: int) -> list[ExecutionRow]:
    """Return the newest executions; none where there is no store yet."""
    try:
        return _opened().store.executions(limit=limit)
    except UsageError:
        return []


def known_ids(prefix: str) -> list[str]:
    """Return ids that start with a prefix, for completion in a shell."""
    special = [one for one in ("@last", "@last-failed") if prefix and one.startswith(prefix)]
    rows = _opened().store.executions(prefix=prefix, limit=COMPLETIONS_MAX)
    return special + [row.id for row in rows]
