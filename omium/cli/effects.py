"""The effects in a story: asked for, done, failed, taken over, resolved, and those that nobody owns in the end."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from omium.cli.drafting import Board, Draft
from omium.cli.story import Node
from omium.cli.wording import effect_texts
from omium_core.engine.state import ExecutionState
from omium_core.model import events as e
from omium_core.model.effect import COMPENSATED, COMPENSATION, READ

__all__ = ["EffectEvent", "EffectTelling", "loose"]

EffectEvent = e.EffectIntended | e.EffectDone | e.EffectFailed | e.EffectClaimed | e.EffectResolved


@attrs.define(eq=False)
class EffectTelling:
    """Tells effects under the steps that they belong to."""

    state: ExecutionState
    board: Board
    told: dict[str, Draft] = attrs.field(factory=dict)

    def take(self, event: EffectEvent) -> None:
        """Add what an event says."""
        match event:
            case e.EffectIntended():
                if event.kind != COMPENSATION:
                    self._intended(event)
            case e.EffectDone():
                self._done(event)
            case e.EffectFailed():
                self._failed(event)
            case e.EffectClaimed():
                self._claimed(event)
            case e.EffectResolved():
                self._resolved(event)

    def finish(self) -> None:
        """Say of each effect what became of it in the end."""
        for id, draft in self.told.items():
            if self.state.effects[id].state == COMPENSATED:
                draft.mark = "undone"
                draft.texts.append("undone since")

    def _intended(self, event: e.EffectIntended) -> None:
        draft = self.told.get(event.effect)
        if draft is not None:
            draft.texts.append("sent again under the same key")
            return
        draft = Draft("effect", "unsure", event.name, effect_texts(event), detail=True, at=event.at)
        self.told[event.effect] = draft
        self.board.under(event.step).append(draft)

    def _done(self, event: e.EffectDone) -> None:
        step = self.board.steps.get(event.step)
        if step is not None:
            (step.reads if event.kind == READ else step.effects)[event.name] += 1
        if event.effect in self.told:
            self.told[event.effect].mark = "ok"

    def _failed(self, event: e.EffectFailed) -> None:
        draft = self.told.get(event.effect)
        if draft is not None:
            message = self.board.facts(event).get("message", "")
            draft.mark = "failed" if event.definite else "unsure"
            draft.texts.append(f"{'it did not happen' if event.definite else 'nobody knows if it happened'}: {message}")

    def _claimed(self, event: e.EffectClaimed) -> None:
        effect = self.state.effects[event.effect]
        text = f"not done again: the one of `{effect.step}`, attempt {effect.attempt}, is taken"
        self.board.under(event.step).append(Draft("effect", "ok", effect.name, [text], detail=True, at=event.at))
        if event.step in self.board.steps:
            # Zero times in this attempt, which is what is said of it.
            self.board.steps[event.step].effects[effect.name] += 0

    def _resolved(self, event: e.EffectResolved) -> None:
        draft, effect = self.told.get(event.effect), self.state.effects[event.effect]
        if draft is not None:
            draft.mark = "ok" if event.done else "failed"
            draft.texts.append(f"{'it happened' if event.done else 'it did not happen'}, says {event.by}")
        if event.done and effect.step in self.board.steps:
            self.board.steps[effect.step].effects[effect.name] += 1


def loose(state: ExecutionState) -> Iterator[Node]:
    """Give the effects that a person should know about: unresolved ones, and those that belong to no outcome."""
    for one in state.effects.values():
        if one.abandoned or not one.stands:
            continue
        if one.uncertain and state.status != "running":
            texts = ("nobody knows if it happened",)
            yield Node(kind="effect", mark="unsure", label=one.name, step=one.step, texts=texts)
        elif not one.uncertain and one.owner is None:
            texts = ("stands without an owner: no outcome includes it",)
            yield Node(kind="effect", mark="note", label=one.name, step=one.step, texts=texts)
