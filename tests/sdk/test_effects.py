"""Effects: done once, in whatever way the process, the step or the rollback goes."""

from __future__ import annotations

from typing import Any

import pytest

import omium
from omium import NOT_DONE, Hallucination, Halt, NotDone, Pause, Recovery, Retry, Rollback, checkpoint, effect, workflow
from omium_core.model import events as e


class Crash(BaseException):
    """Stands for the end of the process: nothing in it is caught or journaled."""


def events(execution: str, kind: type) -> list[Any]:
    return [one for one in omium.open_store().journal(execution) if isinstance(one, kind)]


def test_intent_is_durable_before_the_effect() -> None:
    """What an effect does, it does after its intent is in the journal, where another reader sees it."""
    seen: list[int] = []

    @effect
    def act() -> None:
        seen.append(len(events("x", e.EffectIntended)))

    @checkpoint("one")
    def one() -> None:
        act()

    @workflow
    def flow() -> None:
        one()

    flow.start(execution_id="x")

    assert seen == [1]


def test_compensable_is_performed_again_after_a_rollback_under_another_key() -> None:
    """After its compensation an effect is a new incarnation, so that the provider does not take it for the old one."""
    world: list[tuple[str, str | None]] = []
    answers = iter([False, True])

    @effect(undo=lambda value: world.append(("undo", omium.current().undoing.key)))  # type: ignore[union-attr]
    def charge() -> str:
        world.append(("charge", omium.current().key))
        return "receipt"

    @checkpoint("pay")
    def pay() -> str:
        return charge()

    @checkpoint("judge", recovery=Recovery(Rollback("start"), Halt()))
    def judge() -> None:
        if not next(answers):
            raise Hallucination("made up")

    @workflow
    def flow() -> None:
        pay()
        judge()

    execution = flow.start()

    first, undone, second = world
    assert execution.status == "completed"
    assert [first[0], undone[0], second[0]] == ["charge", "undo", "charge"]
    assert first[1] == undone[1]
    assert first[1] != second[1]


def test_irreversible_stands_and_is_claimed_after_a_rollback() -> None:
    """The same request after a rollback is answered from the ledger: zero more times."""
    sent: list[str] = []
    bodies = iter(["Dear Ann", "Hello Ann"])
    answers = iter([False, True])

    @effect(irreversible=True, volatile=("body",))
    def mail(to: str, body: str) -> str:
        sent.append(body)
        return f"to {to}"

    @checkpoint("send")
    def send() -> str:
        return mail("ann", next(bodies))

    @checkpoint("judge", recovery=Recovery(Rollback("start"), Halt()))
    def judge() -> None:
        if not next(answers):
            raise Hallucination("made up")

    @workflow
    def flow() -> str:
        said = send()
        judge()
        return said

    execution = flow.start(execution_id="x")

    assert execution.result == "to ann"
    assert sent == ["Dear Ann"]
    assert len(events("x", e.EffectClaimed)) == 1


@pytest.mark.parametrize(("choice", "sent_after"), [(0, ["a"]), (1, ["a", "b"])])
def test_other_words_are_stopped_and_shown(choice: int, sent_after: list[str]) -> None:
    """A reworded irreversible request is not performed; a person says whether it is the same, and that is done."""
    sent: list[str] = []
    words = iter(["a", "b"])
    answers = iter([False, True])

    @effect(irreversible=True)
    def mail(text: str) -> str:
        sent.append(text)
        return text

    @effect(model=True)
    def word() -> str:
        return next(words)

    @checkpoint("send")
    def send() -> str:
        return mail(word())

    @checkpoint("judge", recovery=Recovery(Rollback("start"), Halt()))
    def judge() -> None:
        if not next(answers):
            raise Hallucination("made up")

    @workflow
    def flow() -> str:
        said = send()
        judge()
        return said

    execution = flow.start(execution_id="x")
    assert execution.status == "paused"
    assert sent == ["a"]

    omium.review("x", choice=choice, by="ann", reason="looked at both")
    execution = flow.resume("x")

    assert execution.status == "completed"
    assert execution.result == sent_after[-1]
    assert sent == sent_after


def test_crash_after_the_effect_is_answered_from_the_record() -> None:
    """An effect that happened before a crash is not performed again, and its value comes back."""
    calls: list[str] = []
    alive = [False]

    @effect
    def act() -> str:
        calls.append("act")
        return "done"

    @checkpoint("one")
    def one() -> str:
        value = act()
        if not alive[0]:
            raise Crash
        return value

    @workflow
    def flow() -> str:
        return one()

    with pytest.raises(Crash):
        flow.start(execution_id="x")
    alive[0] = True

    assert flow.resume("x").result == "done"
    assert calls == ["act"]


def test_crash_inside_an_effect_asks_a_person() -> None:
    """Nobody knows whether it happened, so a person says; it is not performed by guessing."""
    calls: list[str] = []

    @effect
    def act() -> str:
        calls.append("act")
        raise Crash

    @checkpoint("one")
    def one() -> str:
        return act()

    @workflow
    def flow() -> str:
        return one()

    with pytest.raises(Crash):
        flow.start(execution_id="x")
    assert flow.resume("x").status == "paused"
    assert flow.resume("x").status == "paused"

    omium.review("x", choice=0, value="it was there", by="ann", reason="saw it")

    assert flow.resume("x").result == "it was there"
    assert calls == ["act"]


@pytest.mark.parametrize("happened", [True, False])
def test_check_asks_the_world(happened: bool) -> None:
    """`check` decides after a crash: its value is the effect's, or the effect is performed."""
    world: dict[str | None, str] = {}
    crash = [True]

    @effect(check=lambda key: world.get(key, NOT_DONE))
    def act() -> str:
        key = omium.current().key
        if crash[0] and not happened:
            raise Crash
        world[key] = f"done {len(world)}"
        if crash[0]:
            raise Crash
        return world[key]

    @checkpoint("one")
    def one() -> str:
        return act()

    @workflow
    def flow() -> str:
        return one()

    with pytest.raises(Crash):
        flow.start(execution_id="x")
    crash[0] = False

    assert flow.resume("x").result == "done 0"
    assert len(world) == 1


def test_keyed_effect_is_sent_again_under_its_key() -> None:
    """An idempotent effect whose answer was lost is sent again with the same key."""
    keys: list[str | None] = []

    @effect(key=lambda order: order)
    def put(order: str) -> str:
        keys.append(omium.current().key)
        if len(keys) == 1:
            raise Crash
        return f"stored {order}"

    @checkpoint("one")
    def one() -> str:
        return put("o-1")

    @workflow
    def flow() -> str:
        return one()

    with pytest.raises(Crash):
        flow.start(execution_id="x")

    assert flow.resume("x").result == "stored o-1"
    assert keys == ["o-1", "o-1"]


def test_lost_answer_in_the_living_process_is_unresolved() -> None:
    """A time-out is no proof that nothing happened: the next attempt asks instead of performing it again."""
    calls: list[int] = []

    @effect
    def act() -> str:
        calls.append(1)
        raise TimeoutError("no answer")

    @checkpoint("one", recovery=Recovery(Retry(3), Halt()))
    def one() -> str:
        return act()

    @workflow
    def flow() -> str:
        return one()

    execution = flow.start()

    assert execution.status == "paused"
    assert "did `act` happen" in execution.reason
    assert calls == [1]


def test_definite_failure_is_performed_again() -> None:
    """`NotDone` proves that nothing happened, so a retry performs it."""
    calls: list[str | None] = []

    @effect
    def act() -> str:
        calls.append(omium.current().key)
        if len(calls) < 3:
            raise NotDone("busy")
        return "done"

    @checkpoint("one", recovery=Recovery(Retry(3), Halt()))
    def one() -> str:
        return act()

    @workflow
    def flow() -> str:
        return one()

    assert flow.start().result == "done"
    assert len(set(calls)) == 3


def test_reads_of_an_attempt_are_answered_after_a_crash_and_asked_again_by_the_next() -> None:
    """Killed in attempt 2 and resumed: the answers of attempt 2. A new attempt reaches the model again."""
    asked: list[int] = []
    crash = [False]

    @effect(model=True)
    def ask(prompt: str) -> int:
        asked.append(len(asked))
        return asked[-1]

    @checkpoint("one", recovery=Recovery(Retry(3), Halt()))
    def one() -> int:
        answer = ask("same prompt")
        if answer == 0:
            raise Hallucination("not zero")
        if crash[0]:
            raise Crash
        return answer

    @workflow
    def flow() -> int:
        return one()

    crash[0] = True
    with pytest.raises(Crash):
        flow.start(execution_id="x")
    crash[0] = False

    assert flow.resume("x").result == 1
    assert asked == [0, 1]


def test_unclaimed_effects_of_failed_attempts_are_compensated_before_the_checkpoint() -> None:
    """What a failed attempt did and the successful one did not ask for is undone."""
    world: list[str] = []

    @effect(undo=lambda value: world.append(f"undo {value}"))
    def reserve(what: str) -> str:
        world.append(what)
        return what

    @checkpoint("one", recovery=Recovery(Retry(1), Halt()))
    def one() -> str:
        if omium.current().attempt == 1:
            reserve("room")
            reserve("car")
            raise Hallucination("no")
        return reserve("room")

    @workflow
    def flow() -> str:
        return one()

    assert flow.start().result == "room"
    assert world == ["room", "car", "undo car"]


def test_single_use_credential_is_spent_even_by_a_failed_call() -> None:
    """A credential that was presented is not presented by another effect."""
    shown: list[str] = []

    @effect(single_use=("token",))
    def redeem(token: str, what: str) -> str:
        shown.append(what)
        raise NotDone("refused")

    @checkpoint("one")
    def one() -> None:
        with pytest.raises(NotDone):
            redeem("t-1", "first")
        redeem("t-1", "second")

    @workflow
    def flow() -> None:
        one()

    assert flow.start().status == "paused"
    assert shown == ["first"]


def test_compensation_that_fails_for_good_pauses_and_is_named() -> None:
    """What could not be undone is named, and a later resume tries again."""
    broken = [True]
    undone: list[str] = []

    def undo(value: str) -> None:
        if broken[0]:
            raise RuntimeError("provider down")
        undone.append(value)

    @effect(undo=undo)
    def act() -> str:
        return "v"

    @checkpoint("one")
    def one() -> str:
        return act()

    @workflow
    def flow() -> str:
        return one()

    flow.start(execution_id="x")
    execution = omium.rollback("x", to="start", reason="test", by="ann")
    assert execution.status == "paused"
    assert "could not be undone" in execution.reason

    broken[0] = False
    assert flow.resume("x").status == "completed"
    assert undone == ["v"]
    assert omium.verify("x").ok


def test_effect_outside_an_execution_is_a_plain_call() -> None:
    """Nothing is journaled where there is nothing to recover."""

    @effect
    def act(value: int) -> int:
        return value + 1

    assert act(1) == 2
    assert omium.open_store().executions() == []


def test_pause_without_question_is_possible_only_through_a_ladder() -> None:
    """A ladder's pause offers numbered choices, and refuses an answer that is not among them."""

    @checkpoint("one", recovery=Recovery(Pause(), Halt()))
    def one() -> None:
        raise ValueError("no")

    @workflow
    def flow() -> None:
        one()

    flow.start(execution_id="x")

    with pytest.raises(omium.ReviewRefused, match="there is no choice 9"):
        omium.review("x", choice=9, by="ann", reason="typo")
    with pytest.raises(omium.ReviewRefused, match="not among"):
        omium.review("x", set={"one.output": 1}, by="ann", reason="no value known")


@pytest.mark.parametrize("happened", [True, False])
def test_transaction_whose_last_answer_was_lost_is_undone_only_if_it_did_not_happen(happened: bool) -> None:
    """When the irreversible effect turns out to have happened, the ones before it are left standing."""
    world: list[str] = []

    @effect(undo=lambda _: world.append("release"))
    def reserve() -> None:
        world.append("reserve")

    @effect(irreversible=True, check=lambda key: "paid" if happened else NOT_DONE)
    def pay() -> str:
        raise TimeoutError("no answer")

    @omium.transaction("settle")
    def settle() -> None:
        reserve()
        pay()

    @workflow
    def flow() -> str:
        try:
            settle()
        except TimeoutError:
            return "timeout"
        return "settled"

    assert flow.start().result == "timeout"
    assert world == (["reserve"] if happened else ["reserve", "release"])
