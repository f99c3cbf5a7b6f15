"""Suggestions, and what is known of them: measured in this store, applied, remembered, given to later executions."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import omium
from omium import (
    Fallback,
    Halt,
    Pause,
    Recovery,
    Retry,
    ReviewRefused,
    Rollback,
    UsageError,
    checkpoint,
    effect,
    require,
)
from omium import workflow as workflow_of
from omium_core.model import events as e
from omium_core.recovery.catalog import Tally, Trial, tallies

TOLD: list[tuple[Any, ...]] = []


def in_band(apr: float) -> None:
    require(2.5 <= apr <= 8.5, f"APR {apr:g}% is outside of 2.5% to 8.5%.")


@effect(name="lend-quote", model="scripted")
def quote(number: int) -> float:
    return 0.0


@checkpoint("lend-safe")
def safe_offer(income: int) -> float:
    return 5.0


@checkpoint("lend-score")
def score(income: int) -> int:
    return income * 2


LADDER = Recovery(Rollback("lend-score"), Pause("officer"), Fallback("lend-safe"), Halt())


@checkpoint("lend", ensures=in_band, recovery=LADDER)
def offer(income: int) -> float:
    fixes = omium.current().fixes
    TOLD.append(fixes)
    return 4.5 if any("band" in str(one) or "2.5%" in str(one) for one in fixes) else quote(income)


@workflow_of(name="lending")
def lending(income: int) -> float:
    score(income)
    return offer(income)


@pytest.fixture
def suggested(events: Any, body: Any) -> Any:
    """Give the suggestions of an execution's last question, by kind: how often it worked, was tried, and the body."""

    def of(execution: str) -> dict[str, tuple[int, int, Any]]:
        last = events(execution, e.ReviewRequested)[-1].seq
        before = [one for one in events(execution, e.SuggestionMade) if one.seq < last]
        made = before[-max((one.number for one in before), default=0) :]
        return {one.kind: (one.worked, one.tried, {**body(execution, one), "number": one.number}) for one in made}

    return of


def number_of(suggested: Any, execution: str, kind: str) -> int:
    return int(suggested(execution)[kind][2]["number"])


def test_every_kind_of_fix_is_suggested_with_no_history(suggested: Any) -> None:
    """A value that every rule accepts, advice, the ladder's fallback, and a rollback that goes further."""
    execution = lending.start(100)

    made = suggested(execution.id)
    assert {kind: (worked, tried) for kind, (worked, tried, _) in made.items()} == dict.fromkeys(made, (0, 0))
    assert made["value"][2]["change"] == {"": 2.5}
    assert made["value"][2]["label"] == "set lend.output to 2.5"
    assert made["fallback"][2]["change"] == {"step": "lend-safe"}
    assert made["rollback"][2]["change"]["name"] == "start"
    assert "APR 0% is outside" in made["prompt"][2]["change"]


@pytest.mark.parametrize(
    ("kind", "result", "worked"),
    [("value", 2.5, 1), ("prompt", 4.5, 1), ("fallback", 5.0, 1), ("rollback", 5.0, 0)],
)
def test_each_fix_does_what_it_says_and_is_counted(
    suggested: Any, events: Any, kind: str, result: float, worked: int
) -> None:
    """It is applied, journaled with its kind, and the next failure of the same sort knows how it went.

    A rollback does not help here: the step fails once more, and its ladder goes on to the fallback.
    """
    first = lending.start(100)
    omium.review(first.id, fix=number_of(suggested, first.id, kind), by="ann", reason="try it")
    assert lending.resume(first.id).result == result
    (applied,) = events(first.id, e.FixApplied)
    assert applied.kind == kind

    second = lending.start(200)
    assert suggested(second.id)[kind][:2] == (worked, 1)
    assert all(one[1] == 0 for other, one in suggested(second.id).items() if other != kind)
    assert omium.verify().ok


def test_what_worked_comes_first(suggested: Any) -> None:
    """The suggestions are in the order of what is known of them; what failed comes last."""
    first = lending.start(1)
    omium.review(first.id, fix=number_of(suggested, first.id, "rollback"), by="ann")
    lending.resume(first.id)
    second = lending.start(2)
    omium.review(second.id, fix=number_of(suggested, second.id, "fallback"), by="ann")
    lending.resume(second.id)

    third = suggested(lending.start(3).id)
    assert [kind for kind, _ in sorted(third.items(), key=lambda one: one[1][2]["number"])] == [
        "fallback",
        "value",
        "prompt",
        "rollback",
    ]


def test_advice_of_a_person_that_worked_is_remembered(suggested: Any) -> None:
    """Words that a person found are proposed when the same failure comes again, and count as advice."""
    first = lending.start(1)
    omium.review(first.id, edit="stay in the band", by="ann")
    assert lending.resume(first.id).result == 4.5

    made = omium.runtime_for().store
    second = lending.start(2)
    labels = [
        (one.number, made.view(second.id, one.seq)["label"])
        for one in omium.open_store().journal(second.id)
        if isinstance(one, e.SuggestionMade) and one.kind == "prompt"
    ]
    assert labels[0] == (1, "tell it: stay in the band")
    omium.review(second.id, fix=1, by="bob")
    assert lending.resume(second.id).result == 4.5
    assert suggested(lending.start(3).id)["prompt"][:2] == (2, 2)


def test_another_failure_knows_nothing_of_it(suggested: Any) -> None:
    """History is that of workflow, step, rule and path: another rule of the same step starts anew."""

    def short(value: str) -> None:
        require(len(value) < 3, f"'{value}' is too long")

    def plain(value: str) -> None:
        require(value.isalpha(), f"'{value}' is not plain")

    @checkpoint("name", ensures=(short, plain), recovery=Recovery(Pause()))
    def name(value: str) -> str:
        return "ok" if omium.current().fixes else value

    @workflow_of(name="naming")
    def naming(value: str) -> str:
        return name(value)

    first = naming.start("abc")
    omium.review(first.id, edit="shorter", by="ann")
    naming.resume(first.id)

    assert suggested(naming.start("abcdef").id)["prompt"][:2] == (1, 1)
    assert suggested(naming.start("1").id)["prompt"][:2] == (0, 0)


def test_a_rule_that_says_what_it_would_have_is_taken_at_its_word(suggested: Any) -> None:
    """`suggest=` is proposed where all rules accept it, and not where they do not."""

    def wanted(value: dict[str, int]) -> None:
        require(value["a"] < 3, "no", at="a", suggest=2)
        require(value["b"] < 3, "neither", at="b", suggest=5)

    @checkpoint("pair", ensures=wanted, recovery=Recovery(Pause()))
    def pair(a: int, b: int) -> dict[str, int]:
        return {"a": a, "b": b}

    @workflow_of(name="pairing")
    def pairing(a: int, b: int) -> dict[str, int]:
        return pair(a, b)

    assert suggested(pairing.start(7, 1).id)["value"][2]["change"] == {"a": 2}
    assert "value" not in suggested(pairing.start(1, 7).id)


def test_always_reaches_later_executions_until_it_is_revoked(events: Any) -> None:
    """The advice is journaled with each attempt that is given it, is listed, and ends when somebody revokes it."""
    first = lending.start(1, execution_id="first")
    omium.review("first", edit="stay in the band", always=True, by="ann", reason="the licence")
    lending.resume(first.id)

    TOLD.clear()
    second = lending.start(2)
    assert second.result == 4.5
    assert TOLD == [("stay in the band",)]
    (applied,) = events(second.id, e.FixApplied)
    assert (applied.origin, applied.step, applied.attempt) == ("first", "lend", 1)

    (standing,) = omium.fixes("lending")
    assert (standing.place, standing.fix.change, standing.by, standing.reason) == (
        "lend", "stay in the band", "ann", "the licence",
    )  # fmt: skip
    assert omium.fixes() == [standing]

    omium.revoke(standing.fix.review[:10], by="bob", reason="no longer")
    assert omium.fixes() == []
    assert lending.start(3).status == "paused"
    assert omium.verify().ok


def test_a_fix_for_always_is_given_once_per_attempt_also_when_it_is_resumed(events: Any) -> None:
    """A resume gives an attempt what it was given, though the fix was revoked meanwhile; no new attempt gets it."""
    dies = [True]

    @effect(name="stop", read=True)
    def stop() -> None:
        if dies.pop() if dies else False:
            raise KeyboardInterrupt

    @checkpoint("write", recovery=Recovery(Pause()))
    def write(text: str) -> str:
        fixes = omium.current().fixes
        require(bool(fixes), "no advice")
        stop()
        return " ".join(fixes)

    @workflow_of(name="writing")
    def writing(text: str) -> str:
        return write(text)

    writing.start("a", execution_id="w1")
    omium.review("w1", edit="be brief", always=True, by="ann")
    with pytest.raises(KeyboardInterrupt):
        writing.resume("w1")
    assert writing.resume("w1").result == "be brief", "its own advice is given once, though it stands for always too"

    dies.append(True)
    with pytest.raises(KeyboardInterrupt):
        writing.start("b", execution_id="w2")
    omium.revoke(omium.fixes()[0].fix.review, by="bob")
    assert writing.resume("w2").result == "be brief"
    assert len(events("w2", e.FixApplied)) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"fix": 99}, "there is no fix 99; there are 1, 2, 3, 4"),
        ({"fix": 0}, "there is no fix 0"),
        ({"fix": 1, "edit": "x"}, "give exactly one of"),
        ({"approve": True, "always": True}, "only advice can reach later executions"),
        ({"set": {"lend.output": 4.5}, "always": True}, "only advice can reach later executions"),
    ],
)
def test_what_is_no_answer_changes_nothing(answer: dict[str, Any], said: str) -> None:
    """It is refused in one sentence, and the question stays open."""
    execution = lending.start(100)
    events = len(list(omium.open_store().journal(execution.id)))

    with pytest.raises(ReviewRefused, match=said):
        omium.review(execution.id, by="ann", **answer)

    assert len(list(omium.open_store().journal(execution.id))) == events
    omium.review(execution.id, fix=1, by="ann")


def test_revoking_what_does_not_stand_is_a_usage_error() -> None:
    """It names what stands."""
    lending.start(1)
    with pytest.raises(UsageError, match="names no fix that stands"):
        omium.revoke("rev_0", by="ann")


def test_a_correction_that_breaks_a_rule_asks_again_and_counts_as_tried(suggested: Any) -> None:
    """Nobody's word is taken over a rule's."""
    first = lending.start(1)
    omium.review(first.id, set={"lend.output": 99.0}, by="ann")
    assert lending.resume(first.id).status == "paused"
    assert suggested(first.id)["value"][2]["change"] == {"": 2.5}, "what was refused at first is still to be put right"
    assert suggested(lending.start(2).id)["value"][:2] == (0, 1)


def test_without_a_person_nothing_is_suggested(events: Any) -> None:
    """A ladder that retries and halts makes no suggestions; what was found about the failure is journaled."""

    @checkpoint("halting", ensures=in_band, recovery=Recovery(Retry(2), Halt()))
    def halting() -> float:
        return 0.0

    @workflow_of(name="halts")
    def halts() -> float:
        return halting()

    execution = halts.start()
    assert execution.status == "halted"
    assert events(execution.id, e.SuggestionMade) == []
    assert len({one.fingerprint for one in events(execution.id, e.StepFailed)}) == 1


def test_it_is_the_same_on_async_code_in_lanes(suggested: Any, events: Any) -> None:
    """Of lanes that fail at once one question is asked at a time, with its suggestions; every answer is applied."""

    @checkpoint("lane-offer", ensures=in_band, recovery=Recovery(Pause(), Halt()))
    async def lane_offer(number: int) -> float:
        await asyncio.sleep(0)
        return 4.0 if omium.current().fixes else 12.5 + number

    @workflow_of(name="lanes-of-offers")
    async def offers(count: int) -> float:
        return sum(await asyncio.gather(*(lane_offer(one) for one in range(count))))

    execution = asyncio.run(offers.start(3))
    for _ in range(3):
        assert execution.status == "paused"
        omium.review(execution.id, fix=number_of(suggested, execution.id, "prompt"), by="ann")
        execution = asyncio.run(offers.resume(execution.id))

    assert execution.result == 12.0
    assert len(events(execution.id, e.FixApplied)) == 3
    again = asyncio.run(offers.start(1))
    assert suggested(again.id)["prompt"][:2] == (3, 3), "lanes are the same place"


PROGRAM = """
import os, signal, sys
import omium
from omium import Pause, Recovery, checkpoint, require, workflow

@checkpoint("offer", ensures=lambda apr: require(apr > 1, f"APR {apr:g} is not above 1"), recovery=Recovery(Pause()))
def offer():
    fixes = omium.current().fixes
    with open("told.txt", "a") as file:
        file.write(f"{sorted(fixes)}\\n")
    if os.environ.get("KILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    return 5.0 if fixes else 0.0

@workflow(name="program")
def program():
    return offer()

print((program.resume if sys.argv[1] == "resume" else program.start)(execution_id=sys.argv[2]).status)
"""


def test_killed_in_the_attempt_that_was_given_a_fix(tmp_path: Path, suggested: Any) -> None:
    """The fix is given again, counted once, and what came of it is known from the journal alone."""
    (tmp_path / "program.py").write_text(PROGRAM)

    def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "program.py", *args]
        whole = {**os.environ, **env}
        return subprocess.run(command, cwd=tmp_path, env=whole, capture_output=True, text=True, timeout=60)

    assert run("start", "one").stdout == "paused\n"
    omium.review("one", fix=number_of(suggested, "one", "prompt"), always=True, by="ann")
    assert run("resume", "one", KILL="1").returncode == -signal.SIGKILL
    assert run("resume", "one").stdout == "completed\n"
    assert run("start", "two", KILL="1").returncode == -signal.SIGKILL
    assert run("resume", "two").stdout == "completed\n"

    first, *told = (tmp_path / "told.txt").read_text().splitlines()
    assert first == "[]"
    assert len(told) == 4
    assert len(set(told)) == 1
    omium.revoke(omium.fixes()[0].fix.review, by="ann")
    assert run("start", "three").stdout == "paused\n"
    assert suggested("three")["prompt"][:2] == (1, 1), "what was given for always is no trial of the failure"
    assert omium.verify().ok


def test_the_catalog_reads_a_bounded_part_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many executions there are, suggestions read the trials of this failure, and at most a hundred."""
    store = omium.runtime_for().store
    for number in range(5):
        execution = lending.start(number)
        omium.review(execution.id, set={"lend.output": 4.0}, by="ann")
        lending.resume(execution.id)
    read = []
    rows = type(store.journal).rows

    def counted(journal: Any, execution: str, **options: Any) -> Any:
        read.append(execution)
        return rows(journal, execution, **options)

    monkeypatch.setattr(type(store.journal), "rows", counted)
    for _ in range(20):
        score_only.start(1)
    read.clear()
    paused = lending.start(9)

    others = [one for one in read if one != paused.id]
    assert len(others) <= 5 * 2


@workflow_of(name="score-only")
def score_only(income: int) -> int:
    return score(income)


@given(st.lists(st.booleans(), max_size=200))
def test_confidence_is_laplaces_rule(history: list[bool]) -> None:
    """(worked + 1) / (tried + 2): between never and always, moved by each trial towards what it showed."""
    tally = tallies(Trial("x", "prompt", None, one) for one in history).get("prompt", Tally())

    assert (tally.worked, tally.tried) == (sum(history), len(history))
    if not history:
        assert (tally.confidence, tally.text) == (None, "no history yet")
        return
    assert tally.confidence == (sum(history) + 1) / (len(history) + 2)
    more, less = Tally(tally.worked + 1, tally.tried + 1), Tally(tally.worked, tally.tried + 1)
    assert (less.confidence or 0) < tally.confidence < (more.confidence or 0)


def test_confidence_in_words() -> None:
    """What a person reads."""
    assert Tally(1, 1).text == "worked 1 of 1 time(s) for this failure, confidence 67%"


def test_suggestions_are_data_in_the_journal(body: Any, events: Any) -> None:
    """What was proposed can be read without any class, and the question's choices name it."""
    execution = lending.start(1)
    (asked,) = events(execution.id, e.ReviewRequested)

    choices = body(execution.id, asked)["choices"]
    assert [one["action"] for one in choices[:5]] == ["retry", "edit", "set", "skip", "reject"]
    assert [one["fix"] for one in choices[5:]] == [1, 2, 3, 4]
    json.dumps([body(execution.id, one) for one in events(execution.id, e.SuggestionMade)])
