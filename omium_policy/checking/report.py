"""Where the checks put what they find."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import attrs

from omium_policy.diagnostics import Diagnostic, nearest
from omium_policy.source import Source, Span

__all__ = ["Placed", "Report"]


class Placed(Protocol):
    """A node."""

    @property
    def span(self) -> Span: ...


SUGGESTIONS_MAX = 50
"""So many unknown names are told with one that was probably meant."""


@attrs.define
class Report:
    """What has been found in one file."""

    source: Source
    found: list[Diagnostic] = attrs.field(factory=list)
    _suggested: int = attrs.field(default=0, init=False)

    def error(self, code: str, message: str, node: Placed, help: str | None = None) -> None:
        """Add what keeps the policy from activating."""
        self.found.append(Diagnostic(code, message, self.source, node.span, help))

    def warning(self, code: str, message: str, node: Placed, help: str | None = None) -> None:
        """Add what is probably not meant."""
        self.found.append(Diagnostic(code, message, self.source, node.span, help, "warning"))

    def coverage(self, code: str, message: str, node: Placed, help: str | None = None) -> None:
        """Add what no test shows."""
        self.found.append(Diagnostic(code, message, self.source, node.span, help, "coverage"))

    def note(self, code: str, message: str, node: Placed, help: str | None = None) -> None:
        """Add what is worth knowing, and no mistake."""
        self.found.append(Diagnostic(code, message, self.source, node.span, help, "note"))

    def unknown(self, code: str, what: str, node: Placed, name: str, known: Iterable[str]) -> None:
        """Add a name that nothing has, with the one that was probably meant."""
        self._suggested += 1
        if self._suggested > SUGGESTIONS_MAX:
            self.error(code, f"there is no {what} `{name}`", node)
            return
        words = sorted(known)
        meant = nearest(name, words)
        help = f"did you mean `{meant}`?" if meant else f"there is {_listed(words)}" if words else None
        self.error(code, f"there is no {what} `{name}`", node, help)


def _listed(words: list[str]) -> str:
    shown = ", ".join(f"`{word}`" for word in words[:8])
    return shown + (", ..." if len(words) > 8 else "")
