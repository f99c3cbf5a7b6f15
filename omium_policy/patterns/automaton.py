"""The automaton: all ways through the program at once, one step for each character, remembered as they are met."""

from __future__ import annotations

import functools

import attrs

from omium_policy.patterns.program import Matched, Program, Split
from omium_policy.patterns.reading import WORDS, Assertion, Chars

__all__ = ["search"]

REMEMBERED_MAX = 10_000


@attrs.define
class _Memory:
    """Steps met so far: what follows some places, for a character and what stood before it."""

    steps: dict[tuple[frozenset[int], str, str], tuple[bool, frozenset[int]]] = attrs.field(factory=dict)


@functools.lru_cache(maxsize=256)
def _memory(program: Program) -> _Memory:
    return _Memory()


def search(program: Program, text: str) -> bool:
    """Return whether the pattern is found in the text."""
    memory = _memory(program).steps
    places: frozenset[int] = frozenset()
    before = ""
    for char in (*text, ""):
        key = (places, _kind(before), char)
        step = memory.get(key)
        if step is None:
            step = _step(program, places, before, char)
            if len(memory) >= REMEMBERED_MAX:
                memory.clear()
            memory[key] = step
        matched, places = step
        if matched:
            return True
        before = char
    return False


def _kind(char: str) -> str:
    """What an assertion may know of the character before it."""
    return char if char in ("", "\n") else "w" if _is_word(char) else "-"


def _step(program: Program, places: frozenset[int], before: str, char: str) -> tuple[bool, frozenset[int]]:
    """Return whether the pattern ends here, and where each way goes with this character. A way may begin anywhere."""
    reached = _reached(program, places | {0}, before, char)
    if any(isinstance(program[place], Matched) for place in reached):
        return True, frozenset()
    return False, frozenset(place + 1 for place in reached if char and _takes(program[place], char))


def _reached(program: Program, places: frozenset[int], before: str, after: str) -> set[int]:
    reached: set[int] = set()
    left = list(places)
    while left:
        place = left.pop()
        if place in reached:
            continue
        reached.add(place)
        match program[place]:
            case Split(to):
                left.extend(to)
            case Assertion() as assertion if _holds(assertion, before, after):
                left.append(place + 1)
    return reached


def _holds(assertion: Assertion, before: str, after: str) -> bool:
    match assertion.kind:
        case "^":
            return before == "" or (assertion.lines and before == "\n")
        case "$":
            return after == "" or (assertion.lines and after == "\n")
    at_edge = _is_word(before) != _is_word(after)
    return at_edge if assertion.kind == "b" else not at_edge


def _is_word(char: str) -> bool:
    return char != "" and _within(WORDS, ord(char))


def _takes(instruction: object, char: str) -> bool:
    if not isinstance(instruction, Chars):
        return False
    if _within(instruction.ranges, ord(char)):
        return True
    return instruction.folded and any(
        len(other) == 1 and _within(instruction.ranges, ord(other)) for other in (char.lower(), char.upper())
    )


def _within(ranges: tuple[tuple[int, int], ...], code: int) -> bool:
    return any(low <= code <= high for low, high in ranges)
