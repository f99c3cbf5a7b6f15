"""What `omium doctor` says of the channels that are bound to Omium's own notifiers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from omium_core.errors import UsageError
from omium_core.specs import Finding

__all__ = ["findings"]


def findings(channels: Mapping[str, str]) -> list[Finding]:
    """Return a finding for each channel that goes to `log`, `file` or `webhook`."""
    found = []
    for channel, bound in channels.items():
        name, _, target = bound.partition(":")
        check = {"log": _log, "file": _file, "webhook": _webhook}.get(name)
        if check is not None:
            try:
                found.append(Finding(f"channel {channel}", "ok", check(target)))
            except UsageError as error:
                found.append(Finding(f"channel {channel}", "broken", str(error)))
    return found


def _log(target: str) -> str:
    return f"goes to the logger `{target or 'omium'}`"


def _file(target: str) -> str:
    if not target:
        raise UsageError("the notifier `file` needs a path, such as `file:alerts.jsonl`")
    path = Path(target)
    place = path if path.exists() else path.parent
    if path.is_dir() or not os.access(place, os.W_OK):
        raise UsageError(f"the file `{target}` cannot be written; name another, or change its permissions")
    return f"goes to the file `{target}`"


def _webhook(target: str) -> str:
    from omium_notify.webhook import Address

    address = Address.of(target)
    address.key()
    return f"goes to `{address.host}`, signed with the secret in `{address.variable}`"
