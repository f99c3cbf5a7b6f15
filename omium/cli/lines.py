"""An event in one line: what it is, and those of its fields that say something to a person."""

from __future__ import annotations

import re
from typing import Any

from omium.cli.wording import clean
from omium_core.model.events import Event

__all__ = ["event_line"]

# Ids, hashes and places in code are for `omium show` and `omium export`.
_SAID = (
    "step", "name", "agent", "attempt", "kind", "rule", "failure", "strategy", "target", "channel", "action", "role",
    "done", "skipped", "by", "reason", "message", "error",
)  # fmt: skip
_UNSAID: tuple[Any, ...] = (None, "", False)


def event_line(event: Event) -> str:
    """Return it as `step started: step=offer, attempt=2`."""
    what = re.sub(r"(?<!^)(?=[A-Z])", " ", type(event).__name__).lower()
    fields = ((name, getattr(event, name, None)) for name in _SAID)
    said = [(name, value) for name, value in fields if value not in _UNSAID and (name, value) != ("attempt", 1)]
    facts = ", ".join(f"{name}={_text(value)}" for name, value in said)
    return clean(f"{what}: {facts}" if facts else what)


def _text(value: Any) -> str:
    text = clean(str(value))
    return f'"{text}"' if " " in text else text
