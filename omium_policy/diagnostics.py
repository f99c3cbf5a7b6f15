"""What is said about a policy: a stable code, one sentence, the place with a caret, and help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from omium_policy.source import Source, Span

__all__ = ["Diagnostic", "nearest", "rendered"]

SEVERITIES = ("error", "warning", "coverage", "note")
SHOWN_COLUMNS_MAX = 160
COMPARED_WORDS_MAX = 1_000
COMPARED_CHARS_MAX = 100


@attrs.frozen
class Diagnostic:
    """One thing that is wrong with a policy, or worth knowing; an `error` keeps the policy from activating."""

    code: str
    message: str
    source: Source = attrs.field(repr=lambda source: source.name)
    span: Span
    help: str | None = None
    severity: str = "error"

    @property
    def line(self) -> int:
        """The line where it begins, from 1."""
        return self.source.position(self.span.start)[0]

    @property
    def column(self) -> int:
        """The column where it begins, from 1."""
        return self.source.position(self.span.start)[1]

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data, for `--json` and editors; lines and columns count from 1."""
        end_line, end_column = self.source.position(self.span.end)
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "file": self.source.name,
            "line": self.line,
            "column": self.column,
            "end_line": end_line,
            "end_column": end_column,
            "help": self.help,
        }


def rendered(diagnostic: Diagnostic) -> str:
    """Return the diagnostic as text, with its line and a caret under what is meant."""
    line, column = diagnostic.line, diagnostic.column
    text = diagnostic.source.line(line)
    width = max(1, min(diagnostic.span.end - diagnostic.span.start, len(text) - column + 1))
    gutter = " " * len(str(line))
    # A tab is as wide under the line as in it, so that the caret stands where the eye looks.
    pad = "".join("\t" if char == "\t" else " " for char in text[: column - 1])
    if len(text) > SHOWN_COLUMNS_MAX:
        text, pad, width = text[column - 1 :][:SHOWN_COLUMNS_MAX], "", min(width, SHOWN_COLUMNS_MAX)
    lines = [
        f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}",
        f"{gutter} --> {diagnostic.source.name}:{line}:{column}",
        f"{gutter}  |",
        f"{line}  | {text}",
        f"{gutter}  | {pad}{'^' * width}",
    ]
    if diagnostic.help is not None:
        lines.append(f"{gutter}  = help: {diagnostic.help}")
    return "\n".join(line.rstrip() for line in lines)


def nearest(word: str, known: object) -> str | None:
    """Return the known word that was probably meant."""
    import difflib

    words = (str(one) for one in known)  # type: ignore[attr-defined]  # any iterable of names
    # Comparing is quadratic in the length, and what differs much in length is not what was meant.
    alike = [one for one in words if len(one) <= COMPARED_CHARS_MAX and abs(len(one) - len(word)) <= len(word) // 2]
    found = difflib.get_close_matches(word[:COMPARED_CHARS_MAX], alike[:COMPARED_WORDS_MAX], 1, 0.6)
    return found[0] if found else None
