"""Handoffs within one process: voters judge what one agent offers another BEFORE it is committed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import omium
from omium import checkpoint, voter, workflow
from omium_core.model import events as e

Write = Callable[..., str]

RULES = """
  workflow offer -> email
  rule polite after offer monitoring {{ require output matches "(?i)thank" message "It does not say thanks." }}
  rule first {{ never step email starts before step offer approved on fail halt }}
  handoff offer -> email {{
    quorum {quorum} of {voters} within {within}
    on disagree recover again
    on timeout recover ask
  }}
  recovery again {{ first retry 1 times with feedback then pause for "officer", timeout 4h finally halt }}
  recovery ask {{ first pause for "officer" }}
"""


def rules(voters: str, quorum: int = 2, within: str = "5s") -> str:
    return RULES.format(voters=voters, quorum=quorum, within=within)


@pytest.fixture
def asked() -> list[str]:
    """Who was asked."""
    return []


@pytest.fixture(autouse=True)
def voters(asked: list[str]) -> threading.Event:
    """Voters of every kind; `slow` waits for the event that this gives."""
    done = threading.Event()

    @voter("short")
    def short(text: str) -> bool | str:
        asked.append("short")
        return len(text) <= 20 or "it is too long"

    @voter("broken")
    def broken(text: str) -> bool:
        raise RuntimeError("the judge is ill")

    @voter("silent")
    def silent(text: str) -> None:
        return None

    @voter("later")
    async def later(text: str) -> bool:
        await asyncio.sleep(0)
        return True

    @voter("slow")
    def slow(text: str) -> bool:
        done.wait(20)
        return True

    return done


def offers(policy: str, *texts: str) -> tuple[Any, list[Any]]:
    left, told = list(texts), []

    @checkpoint("offer")
    def offer() -> str:
        told.append(omium.current().feedback_text)
        return left.pop(0)

    @checkpoint("email")
    def email(text: str) -> str:
        return f"sent: {text}"

    @workflow(name="offers", policy=policy)
    def offering() -> str:
        return email(offer())

    return offering, told


def test_what_enough_voters_accept_is_committed_with_the_votes(policy: Write, events: Any, body: Any) -> None:
    """Rules and functions vote, sync or async; who agreed and why not is in the journal, before the checkpoint."""
    offering, _ = offers(policy(rules("short, polite, later, silent", 3)), "thank you")

    execution = offering.start()

    assert execution.result == "sent: thank you"
    (proposed,) = events(execution.id, e.HandoffProposed)
    assert (proposed.handoff, proposed.voters, proposed.quorum) == (
        "offer -> email",
        ("short", "polite", "later", "silent"),
        3,
    )
    votes = {one.voter: one.answer for one in events(execution.id, e.VoteCast)}
    assert votes == {"short": "accept", "polite": "accept", "later": "accept", "silent": "abstain"}
    (committed,) = events(execution.id, e.HandoffCommitted)
    (completed,) = [one for one in events(execution.id, e.StepCompleted) if one.step == "offer"]
    assert committed.accepted == ("short", "polite", "later")
    assert (committed.seq, committed.target) == (completed.seq - 1, "email")
    assert proposed.payload == completed.digest


def test_what_is_rejected_reaches_nobody_and_its_author_is_told_why(policy: Write, events: Any, body: Any) -> None:
    """The failure is `handoff_rejected`, its ladder is that of `on disagree`, and the feedback has the reasons."""
    offering, told = offers(policy(rules("short, polite, broken")), "a text that is far too long", "thank you")

    execution = offering.start()

    assert execution.result == "sent: thank you"
    assert "short: it is too long; polite: It does not say thanks.; broken: the judge is ill" in told[1]
    (failed,) = events(execution.id, e.StepFailed)
    assert failed.kind == "handoff_rejected"
    assert [one.why for one in events(execution.id, e.HandoffRejected)] == ["disagreed"]
    assert [one.source for one in events(execution.id, e.RecoveryDecided)] == ["again"]
    reasons = [body(execution.id, one) for one in events(execution.id, e.VoteCast) if one.answer == "reject"]
    assert {"reason": "the judge is ill"} in reasons


def test_a_corrected_outcome_is_voted_on_again(policy: Write, events: Any) -> None:
    """What a person sets has to find its quorum as well."""
    offering, _ = offers(policy(rules("short, polite")), "far too long to be accepted", "again far too long for them")
    execution = offering.start()
    assert execution.status == "paused"

    omium.review(execution.id, set={"offer.output": "still far too long for the voters"}, by="ann", reason="try")
    assert offering.resume(execution.id).status == "paused"
    omium.review(execution.id, set={"offer.output": "thank you"}, by="ann", reason="better")

    assert offering.resume(execution.id).result == "sent: thank you"
    assert len(events(execution.id, e.HandoffRejected)) == 3


def test_who_is_late_has_no_vote(policy: Write, events: Any, voters: threading.Event) -> None:
    """Where the missing votes could have decided, it is the time that was up, and `on timeout` says what is done."""
    offering, _ = offers(policy(rules("short, slow", within="50ms")), "thank you")

    execution = offering.start()
    voters.set()

    assert execution.status == "paused"
    assert [one.why for one in events(execution.id, e.HandoffRejected)] == ["late"]
    assert [one.source for one in events(execution.id, e.RecoveryDecided)] == ["ask"]
    assert [one.voter for one in events(execution.id, e.VoteCast)] == ["short"]


def test_what_was_agreed_to_is_not_asked_again(policy: Write, asked: list[str]) -> None:
    """A resume answers the step from its record; nobody votes a second time."""
    path = policy(rules("short, polite") + "on error timeout recover ask")
    failing = [True]

    @checkpoint("offer")
    def offer() -> str:
        return "thank you"

    @checkpoint("email")
    def email(text: str) -> str:
        if failing:
            raise TimeoutError("no answer")
        return text

    @workflow(name="offers", policy=path)
    def offering() -> str:
        return email(offer())

    execution = offering.start()
    assert (execution.status, asked) == ("paused", ["short"])
    failing.clear()
    omium.review(execution.id, approve=True, by="ann", reason="again")

    assert offering.resume(execution.id).status == "completed"
    assert asked == ["short"]


def test_an_async_workflow_votes_beside_its_event_loop(policy: Write) -> None:
    """While voters think, other tasks go on."""
    path = policy(rules("slow, later"))
    went_on = asyncio.Event()

    @checkpoint("offer")
    async def offer() -> str:
        return "thank you"

    @checkpoint("email")
    async def email(text: str) -> str:
        return text

    @workflow(name="offers", policy=path)
    async def offering() -> str:
        return await email(await offer())

    async def both(done: threading.Event) -> str:
        async def other() -> None:
            await asyncio.sleep(0.05)
            went_on.set()
            done.set()

        task = asyncio.create_task(other())
        value = await offering()
        await task
        return value

    @voter("slow")
    def slow(text: str) -> bool:
        return waiting.wait(10)

    waiting = threading.Event()
    assert asyncio.run(both(waiting)) == "thank you"
    assert went_on.is_set()
