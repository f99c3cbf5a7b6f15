"""The hooks of the embedded store; what they name is imported when a store is opened."""

from __future__ import annotations

from omium_core.hookspecs import hookimpl
from omium_core.specs import Finding, JournalSpec


@hookimpl
def register_journals() -> list[JournalSpec]:
    """Serve `sqlite:///relative.db` and `sqlite:////absolute.db`."""
    return [JournalSpec("sqlite", "omium_sqlite.opening:open_journal")]


@hookimpl
def diagnose(store: str) -> list[Finding]:
    """Say which SQLite this is, and whether the store's path can hold a database."""
    from omium_sqlite.diagnosing import findings

    return findings(store)
