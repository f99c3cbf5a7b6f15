"""A pattern's text as a tree."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from omium_policy.frozen import frozen

__all__ = ["Assertion", "Chars", "Choice", "PatternError", "Repeat", "Sequence", "Tree", "read"]

REPEAT_MAX = 1000
DEPTH_MAX = 50
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
DIGITS = ((48, 57),)
WORDS = ((48, 57), (65, 90), (95, 95), (97, 122))
SPACES = ((9, 10), (12, 13), (32, 32))
_CLASSES = {"d": DIGITS, "w": WORDS, "s": SPACES}
_LAST = 0x10FFFF
Ranges: TypeAlias = tuple[tuple[int, int], ...]


class PatternError(ValueError):
    """A pattern that RE2 would not take; its text goes on after `the pattern`."""


@frozen
class Chars:
    """One character among ranges of code points."""

    ranges: Ranges
    folded: bool


@frozen
class Assertion:
    """A place between characters: `^`, `$`, `b` or `B`; `^` and `$` of lines with `lines`."""

    kind: str
    lines: bool


@frozen
class Sequence:
    """One after the other."""

    parts: tuple[Tree, ...]


@frozen
class Choice:
    """One of these."""

    parts: tuple[Tree, ...]


@frozen
class Repeat:
    """At least `least`, at most `most` times; None is without end."""

    part: Tree
    least: int
    most: int | None


Tree: TypeAlias = Chars | Assertion | Sequence | Choice | Repeat


def read(pattern: str) -> Tree:
    """Return the tree of a pattern; raise `PatternError` where it is not RE2's."""
    reader = _Reader(pattern)
    tree = reader.choice(0)
    if reader.at < len(pattern):
        raise PatternError("has a `)` that nothing opens")
    if _repeats(tree) > REPEAT_MAX:
        raise PatternError(f"repeats something more often than {REPEAT_MAX} times: repetitions inside others multiply")
    return tree


def _repeats(tree: Tree) -> int:
    """Return how often the innermost part is repeated; what has no end does not count, as in RE2."""
    match tree:
        case Repeat(part, least, most):
            return max(least if most is None else most, 1) * _repeats(part)
        case Sequence(parts) | Choice(parts):
            return max((_repeats(part) for part in parts), default=1)
    return 1


@attrs.define
class _Reader:
    text: str
    at: int = 0
    folded: bool = False
    lines: bool = False
    dot_all: bool = False

    def choice(self, depth: int) -> Tree:
        if depth > DEPTH_MAX:
            raise PatternError(f"is nested deeper than {DEPTH_MAX}")
        parts = [self.sequence(depth)]
        while self._take("|"):
            parts.append(self.sequence(depth))
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def sequence(self, depth: int) -> Tree:
        parts: list[Tree] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            part = self._atom(depth)
            if part is not None:
                parts.append(self._repeated(part))
        return Sequence(tuple(parts))

    def _take(self, text: str) -> bool:
        if self.text.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def _next(self) -> str:
        if self.at >= len(self.text):
            raise PatternError("ends too early")
        self.at += 1
        return self.text[self.at - 1]

    def _atom(self, depth: int) -> Tree | None:
        if self._bounds() is not None:
            raise PatternError("repeats nothing")
        char = self._next()
        match char:
            case "(":
                return self._group(depth)
            case "[":
                return Chars(self._class(), self.folded)
            case ".":
                return Chars(((0, _LAST),) if self.dot_all else _inverted(((10, 10),)), False)
            case "^" | "$":
                return Assertion(char, self.lines)
            case "\\":
                return self._escape()
        return Chars(((ord(char), ord(char)),), self.folded)

    def _group(self, depth: int) -> Tree | None:
        flags = (self.folded, self.lines, self.dot_all)
        if self._take("?"):
            if self._take("P<") or (self._take("<") and self.text[self.at : self.at + 1] not in ("=", "!")):
                end = self.text.find(">", self.at)
                if end < 0 or not self.text[self.at : end].isidentifier():
                    raise PatternError("has a group without a name")
                self.at = end + 1
            elif not self._flags():
                return None
        inner = self.choice(depth + 1)
        if not self._take(")"):
            raise PatternError("has a `(` that is never closed")
        self.folded, self.lines, self.dot_all = flags
        return inner

    def _flags(self) -> bool:
        """Read `i`, `m`, `s` after `(?`; say whether a group follows rather than the rest of this one."""
        on = True
        while True:
            char = self._next()
            match char:
                case "i":
                    self.folded = on
                case "m":
                    self.lines = on
                case "s":
                    self.dot_all = on
                case "-" if on:
                    on = False
                case ":":
                    return True
                case ")":
                    return False
                case "=" | "!" | "<":
                    raise PatternError("looks ahead or behind, which takes more than linear time")
                case _:
                    raise PatternError(f"has a group `(?{char}` that RE2 does not know")

    def _repeated(self, part: Tree) -> Tree:
        bounds = self._bounds()
        if bounds is None:
            return part
        self._take("?")
        if self.text[self.at : self.at + 1] in ("*", "+", "?") or self._bounds() is not None:
            raise PatternError("repeats a repetition")
        return Repeat(part, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        for text, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(text):
                return bounds
        end = self.text.find("}", self.at)
        if not self.text.startswith("{", self.at) or end < 0:
            return None
        least, comma, most = self.text[self.at + 1 : end].partition(",")
        if not least.isascii() or not least.isdigit() or (most and not (most.isascii() and most.isdigit())):
            return None
        self.at = end + 1
        at_least = int(least[:9])
        at_most = int(most[:9]) if most else None if comma else at_least
        if max(at_least, at_most or 0) > REPEAT_MAX or (at_most is not None and at_most < at_least):
            raise PatternError(f"repeats something more often than {REPEAT_MAX} times, or less than never")
        return at_least, at_most

    def _escape(self) -> Tree:
        char = self._next()
        if char in "bB":
            return Assertion(char, False)
        if char == "A":
            return Assertion("^", False)
        if char == "z":
            return Assertion("$", False)
        return Chars(self._escaped(char), self.folded)

    def _escaped(self, char: str) -> Ranges:
        if char.lower() in _CLASSES:
            ranges = _CLASSES[char.lower()]
            return ranges if char.islower() else _inverted(ranges)
        if char == "x":
            return self._hexadecimal()
        if char.isdigit() or char == "k":
            raise PatternError("refers back to a group, which takes more than linear time")
        code = _ESCAPES.get(char, char)
        if char.isalnum() and char not in _ESCAPES:
            raise PatternError(f"has an escape `\\{char}` that is not among those a policy may use")
        return ((ord(code), ord(code)),)

    def _hexadecimal(self) -> Ranges:
        if self._take("{"):
            end = self.text.find("}", self.at)
            digits, self.at = self.text[self.at : max(end, self.at)], end + 1
        else:
            digits, self.at = self.text[self.at : self.at + 2], self.at + 2
        try:
            code = int(digits, 16)
        except ValueError:
            raise PatternError("has an escape `\\x` without hexadecimal digits") from None
        if code > _LAST:
            raise PatternError("names a character beyond U+10FFFF")
        return ((code, code),)

    def _class(self) -> Ranges:
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        first = True
        while first or not self._take("]"):
            first = False
            if self._take("[:"):
                raise PatternError("has a class like `[:alpha:]`; write its characters")
            low = self._one_of_class()
            if len(low) == 1 and low[0][0] == low[0][1] and self._range_follows():
                self.at += 1
                high = self._one_of_class()
                if len(high) != 1 or high[0][0] != high[0][1] or high[0][0] < low[0][0]:
                    raise PatternError("has a class whose range goes backwards")
                low = ((low[0][0], high[0][0]),)
            ranges.extend(low)
        return _inverted(tuple(ranges), folded=self.folded) if negated else tuple(ranges)

    def _range_follows(self) -> bool:
        return self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", "")

    def _one_of_class(self) -> Ranges:
        char = self._next()
        if char == "\\":
            return self._escaped(self._next())
        return ((ord(char), ord(char)),)


def _inverted(ranges: Ranges, *, folded: bool = False) -> Ranges:
    if folded:
        # What a class excludes it excludes in both cases.
        ranges = (*ranges, *_other_case(ranges))
    inverted, begin = [], 0
    for low, high in sorted(ranges):
        if low > begin:
            inverted.append((begin, low - 1))
        begin = max(begin, high + 1)
    if begin <= _LAST:
        inverted.append((begin, _LAST))
    return tuple(inverted)


def _other_case(ranges: Ranges) -> Ranges:
    """Return the other case of the ASCII letters in ranges."""
    found = []
    for low, high in ranges:
        for first, last, shift in ((65, 90, 32), (97, 122, -32)):
            begin, end = max(low, first), min(high, last)
            if begin <= end:
                found.append((begin + shift, end + shift))
    return tuple(found)
