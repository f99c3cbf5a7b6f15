"""What an editor offers to change: a ladder for a rule that says nothing of failing, the word that was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import attrs

from omium_policy import syntax
from omium_policy.checking.rules import mode_of
from omium_policy.diagnostics import Diagnostic
from omium_policy.editing.document import Document
from omium_policy.formatter import INDENT
from omium_policy.source import Span

__all__ = ["Edit", "Fix", "fixes"]

_MEANT = re.compile(r"did you mean `([^`]+)`\?|write ([^\s`]+)\?$")
_NEW_LADDER = "repair"
_ROLE = "on-call"


@attrs.frozen
class Edit:
    """A stretch of text and what stands there instead."""

    span: Span
    text: str


@attrs.frozen
class Fix:
    """A change under its title; `diagnostic` is what it puts right, when something is wrong."""

    title: str
    edits: tuple[Edit, ...]
    diagnostic: Diagnostic | None = None


def fixes(document: Document, span: Span, diagnostics: Iterable[Diagnostic]) -> tuple[Fix, ...]:
    """Return what can be changed in a stretch of a document; `diagnostics` are those of the whole document."""
    here = [one for one in diagnostics if one.source is document.source and _touch(one.span, span)]
    meant = [fix for one in here for fix in _meant(document, one)]
    return (*meant, *_ladders(document, span, here))


def _touch(one: Span, other: Span) -> bool:
    return one.start <= other.end and other.start <= one.end


def _meant(document: Document, found: Diagnostic) -> Iterator[Fix]:
    """Give the word that a diagnostic says was meant, where the diagnostic stands at the wrong word itself."""
    match = _MEANT.search(found.help or "")
    wrong = document.source.text[found.span.start : found.span.end]
    if match is None or ("`" in match[0] and f"`{wrong}`" not in found.message):
        return
    word = match[1] or match[2]
    yield Fix(f"Write `{word}`", (Edit(found.span, word),), found)


def _ladders(document: Document, span: Span, here: list[Diagnostic]) -> Iterator[Fix]:
    for policy in document.policies:
        for rule in policy.of(syntax.Rule):
            says = any(isinstance(one, syntax.OnFail) for one in rule.statements)
            if says or mode_of(rule, policy) != "blocking" or not _touch(rule.span, span):
                continue
            found = next((one for one in here if one.code == "no-action" and _touch(one.span, rule.name.span)), None)
            for ladder in policy.of(syntax.Recovery):
                name = ladder.name.text
                yield Fix(f"On fail, recover `{name}`", (_on_fail(document, rule, name),), found)
            yield _with_new_ladder(document, policy, rule, found)


def _with_new_ladder(document: Document, policy: syntax.Policy, rule: syntax.Rule, found: Diagnostic | None) -> Fix:
    taken = {one.name.text for one in policy.of(syntax.Recovery)}
    name = next(one for one in (_NEW_LADDER, *(f"{_NEW_LADDER}_{n}" for n in range(2, 99))) if one not in taken)
    role = next((one.role.text for one in syntax.walk(policy) if isinstance(one, syntax.Pause)), _ROLE)
    indent = _indent(document, rule.span.start)
    lines = [
        f"recovery {name} {{",
        f"{INDENT}first retry 3 times with feedback, backoff exponential(1s, 10s)",
        f'{INDENT}then pause for "{role}", timeout 4h',
        f"{INDENT}finally halt",
        "}",
    ]
    text = "".join(f"\n{indent}{line}" for line in lines)
    ladder = Edit(Span(rule.span.end, rule.span.end), text)
    return Fix(
        f"Add a recovery ladder `{name}` for `{rule.name.text}`", (_on_fail(document, rule, name), ladder), found
    )


def _on_fail(document: Document, rule: syntax.Rule, ladder: str) -> Edit:
    """Say it last in the rule, on a line of its own where the rule has several."""
    end, text = rule.span.end - 1, document.source.text
    line = text.rfind("\n", 0, end) + 1
    if text[line:end].strip():
        gap = "" if text[end - 1].isspace() else " "
        return Edit(Span(end, end), f"{gap}on fail recover {ladder} ")
    indent = _indent(document, rule.span.start) + INDENT
    return Edit(Span(line, line), f"{indent}on fail recover {ladder}\n")


def _indent(document: Document, offset: int) -> str:
    text = document.source.text
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    return line[: len(line) - len(line.lstrip())]
