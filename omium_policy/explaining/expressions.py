"""Expressions and paths as a reader says them."""

from __future__ import annotations

from typing_extensions import assert_never

from omium_policy import syntax
from omium_policy.resolving import constant
from omium_policy.types import of_literal
from omium_policy.wording import shown

__all__ = ["condition", "listed", "value"]

_SIGNS = {
    "<": "is less than",
    "<=": "is at most",
    ">": "is more than",
    ">=": "is at least",
    "==": "is",
    "!=": "is not",
}
_ROOTS = {"run": "execution"}


def condition(node: syntax.Expression, *, negated: bool = False) -> str:
    """Return a condition as a clause: `the output's apr is between 2.5% and 8.5%`."""
    match node:
        case syntax.Not(inner):
            return condition(inner, negated=not negated)
        case syntax.And(parts):
            return listed([condition(one, negated=negated) for one in parts], "or" if negated else "and")
        case syntax.Or(parts):
            return listed([condition(one, negated=negated) for one in parts], "and" if negated else "or")
        case syntax.Between(what, low, high):
            return f"{value(what)} is {_not(negated)}between {value(low)} and {value(high)}"
        case syntax.Compare(signs, parts):
            clauses = [
                f"{value(left)} {_compared(sign, negated)} {value(right)}"
                for sign, left, right in zip(signs, parts, parts[1:], strict=False)
            ]
            return listed(clauses, "or" if negated else "and")
        case syntax.Member(item, container, inverse):
            return f"{value(item)} is {_not(negated != inverse)}one of {_members(container)}"
        case syntax.Matches(what, pattern):
            return f"{value(what)} {'does not contain' if negated else 'contains'} the pattern `{pattern.value}`"
        case syntax.Exists(path):
            return f"{value(path)} is {'missing' if negated else 'there'}"
        case syntax.Quantified(every, variable, container, inner):
            each = "every" if every else "some"
            said = f"for {each} `{variable.text}` in {value(container)}, {condition(inner)}"
            return f"it is not so that {said}" if negated else said
    return f"{value(node)} is {_not(negated)}true"


def value(node: syntax.Expression) -> str:
    """Return a value as a noun: `the output's amount`."""
    match node:
        case syntax.Literal(kind="text", value=text):
            return f'"{text}"'
        case syntax.Literal():
            return shown(constant(node), of_literal(node))
        case syntax.Path():
            return _path(node)
        case syntax.Call(function, arguments):
            return f"{_words(function.text.rpartition('.')[2])} of {listed([value(one) for one in arguments], 'and')}"
        case syntax.Arithmetic(operator, left, right):
            verb = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}[operator]
            return f"{value(left)} {verb} {value(right)}"
        case syntax.Negative(inner):
            return f"minus {value(inner)}"
        case syntax.ListOf(items):
            return listed([value(one) for one in items], "and") or "nothing"
        case syntax.Record(pairs):
            return listed([f"{_words(pair.name.text)} {value(pair.value)}" for pair in pairs], "and")
        case (
            syntax.Compare()
            | syntax.Between()
            | syntax.Member()
            | syntax.Matches()
            | syntax.Quantified()
            | syntax.Exists()
            | syntax.Not()
            | syntax.And()
            | syntax.Or()
        ):
            return f"whether {condition(node)}"
    assert_never(node)


def listed(parts: list[str], word: str) -> str:
    """Return `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _not(negated: bool) -> str:
    return "not " if negated else ""


def _compared(sign: str, negated: bool) -> str:
    opposite = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
    return _SIGNS[opposite[sign] if negated else sign]


def _members(container: syntax.Expression) -> str:
    if isinstance(container, syntax.ListOf):
        return listed([value(one) for one in container.items], "or")
    return value(container)


def _path(node: syntax.Path) -> str:
    root = node.root.text
    if not node.parts:
        return f"`{root}`" if root not in ("input", "output", "step", "run") else f"the {_ROOTS.get(root, root)}"
    said = f"the {_ROOTS.get(root, _words(root))}"
    for part in node.parts:
        if isinstance(part, syntax.Name):
            said += f"'s {_words(part.text)}"
        else:
            said += f" for {value(part)}"
    return said


def _words(name: str) -> str:
    return name.replace("_", " ")
