"""Files of commands and the output that is expected of them: run them, show what differs, or write down what is.

A file is blocks between empty lines: comments, command lines, then `----` and the expected output. A block without
`----` expects no output. The form is that of etcd's raft and of CockroachDB (https://github.com/cockroachdb/datadriven).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path

from omium_core.errors import OmiumError, UsageError

__all__ = ["actual", "compare"]

RULE = "----"
_GAP = re.compile(r"(\n(?:[ \t]*\n)+)")


def actual(path: Path, handle: Callable[[str], str]) -> tuple[str, str]:
    """Run a file's commands; return its text as it is, and as it would be with the output that came.

    `handle` returns a command's output. What it raises of Omium's errors ends the file; the error names file and line.
    """
    text = _text(path)
    parts: list[str] = []
    line = 1
    for number, part in enumerate(_GAP.split(text)):
        parts.append(part if number % 2 else _answered(path, part, line, handle))
        line += part.count("\n")
    return text, "".join(parts)


def compare(path: Path, text: str, came: str) -> str:
    """Return a diff from what a file expects to what came; empty when they are the same."""
    lines = difflib.unified_diff(text.splitlines(), came.splitlines(), f"{path} expects", "what came", lineterm="")
    return "\n".join(lines)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip() + "\n"
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"`{path}` cannot be read: {reason}") from error


def _answered(path: Path, part: str, line: int, handle: Callable[[str], str]) -> str:
    lines = part.split("\n")
    if lines == [""]:
        return part
    end = "\n" if lines[-1] == "" else ""
    head = lines[: lines.index(RULE)] if RULE in lines else [one for one in lines if one]
    outputs = [_output(path, one, line + number, handle) for number, one in enumerate(head)]
    output = "\n".join(one for one in outputs if one)
    return "\n".join([*head, RULE, output] if output else head) + end


def _output(path: Path, command: str, line: int, handle: Callable[[str], str]) -> str:
    if command.startswith("#"):
        return ""
    try:
        output = handle(command)
    except OmiumError as error:
        raise UsageError(f"{path.name}:{line}: {error}") from error
    # An empty line would end the block that the output stands in.
    return "\n".join(one.rstrip() for one in output.splitlines() if one.strip())
