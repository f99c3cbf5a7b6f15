"""Messages with values in them: `"APR {output.apr} is outside our band."`"""

from __future__ import annotations

import re
from typing import TypeAlias

from omium_policy import syntax
from omium_policy.building.expressions import expression
from omium_policy.checking.report import Report
from omium_policy.grammar import grammar

__all__ = ["parts", "placeholders"]

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
Part: TypeAlias = str | syntax.Expression


def placeholders(text: syntax.Literal, report: Report) -> list[syntax.Expression]:
    """Return the expressions in a message, and report what is none."""
    found = []
    for match in _PART.finditer(str(text.value)):
        if match[0] in ("{{", "}}"):
            continue
        part = _expression(match[1]) if match[1] is not None else None
        if part is None:
            said = f"`{match[0]}` is no value"
            report.error("bad-placeholder", said, text, "write `{output.x}`, or `{{` for a brace")
        else:
            # It stands in the message, so that is where what is wrong with it is shown.
            found.append(_at(part, text))
    return found


def parts(text: str) -> list[Part]:
    """Return a message as texts and expressions, in their order."""
    found: list[Part] = []
    end = 0
    for match in _PART.finditer(text):
        found.append(text[end : match.start()])
        end = match.end()
        part = _expression(match[1]) if match[1] is not None else None
        found.append(match[0][0] if part is None else part)
    return [one for one in (*found, text[end:]) if one != ""]


def _expression(text: str) -> syntax.Expression | None:
    from lark import UnexpectedInput

    try:
        return expression(grammar().parse(text, start="expr"))
    except UnexpectedInput:
        return None


def _at(node: syntax.Expression, place: syntax.Literal) -> syntax.Expression:
    """Return an expression as if all of it stood at another place."""
    there: syntax.Expression = syntax.moved(node, place.span)
    return there
