"""Messages with values in them: `"APR {output.apr} is outside our band."`"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from omium_policy import syntax

if TYPE_CHECKING:
    from omium_policy.checking.report import Report

__all__ = ["parts", "placeholders", "values"]

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
VALUES_MAX = 100
Part: TypeAlias = str | syntax.Expression


def values(text: syntax.Literal) -> tuple[syntax.Expression | None, ...]:
    """Return the expressions in a message in their order; None for a brace that holds none."""
    matches = _values_in(str(text.value))
    if len(matches) > VALUES_MAX:
        return (None,) * len(matches)
    found = (_expression(match[1]) if match[1] is not None else None for match in matches)
    # They stand in the message, so that is where what is wrong with them is shown.
    return tuple(syntax.moved(one, text.span) if one is not None else None for one in found)


def placeholders(message: syntax.Message, report: Report) -> list[syntax.Expression]:
    """Return the expressions in a message, and report what is none."""
    if len(message.values) > VALUES_MAX:
        said = f"the message has {len(message.values)} values, and {VALUES_MAX} are the most"
        report.error("bad-placeholder", said, message.text)
        return []
    for match, value in zip(_values_in(str(message.text.value)), message.values, strict=True):
        if value is None:
            said = f"`{match[0]}` is no value"
            report.error("bad-placeholder", said, message.text, "write `{output.x}`, or `{{` for a brace")
    return [one for one in message.values if one is not None]


def parts(message: syntax.Message) -> list[Part]:
    """Return a message as texts and expressions, in their order."""
    text = str(message.text.value)
    left = iter(message.values)
    found: list[Part] = []
    end = 0
    for match in _PART.finditer(text):
        found.append(text[end : match.start()])
        end = match.end()
        value = None if _is_brace(match) else next(left)
        found.append(match[0][0] if value is None else value)
    return [one for one in (*found, text[end:]) if one != ""]


def _values_in(text: str) -> list[re.Match[str]]:
    return [match for match in _PART.finditer(text) if not _is_brace(match)]


def _is_brace(match: re.Match[str]) -> bool:
    return match[0] in ("{{", "}}")


def _expression(text: str) -> syntax.Expression | None:
    # Whoever reads a kept policy needs no parser: only texts that are parsed have expressions in them to be found.
    from lark import UnexpectedInput

    from omium_policy.building.expressions import expression
    from omium_policy.building.parts import deeper_than
    from omium_policy.grammar import grammar
    from omium_policy.source import DEPTH_MAX, Source, hazards

    if hazards(Source("", text)):
        return None
    try:
        tree = grammar().parse(text, start="expr")
    except UnexpectedInput:
        return None
    return expression(tree) if deeper_than(tree, DEPTH_MAX) is None else None
