"""Nodes of a story while later events still change them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs

from omium.cli.story import Kind, Mark, Node
from omium_core.model.events import Event

__all__ = ["Board", "Draft"]


@attrs.define(eq=False)
class Draft:
    """A node that is still being told."""

    kind: Kind
    mark: Mark
    label: str
    texts: list[str] = attrs.field(factory=list)
    step: str = ""
    agent: str | None = None
    attempt: int = 0
    where: str | None = None
    checkpoint: str | None = None
    detail: bool = False
    at: float = 0.0
    effects: Counter[str] = attrs.field(factory=Counter)
    reads: Counter[str] = attrs.field(factory=Counter)
    children: list[Draft] = attrs.field(factory=list)

    def node(self, path: frozenset[str]) -> Node:
        """Return it as it will stay; `path` are the checkpoints on the way to the head."""
        return Node(
            kind=self.kind,
            mark=self.mark,
            label=self.label,
            texts=tuple(self.texts),
            step=self.step,
            agent=self.agent,
            attempt=self.attempt,
            where=self.where,
            checkpoint=self.checkpoint,
            standing=self.checkpoint is None or self.checkpoint in path,
            detail=self.detail,
            at=self.at,
            children=tuple(one.node(path) for one in self.children),
        )


@attrs.define(eq=False)
class Board:
    """The tree so far: its top, and the latest attempt at each step by the step's path."""

    read: Callable[[int], Any]
    top: list[Draft] = attrs.field(factory=list)
    steps: dict[str, Draft] = attrs.field(factory=dict)

    def add(self, draft: Draft) -> Draft:
        """Put a line at the top level; what says nothing is left out of it."""
        draft.texts = [one for one in draft.texts if one]
        self.top.append(draft)
        return draft

    def under(self, step: str) -> list[Draft]:
        """Return the lines under a step, or the top where the step has none."""
        return self.steps[step].children if step in self.steps else self.top

    def body(self, event: Event) -> Any:
        """Return what an event's body holds; None where it has none."""
        return self.read(event.seq) if event.digest is not None else None

    def facts(self, event: Event) -> dict[str, Any]:
        """Return what an event's body holds by name."""
        body = self.body(event)
        return body if isinstance(body, dict) else {}
