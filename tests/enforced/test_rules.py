"""Rules of a policy while a workflow runs: before, after and during steps; what breaks one never goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import omium
from omium import ExecutionHalted, checkpoint, effect, workflow
from omium_core.model import events as e

Write = Callable[..., str]


@dataclass
class Terms:
    apr: float | None
    amount: int = 1_000


BAND = """
  data Terms { apr: percent amount: money USD > $0 }
  step offer gives Terms
  rule band after offer {
    require output.apr between 2.5% and 8.5%
    message "APR {output.apr} is outside the band."
    cite "Licence, s.4"
    severity high
    suggest output.apr = clamp(output.apr, 2.5%, 8.5%)
    on fail recover repair
  }
  recovery repair {
    first retry 2 times with feedback
    then pause for "officer" with suggestion, timeout 4h
    finally halt
  }
"""


def offering(policy: str, *aprs: float | None) -> tuple[Any, list[Any]]:
    """Return a workflow of one step that offers these rates in turn, and what the step was told each time."""
    left, told = list(aprs), []

    @checkpoint("offer")
    def offer() -> Terms:
        told.append([one["message"] for one in omium.current().feedback])
        return Terms(left.pop(0))

    @workflow(name="offers", policy=policy)
    def offers() -> float | None:
        return offer().apr

    return offers, told


def test_a_broken_rule_is_a_violation_with_all_that_was_written_of_it(policy: Write, events: Any, body: Any) -> None:
    """The journal has the rule, its words, its source, the values at their paths, and where it stands."""
    offers, told = offering(policy(BAND), 11.9, 4.5)

    execution = offers.start()

    assert execution.result == 4.5
    assert told == [[], ["APR 11.9% is outside the band."]]
    (violated,) = events(execution.id, e.PolicyViolated)
    assert (violated.rule, violated.severity, violated.mode) == ("band", "high", "blocking")
    assert violated.where == "rules.omp:7"
    assert body(execution.id, violated) == {
        "message": "APR 11.9% is outside the band.",
        "values": {"output.apr": 11.9},
        "cite": "Licence, s.4",
    }
    (decided,) = events(execution.id, e.RecoveryDecided)
    assert (decided.source, decided.strategy, decided.rung) == ("repair", "retry", 0)


def test_an_execution_pins_its_policy(policy: Write, events: Any) -> None:
    """The first event has the hash that `omium policy hash` prints."""
    path = policy(BAND)
    offers, _ = offering(path, 4.5)

    (started,) = events(offers.start().id, e.ExecutionStarted)

    assert started.policy == omium.load_policy(path).hash
    assert started.policy_name == "test.rules"


def test_a_suggestion_is_a_fix_that_every_rule_accepts(policy: Write) -> None:
    """When the ladder comes to a person, the rule's `suggest` is offered; once it is taken, the step commits."""
    offers, _ = offering(policy(BAND), 11.9, 11.9, 11.9)
    execution = offers.start()
    assert execution.status == "paused"
    review = omium.runtime_for().store.load(execution.id).state.review
    assert review is not None and review.request.role == "officer"
    choices = omium.runtime_for().store.view(execution.id, review.request.seq)["choices"]
    fix = next(one["fix"] for one in choices if one["label"] == "set offer.output.apr to 8.5")

    omium.review(execution.id, approve=True, by="ann", reason="within the licence", choice=_number(choices, fix))

    assert offers.resume(execution.id).result == 8.5


def _number(choices: list[dict[str, Any]], fix: int) -> int:
    return next(number for number, one in enumerate(choices) if one.get("fix") == fix)


@pytest.mark.parametrize("apr", [None, float("nan"), "high"], ids=str)
def test_what_cannot_be_told_never_passes(policy: Write, apr: Any) -> None:
    """A field that is missing, no number, or of another type is refused like one that breaks the rule."""
    halting = BAND.replace("on fail recover repair", "on fail halt")
    offers, _ = offering(policy(halting), apr)

    with pytest.raises(ExecutionHalted, match="cannot tell"):
        offers()


def test_a_monitored_rule_is_recorded_and_told_and_blocks_nothing(policy: Write, events: Any, tmp_path: Path) -> None:
    """`monitoring` changes nothing but the journal and the channel; what cannot be told is recorded as well."""
    rules = """
      rule small after offer monitoring { require output.amount <= 10 on fail notify "#ops" }
      rule there after offer monitoring { require output.apr >= 1 }
    """
    offers, _ = offering(policy(rules), None)

    execution = offers.start()

    assert execution.status == "completed"
    assert [(one.rule, one.mode) for one in events(execution.id, e.PolicyViolated)] == [
        ("small", "monitoring"),
        ("there", "monitoring"),
    ]
    (line,) = Path("ops.jsonl").read_text().splitlines()
    assert json.loads(line)["subject"] == "offers: offer"


def test_advice_reaches_the_agent_and_blocks_nothing(policy: Write) -> None:
    """An advisory rule before a step is part of what the attempt is told; after it, of what the next one is told."""
    rules = """
      rule hint before offer advisory { require run.steps >= 1 message "There was no step before." }
      rule band after offer { require output.apr <= 8.5 on fail retry 2 times with feedback }
      rule round after offer advisory { require output.amount <= 5 message "Five is a good amount." }
      rule quiet after offer monitoring { require output.apr == 6 message "Nobody hears this." }
    """
    offers, told = offering(policy(rules), 9.0, 4.5)

    assert offers() == 4.5
    assert told[0] == ["There was no step before."]
    assert "Five is a good amount." in told[1]
    assert "Nobody hears this." not in told[1]


def test_a_rule_before_a_step_keeps_its_body_from_running(policy: Write, events: Any) -> None:
    """What the input breaks is found before anything is done, and there is no outcome to correct."""
    ran = []

    @checkpoint("pay")
    def pay(amount: int) -> int:
        ran.append(amount)
        return amount

    @workflow(name="pays", policy=policy("rule limit before pay { require input <= 100 on fail halt }"))
    def pays(amount: int) -> int:
        return pay(amount)

    assert pays(100) == 100
    with pytest.raises(ExecutionHalted, match="`require input <= 100` does not hold"):
        pays(101)
    assert ran == [100]


def test_input_is_the_only_argument_or_all_of_them_by_name(policy: Write) -> None:
    """Objects are records of their fields for a rule, however they came."""

    @checkpoint("one")
    def one(terms: Terms) -> int:
        return 1

    @checkpoint("two")
    def two(terms: Terms, factor: int) -> int:
        return 1

    rules = """
      rule a before one { require input.amount == 1_000 on fail halt }
      rule b before two { require input.terms.amount == input.factor on fail halt }
    """

    @workflow(name="both", policy=policy(rules))
    def both() -> int:
        return one(Terms(1.0)) + two(Terms(1.0), factor=1_000)

    assert both() == 2


def test_tools_that_are_not_allowed_are_never_used(policy: Write, events: Any) -> None:
    """`allow` and `deny` stand before the call; a model is no tool; rules may look at the arguments."""
    made = []

    @effect(name="lookup", read=True)
    def lookup(what: str) -> str:
        made.append(f"lookup {what}")
        return what

    @effect(name="payments.refund", irreversible=True)
    def refund() -> None:
        made.append("refund")

    @effect(name="chat", model=True)
    def chat() -> str:
        made.append("chat")
        return "hello"

    rules = """
      rule tools during work { allow tools lookup deny tools "payments.*" on fail halt }
      rule asked during work { when exists args.what require args.what != "secret" on fail halt }
    """

    @checkpoint("work")
    def work(what: str) -> None:
        chat()
        lookup("weather")
        refund() if what == "refund" else lookup(what)

    @workflow(name="works", policy=policy(rules))
    def works(what: str) -> None:
        work(what)

    works("news")
    made.clear()
    with pytest.raises(ExecutionHalted, match=r"the tool `payments.refund` is not allowed here"):
        works("refund")
    with pytest.raises(ExecutionHalted, match="secret"):
        works("secret")
    assert made == ["chat", "lookup weather"] * 2


def test_steps_conform_to_what_program_and_policy_declare(policy: Write) -> None:
    """`step.conforms` knows the annotation, and the policy's types down to their bounds."""
    declared = "data Terms { apr: percent amount: money USD > $0 } step offer gives Terms"
    rules = f"{declared} rule right after any step {{ require step.conforms on fail halt }}"

    @checkpoint("offer")
    def offer(given: Any) -> Terms:
        return given  # type: ignore[no-any-return]  # what it gives is the test's

    @workflow(name="offers", policy=policy(rules))
    def offers(given: Any) -> None:
        offer(given)

    offers(Terms(4.5))
    for wrong in ("text", Terms(None), Terms(4.5, amount=0)):
        with pytest.raises(ExecutionHalted, match=r"`require step\.conforms` does not hold"):
            offers(wrong)


def test_the_policy_decides_over_the_code(policy: Write, events: Any) -> None:
    """Where both name a ladder for a failure, the policy's is taken, and the decision says so."""

    @checkpoint("fails", recovery=omium.Recovery(omium.Skip()))
    def fails() -> None:
        raise TimeoutError("slow")

    rules = "on error timeout recover slow recovery slow { first retry 1 times finally halt }"

    @workflow(name="failing", policy=policy(rules))
    def failing() -> None:
        fails()

    execution = failing.start()

    assert execution.status == "halted"
    assert [one.source for one in events(execution.id, e.RecoveryDecided)] == ["slow", "slow"]


def test_of_several_broken_rules_the_strictest_decides_and_all_are_told(policy: Write, events: Any) -> None:
    """Halting is stricter than trying again, whatever the order of the rules."""
    rules = """
      rule mild after offer { require output.apr <= 8 on fail retry 5 times with feedback }
      rule strict after offer { require output.amount <= 10 on fail halt }
    """
    offers, _ = offering(policy(rules), 9.0)

    execution = offers.start()

    assert execution.status == "halted"
    assert {one.rule for one in events(execution.id, e.PolicyViolated)} == {"mild", "strict"}
    assert [one.source for one in events(execution.id, e.RecoveryDecided)] == ["rule strict"]


def test_a_workflow_inside_needs_the_policy_that_is_in_force(policy: Write, tmp_path: Path) -> None:
    """A workflow called as a step runs under the execution's policy; one with another of its own is refused."""
    path = policy("rule r after any step { require step.conforms on fail halt }")
    (tmp_path / "other.omp").write_text(Path(path).read_text().replace("test.rules", "other"))

    @workflow(name="same", policy=path)
    def same() -> int:
        return 1

    @workflow(name="other", policy=str(tmp_path / "other.omp"))
    def other() -> int:
        return 2

    @workflow(name="around", policy=path)
    def around(which: str) -> int:
        return int(same() if which == "same" else other())

    assert around("same") == 1
    with pytest.raises(ExecutionHalted, match="has a policy of its own"):
        around("other")


def test_a_block_runs_under_a_policy(policy: Write) -> None:
    """`omium.execution(policy=...)` holds the steps in it to the policy."""
    offers_path = policy(BAND.replace("on fail recover repair", "on fail halt"))

    @checkpoint("offer")
    def offer(apr: float) -> Terms:
        return Terms(apr)

    with omium.execution("block", policy=offers_path):
        offer(4.5)
    with pytest.raises(ExecutionHalted), omium.execution("block", policy=offers_path):
        offer(11.0)
