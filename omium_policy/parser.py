"""From text to tree. Bad text gives diagnostics, several at once, and never an exception."""

from __future__ import annotations

import attrs
from lark import Token, Tree, UnexpectedInput, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from omium_policy.building.items import file
from omium_policy.building.parts import deeper_than, span
from omium_policy.diagnostics import Diagnostic
from omium_policy.grammar import KEYWORDS_OF_STATEMENTS, grammar
from omium_policy.mistakes import described, position
from omium_policy.repairing import repair
from omium_policy.resuming import close, leave, resume
from omium_policy.source import Source, hazards
from omium_policy.syntax import File

__all__ = ["Parsed", "parse", "parse_before", "parse_what_is_there"]

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
    interactive, mistakes, ended = _read(source)
    if ended and len(mistakes) < ERRORS_MAX:
        try:
            tree = _end(interactive)
        except UnexpectedToken as problem:
            mistakes.append(described(source, problem, interactive, None))
    if mistakes:
        return Parsed(source, None, tuple(mistakes))
    deep = _too_deep(source, tree)
    return Parsed(source, None, (deep,)) if deep is not None else Parsed(source, file(tree))


def parse_what_is_there(source: Source) -> File | None:
    """Return the tree of a text that somebody is writing: statements with a mistake are left out, open blocks closed.

    None when there is no policy in it yet, or when it is refused before it is parsed.
    """
    if hazards(source):
        return None
    interactive, _, _ = _read(source, being_written=True)
    if not close(interactive, len(source.text)):
        return None
    tree = _end(interactive)
    return file(tree) if _too_deep(source, tree) is None else None


def parse_before(source: Source, offset: int) -> InteractiveParser | None:
    """Return the parser as it stands before an offset; None when it could not go on there after a mistake."""
    before = Source(source.name, source.text[:offset])
    if hazards(before):
        return None
    interactive, _, ended = _read(before, being_written=True)
    return interactive if ended else None


def _too_deep(source: Source, tree: Tree[Token]) -> Diagnostic | None:
    """Return what is said of an expression whose tree is too deep to be walked: `1 + 1 + 1 + ...` nests, too."""
    node = deeper_than(tree, DEPTH_MAX)
    if node is None:
        return None
    said = f"this has more than {DEPTH_MAX} parts inside each other"
    return Diagnostic("too-deep", said, source, span(node), "name a part of it with `let`")


def _end(interactive: InteractiveParser) -> Tree[Token]:
    tree: Tree[Token] = interactive.feed_eof()  # type: ignore[no-untyped-call]  # by Lark
    return tree


def _read(source: Source, *, being_written: bool = False) -> tuple[InteractiveParser, list[Diagnostic], bool]:
    """Feed the text to a parser, which goes on at the next statement after each mistake; say whether it got to the end.

    What is left on the parser's stack is always the beginning of a policy without mistakes. In a text that is
    `being_written`, a name that is not there yet is not the keyword that begins the next line.
    """
    interactive = grammar().parse_interactive(source.text, start="start")
    mistakes: list[Diagnostic] = []
    last: Token | None = None
    resumed_at = -1
    while len(mistakes) < ERRORS_MAX:
        try:
            for token in interactive.lexer_thread.lex(interactive.parser_state):  # type: ignore[no-untyped-call]  # by Lark
                if being_written and _begins_statement(source, token):
                    raise UnexpectedToken(token, set())  # type: ignore[no-untyped-call]  # by Lark
                interactive.feed_token(token)
                last = token
            return interactive, mistakes, True
        except UnexpectedInput as problem:
            repaired = repair(source, interactive, problem, last)
            if repaired is not None:
                mistakes.append(repaired)
                continue
            mistakes.append(described(source, problem, interactive, last))
            at = leave(source, interactive, position(problem)) if being_written else None
            if at is None:
                at = resume(source, interactive, position(problem), resumed_at)
            if at is None:
                break
            resumed_at = at
    return interactive, mistakes, False


def _begins_statement(source: Source, token: Token) -> bool:
    """True for a keyword at the beginning of a line that was read as a name; a field of that name has a colon."""
    if token.type != "NAME" or token not in KEYWORDS_OF_STATEMENTS:
        return False
    start = token.start_pos or 0
    begins_line = not source.text[source.text.rfind("\n", 0, start) + 1 : start].strip()
    return begins_line and not source.text.startswith(":", token.end_pos or 0)
