"""What a policy remembers is a function of the journal: whoever reads it back has the same memory as who lived it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import omium
from omium import agent, checkpoint, effect, enforcing, running, transaction, workflow
from omium.testing import VirtualClock
from omium_core.engine.watch import Watch
from omium_policy.in_force import InForce

RULES = """
  rule sends { at most 2 tool send per run on fail skip }
  rule looks { at most 3 tool look where args.what == "b" per 10m on fail skip }
  rule order { never tool charge after tool send until step offer passes on fail skip }
  rule soon monitoring { within 30s after tool charge expect tool send }
  rule ends monitoring { by end expect tool look }
  rule first monitoring { never step act starts before step offer approved }
  rule final { at most 4 event omium.irreversible per run on fail skip }
  rule told { never event app.b before event app.a on fail skip }
  budget run { tokens at most 10_000 warn at 1% }
  on error timeout recover again
  recovery again { first retry 1 times then rollback to offer then skip }
"""
CALLS = st.tuples(
    st.sampled_from(["send", "charge", "look", "event", "wait", "think", "book"]), st.sampled_from(["a", "b"])
)
PLANS = st.lists(
    st.tuples(st.sampled_from(["offer", "act", "fails"]), st.lists(CALLS, max_size=4)), min_size=1, max_size=6
)


class Lived:
    """A workflow that does what a plan says, and the memory that its runner had at the end."""

    def __init__(self, policy: str, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.watch: Watch | None = None
        real = running.finish

        def finish(runtime: Any, run: Any) -> None:
            self.watch = run.machine.watch
            real(runtime, run)

        monkeypatch.setattr(running, "finish", finish)
        send = effect(name="send", irreversible=True)(lambda what: what)
        charge = effect(name="charge", undo=lambda value: None)(lambda what: what)
        look = effect(name="look", read=True)(lambda what: what)

        @effect(name="think", model=True)
        def think(what: str) -> str:
            omium.spend(tokens=40, cost="0.01")
            return what

        @transaction("book")
        def book(what: str) -> str | None:
            charge(what)
            return send(what) if what == "a" else what

        calls: dict[str, Callable[[str], Any]] = {
            "send": send,
            "charge": charge,
            "look": look,
            "think": think,
            "book": book,
            "event": lambda what: omium.event(f"app.{what}"),
            "wait": lambda what: clock.sleep(20 if what == "a" else 400),
        }

        @agent
        class Worker:
            @checkpoint("offer")
            def offer(self, plan: list[Any]) -> str:
                return "offered"

            @checkpoint("act")
            def act(self, plan: list[Any]) -> list[Any]:
                return [calls[name](what) for name, what in plan]

            @checkpoint("fails")
            def fails(self, plan: list[Any]) -> None:
                for name, what in plan:
                    calls[name](what)
                raise TimeoutError("slow")

        @workflow(name="lives", policy=policy)
        def lives(plan: list[Any]) -> None:
            worker = Worker()
            worker.offer([])
            for step, todo in plan:
                getattr(worker, step)(todo)

        self.lives = lives


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=PLANS)
def test_who_reads_the_journal_remembers_the_same(
    policy: Any, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, plan: list[Any]
) -> None:
    """Counts, deadlines, what was said already, what was spent: all of it, after failures and rollbacks too."""
    lived = Lived(policy(RULES), clock, monkeypatch)

    execution = lived.lives.start([[step, [list(one) for one in given]] for step, given in plan])

    runtime = omium.runtime_for()
    state = runtime.store.load(execution.id).state
    read = enforcing.taken_over_under(runtime, lived.lives.__omium__, state)
    assert lived.watch is not None and read is not None
    assert read.memory == lived.watch.memory
    assert [(one.seq, one.effect, one.told) for one in read.heard] == [
        (one.seq, one.effect, one.told) for one in lived.watch.heard
    ]
    assert read.spent == lived.watch.spent
    assert (read.steps, read.grants, read.flying) == (lived.watch.steps, lived.watch.grants, {})


def test_a_rollback_of_many_effects_counts_the_rest_once(
    policy: Any, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is forgotten effect by effect is counted anew when somebody asks, and not after each of them."""
    counted: list[str] = []
    real = InForce.count

    def count(self: InForce, memory: Any, happening: Any) -> Any:
        counted.append(happening.name)
        return real(self, memory, happening)

    monkeypatch.setattr(InForce, "count", count)
    lived = Lived(policy(RULES), clock, monkeypatch)

    execution = lived.lives.start([["act", [["charge", str(number)] for number in range(60)]], ["fails", []]])

    # Each charge three times: as it is made, after the rollback, and as it is made again.
    assert execution.status == "completed"
    assert counted.count("charge") <= 240


def test_a_fork_remembers_the_same_in_every_process(
    policy: Any, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it takes over from its source, and what it did itself, is in both journals."""
    lived = Lived(policy(RULES), clock, monkeypatch)
    plan = [["act", [["send", "a"], ["charge", "b"], ["think", "a"]]], ["offer", []], ["act", [["book", "a"]]]]
    source = lived.lives.start(plan)
    copy = omium.fork(source.id, at="act", execution_id="copy")
    assert lived.lives.resume(copy.id).status == "completed"

    runtime = omium.runtime_for()
    read = enforcing.taken_over_under(runtime, lived.lives.__omium__, runtime.store.load("copy").state)

    assert lived.watch is not None and read is not None
    assert read.memory == lived.watch.memory
    assert (read.spent, read.first, read.grants) == (lived.watch.spent, lived.watch.first, {})
