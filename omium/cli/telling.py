"""From events to a story: who did what, what went wrong, what was decided and undone. It does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from omium.cli.counting import Counting, sentence
from omium.cli.drafting import Board, Draft
from omium.cli.effects import EffectTelling, loose
from omium.cli.fixing import FixTelling, diagnosis
from omium.cli.handing import HandoffTelling
from omium.cli.story import Kind, Mark, Story
from omium.cli.wording import decision_texts, review_texts, said, value_text
from omium_core.engine.state import ExecutionState
from omium_core.model import events as e
from omium_core.model.failure import BLOCKING

__all__ = ["tell"]

Read = Callable[[int], Any]


def tell(state: ExecutionState, events: Iterable[e.Event], read: Read, short: str = "") -> Story:
    """Return the story of the execution whose events these are.

    `state` is what came before them: an empty one, or, of a fork, the source's at the checkpoint. `read` gives the body
    of an event as plain data.
    """
    teller = _Teller(state, Board(read))
    for event in events:
        teller.counting.before(event)
        state.apply(event)
        teller.counting.after(event)
        teller.take(event)
    return teller.story(short)


@attrs.define(eq=False)
class _Teller:
    """Takes events in their order. `was` is the status before the present one, `rollback` the one that is under way."""

    state: ExecutionState
    board: Board
    counting: Counting = attrs.field(init=False)
    effects: EffectTelling = attrs.field(init=False)
    fixes: FixTelling = attrs.field(init=False)
    handoffs: HandoffTelling = attrs.field(init=False)
    scopes: dict[str, str] = attrs.field(factory=dict)
    lanes: dict[str, dict[str, int]] = attrs.field(factory=dict)
    reviews: dict[str, Draft] = attrs.field(factory=dict)
    rollback: Draft | None = None
    was: str = "running"

    def __attrs_post_init__(self) -> None:
        self.counting = Counting(self.state)
        self.effects = EffectTelling(self.state, self.board)
        self.fixes = FixTelling(self.board)
        self.handoffs = HandoffTelling(self.board)

    def story(self, short: str) -> Story:
        state, counts = self.state, self.counting.counts()
        self.effects.finish()
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
            nodes=tuple(one.node(path) for one in self.board.top),
            loose=tuple(loose(self.state)),
            counts=counts,
            summary=sentence(state.status, counts, elapsed_s),
        )

    def take(self, event: e.Event) -> None:
        """Add what an event says."""
        match event:
            case e.PolicyViolated():
                self._violated(event)
            case e.HandoffProposed() | e.VoteCast() | e.HandoffCommitted() | e.HandoffRejected():
                self.handoffs.take(event, self.scopes.get(event.step, ""))
            case e.StepStarted() | e.StepCompleted() | e.StepFailed() | e.CheckpointCommitted():
                self._step(event)
            case e.RecoveryDecided():
                label, texts = decision_texts(event)
                decided = Draft("decision", "note", label, texts, detail=True, at=event.at)
                self.board.under(event.step).append(decided)
            case e.SuggestionMade() | e.FixApplied() | e.FixRevoked() | e.CircuitChanged():
                self.fixes.take(event)
            case e.RolledBack() | e.RollbackFinished() | e.EffectCompensated() | e.CompensationFailed():
                self._undoing(event)
            case e.ReviewRequested() | e.ReviewDecided():
                self._review(event)
            case e.EffectIntended() | e.EffectDone() | e.EffectFailed() | e.EffectClaimed() | e.EffectResolved():
                self.effects.take(event)
            case _:
                self._life(event)
        self.was = self.state.status

    def _life(self, event: e.Event) -> None:
        match event:
            case e.Forked():
                point = self.state.checkpoints[event.checkpoint].name
                self.board.add(Draft("fork", "note", f"forked from {event.source}", [f"at {point}"], at=event.at))
            case e.ExecutionPaused() if event.review is None:
                self.board.add(Draft("pause", "paused", "paused", [event.reason], at=event.at))
            case e.ExecutionResumed():
                crashed = self.was in ("running", "recovering")
                text = "the runner before it died; finished steps are kept" if crashed else f"by {event.runner}"
                self.board.add(Draft("resume", "resumed", "resumed", [text], at=event.at, detail=not crashed))
            case e.ExecutionHalted():
                self.board.add(Draft("halt", "halted", "halted", [event.reason], step=event.step or "", at=event.at))
            case e.Pruned():
                why = [f"by {event.by}", event.reason]
                self.board.add(Draft("plugin", "note", "values were pruned", why, at=event.at))
            case e.ChannelTold():
                times = f" at attempt {event.attempts}" if event.attempts > 1 else ""
                told = [f"was told{times}"]
                self.board.add(Draft("plugin", "note", f"channel {event.channel}", told, at=event.at, detail=True))
            case e.PolicyActivated():
                said = [f"sha256:{event.hash[:12]}", event.version, f"by {event.by}" if event.by else "", event.reason]
                self.board.add(Draft("policy", "note", "in force", [one for one in said if one], at=event.at))
            case e.PolicyOverridden():
                said = [f"sha256:{event.hash[:12]}", f"by {event.by}, one of {event.role}", event.reason]
                self.board.add(Draft("policy", "note", "overridden", [one for one in said if one], at=event.at))
            case e.PluginFailed():
                text = f"failed in `{event.hook}`: {event.message}"
                self.board.add(Draft("plugin", "note", f"plugin {event.plugin}", [text], at=event.at, detail=True))

    def _step(self, event: e.Event) -> None:
        if isinstance(event, e.StepStarted):
            self._started(event)
            return
        assert isinstance(event, e.StepCompleted | e.StepFailed | e.CheckpointCommitted)
        draft = self.board.steps.get(event.step)
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

    def _started(self, event: e.StepStarted) -> None:
        kind: Kind = "step"
        if event.kind in ("block", "transaction"):
            kind = "block" if event.kind == "block" else "transaction"
        texts = []
        if event.attempt > 1:
            told = ", told what was wrong" if event.told else ""
            texts = [f"attempt {event.attempt}{told}"]
        elif event.step in self.board.steps:
            texts = ["again"]
        if event.performer is not None:
            texts.append(f"done by {event.performer}")
        lane = self._lane(event)
        draft = Draft(kind, "open", event.name, texts + lane, event.step, event.agent, event.attempt, at=event.at)
        draft.agent = event.agent if not texts else None
        self.board.under(event.scope).append(draft)
        self.board.steps[event.step] = draft
        self.scopes[event.step] = event.scope

    def _lane(self, event: e.StepStarted) -> list[str]:
        """Say which lane a step is in, where there is more than the scope's own: by its name, else by a number."""
        if not event.lane:
            return []
        lanes = self.lanes.setdefault(event.scope, {})
        number = lanes.setdefault(event.lane, len(lanes) + 1)
        return [f"lane {number if '~' in event.lane else event.lane}"]

    def _completed(self, draft: Draft, event: e.StepCompleted) -> None:
        draft.mark = "skipped" if event.skipped else "ok"
        if event.skipped:
            draft.texts.append("skipped")
        if event.corrected:
            draft.mark = "ok"
            draft.texts.append("corrected by a person")
        draft.texts += [said(name, times) for name, times in draft.effects.items()]
        if draft.reads:
            reads = ", ".join(f"{name} {times} times" if times > 1 else name for name, times in draft.reads.items())
            draft.children.append(Draft("effect", "note", "read", [reads], detail=True, at=event.at))

    def _failed(self, draft: Draft, event: e.StepFailed) -> None:
        body = self.board.facts(event)
        message = str(body.get("message", ""))
        draft.mark, draft.where = "failed", event.where
        draft.texts.append(message if body.get("violations") else f"{event.kind}: {message}")
        rules = [one for one in draft.children if one.kind == "rule" and one.mark == "failed"]
        if len(rules) == 1 and rules[0].texts[0] == message:
            # The line itself says it already.
            del rules[0].texts[0]
        if event.final:
            draft.texts.append("left to the workflow's own code")
        elif body.get("value") is not None:
            refused = f"refused: {value_text(body['value'])}"
            draft.children.append(Draft("rule", "note", "outcome", [refused], detail=True, at=event.at))
        draft.children += diagnosis(body, event.at)

    def _violated(self, event: e.PolicyViolated) -> None:
        body = self.board.facts(event)
        texts = [str(body.get("message", ""))]
        if body.get("values"):
            texts.append(value_text(body["values"]))
        if body.get("cite"):
            texts.append(str(body["cite"]))
        if event.skipped:
            texts.append(f"{event.effect} was left out")
        # An assertion has no name of its own, only its place.
        label = "condition" if event.rule == event.where else f"rule {event.rule}"
        blocks = event.mode == BLOCKING
        label = label if blocks else f"{label} ({event.mode})"
        mark: Mark = "failed" if blocks and not event.skipped else "skipped" if event.skipped else "note"
        detail = event.step in self.board.steps and not event.skipped
        draft = Draft("rule", mark, label, texts, where=event.where, detail=detail, at=event.at)
        self.board.under(event.step).append(draft)

    def _undoing(self, event: e.Event) -> None:
        match event:
            case e.RolledBack():
                point = self.state.checkpoints[event.target].name
                why = [] if event.failure else [event.reason]
                by = [f"by {event.by}"]
                self.rollback = self.board.add(Draft("rollback", "back", f"rollback to {point}", by + why, at=event.at))
            case e.RollbackFinished():
                for one in event.standing:
                    text = "stands, it cannot be undone and is not done again"
                    self._compensation(Draft("compensation", "note", self.state.effects[one].name, [text]), one)
                self.rollback = None
            case e.EffectCompensated():
                name = self.state.effects[event.effect].name
                self._compensation(Draft("compensation", "undone", name, ["undone"], at=event.at), event.effect)
            case e.CompensationFailed():
                name, message = self.state.effects[event.effect].name, self.board.facts(event).get("message", "")
                text = f"could not be undone, attempt {event.attempt}: {message}"
                self._compensation(Draft("compensation", "failed", name, [text], at=event.at), event.effect)

    def _compensation(self, draft: Draft, effect: str) -> None:
        """Show it under the rollback that it is part of, else beside the step that left the effect behind."""
        if self.rollback is not None:
            self.rollback.children.append(draft)
        else:
            self.board.under(self.state.effects[effect].step).append(draft)

    def _review(self, event: e.Event) -> None:
        if isinstance(event, e.ReviewDecided):
            draft = self.reviews.get(event.review)
            if draft is not None:
                draft.mark = "note"
                # The question is answered, so its choices are history.
                for choice in draft.children:
                    choice.detail = True
                label, texts = f"{event.by}: {event.action}", [event.reason, *_given(self.board.body(event))]
                draft.children.append(Draft("answer", "ok", label, [one for one in texts if one], at=event.at))
            return
        assert isinstance(event, e.ReviewRequested)
        body = self.board.facts(event)
        texts = review_texts(event, body)
        draft = self.board.add(Draft("review", "paused", "paused", texts, step=event.step, at=event.at))
        for number, choice in enumerate(body.get("choices", ())):
            draft.children.append(self.fixes.choice(number, choice))
        self.reviews[event.review] = draft


def _given(answer: Any) -> list[str]:
    """Say what a person gave beside the action."""
    return [f"{name}: {value_text(value)}" for name, value in answer.items()] if isinstance(answer, dict) else []
