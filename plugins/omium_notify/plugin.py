"""The hooks of the notifiers that are always there."""

from __future__ import annotations

from collections.abc import Mapping

from omium_core.hookspecs import hookimpl
from omium_core.specs import Finding, NotifierSpec


@hookimpl
def register_notifiers() -> list[NotifierSpec]:
    """Tell Python's logging (`log`, `log:NAME`), append to a file (`file:PATH`), or post (`webhook:URL`)."""
    return [
        NotifierSpec("log", "omium_notify.notifiers:write_to_log", instant=True),
        NotifierSpec("file", "omium_notify.notifiers:append_to_file", instant=True),
        NotifierSpec("webhook", "omium_notify.webhook:post"),
    ]


@hookimpl
def diagnose(channels: Mapping[str, str]) -> list[Finding]:
    """Say of each channel that is bound to one of these whether it can be told; nobody is."""
    from omium_notify.diagnosing import findings

    return findings(channels)
