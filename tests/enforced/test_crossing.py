"""Where a policy meets crashes, transactions, answers and other versions: nothing slips through in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import omium
from omium import Transaction, checkpoint, effect, workflow
from omium_core.engine import steps
from omium_core.engine.commands import DURABLE
from omium_core.model import events as e

Write = Callable[..., str]

ASK = 'on error timeout recover ask recovery ask { first pause for "officer" }'


class Died(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("kind", ["irreversible", "read"])
def test_what_was_left_out_stays_left_out(policy: Write, another_process: Callable[[], None], kind: str) -> None:
    """The code went on with None, so it does in the next process, also where the rule lets it pass by then."""
    made, failing = [], [True]

    @effect(name="send", irreversible=kind == "irreversible", read=kind == "read")
    def send(to: str) -> str:
        made.append(to)
        return to

    @checkpoint("offer")
    def offer() -> int:
        return 1

    @checkpoint("last")
    def last(first: str | None, second: str | None) -> list[str | None]:
        if failing:
            raise TimeoutError
        return [first, second]

    rules = f"rule r {{ never tool send before step offer approved on fail skip }} {ASK}"

    @workflow(name="sends", policy=policy(rules))
    def sends() -> list[str | None]:
        first = send("ann")
        offer()
        return last(first, send("ann"))

    execution = sends.start()
    assert (execution.status, made) == ("paused", ["ann"])
    another_process()
    failing.clear()
    omium.review(execution.id, approve=True, by="ann", reason="again")

    assert sends.resume(execution.id).result == [None, "ann"]
    assert made == ["ann"]


def test_a_refused_attempt_is_not_gone_on_with_after_a_crash(policy: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that dies between the refused start and the failure leaves no way into the step's body."""
    ran = []

    @checkpoint("pay")
    def pay(amount: int) -> int:
        ran.append(amount)
        return amount

    @workflow(name="pays", policy=policy("rule limit before pay { require input <= 100 on fail halt }"))
    def pays(amount: int) -> int:
        return pay(amount)

    def dies(*given: Any) -> Any:
        yield DURABLE
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(steps, "_recover", dies)
        with pytest.raises(Died):
            pays.start(500, execution_id="dies")

    assert pays.resume("dies").status == "halted"
    assert ran == []


def test_a_transaction_that_the_policy_ends_is_undone(policy: Write) -> None:
    """All or none: what a block did before a call was refused in it is undone before the failure is decided about."""
    undone: list[int] = []

    @effect(name="charge", undo=undone.append)
    def charge(amount: int) -> int:
        return amount

    @effect(name="send", irreversible=True)
    def send() -> None:
        raise AssertionError("it is refused")

    @checkpoint("act")
    def act() -> None:
        with Transaction("outer"):
            charge(1)
            with Transaction("inner"):
                charge(2)
                send()

    @workflow(name="acts", policy=policy("rule r { never tool send on fail halt }"))
    def acts() -> None:
        act()

    assert acts.start().status == "halted"
    assert undone == [2, 1]


def test_what_one_sentence_says_does_not_answer_another(policy: Write) -> None:
    """A rule of two sentences that breaks by one of them still expects what the other one says."""

    @effect(name="look", read=True)
    def look(what: int) -> int:
        return what

    @effect(name="send", irreversible=True)
    def send() -> None:
        return None

    @checkpoint("act")
    def act(times: int) -> None:
        for number in range(times):
            look(number)

    @workflow(
        name="acts",
        policy=policy("rule r { by end expect tool send at most 1 tool look per run on fail skip }"),
    )
    def acts(times: int) -> None:
        act(times)

    assert [one.message for one in acts.start(2).violations] == [
        "tool `look` may happen at most 1 times",
        "tool `send` never happened",
    ]


TWO = """omium 1
policy test.first version "1.0.0" {
  rule small after one { require output < 5 on fail recover fix }
  recovery fix { first skip }
}
policy test.second version "1.0.0" {
  rule smaller after one { require output < 3 on fail recover fix }
  recovery fix { first halt }
}
"""


def test_ladders_of_one_name_in_two_policies_are_two(tmp_path: Path, events: Any) -> None:
    """Each policy of a file has its own names, so the rules of each are followed by what it says itself."""
    (tmp_path / "two.omp").write_text(TWO)

    @checkpoint("one")
    def one(number: int) -> int:
        return number

    @workflow(name="ones", policy=str(tmp_path / "two.omp"))
    def ones(number: int) -> int:
        return one(number)

    execution = ones.start(4)

    assert execution.status == "halted"
    assert [one.source for one in events(execution.id, e.RecoveryDecided)] == ["test.second.fix"]


def test_a_workflow_inside_goes_on_under_the_version_that_was_pinned(
    policy: Write, another_process: Callable[[], None]
) -> None:
    """A changed file is the next execution's; a workflow that is called as a step does not stumble over it."""
    path = policy(f"rule r after any step {{ require step.conforms on fail halt }} {ASK}")
    failing = [True]

    @checkpoint("waits")
    def waits() -> int:
        if failing:
            raise TimeoutError
        return 1

    @workflow(name="inner", policy=path)
    def inner() -> int:
        return 2

    @workflow(name="outer", policy=path)
    def outer() -> int:
        return waits() + inner()

    execution = outer.start()
    assert execution.status == "paused"
    another_process()
    failing.clear()
    Path(path).write_text(Path(path).read_text().replace("rule r ", "rule other "))
    omium.review(execution.id, approve=True, by="ann", reason="again")

    assert outer.resume(execution.id).result == 3


def test_a_question_behind_a_notice_is_asked_in_the_workflows_own_body(policy: Write) -> None:
    """Where no attempt can fail, a ladder that tells a channel and then asks a person asks the person."""
    rules = """
      rule r { never tool wire before event omium.approved on fail recover ask }
      recovery ask { first notify "#ops" then pause for "officer" }
    """

    @effect(name="wire", irreversible=True)
    def wire() -> str:
        return "sent"

    @workflow(name="wires", policy=policy(rules))
    def wires() -> str:
        return wire()

    execution = wires.start()
    assert execution.status == "paused"
    omium.review(execution.id, approve=True, by="ann", reason="fine")

    assert wires.resume(execution.id).result == "sent"
