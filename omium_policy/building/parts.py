"""What all builders share: where a part stands, names, literals and lists of parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from lark import Token, Tree

from omium_policy import literals
from omium_policy.source import Span
from omium_policy.syntax import Literal, Name

__all__ = [
    "Part",
    "Parts",
    "deeper_than",
    "duration",
    "literal",
    "name",
    "names",
    "some",
    "span",
    "text",
    "token",
    "trees",
]

Part: TypeAlias = Tree[Token] | Token
Parts: TypeAlias = list[Part]


def span(part: Part) -> Span:
    """Return where a part stands."""
    if isinstance(part, Token):
        return Span(part.start_pos or 0, part.end_pos or 0)
    return Span(part.meta.start_pos, part.meta.end_pos)


def token(part: Part) -> Token:
    """Return the token that a part is, or that it consists of."""
    while isinstance(part, Tree):
        part = part.children[0]
    return part


def trees(parts: Iterable[Part], *kinds: str) -> Iterator[Tree[Token]]:
    """Give the trees among the parts, of these kinds where some are named."""
    for part in parts:
        if isinstance(part, Tree) and (not kinds or part.data in kinds):
            yield part


def deeper_than(part: Part, most: int) -> Tree[Token] | None:
    """Return a part that is deeper inside of this one, or a path that has more steps; None when there is none."""
    left: list[tuple[Part, int]] = [(part, 0)]
    while left:
        node, depth = left.pop()
        if not isinstance(node, Tree):
            continue
        if depth > most or (node.data == "path" and len(node.children) > most):
            return node
        left.extend((child, depth + 1) for child in node.children)
    return None


def some(parts: Iterable[Part], kind: str) -> Tree[Token] | None:
    """Return the first tree of a kind, if there is one."""
    return next(trees(parts, kind), None)


def name(part: Part) -> Name:
    """Return a name, a qualified name, a quoted name or a text that stands for one."""
    if isinstance(part, Tree):
        return Name(".".join(token(one) for one in part.children), span(part))
    written = {"QUOTED": part[1:-1], "STRING": literals.text(part)}.get(part.type, str(part))
    return Name(written, span(part))


def names(parts: Iterable[Part]) -> tuple[Name, ...]:
    """Return several names."""
    return tuple(name(part) for part in parts)


def literal(part: Token) -> Literal:
    """Return a literal's value with its kind."""
    written, place = str(part), span(part)
    match part.type:
        case "INT":
            return Literal("integer", int(written.replace("_", "")), None, place)
        case "NUMBER":
            return Literal("number", literals.number(written), None, place)
        case "PERCENT":
            return Literal("percent", literals.number(written[:-1]), None, place)
        case "MONEY":
            return Literal("money", literals.number(written[1:]), literals.CURRENCIES[written[0]], place)
        case "DURATION":
            return Literal("duration", literals.duration(written), None, place)
        case "STRING":
            return Literal("text", literals.text(written), None, place)
        case "TRUE" | "FALSE":
            return Literal("boolean", part.type == "TRUE", None, place)
    raise AssertionError(f"the grammar has no literal {part.type}")


def text(part: Part) -> Literal:
    """Return the text that a part consists of."""
    return literal(token(part))


def duration(part: Part) -> Literal:
    """Return the duration that a part consists of."""
    return literal(token(part))
