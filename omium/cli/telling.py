"""From events to a story: who did what, what went wrong, what was decided and undone. Pure, so that it can be tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from omium.cli.counting import Counting, sentence
from omium.cli.story import Kind, Mark, Node, Story
from omium.cli.wording import decision_texts, effect_texts, review_texts, said, value_text
from omium_core.engine.state import ExecutionState
from omium_core.model import events as e
from omium_core.model.effect import COMPENSATION, READ

__all__ = ["tell"]

Read = Callable[[int], Any]


def tell(state: ExecutionState, events: Iterable[e.Event], read: Read, short: str = "") -> Story:
    """Return the story of the execution whose events these are.

    `state` is what came before them: an empty one, or, of a fork, the source's at the checkpoint. `read` gives the body
    of an event as plain data.
    """
    teller = _Teller(state, read)
    for event in events:
        teller.counting.before(event)
        state.apply(event)
        teller.counting.after(event)
        teller.take(event)
    return teller.story(short)


@attrs.define(eq=False)
class _Draft:
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
    children: list[_Draft] = attrs.field(factory=list)

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
class _Teller:
    """Takes events in their order. `steps` are the latest attempts, by path; `open` is what later events add to."""

    state: ExecutionState
    read: Read
    counting: Counting = attrs.field(init=False)
    top: list[_Draft] = attrs.field(factory=list)
    steps: dict[str, _Draft] = attrs.field(factory=dict)
    effects: dict[str, _Draft] = attrs.field(factory=dict)
    lanes: dict[str, dict[str, int]] = attrs.field(factory=dict)
    reviews: dict[str, _Draft] = attrs.field(factory=dict)
    rollback: _Draft | None = None
    was: str = "running"

    def __attrs_post_init__(self) -> None:
        self.counting = Counting(self.state)

    def story(self, short: str) -> Story:
        state, counts = self.state, self.counting.counts()
        path = frozenset(one.id for one in state.path_to_head())
        elapsed_s = state.ended - state.started if state.ended is not None else None
        return Story(
            execution=state.id,
            short=short or state.id,
            workflow=state.workflow,
            status=state.status,
            reason=state.reason,
            started=state.started,
            ended=state.ended,
            nodes=tuple(one.node(path) for one in self.top),
            loose=tuple(self._loose()),
            counts=counts,
            summary=sentence(state.status, counts, elapsed_s),
        )

    def take(self, event: e.Event) -> None:
        """Add what an event says."""
        match event:
            case e.StepStarted() | e.StepCompleted() | e.StepFailed() | e.PolicyViolated() | e.CheckpointCommitted():
                self._step(event)
            case e.RecoveryDecided() | e.FixApplied():
                self._decision(event)
            case e.RolledBack() | e.RollbackFinished() | e.EffectCompensated() | e.CompensationFailed():
                self._undoing(event)
            case e.ReviewRequested() | e.ReviewDecided():
                self._review(event)
            case e.EffectIntended() | e.EffectDone() | e.EffectFailed() | e.EffectClaimed() | e.EffectResolved():
                self._effect(event)
            case _:
                self._life(event)
        self.was = self.state.status

    def _life(self, event: e.Event) -> None:
        match event:
            case e.Forked():
                point = self.state.checkpoints[event.checkpoint].name
                self._add("fork", "note", f"forked from {event.source}", [f"at {point}"], at=event.at)
            case e.ExecutionPaused() if event.review is None:
                self._add("pause", "paused", "paused", [event.reason], at=event.at)
            case e.ExecutionResumed():
                crashed = self.was in ("running", "recovering")
                text = "the runner before it died; finished steps are kept" if crashed else f"by {event.runner}"
                self._add("resume", "resumed", "resumed", [text], at=event.at, detail=not crashed)
            case e.ExecutionHalted():
                self._add("halt", "halted", "halted", [event.reason], step=event.step or "", at=event.at)
            case e.PluginFailed():
                text = f"failed in `{event.hook}`: {event.message}"
                self._add("plugin", "note", f"plugin {event.plugin}", [text], at=event.at, detail=True)

    def _step(self, event: e.Event) -> None:
        if isinstance(event, e.StepStarted):
            self._started(event)
            return
        assert isinstance(event, e.StepCompleted | e.StepFailed | e.PolicyViolated | e.CheckpointCommitted)
        draft = self.steps.get(event.step)
        if draft is None:
            return
        match event:
            case e.CheckpointCommitted():
                draft.checkpoint = event.checkpoint
                draft.mark = "ok" if draft.mark == "open" else draft.mark
            case e.StepCompleted():
                self._completed(draft, event)
            case e.StepFailed():
                self._failed(draft, event)
            case e.PolicyViolated():
                self._violated(draft, event)

    def _started(self, event: e.StepStarted) -> None:
        kind: Kind = "step"
        if event.kind in ("block", "transaction"):
            kind = "block" if event.kind == "block" else "transaction"
        texts = []
        if event.attempt > 1:
            told = ", told what was wrong" if event.told else ""
            texts = [f"attempt {event.attempt}{told}"]
        elif event.step in self.steps:
            texts = ["again"]
        if event.performer is not None:
            texts.append(f"done by {event.performer}")
        lane = self._lane(event)
        draft = _Draft(kind, "open", event.name, texts + lane, event.step, event.agent, event.attempt, at=event.at)
        draft.agent = event.agent if not texts else None
        self._under(event.scope).append(draft)
        self.steps[event.step] = draft

    def _lane(self, event: e.StepStarted) -> list[str]:
        """Say which lane a step is in, where there is more than the scope's own: by its name, else by a number."""
        if not event.lane:
            return []
        lanes = self.lanes.setdefault(event.scope, {})
        number = lanes.setdefault(event.lane, len(lanes) + 1)
        return [f"lane {number if '~' in event.lane else event.lane}"]

    def _completed(self, draft: _Draft, event: e.StepCompleted) -> None:
        draft.mark = "skipped" if event.skipped else "ok"
        if event.skipped:
            draft.texts.append("skipped")
        if event.corrected:
            draft.mark = "ok"
            draft.texts.append("corrected by a person")
        draft.texts += [said(name, times) for name, times in draft.effects.items()]
        if draft.reads:
            reads = ", ".join(f"{name} {times} times" if times > 1 else name for name, times in draft.reads.items())
            draft.children.append(_Draft("effect", "note", "read", [reads], detail=True, at=event.at))

    def _failed(self, draft: _Draft, event: e.StepFailed) -> None:
        body = self._body(event)
        message = str(body.get("message", ""))
        draft.mark, draft.where = "failed", event.where
        draft.texts.append(message if body.get("violations") else f"{event.kind}: {message}")
        if event.final:
            draft.texts.append("left to the workflow's own code")
        elif body.get("value") is not None:
            refused = f"refused: {value_text(body['value'])}"
            draft.children.append(_Draft("rule", "note", "outcome", [refused], detail=True, at=event.at))

    def _violated(self, draft: _Draft, event: e.PolicyViolated) -> None:
        body = self._body(event)
        texts = [str(body.get("message", ""))]
        if body.get("values"):
            texts.append(value_text(body["values"]))
        # An assertion has no name of its own, only its place.
        label = "condition" if event.rule == event.where else f"rule {event.rule}"
        draft.children.append(_Draft("rule", "failed", label, texts, where=event.where, detail=True, at=event.at))

    def _decision(self, event: e.Event) -> None:
        if isinstance(event, e.FixApplied):
            advice = value_text(self._any_body(event))
            self._beside(event.step).append(
                _Draft("fix", "note", "told by a person", [advice], detail=True, at=event.at)
            )
            return
        assert isinstance(event, e.RecoveryDecided)
        label, texts = decision_texts(event)
        self._beside(event.step).append(_Draft("decision", "note", label, texts, detail=True, at=event.at))

    def _undoing(self, event: e.Event) -> None:
        match event:
            case e.RolledBack():
                point = self.state.checkpoints[event.target].name
                why = [] if event.failure else [event.reason]
                by = [f"by {event.by}"]
                self.rollback = self._add("rollback", "back", f"rollback to {point}", by + why, at=event.at)
            case e.RollbackFinished():
                for one in event.standing:
                    text = "stands, it cannot be undone and is not done again"
                    self._compensation(_Draft("compensation", "note", self.state.effects[one].name, [text]), one)
                self.rollback = None
            case e.EffectCompensated():
                name = self.state.effects[event.effect].name
                self._compensation(_Draft("compensation", "undone", name, ["undone"], at=event.at), event.effect)
            case e.CompensationFailed():
                name, message = self.state.effects[event.effect].name, self._body(event).get("message", "")
                text = f"could not be undone, attempt {event.attempt}: {message}"
                self._compensation(_Draft("compensation", "failed", name, [text], at=event.at), event.effect)

    def _compensation(self, draft: _Draft, effect: str) -> None:
        """Show it under the rollback that it is part of, else beside the step that left the effect behind."""
        if self.rollback is not None:
            self.rollback.children.append(draft)
        else:
            self._beside(self.state.effects[effect].step).append(draft)

    def _review(self, event: e.Event) -> None:
        if isinstance(event, e.ReviewDecided):
            draft = self.reviews.get(event.review)
            if draft is not None:
                draft.mark = "note"
                # The question is answered, so its choices are history.
                for choice in draft.children:
                    choice.detail = True
                label, texts = f"{event.by}: {event.action}", [event.reason, *_given(self._any_body(event))]
                draft.children.append(_Draft("answer", "ok", label, [one for one in texts if one], at=event.at))
            return
        assert isinstance(event, e.ReviewRequested)
        body = self._body(event)
        texts = review_texts(event, body)
        draft = self._add("review", "paused", "paused", texts, step=event.step, at=event.at)
        for number, choice in enumerate(body.get("choices", ())):
            draft.children.append(_Draft("choice", "note", f"{number} {choice['action']}", [choice["label"]]))
        self.reviews[event.review] = draft

    def _effect(self, event: e.Event) -> None:
        match event:
            case e.EffectIntended() if event.kind != COMPENSATION:
                self._intended(event)
            case e.EffectDone():
                self._done(event)
            case e.EffectFailed():
                if event.effect in self.effects:
                    message = self._body(event).get("message", "")
                    texts = [f"did not happen: {message}" if event.definite else f"nobody knows: {message}"]
                    draft = self.effects[event.effect]
                    draft.mark, draft.texts = "failed" if event.definite else "unsure", texts
            case e.EffectClaimed():
                name, first = self.state.effects[event.effect].name, self.state.effects[event.effect]
                text = f"not done again: the one of `{first.step}` attempt {first.attempt} is taken"
                self._beside(event.step).append(_Draft("effect", "ok", name, [text], detail=True, at=event.at))
                if event.step in self.steps:
                    self.steps[event.step].effects[name] += 0
            case e.EffectResolved():
                if event.effect in self.effects:
                    draft = self.effects[event.effect]
                    draft.mark = "ok" if event.done else "failed"
                    draft.texts.append(f"{'it happened' if event.done else 'it did not happen'}, says {event.by}")

    def _intended(self, event: e.EffectIntended) -> None:
        draft = self.effects.get(event.effect)
        if draft is not None:
            draft.texts.append("sent again under the same key")
            return
        self.effects[event.effect] = draft = _Draft("effect", "unsure", event.name, detail=True, at=event.at)
        draft.texts = effect_texts(event)
        self._beside(event.step).append(draft)

    def _done(self, event: e.EffectDone) -> None:
        step = self.steps.get(event.step)
        if event.kind == READ:
            if step is not None:
                step.reads[event.name] += 1
            return
        if event.effect in self.effects:
            self.effects[event.effect].mark = "ok"
        if step is not None:
            step.effects[event.name] += 1

    def _loose(self) -> Iterable[Node]:
        """Give the effects that a person should know about: unresolved ones, and those that belong to no outcome."""
        for one in self.state.effects.values():
            if one.abandoned or not one.stands:
                continue
            if one.uncertain and self.state.status != "running":
                yield Node(
                    kind="effect", mark="unsure", label=one.name, step=one.step, texts=("nobody knows if it happened",)
                )
            elif not one.uncertain and one.owner is None:
                text = "stands without an owner: no outcome includes it"
                yield Node(kind="effect", mark="note", label=one.name, step=one.step, texts=(text,))

    def _add(
        self,
        kind: Kind,
        mark: Mark,
        label: str,
        texts: list[str],
        *,
        at: float,
        step: str = "",
        detail: bool = False,
    ) -> _Draft:
        draft = _Draft(kind, mark, label, [one for one in texts if one], step, at=at, detail=detail)
        self.top.append(draft)
        return draft

    def _under(self, scope: str) -> list[_Draft]:
        return self.steps[scope].children if scope in self.steps else self.top

    def _beside(self, step: str) -> list[_Draft]:
        return self._under(step)

    def _body(self, event: e.Event) -> dict[str, Any]:
        body = self._any_body(event)
        return body if isinstance(body, dict) else {}

    def _any_body(self, event: e.Event) -> Any:
        return self.read(event.seq) if event.digest is not None else None


def _given(answer: Any) -> list[str]:
    """Say what a person gave beside the action."""
    return [f"{name}: {value_text(value)}" for name, value in answer.items()] if isinstance(answer, dict) else []
