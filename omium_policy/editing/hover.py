"""What is shown of the name under a pointer: a rule in plain English, a type, a ladder's sentences."""

from __future__ import annotations

import attrs

from omium_policy import syntax
from omium_policy.editing.describing import described, rule_text
from omium_policy.editing.document import Document
from omium_policy.editing.mentions import mention_at
from omium_policy.editing.places import around
from omium_policy.explaining.actions import action
from omium_policy.source import Span

__all__ = ["Hover", "hover"]


@attrs.frozen
class Hover:
    """Markdown, and the stretch of text that it is about."""

    text: str
    span: Span


def hover(document: Document, offset: int) -> Hover | None:
    """Return what is known of the name at an offset; on a rule's `rule` and a rung's words, what these say."""
    mention = mention_at(document, offset)
    if mention is not None:
        text = described(document, mention)
        return Hover(text, mention.span) if text is not None else None
    nodes = around(document.file, offset)
    policy = next((one for one in nodes if isinstance(one, syntax.Policy)), None)
    match nodes[-1] if nodes else None:
        case syntax.Rule() as rule if policy is not None and offset <= rule.name.span.end:
            return Hover(f"**rule `{rule.name.text}`**\n\n{rule_text(rule, policy)}", rule.name.span)
        case (syntax.Retry() | syntax.Pause() | syntax.Skip() | syntax.Halt() | syntax.Notify()) as node:
            said = action(node)
            return Hover(f"{said[:1].upper()}{said[1:]}.", node.span)
    return None
