"""What is said of a name in an editor: Markdown, a few lines each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from omium_policy import syntax
from omium_policy.editing.document import Document
from omium_policy.editing.mentions import Mention
from omium_policy.explaining import rule_in_words
from omium_policy.explaining.actions import ladder
from omium_policy.explaining.expressions import listed, value
from omium_policy.functions import BUILT_IN, Function
from omium_policy.types import ANYTHING, ValueType
from omium_policy.wording import shown

__all__ = [
    "described",
    "fields_in_words",
    "ladder_in_words",
    "rule_text",
    "signature_of",
    "step_in_words",
    "type_words",
]

FIELDS_SHOWN_MAX = 20
_BREAK = "  \n"


def described(document: Document, mention: Mention) -> str | None:
    """Return what a name means, as Markdown; None where there is nothing to say."""
    say = _DESCRIBED.get(mention.kind)
    return say(document, mention) if say is not None else None


def rule_text(rule: syntax.Rule, policy: syntax.Policy) -> str:
    """Return a rule in plain English, a line for each thing that it says."""
    first, *more = rule_in_words(rule, policy)
    said = first.removeprefix("* ").partition(": ")[2]
    return _BREAK.join([said[:1].upper() + said[1:], *(line.strip() for line in more)])


def ladder_in_words(recovery: syntax.Recovery) -> str:
    """Return a ladder's sentences."""
    return _BREAK.join(ladder(recovery))


def step_in_words(document: Document, policy: syntax.Policy, step: str) -> str:
    """Return what goes into a step and comes out of it; empty where nobody says so."""
    io = document.scope(policy).steps.get(step)
    parts = [("takes", io.takes), ("gives", io.gives)] if io is not None else []
    return ", ".join(f"{verb} `{kind.name}`" for verb, kind in parts if kind.name is not None)


def type_words(kind: ValueType) -> str:
    """Return a type as a reader says it, with its bounds."""
    limit = f" of at most {kind.limit:,} characters" if kind.kind == "text" and kind.limit is not None else ""
    items = f", each {kind.of}" if kind.kind == "list" and kind.of not in (None, ANYTHING) else ""
    return f"{kind}{limit}{items}{', may be missing' if kind.optional else ''}"


def fields_in_words(kind: ValueType) -> str:
    """Return a record's fields as a list."""
    shown = list((kind.fields or {}).items())
    lines = [f"* `{name}`: {type_words(of)}" for name, of in shown[:FIELDS_SHOWN_MAX]]
    return "\n".join([*lines, *(["* ..."] if len(shown) > FIELDS_SHOWN_MAX else [])])


def signature_of(function: Function) -> str:
    """Return what a function takes and gives, as plugins write it."""
    return f"({', '.join(one.kind for one in function.takes)}) -> {function.gives.kind}"


def _rule(document: Document, mention: Mention) -> str | None:
    policy = _policy(mention)
    found = next((one for one in policy.of(syntax.Rule) if one.name.text == mention.text), None)
    return f"**rule `{mention.text}`**\n\n{rule_text(found, policy)}" if found is not None else None


def _ladder(document: Document, mention: Mention) -> str | None:
    for one in _policy(mention).of(syntax.Recovery):
        if one.name.text == mention.text:
            return f"**recovery `{mention.text}`**\n\n{ladder_in_words(one)}"
    return None


def _step(document: Document, mention: Mention) -> str | None:
    policy = _policy(mention)
    lines = [f"**step `{mention.text}`** {step_in_words(document, policy, mention.text)}".rstrip()]
    for flow in policy.of(syntax.Workflow):
        names = [step.text for step in flow.steps]
        if mention.text in names:
            lines.append(f"Step {names.index(mention.text) + 1} of {len(names)}: {' -> '.join(names)}.")
    rules = [one.name.text for one in policy.of(syntax.Rule) if _stands_at(one, mention.text)]
    if rules:
        lines.append(f"Rules: {listed([f'`{one}`' for one in rules], 'and')}.")
    return "\n\n".join(lines)


def _stands_at(rule: syntax.Rule, step: str) -> bool:
    return rule.anchor is not None and (rule.anchor.step is None or rule.anchor.step.text == step)


def _data(document: Document, mention: Mention) -> str | None:
    kind = document.scope(_policy(mention)).data.get(mention.text)
    return f"**data `{mention.text}`**\n\n{fields_in_words(kind)}" if kind is not None else None


def _let(document: Document, mention: Mention) -> str | None:
    policy = _policy(mention)
    found = document.scope(policy).lets.get(mention.text)
    if found is None:
        return None
    kind = document.type_of(document.scope(policy), {}, found.value)
    return f"**let `{mention.text}`**: {type_words(kind)}\n\n{value(found.value)}"


def _value(document: Document, mention: Mention) -> str | None:
    text = f"**`{mention.text}`**: {type_words(mention.type)}"
    return f"{text}\n\n{fields_in_words(mention.type)}" if mention.type.fields else text


def _field(document: Document, mention: Mention) -> str | None:
    bounded = "".join(f", {sign} {shown(limit, mention.type)}" for sign, limit in mention.type.bounds)
    origin = f"\n\nA field of `{mention.owner}`." if mention.owner is not None else ""
    return f"**`{mention.text}`**: {type_words(mention.type)}{bounded}{origin}"


def _function(document: Document, mention: Mention) -> str | None:
    full = document.scope(_policy(mention)).full(mention.text)
    found = BUILT_IN.get(mention.text) or document.registry.functions.get(full)
    return f"**`{mention.text}`** `{signature_of(found)}`" if found is not None else None


def _action(document: Document, mention: Mention) -> str | None:
    found = document.registry.actions.get(document.scope(_policy(mention)).full(mention.text))
    if found is None:
        return None
    takes = ", ".join(f"{name}: {kind}" for name, kind in found.parameters.items())
    ends = " It may end a ladder." if found.terminal else ""
    return f"**action `{mention.text}`** ({takes}), which a plugin performs.{ends}"


def _pack(document: Document, mention: Mention) -> str | None:
    pack = next((one for one in document.packs.values() if one.name == mention.text), None)
    if pack is None:
        return None
    return "\n\n".join([f"**pack `{pack.name}`** {pack.version}", *_contents(pack.file)])


def _contents(file: syntax.File) -> Iterator[str]:
    for policy in file.policies:
        yield from (str(one.text.value) for one in policy.of(syntax.Title))
        rules = policy.of(syntax.Rule)
        if rules:
            yield "\n".join(f"* `{one.name.text}`: {rule_text(one, policy).partition(_BREAK)[0]}" for one in rules)


def _policy(mention: Mention) -> syntax.Policy:
    assert mention.policy is not None, "every name but a pack's stands in a policy"
    return mention.policy


_DESCRIBED: dict[str, Callable[[Document, Mention], str | None]] = {
    "rule": _rule,
    "ladder": _ladder,
    "step": _step,
    "data": _data,
    "let": _let,
    "value": _value,
    "field": _field,
    "function": _function,
    "action": _action,
    "pack": _pack,
}
