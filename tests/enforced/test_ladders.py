"""Ladders of a policy run through the engine's: every action does what it says, bounded, in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import omium
from omium import NotDone, agent, checkpoint, effect, workflow
from omium_core.model import events as e

Write = Callable[..., str]


class Flaky:
    """A workflow whose step fails in these ways, in turn, and then works."""

    def __init__(self, policy: str, *errors: BaseException) -> None:
        self.left, self.undone, self.attempts = list(errors), [], 0
        flaky = self

        def refund(value: int) -> None:
            flaky.undone.append(value)

        @effect(name="charge", undo=refund)
        def charge(amount: int) -> int:
            return amount

        @effect(name="reserve", undo=lambda value: flaky.undone.append(-value))
        def reserve(amount: int) -> int:
            return amount

        @agent
        class Worker:
            @checkpoint("first")
            def first(self) -> int:
                return 1

            @checkpoint("work")
            def work(self) -> str:
                flaky.attempts += 1
                charge(10 * flaky.attempts)
                reserve(flaky.attempts)
                if flaky.left:
                    raise flaky.left.pop(0)
                return "worked"

            @checkpoint("cheap")
            def cheap(self) -> str:
                return "cheaply"

        @workflow(name="works", policy=policy)
        def works() -> str:
            worker = Worker()
            worker.first()
            return worker.work()

        self.works = works

    def decided(self, execution: str, events: Any) -> list[str]:
        return [one.strategy for one in events(execution, e.RecoveryDecided)]

    def waited(self, execution: str, events: Any) -> list[float]:
        return [one.delay_s for one in events(execution, e.RecoveryDecided) if one.delay_s is not None]


def test_each_action_in_its_order(policy: Write, events: Any) -> None:
    """Retries wait as the backoff says, then it is rolled back, done by another step, told, and given to a person."""
    rules = """
      on error any recover all
      recovery all {
        first retry 2 times, backoff linear(10s, 15s), jitter none
        then rollback to first
        then notify "#ops"
        then fallback to cheap
        then pause for "officer", timeout 1h
        finally halt
      }
    """
    flaky = Flaky(policy(rules), *(TimeoutError(str(number)) for number in range(4)))

    execution = flaky.works.start()

    assert execution.result == "cheaply"
    assert flaky.decided(execution.id, events) == ["retry", "retry", "rollback", "notify", "fallback"]
    assert flaky.waited(execution.id, events) == [10, 15]
    assert json.loads(Path("ops.jsonl").read_text())["subject"] == "works: work"


@pytest.mark.parametrize(("jitter", "least", "most"), [("none", 10, 10), ("full", 0, 10), ("equal", 5, 10)])
def test_jitter(policy: Write, events: Any, jitter: str, least: float, most: float) -> None:
    """Full jitter draws from the whole wait, equal jitter from its second half."""
    ladder = f"first retry 3 times, backoff constant(10s), jitter {jitter} finally halt"
    flaky = Flaky(policy(f"on error any recover r recovery r {{ {ladder} }}"), *(TimeoutError() for _ in range(3)))

    waits = flaky.waited(flaky.works.start().id, events)

    assert len(waits) == 3
    assert all(least <= one <= most for one in waits)


@pytest.mark.parametrize(("compensation", "undone"), [("refund", [10]), ("reserve", [-1])])
def test_compensate_undoes_what_it_names(policy: Write, compensation: str, undone: list[int]) -> None:
    """A compensation is named by the function that undoes, or by its effect."""
    rules = f'on error any recover r recovery r {{ first compensate with {compensation} then pause for "officer" }}'
    flaky = Flaky(policy(rules), TimeoutError())

    assert flaky.works.start().status == "paused"
    assert flaky.undone == undone


def test_kinds_have_ladders_of_their_own_and_any_takes_the_rest(policy: Write, events: Any) -> None:
    """The first that names the kind is taken; `any` is the last."""
    rules = """
      on error timeout, rate_limited recover patient
      on error any recover strict
      recovery patient { first retry 2 times finally halt }
      recovery strict { first pause for "officer" }
    """
    path = policy(rules)
    assert Flaky(path, TimeoutError()).works.start().status == "completed"
    execution = Flaky(path, ValueError("broken")).works.start()
    assert execution.status == "paused"
    assert [one.source for one in events(execution.id, e.RecoveryDecided)] == ["strict"]


@pytest.mark.parametrize(
    ("otherwise", "status"), [("halt", "halted"), ('pause for "officer"', "paused"), ("skip", "completed")]
)
def test_the_outer_limit(policy: Write, events: Any, otherwise: str, status: str) -> None:
    """However many tries a ladder has left, no more recoveries than the limit are made in the window."""
    rules = f"""
      on error any recover r
      recovery r {{ first retry 9 times finally halt at most 3 recoveries per 10m else {otherwise} }}
    """
    flaky = Flaky(policy(rules), *(ValueError() for _ in range(9)))

    execution = flaky.works.start()

    assert (execution.status, flaky.attempts) == (status, 4)
    if status == "paused":
        omium.review(execution.id, reject=True, by="ann", reason="enough")
        assert flaky.works.resume(execution.id).status == "halted"


def test_attempts_are_counted_across_rollbacks_and_rules(policy: Write) -> None:
    """One ladder that several rules name is one count, whatever happens in between."""
    rules = """
      rule a after work { require output == "never" on fail recover r }
      rule b after work { require len(output) > 100 on fail recover r }
      recovery r { first retry 1 times then rollback to first then pause for "officer" }
    """
    flaky = Flaky(policy(rules))

    assert flaky.works.start().status == "paused"
    assert flaky.attempts == 3


def test_an_action_of_a_plugin(policy: Write, events: Any) -> None:
    """`fin.open_case(...)` asks the pack's strategy, which waits for the people of the queue."""
    rules = 'rule big after work { require output == "small" on fail fin.open_case(queue: "officer") }'
    flaky = Flaky(policy(rules, '"omium.finance" version "^1.2" as fin'))

    execution = flaky.works.start()

    assert execution.status == "paused"
    (decided,) = events(execution.id, e.RecoveryDecided)
    assert (decided.strategy, decided.values["strategy"]) == ("pause", "omium.finance.open_case")
    (asked,) = events(execution.id, e.ReviewRequested)
    assert asked.role == "officer"


def test_a_kind_of_a_pack(policy: Write, events: Any) -> None:
    """An exception may say the kind of a pack by its full name; the policy says it by the alias."""

    class RateServiceDown(NotDone):
        failure_kind = "omium.finance.rate_service_down"

    rules = "on error fin.rate_service_down recover r recovery r { first retry 1 times finally halt }"
    flaky = Flaky(policy(rules, '"omium.finance" version "^1.2" as fin'), RateServiceDown("down"))

    execution = flaky.works.start()

    assert execution.status == "completed"
    assert [one.failure for one in events(execution.id, e.RecoveryDecided)] == ["omium.finance.rate_service_down"]


def test_a_blocking_rule_that_says_nothing_halts(policy: Write) -> None:
    """What blocks and has no `on fail` ends the execution, whatever the code would do."""
    flaky = Flaky(policy('rule r after work { require output == "never" }'))
    assert flaky.works.start().status == "halted"


def test_a_rule_in_code_is_taken_by_the_policys_ladders(policy: Write) -> None:
    """`on error violation` is for what the code's own conditions find."""
    attempts = []

    @checkpoint("checked", ensures=lambda value: value > 1)
    def checked() -> int:
        attempts.append(1)
        return len(attempts)

    rules = "on error violation recover r recovery r { first retry 3 times finally halt }"

    @workflow(name="checks", policy=policy(rules))
    def checks() -> int:
        return checked()

    assert checks() == 2
