"""Offsets in a text and the positions of the protocol, which count the units of an encoding from the line's start."""

from __future__ import annotations

import bisect
import re

import attrs

from omium_policy.source import Span

__all__ = ["Positions"]

_LINE_END = re.compile(r"\r\n|\r|\n")
_UNITS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


@attrs.frozen
class Positions:
    """The lines of a text, as the protocol counts them, in an encoding that client and server agreed on."""

    text: str
    encoding: str
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str, encoding: str = "utf-16") -> Positions:
        """Return the positions of a text."""
        return cls(text, encoding, (0, *(match.end() for match in _LINE_END.finditer(text))))

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and character of an offset, both from 0."""
        line = bisect.bisect_right(self.starts, offset) - 1
        return line, self._units(self.text[self.starts[line] : offset])

    def range(self, span: Span) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return where a stretch begins and ends."""
        return self.position(span.start), self.position(span.end)

    def offset(self, line: int, character: int) -> int:
        """Return the offset of a position; one behind the line's end, or the text's, is that end."""
        if line >= len(self.starts):
            return len(self.text)
        start = self.starts[max(line, 0)]
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        written = self.text[start:end].rstrip("\r\n")
        if written.isascii():
            return start + min(max(character, 0), len(written))
        left = character
        for index, char in enumerate(written):
            # A position in the middle of a character is at its start.
            left -= self._units(char)
            if left < 0:
                return start + index
        return start + len(written)

    def _units(self, text: str) -> int:
        if text.isascii():
            return len(text)
        codec, size = _UNITS.get(self.encoding, _UNITS["utf-16"])
        return len(text.encode(codec, "surrogatepass")) // size
