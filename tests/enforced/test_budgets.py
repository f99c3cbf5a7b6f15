"""Budgets while a workflow runs: what is used up keeps the next step and the next call from beginning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import omium
from omium import UsageError, checkpoint, effect, workflow
from omium.testing import VirtualClock
from omium_core.model import events as e

Write = Callable[..., str]


class Thinker:
    """A workflow whose model calls cost what they are told to."""

    def __init__(self, policy: str) -> None:
        self.calls = 0
        self.wait: Callable[[], None] = lambda: None

        @effect(name="think", model=True)
        def think(**spent: Any) -> int:
            self.calls += 1
            self.wait()
            omium.spend(**spent)
            return self.calls

        @checkpoint("one")
        def one(times: int, spent: dict[str, Any]) -> int:
            return max(think(**spent) for _ in range(times))

        @checkpoint("two")
        def two() -> str:
            return "done"

        @workflow(name="thinks", policy=policy)
        def thinks(times: int, **spent: Any) -> str:
            one(times, spent)
            return two()

        self.thinks = thinks


@pytest.mark.parametrize(
    ("meter", "spent"),
    [
        ("tokens at most 250", {"tokens": 100}),
        ("cost at most $0.25", {"cost": "0.1"}),
        ("cost at most $0.25", {"cost": 0.1}),
    ],
)
def test_what_is_used_up_stops_the_next_call(policy: Write, events: Any, meter: str, spent: dict[str, Any]) -> None:
    """Three calls go beyond the budget, so there is no fourth; the failure is of kind `budget_exceeded`."""
    thinker = Thinker(policy(f"budget run {{ {meter} on exceed halt }}"))

    execution = thinker.thinks.start(5, **spent)

    assert (execution.status, thinker.calls) == ("halted", 3)
    (failed,) = events(execution.id, e.StepFailed)
    assert failed.kind == "budget_exceeded"
    assert [one.rule for one in execution.violations] == ["budget run"]


def test_a_person_grants_as_much_again(policy: Write, events: Any) -> None:
    """An approval of more is recorded; the calls that were made are not made again."""
    rules = """
      budget run { tokens at most 250 warn at 80% on exceed recover ask }
      recovery ask { first pause for "officer" }
    """
    thinker = Thinker(policy(rules))
    execution = thinker.thinks.start(5, tokens=100)
    assert (execution.status, thinker.calls) == ("paused", 3)

    omium.review(execution.id, approve=True, by="ann", reason="it is worth it")
    again = thinker.thinks.resume(execution.id)

    # 300 were spent of 500 now; a new attempt of five calls comes to 600 after three.
    assert (again.status, thinker.calls) == ("halted", 6)
    warned = [one for one in events(execution.id, e.PolicyViolated) if one.mode == "monitoring"]
    assert [one.rule for one in warned] == ["budget run nearly: tokens"]


def test_a_budget_of_one_step(policy: Write) -> None:
    """What other steps use does not count against it."""
    rules = "budget step one { tokens at most 150 on exceed halt } budget step two { tokens at most 0 on exceed halt }"
    thinker = Thinker(policy(rules))

    assert thinker.thinks.start(1, tokens=100).status == "completed"
    assert thinker.thinks.start(3, tokens=100).status == "halted"


def test_what_is_done_in_steps_inside_counts_and_is_kept_from_beginning(policy: Write, events: Any) -> None:
    """A step's budget is not evaded by leaving the work to steps in it: the step around them fails."""
    calls = []

    @effect(name="think", model=True)
    def think(number: int) -> int:
        calls.append(number)
        omium.spend(tokens=100)
        return number

    @checkpoint("inner")
    def inner(number: int) -> int:
        return think(number)

    @checkpoint("outer")
    def outer() -> list[int]:
        return [inner(number) for number in range(10)]

    @workflow(name="nests", policy=policy("budget step outer { tokens at most 250 on exceed halt }"))
    def nests() -> list[int]:
        return outer()

    execution = nests.start()

    assert (execution.status, len(calls)) == ("halted", 3)
    (failed,) = events(execution.id, e.StepFailed)
    assert (failed.step, failed.kind) == ("outer", "budget_exceeded")


def test_what_is_granted_is_of_the_budget_that_was_asked_about(policy: Write) -> None:
    """More for one step is not more for the whole run."""
    rules = """
      budget step one { tokens at most 150 on exceed recover ask }
      budget run { tokens at most 350 on exceed halt }
      recovery ask { first pause for "officer" }
    """
    thinker = Thinker(policy(rules))
    execution = thinker.thinks.start(9, tokens=100)
    assert (execution.status, thinker.calls) == ("paused", 2)

    omium.review(execution.id, approve=True, by="ann", reason="go on")

    # 300 of the step's tokens are allowed now; with the fourth call the run has used up its own 350.
    again = thinker.thinks.resume(execution.id)
    assert (again.status, thinker.calls) == ("halted", 4)
    assert {one.rule for one in again.violations} == {"budget step one", "budget run"}


@pytest.mark.parametrize("amount", [10**40, 10**30])
def test_an_amount_beyond_all_measure_is_an_amount(policy: Write, amount: int) -> None:
    """What cannot be rounded is used up as well."""
    thinker = Thinker(policy("budget run { tokens at most 250 on exceed halt }"))

    assert thinker.thinks.start(2, tokens=amount).status == "halted"
    assert thinker.calls == 1


def test_time_counts_without_the_waiting_for_people(policy: Write, clock: VirtualClock) -> None:
    """`elapsed` is the time in which the execution was at work."""
    rules = """
      budget run { elapsed at most 10m on exceed halt }
      on error timeout recover ask
      recovery ask { first pause for "officer" }
    """
    failing = [True]

    @checkpoint("slow")
    def slow() -> int:
        clock.sleep(300)
        if failing.pop() if failing else False:
            raise TimeoutError("slow")
        return 1

    @checkpoint("last")
    def last() -> int:
        return 2

    @workflow(name="slows", policy=policy(rules))
    def slows() -> int:
        return slow() + last()

    execution = slows.start()
    assert execution.status == "paused"
    clock.sleep(86_400)
    omium.review(execution.id, approve=True, by="ann", reason="try again")

    # 300 s before the day of waiting and 300 s after it: just above the budget before the last step.
    assert slows.resume(execution.id).status == "halted"


def test_what_was_spent_is_spent(policy: Write) -> None:
    """Neither a further attempt nor a rollback gives tokens back."""
    rules = """
      budget run { tokens at most 250 on exceed halt }
      on error timeout recover again
      recovery again { first retry 5 times finally halt }
    """
    calls = []

    @effect(name="ask", model=True)
    def ask() -> int:
        calls.append(1)
        omium.spend(tokens=100)
        raise TimeoutError("no answer")

    @checkpoint("asks")
    def asks() -> int:
        return ask()

    @workflow(name="asking", policy=policy(rules))
    def asking() -> int:
        return asks()

    execution = asking.start()

    assert (execution.status, len(calls)) == ("halted", 3)
    assert [one.rule for one in execution.violations] == ["budget run"]


def test_rules_may_ask_what_was_spent(policy: Write) -> None:
    """`step.tokens`, `run.cost` and the others are what was told."""
    rules = """
      rule frugal after one { require step.tokens <= 200 on fail halt }
      rule cheap after two { require run.cost <= $0.30 on fail halt }
    """
    thinker = Thinker(policy(rules))

    assert thinker.thinks.start(2, tokens=100, cost="0.1").status == "completed"
    assert thinker.thinks.start(3, tokens=100).status == "halted"
    assert thinker.thinks.start(4, cost="0.1").status == "halted"


@pytest.mark.parametrize("wrong", [{"tokens": -1}, {"cost": "much"}, {"tokens": True}, {"cost": float("nan")}], ids=str)
def test_what_is_no_amount_is_refused(wrong: dict[str, Any]) -> None:
    """A wrong amount is a mistake of the program's, wherever it is said."""
    with pytest.raises(UsageError, match="it is a number, 0 or more"):
        omium.spend(**wrong)
