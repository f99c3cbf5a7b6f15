"""Rules about the order of events while a workflow runs: peeked before, counted when it happened, never forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import omium
from omium import ExecutionHalted, checkpoint, effect, workflow
from omium.testing import VirtualClock
from omium_core.model import events as e

Write = Callable[..., str]


class World:
    """Tools that write down that they were used, and a workflow that uses them as it is told."""

    def __init__(self, policy: str, name: str = "uses") -> None:
        self.used: list[str] = []
        self.undone: list[str] = []
        world = self

        @effect(name="send", irreversible=True)
        def send(to: str) -> str:
            world.used.append(f"send {to}")
            return to

        @effect(name="charge", undo=lambda value: world.undone.append(value))
        def charge(amount: int) -> int:
            world.used.append(f"charge {amount}")
            return amount

        @effect(name="look", read=True)
        def look(what: str) -> str:
            world.used.append(f"look {what}")
            return what

        self.tools: dict[str, Callable[..., Any]] = {"send": send, "charge": charge, "look": look}

        @checkpoint("offer")
        def offer() -> str:
            return "offered"

        @checkpoint("act")
        def act(plan: list[Any]) -> list[Any]:
            return [world.do(one) for one in plan]

        @checkpoint("fails")
        def fails(plan: list[Any]) -> None:
            for one in plan:
                world.do(one)
            raise TimeoutError("slow")

        steps = {"offer": lambda plan: offer(), "act": act, "fails": fails}

        @workflow(name=name, policy=policy)
        def uses(plan: list[list[Any]]) -> list[Any]:
            return [steps[step](given) for step, given in plan]

        self.uses = uses
        self.wait: Callable[[float], None] = lambda seconds: None

    def do(self, one: list[Any]) -> Any:
        tool, given = one
        if tool == "wait":
            self.wait(given)
            return None
        if tool == "event":
            omium.event(given)
            return None
        return self.tools[tool](given)


NO_EMAIL = """
  workflow offer -> act
  rule first { never tool send before step offer approved on fail halt }
"""


def test_an_early_call_is_halted_before_it_is_made_and_uses_up_nothing(policy: Write, events: Any) -> None:
    """What a rule refuses did not happen: nothing was sent, and the count of another rule is as before."""
    rules = NO_EMAIL + "rule once { at most 1 tool send per run on fail halt }"
    world = World(policy(rules))

    early = world.uses.start([["act", [["send", "ann"]]]])

    assert early.status == "halted"
    assert world.used == []
    assert not events(early.id, e.EffectIntended)
    (violated,) = events(early.id, e.PolicyViolated)
    assert (violated.rule, violated.where) == ("first", "rules.omp:6")
    assert world.uses([["offer", []], ["act", [["send", "ann"]]]]) == ["offered", ["ann"]]


def test_a_call_too_many_is_left_out(policy: Write, events: Any) -> None:
    """`skip` about a tool leaves the call out: the code goes on without its value, and the journal says so."""
    world = World(policy("rule once { at most 1 tool send per run on fail skip }"))

    execution = world.uses.start([["act", [["send", "ann"], ["send", "bob"]]], ["act", [["send", "eve"]]]])

    assert execution.result == [["ann", None], [None]]
    assert world.used == ["send ann"]
    assert [(one.effect, one.skipped) for one in events(execution.id, e.PolicyViolated)] == [("send", True)] * 2


@pytest.mark.parametrize(
    ("rule", "fine", "broken"),
    [
        ("never tool send", [["act", [["look", "a"]]]], [["act", [["send", "a"]]]]),
        ('never tool "ch*"', [["act", [["look", "a"]]]], [["act", [["charge", 1]]]]),
        (
            "never tool send after tool charge until step offer passes",
            [["act", [["charge", 1]]], ["offer", []], ["act", [["send", "a"]]]],
            [["act", [["charge", 1], ["send", "a"]]]],
        ),
        ("at most 2 tool look per run", [["act", [["look", "a"], ["look", "b"]]]], [["act", [["look", "a"]] * 3]]),
        ("never tool look where args.what == \"secret\"", [["act", [["look", "a"]]]], [["act", [["look", "secret"]]]]),
        ("never step act starts before step offer passes", [["offer", []], ["act", []]], [["act", []]]),
        ("never event app.pushed before event app.asked", [["act", [["event", "app.asked"], ["event", "app.pushed"]]]],
         [["act", [["event", "app.pushed"]]]]),
        ("by end expect tool send", [["act", [["send", "a"]]]], [["act", [["look", "a"]]]]),
        ("never step fails fails", [["offer", []]], [["fails", []]]),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)  # fmt: skip
def test_each_kind_of_sentence_holds_and_breaks(policy: Write, rule: str, fine: Any, broken: Any) -> None:
    """A run that keeps the order completes; one that does not is halted by the rule that says so."""
    world = World(policy(f'rule order {{ {rule} message "out of order" on fail halt }}'))

    assert world.uses.start(fine).status == "completed"
    execution = world.uses.start(broken)
    assert (execution.status, [one.rule for one in execution.violations]) == ("halted", ["order"])


def test_how_often_within_a_time(policy: Write, clock: VirtualClock) -> None:
    """`per 10m` forgets what is longer ago, on the runtime's clock."""
    world = World(policy("rule calm { at most 2 tool look per 10m on fail halt }"))
    world.wait = clock.sleep

    assert (
        world.uses.start([["act", [["look", "a"], ["look", "b"], ["wait", 700], ["look", "c"]]]]).status == "completed"
    )
    assert world.uses.start([["act", [["look", "a"], ["look", "b"], ["wait", 500], ["look", "c"]]]]).status == "halted"


def test_what_has_to_follow_in_time(policy: Write, clock: VirtualClock) -> None:
    """A deadline that passed is found at the next step or call, and said once; one that is kept says nothing."""
    world = World(policy('rule soon { within 30s after tool charge expect tool send message "late" on fail halt }'))
    world.wait = clock.sleep

    assert world.uses.start([["act", [["charge", 1], ["wait", 20], ["send", "a"]]]]).status == "completed"
    late = world.uses.start([["act", [["charge", 1], ["wait", 40], ["look", "a"]]]])
    assert (late.status, [one.rule for one in late.violations]) == ("halted", ["soon"])
    assert world.used[-1] == "charge 1"
    never = world.uses.start([["act", [["charge", 1]]]])
    assert never.status == "halted"


def test_two_lanes_cannot_both_be_the_only_one(policy: Write) -> None:
    """What is in flight in another lane counts, so `at most 1` is 1 however many tasks ask at once."""
    sent = []

    @effect(name="asend", irreversible=True)
    async def asend(to: str) -> str:
        await asyncio.sleep(0)
        sent.append(to)
        return to

    @checkpoint("tell")
    async def tell(to: str) -> str | None:
        return await asend(to)

    @workflow(name="tells", policy=policy("rule once { at most 1 tool asend per run on fail skip }"))
    async def tells() -> list[str | None]:
        return list(await asyncio.gather(*(tell(to) for to in ("a", "b", "c"))))

    told = asyncio.run(tells())

    assert len(sent) == 1
    assert sorted(told, key=str) == sorted([sent[0], None, None], key=str)


ROLLS_BACK = """
  on error timeout recover again
  recovery again { first rollback to offer then pause for "officer" }
"""


def test_what_cannot_be_undone_still_counts_after_a_rollback(
    policy: Write, another_process: Callable[[], None]
) -> None:
    """A rollback forgets what it undoes, and never what stands: the second e-mail stays one too many."""
    rules = ROLLS_BACK + "rule once { at most 1 tool send per run on fail skip }"
    world = World(policy(rules))

    execution = world.uses.start([["offer", []], ["fails", [["send", "ann"]]]])
    assert execution.status == "paused"
    assert world.used == ["send ann"]
    another_process()
    omium.review(execution.id, skip=True, by="ann", reason="enough")

    assert world.uses.resume(execution.id).status == "completed"
    assert world.used == ["send ann"]


def test_what_was_undone_counts_no_more(policy: Write) -> None:
    """A charge that the rollback refunded may be made again under `at most 1`."""
    rules = ROLLS_BACK + "rule once { at most 1 tool charge per run on fail halt }"
    world = World(policy(rules))

    execution = world.uses.start([["offer", []], ["fails", [["charge", 5]]]])

    # Charged, refunded by the rollback, and charged again; then a person is asked.
    assert execution.status == "paused"
    assert world.used == ["charge 5", "charge 5"]
    assert world.undone == [5]


@pytest.mark.parametrize("rule", ["at most 1 tool send per run", 'at most 1 tool send where args.to == "ann" per run'])
def test_another_process_remembers(policy: Write, another_process: Callable[[], None], rule: str) -> None:
    """Whoever takes an execution over has the memory that its journal tells, conditions on arguments included."""
    rules = (
        f'rule once {{ {rule} on fail skip }} on error timeout recover ask recovery ask {{ first pause for "officer" }}'
    )
    world = World(policy(rules))
    execution = world.uses.start([["act", [["send", "ann"]]], ["fails", []], ["act", [["send", "ann"]]]])
    assert execution.status == "paused"

    another_process()
    omium.review(execution.id, skip=True, by="ann", reason="go on")
    resumed = world.uses.resume(execution.id)

    assert resumed.result == [["ann"], None, [None]]
    assert world.used == ["send ann"]


def test_a_fork_begins_to_count_anew_and_keeps_the_order_of_steps(policy: Write) -> None:
    """What the source sent is the source's; that a step was approved before the fork holds in it as well."""
    rules = NO_EMAIL + "rule once { at most 1 tool send per run on fail halt }"
    world = World(policy(rules))
    source = world.uses.start([["offer", []], ["act", [["send", "ann"]]]], execution_id="source")
    assert source.status == "completed"

    omium.fork("source", at="offer", execution_id="copy")
    copy = world.uses.resume("copy")

    assert copy.status == "completed"
    assert world.used == ["send ann", "send ann"]


def test_nothing_irreversible_before_a_person_approved(policy: Write, another_process: Callable[[], None]) -> None:
    """The pack `omium.high_stakes`: the call waits for approval, is made once after it, and not at all without."""
    world = World(policy("", '"omium.high_stakes"'))
    plan = [["offer", []], ["act", [["look", "a"], ["send", "ann"]]]]
    execution = world.uses.start(plan)
    refused = world.uses.start(plan)
    assert (execution.status, world.used) == ("paused", ["look a", "look a"])
    another_process()

    omium.review(execution.id, approve=True, by="ann", reason="it may go out")
    omium.review(refused.id, by="ann", reason="no", reject=True)

    assert world.uses.resume(execution.id).status == "completed"
    assert world.uses.resume(refused.id).status == "halted"
    assert [one for one in world.used if one.startswith("send")] == ["send ann"]


def test_a_call_outside_of_any_step_waits_for_approval_too(policy: Write) -> None:
    """In the workflow's own body no attempt can fail, so the workflow itself waits."""
    sent = []

    @effect(name="wire", irreversible=True)
    def wire() -> str:
        sent.append("wire")
        return "sent"

    @workflow(name="wires", policy=policy("", '"omium.high_stakes"'))
    def wires() -> str:
        return wire()

    execution = wires.start()
    assert (execution.status, sent) == ("paused", [])
    omium.review(execution.id, approve=True, by="ann", reason="fine")
    assert wires.resume(execution.id).result == "sent"
    assert sent == ["wire"]
    other = wires.start()
    omium.review(other.id, reject=True, by="ann", reason="no")
    assert wires.resume(other.id).status == "halted"
    assert sent == ["wire"]


def test_a_transaction_that_declares_nothing_waits_for_approval(policy: Write) -> None:
    """What it does is not known before it runs, so the safe reading is that it cannot be undone."""
    booked = []

    @omium.transaction("book")
    def book() -> str:
        booked.append(1)
        return "booked"

    @workflow(name="books", policy=policy("", '"omium.high_stakes"'))
    def books() -> str:
        return book()

    execution = books.start()
    assert (execution.status, booked) == ("paused", [])
    omium.review(execution.id, approve=True, by="ann", reason="fine")
    assert books.resume(execution.id).result == "booked"
    assert booked == [1]


def test_a_pattern_may_mean_a_transaction(policy: Write) -> None:
    """One that is refused fails as its step, in the step around it as well, and its body does not run."""
    booked = []

    @omium.transaction("book")
    def book() -> None:
        booked.append(1)

    @checkpoint("around")
    def around() -> None:
        book()

    @workflow(name="books", policy=policy('rule no { never tool "bo*" on fail halt }'))
    def books() -> None:
        around()

    execution = books.start()
    assert (execution.status, booked, [one.step for one in execution.violations]) == ("halted", [], ["around/book"])


def test_a_person_is_told_before_the_system_speaks(policy: Write) -> None:
    """The pack `omium.eu_ai_act` knows events that a program tells: `omium.disclosed` before `omium.to_person`."""
    world = World(policy("", '"omium.eu_ai_act" as act'))

    told = [["act", [["event", "omium.disclosed"], ["event", "omium.to_person"]]]]
    assert world.uses.start(told).status == "completed"
    assert world.uses.start([["act", [["event", "omium.to_person"]]]]).status == "paused"


def test_halting_is_told_by_its_rule(policy: Write) -> None:
    """What users see says which order was broken."""
    world = World(policy(NO_EMAIL))
    with pytest.raises(ExecutionHalted, match="tool `send` must not happen before step `offer` approved"):
        world.uses([["act", [["send", "ann"]]]])
