"""What a story says of fixes and circuits: what is suggested, how often it worked, what was applied, what is open."""

from __future__ import annotations

from typing import Any

import attrs

from omium.cli.drafting import Board, Draft
from omium.cli.wording import value_text
from omium_core.model import events as e
from omium_core.recovery.catalog import Tally

__all__ = ["FixTelling", "diagnosis"]


@attrs.define(eq=False)
class FixTelling:
    """Takes the events of fixes and circuits in their order; `made` are the suggestions of the next question."""

    board: Board
    made: dict[int, Draft] = attrs.field(factory=dict)

    def take(self, event: e.Event) -> None:
        """Add what an event says."""
        match event:
            case e.SuggestionMade():
                self._suggested(event)
            case e.FixApplied():
                label, texts = _applied(event, self.board.body(event))
                self.board.under(event.step).append(Draft("fix", "note", label, texts, detail=True, at=event.at))
            case e.FixRevoked():
                why = [f"by {event.by}", event.reason, f"review {event.review}"]
                self.board.add(Draft("fix", "note", "a fix for always was revoked", why, at=event.at))
            case e.CircuitChanged():
                label, texts = _circuit(event)
                self.board.under(event.step).append(Draft("circuit", "note", label, texts, detail=True, at=event.at))

    def choice(self, number: int, choice: dict[str, Any]) -> Draft:
        """Return the line of a choice, with what is known of it where it is a fix."""
        draft = Draft("choice", "note", f"{number} {choice['action']}", [choice["label"]])
        suggested = self.made.pop(choice.get("fix", 0), None)
        if suggested is not None:
            draft.texts += suggested.texts
            draft.children = suggested.children
        return draft

    def _suggested(self, event: e.SuggestionMade) -> None:
        evidence = self.board.facts(event).get("evidence", ())
        known = Tally(event.worked, event.tried).text
        draft = Draft("fix", "note", f"fix {event.number}", [f"--fix {event.number}", known], at=event.at)
        draft.children = [Draft("fix", "note", "because", [str(one)], detail=True, at=event.at) for one in evidence]
        self.made[event.number] = draft


def diagnosis(body: dict[str, Any], at: float) -> list[Draft]:
    """Return a line for each thing that was found about a failure."""
    found = body.get("diagnosis") or ()
    return [Draft("diagnosis", "note", "found", [str(one.get("text", ""))], detail=True, at=at) for one in found]


def _applied(event: e.FixApplied, body: Any) -> tuple[str, list[str]]:
    if event.kind == "value":
        changes = body.items() if isinstance(body, dict) else ()
        return "corrected by a person", [", ".join(f"{path or 'outcome'} = {value_text(one)}" for path, one in changes)]
    if event.kind in ("fallback", "rollback"):
        target = body.get("step") or body.get("name") if isinstance(body, dict) else body
        return "approved by a person", [f"{event.kind} to {target}"]
    if event.origin:
        return "told for always", [value_text(body), f"approved in {event.origin}"]
    return "told by a person", [value_text(body)]


def _circuit(event: e.CircuitChanged) -> tuple[str, list[str]]:
    label = f"circuit of {event.name}"
    match event.state:
        case "open":
            return label, [f"opened after {event.failures} failures, in whatever executions; calls are refused"]
        case "half_open":
            return label, ["half open: this call tries it"]
    return label, ["closed: it works again"]
