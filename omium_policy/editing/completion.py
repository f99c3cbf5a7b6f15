"""What can be written at a place: keywords that the grammar takes there, and names of what is expected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import attrs

from omium_policy import syntax
from omium_policy.checking.names import BUILT_IN_METERS, FAILURE_KINDS
from omium_policy.editing.cursor import Cursor, cursor_at
from omium_policy.editing.describing import ladder_in_words, rule_text, signature_of, step_in_words, type_words
from omium_policy.editing.document import Document
from omium_policy.editing.expecting import Expected, expected_at
from omium_policy.functions import BUILT_IN
from omium_policy.grammar import keywords
from omium_policy.literals import CURRENCIES, SECONDS, written
from omium_policy.source import Span

__all__ = ["Completion", "completions"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@attrs.frozen
class Completion:
    """A word that can stand at `span`; `insert` is how it is written there.

    `kind` is keyword, unit, word, value, tool, role, channel, voter, currency or a mention's kind.
    """

    label: str
    kind: str
    span: Span
    detail: str = ""
    insert: str = ""


def completions(document: Document, offset: int) -> tuple[Completion, ...]:
    """Return what can be written at an offset, names before keywords."""
    cursor = cursor_at(document, offset)
    if cursor is None:
        return ()
    expected = expected_at(document, cursor)
    if cursor.quoted:
        found = [*_names(document, cursor, expected)]
    elif cursor.word[:1].isdigit():
        found = [*_units(cursor, expected)]
    else:
        found = [*_names(document, cursor, expected), *_keywords(cursor)]
    return tuple({(one.kind, one.label): one for one in found}.values())


def _keywords(cursor: Cursor) -> Iterator[Completion]:
    for terminal in sorted(cursor.accepts):
        text = keywords().get(terminal, "")
        if text.isalpha():
            yield Completion(text, "keyword", cursor.span)


def _units(cursor: Cursor, expected: Expected) -> Iterator[Completion]:
    """Give the number at the cursor with each unit that can follow it here."""
    number, kind = cursor.word.rstrip("."), expected.type.kind
    if "PERCENT" in cursor.accepts and kind in ("percent", "ratio", "anything"):
        yield Completion(f"{number}%", "unit", cursor.span, "a percentage")
    if "DURATION" in cursor.accepts and kind in ("duration", "anything"):
        for unit, seconds in SECONDS.items():
            yield Completion(f"{number}{unit}", "unit", cursor.span, _UNITS[unit] if seconds else "")
    if "MONEY" in cursor.accepts and kind in ("money", "anything"):
        for sign, code in CURRENCIES.items():
            if expected.type.currency in (None, code):
                yield Completion(f"{sign}{number}", "unit", cursor.span, f"an amount in {code}")


_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _names(document: Document, cursor: Cursor, expected: Expected) -> Iterator[Completion]:
    for kind in expected.kinds:
        for name, detail in _of_kind(document, expected, kind):
            plain = cursor.quoted or "." in name or _NAME.match(name) is not None
            yield Completion(name, kind, cursor.span, detail, name if plain else f"`{name}`")
    for word in expected.type.words:
        yield Completion(word, "word", cursor.span, str(expected.type), word if _NAME.match(word) else written(word))
    for name, kind_ in expected.members.items():
        # A schema may have fields of which no path can ask.
        if _NAME.match(name) is not None:
            yield Completion(name, "field", cursor.span, type_words(kind_))
    for name, kind_ in expected.values.items():
        yield Completion(name, "value", cursor.span, type_words(kind_))


def _of_kind(document: Document, expected: Expected, kind: str) -> Iterable[tuple[str, str]]:
    """Give the names of a kind, each with a word on it."""
    policy = expected.policy
    if kind == "pack":
        return [(name, "") for name in document.finder.names]
    if kind == "currency":
        return [(code, f"as in {sign}1") for sign, code in CURRENCIES.items()]
    if policy is None:
        return []
    scope = document.scope(policy)
    match kind:
        case "step":
            steps = [*scope.steps, *(name for name in _said(policy, syntax.Anchor) if name not in scope.steps)]
            return [(name, step_in_words(document, policy, name)) for name in steps]
        case "data":
            return [(name, ", ".join(of.fields or {})) for name, of in scope.data.items()]
        case "ladder":
            return [(one.name.text, _first_line(ladder_in_words(one))) for one in policy.of(syntax.Recovery)]
        case "rule":
            return [(one.name.text, _first_line(rule_text(one, policy))) for one in policy.of(syntax.Rule)]
        case "let":
            return [(name, type_words(document.type_of(scope, {}, let.value))) for name, let in scope.lets.items()]
        case "tool" | "role" | "channel" | "voter":
            return [(name, "") for name in _said(policy, *_SAID[kind])]
    return _of_plugins(document, expected, kind)


def _of_plugins(document: Document, expected: Expected, kind: str) -> Iterable[tuple[str, str]]:
    """Give names of the language's own and of packs, these under the alias of their pack."""
    registry = document.registry
    known: dict[str, str]
    own: dict[str, str] = {}
    match kind:
        case "function":
            own = {name: signature_of(one) for name, one in BUILT_IN.items()}
            known = {name: signature_of(one) for name, one in registry.functions.items()}
        case "action":
            known = {name: ", ".join(one.parameters) for name, one in registry.actions.items()}
        case "failure":
            own = dict.fromkeys(FAILURE_KINDS, "")
            known = dict.fromkeys(sorted(registry.failures), "")
        case "meter":
            own = dict.fromkeys(BUILT_IN_METERS, "")
            known = {name: str(one) for name, one in registry.meters.items()}
        case "section":
            known = {name: ", ".join(one.fields) for name, one in registry.sections.items()}
        case _:
            known = {}
    packs = {pack.name: alias for alias, pack in document.packs.items()}
    found = [] if expected.below is not None else list(own.items())
    for full, detail in known.items():
        pack, _, name = full.rpartition(".")
        if pack in packs and expected.below in (None, packs[pack]):
            found.append((name if expected.below is not None else f"{packs[pack]}.{name}", detail))
    return found


_SAID: dict[str, tuple[type, ...]] = {
    "tool": (syntax.ToolEvent, syntax.Allow, syntax.Deny),
    "role": (syntax.Pause,),
    "channel": (syntax.Notify,),
    "voter": (syntax.Quorum,),
}


def _said(policy: syntax.Policy, *kinds: type) -> list[str]:
    """Return the names that nobody declares, from where the policy uses them already."""
    found: dict[str, None] = {}
    for node in syntax.walk(policy):
        if isinstance(node, kinds):
            names = [getattr(node, field, None) for field in ("tool", "tools", "role", "channel", "voters", "step")]
            for one in names:
                for name in one if isinstance(one, tuple) else (one,):
                    if isinstance(name, syntax.Name):
                        found[name.text] = None
    return list(found)


def _first_line(text: str) -> str:
    return text.partition("\n")[0].strip()
