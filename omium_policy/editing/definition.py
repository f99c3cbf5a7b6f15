"""Where a name is declared: in this file, or in the pack that brings it."""

from __future__ import annotations

import attrs

from omium_policy.editing.document import Document
from omium_policy.editing.mentions import Mention, declarations, field_of, mention_at
from omium_policy.source import Source, Span

__all__ = ["Target", "definitions"]


@attrs.frozen
class Target:
    """A stretch of a source."""

    source: Source
    span: Span


def definitions(document: Document, offset: int) -> tuple[Target, ...]:
    """Return where the name at an offset is declared; at one of several places, the others."""
    mention = mention_at(document, offset)
    if mention is None:
        return ()
    if mention.policy is None or mention.kind in ("function", "action", "failure", "meter", "section"):
        return _in_pack(document, mention)
    if mention.kind == "field" and mention.owner is not None:
        field = field_of(mention.policy, mention.owner, mention.text.rpartition(".")[2])
        if field is not None:
            return (Target(document.source, field.name.span),)
        # The fields of a schema are where the schema is named.
        return tuple(Target(document.source, one.span) for one in declarations(mention.policy, "data", mention.owner))
    found = [name.span for name in declarations(mention.policy, mention.kind, mention.text)]
    others = [span for span in found if span != mention.span]
    return tuple(Target(document.source, span) for span in (others or found)[:1])


def _in_pack(document: Document, mention: Mention) -> tuple[Target, ...]:
    if mention.kind == "pack":
        pack = next((one for one in document.packs.values() if one.name == mention.text), None)
    else:
        pack = document.packs.get(mention.text.partition(".")[0])
    if pack is None:
        return ()
    return (Target(pack.source, pack.file.policies[0].name.span),)
