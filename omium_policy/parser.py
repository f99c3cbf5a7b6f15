"""From text to tree. Bad text gives diagnostics, several at once, and never an exception."""

from __future__ import annotations

import attrs
from lark import Token, Tree, UnexpectedInput, UnexpectedToken

from omium_policy.building.items import file
from omium_policy.building.parts import deeper_than, span
from omium_policy.diagnostics import Diagnostic
from omium_policy.grammar import grammar
from omium_policy.mistakes import described, position
from omium_policy.repairing import repair
from omium_policy.resuming import resume
from omium_policy.source import Source, hazards
from omium_policy.syntax import File

__all__ = ["Parsed", "parse"]

ERRORS_MAX = 20
"""So many mistakes are told of one file."""

DEPTH_MAX = 100


@attrs.frozen
class Parsed:
    """A text's tree, when it has one, and what is wrong with it."""

    source: Source
    file: File | None
    diagnostics: tuple[Diagnostic, ...] = ()


def parse(source: Source) -> Parsed:
    """Parse one file. There is a tree exactly when there are no diagnostics."""
    found = hazards(source)
    if found:
        return Parsed(source, None, tuple(found))
    tree, mistakes = _tree(source)
    if tree is None:
        return Parsed(source, None, tuple(mistakes))
    deep = _too_deep(source, tree)
    return Parsed(source, None, (deep,)) if deep is not None else Parsed(source, file(tree))


def _too_deep(source: Source, tree: Tree[Token]) -> Diagnostic | None:
    """Return what is said of an expression whose tree is too deep to be walked: `1 + 1 + 1 + ...` nests, too."""
    node = deeper_than(tree, DEPTH_MAX)
    if node is None:
        return None
    said = f"this has more than {DEPTH_MAX} parts inside each other"
    return Diagnostic("too-deep", said, source, span(node), "name a part of it with `let`")


def _tree(source: Source) -> tuple[Tree[Token] | None, list[Diagnostic]]:
    """Parse, and go on at the next statement after each mistake."""
    interactive = grammar().parse_interactive(source.text, start="start")
    mistakes: list[Diagnostic] = []
    last: Token | None = None
    resumed_at = -1
    while len(mistakes) < ERRORS_MAX:
        try:
            for token in interactive.lexer_thread.lex(interactive.parser_state):  # type: ignore[no-untyped-call]  # by Lark
                interactive.feed_token(token)
                last = token
            tree: Tree[Token] = interactive.feed_eof()  # type: ignore[no-untyped-call]  # by Lark
            return (None if mistakes else tree), mistakes
        except UnexpectedInput as problem:
            repaired = repair(source, interactive, problem, last)
            if repaired is not None:
                mistakes.append(repaired)
                continue
            mistakes.append(described(source, problem, interactive, last))
            if isinstance(problem, UnexpectedToken) and problem.token.type == "$END":
                break
            at = resume(source, interactive, position(problem), resumed_at)
            if at is None:
                break
            resumed_at = at
    return None, mistakes
