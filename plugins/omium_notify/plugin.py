"""The hooks of the notifiers that are always there."""

from __future__ import annotations

from omium_core.hookspecs import hookimpl
from omium_core.specs import NotifierSpec


@hookimpl
def register_notifiers() -> list[NotifierSpec]:
    """Tell Python's logging (`log`, `log:NAME`), or append to a file (`file:PATH`)."""
    return [
        NotifierSpec("log", "omium_notify.notifiers:write_to_log"),
        NotifierSpec("file", "omium_notify.notifiers:append_to_file"),
    ]
