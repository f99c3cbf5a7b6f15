"""What a story says of handoffs: a line for each, with who judged it and why."""

from __future__ import annotations

import attrs

from omium.cli.drafting import Board, Draft
from omium_core.model import events as e

__all__ = ["HandoffTelling"]


@attrs.define(eq=False)
class HandoffTelling:
    """Takes the events of handoffs in their order."""

    board: Board
    lines: dict[tuple[str, str], Draft] = attrs.field(factory=dict)
    voters: dict[tuple[str, str], int] = attrs.field(factory=dict)

    def take(self, event: e.HandoffProposed | e.VoteCast | e.HandoffCommitted | e.HandoffRejected, scope: str) -> None:
        """Add what an event says; `scope` is the step that the one which hands over is in."""
        key = event.step, event.handoff
        match event:
            case e.HandoffProposed():
                line = Draft("handoff", "open", "handoff", [event.handoff], step=event.step, at=event.at)
                self.lines[key], self.voters[key] = line, len(event.voters)
                self.board.under(scope).append(line)
            case e.VoteCast():
                reason = str(self.board.facts(event).get("reason", ""))
                texts = [event.answer, *([reason] if reason else [])]
                mark = "ok" if event.answer == "accept" else "failed" if event.answer == "reject" else "note"
                vote = Draft("vote", mark, event.voter, texts, detail=True, at=event.at)  # type: ignore[arg-type]
                self.lines[key].children.append(vote)
            case e.HandoffCommitted():
                self._ended(key, "ok", f"agreed by {len(event.accepted)} of {self.voters[key]}")
            case e.HandoffRejected():
                agreed = sum(one.texts[0] == "accept" for one in self.lines[key].children)
                late = " in time" if event.why == "late" else ""
                self._ended(key, "failed", f"agreed by only {agreed} of {self.voters[key]}{late}")

    def _ended(self, key: tuple[str, str], mark: str, text: str) -> None:
        line = self.lines[key]
        line.mark = "ok" if mark == "ok" else "failed"
        line.texts[0] = f"{line.texts[0]} {text}"
