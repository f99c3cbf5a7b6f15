"""A pattern's tree as a program for the automaton (K. Thompson, CACM 11(6), 1968; R. Cox, swtch.com/~rsc/regexp)."""

from __future__ import annotations

import functools
from typing import TypeAlias

from typing_extensions import assert_never

from omium_policy.frozen import frozen
from omium_policy.patterns.reading import Assertion, Chars, Choice, PatternError, Repeat, Sequence, Tree, read

__all__ = ["Instruction", "Matched", "Program", "Split", "compiled"]

INSTRUCTIONS_MAX = 10_000


@frozen
class Split:
    """Go on at several places."""

    to: tuple[int, ...]


@frozen
class Matched:
    """The pattern is found."""


Instruction: TypeAlias = Chars | Assertion | Split | Matched
Program: TypeAlias = tuple[Instruction, ...]


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str) -> Program:
    """Return a pattern's program; raise `PatternError` when it is not RE2's or too large."""
    program: list[Instruction] = []
    _emit(read(pattern), program)
    program.append(Matched())
    return tuple(program)


def _emit(tree: Tree, program: list[Instruction]) -> None:
    if len(program) > INSTRUCTIONS_MAX:
        raise PatternError("is too large: its repetitions multiply")
    match tree:
        case Chars() | Assertion():
            program.append(tree)
        case Sequence(parts):
            for part in parts:
                _emit(part, program)
        case Choice(parts):
            _emit_choice(parts, program)
        case Repeat(part, least, most):
            for _ in range(least):
                before = len(program)
                _emit(part, program)
                if len(program) == before:
                    # What is nothing is nothing a billion times.
                    break
            if most is None:
                _emit_loop(part, program)
            else:
                _emit_optional(part, most - least, program)
        case _:
            assert_never(tree)


def _emit_choice(parts: tuple[Tree, ...], program: list[Instruction]) -> None:
    head = len(program)
    program.append(Split(()))
    begins, ends = [], []
    for part in parts:
        begins.append(len(program))
        _emit(part, program)
        ends.append(len(program))
        program.append(Split(()))
    program[head] = Split(tuple(begins))
    for end in ends:
        program[end] = Split((len(program),))


def _emit_loop(part: Tree, program: list[Instruction]) -> None:
    head = len(program)
    program.append(Split(()))
    _emit(part, program)
    program.append(Split((head,)))
    program[head] = Split((head + 1, len(program)))


def _emit_optional(part: Tree, times: int, program: list[Instruction]) -> None:
    heads = []
    for _ in range(times):
        heads.append(len(program))
        program.append(Split(()))
        _emit(part, program)
    for head in heads:
        program[head] = Split((head + 1, len(program)))
