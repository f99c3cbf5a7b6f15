"""The notifiers that are always there: `log` and `file`."""

from __future__ import annotations

import json
import logging
import os
import time

from omium_core.errors import UsageError

__all__ = ["append_to_file", "write_to_log"]


def write_to_log(target: str, subject: str, message: str) -> None:
    """Write a warning to the logger `omium`, or to the one that `log:NAME` names."""
    logging.getLogger(target or "omium").warning("%s: %s", subject, message)


def append_to_file(target: str, subject: str, message: str) -> None:
    """Append one line of JSON with `at` (seconds, UTC), `subject` and `message`."""
    if not target:
        raise UsageError("the notifier `file` needs a path, such as `file:alerts.jsonl`")
    line = json.dumps({"at": time.time(), "subject": subject, "message": message}) + "\n"
    # One write in append mode: lines of several processes do not mix.
    handle = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)
