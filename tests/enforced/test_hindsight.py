"""`omium policy replay`: what a policy would have said of executions that are on record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner

import omium
from omium import checkpoint, effect, workflow
from omium.cli import cli
from omium.hindsight import look_back
from omium.testing import VirtualClock
from omium_core.runtime import pruning

Write = Callable[..., str]


@dataclass
class Offer:
    amount: Decimal
    tags: tuple[str, ...] = ()


@pytest.fixture
def recorded() -> list[str]:
    """Three executions without any policy, one of which sent two e-mails."""

    @effect(name="send", irreversible=True)
    def send(to: str) -> str:
        return to

    @checkpoint("offer")
    def offer(amount: int) -> Offer:
        return Offer(Decimal(amount), ("new",))

    @checkpoint("tell")
    def tell(offer: Offer, times: int) -> int:
        for number in range(times):
            send(f"ann{number}")
        return times

    @workflow(name="sells")
    def sells(amount: int, times: int) -> int:
        return tell(offer(amount), times)

    return [sells.start(amount, times).id for amount, times in ((10, 1), (50, 1), (90, 2))]


RULES = """
  rule small after offer { require output.amount <= 60 message "{output.amount} is much." on fail halt }
  rule named before tell { require input.offer.amount > 0 and "new" in input.offer.tags on fail halt }
  rule once { at most 1 tool send per run on fail halt }
  rule order { never tool send before step offer passes on fail halt }
  rule elsewhere after nowhere { require output > 0 on fail halt }
  rule all after tell monitoring { require output > 9 }
"""


def test_each_rule_is_asked_what_it_would_have_been_asked(policy: Write, recorded: list[str]) -> None:
    """Outcomes, inputs and calls are read as rules see them; nothing is performed, and no journal changes."""
    store = omium.runtime_for().store
    before = [list(store.events(one)) for one in recorded]

    found = look_back(omium.load_policy(policy(RULES)), store, recorded)

    asked = {rule: (tally.asked, tally.fired, tally.warning) for rule, tally in found.rules.items()}
    assert asked == {
        "small": (3, 1, ""),
        "named": (3, 0, "never fires"),
        "once": (4, 1, ""),
        "order": (7, 0, "never fires"),
        "elsewhere": (0, 0, "was never asked"),
        "all": (3, 3, "always fires"),
    }
    said = [(one.execution, one.step, one.rule) for one in found.findings if one.rule != "all"]
    assert said == [(recorded[2], "offer", "small"), (recorded[2], "tell", "once")]
    assert [list(store.events(one)) for one in recorded] == before


def test_what_is_late_or_missing_is_said_once(policy: Write, clock: VirtualClock) -> None:
    """Deadlines and ends are looked at as well, and what has no undo is an event of Omium's own."""

    @effect(name="send", irreversible=True)
    def send(to: str) -> str:
        return to

    @effect(name="look", read=True)
    def look(what: str) -> str:
        return what

    @checkpoint("act")
    def act() -> None:
        omium.now()
        omium.event("app.told")
        send("ann")
        clock.sleep(60)
        look("a")
        look("b")

    @workflow(name="acts")
    def acts() -> None:
        act()

    rules = """
      rule soon { within 30s after tool send expect step other passes on fail halt }
      rule ends { by end expect tool nothing on fail halt }
      rule only during act { allow tools send, look on fail halt }
      rule safe { never event omium.irreversible before event omium.approved on fail halt }
      rule kept { by end expect tool look on fail halt }
    """
    execution = acts.start().id

    found = look_back(omium.load_policy(policy(rules)), omium.runtime_for().store, [execution])

    assert [one.rule for one in found.findings] == ["safe", "soon", "ends"]
    assert found.rules["kept"].warning == "never fires"


def test_a_transaction_that_stated_nothing_counts_as_what_has_no_undo(policy: Write) -> None:
    """A policy in force would have asked before it ran, so looking back says so too."""

    @omium.transaction("book")
    def book() -> str:
        return "booked"

    @workflow(name="books")
    def books() -> str:
        return book()

    execution = books.start().id
    rules = "rule safe { never event omium.irreversible before event omium.approved on fail halt }"

    found = look_back(omium.load_policy(policy(rules)), omium.runtime_for().store, [execution])

    assert [(one.step, one.rule) for one in found.findings] == [("book", "safe")]


def test_what_was_pruned_cannot_be_looked_back_on(policy: Write, recorded: list[str]) -> None:
    """Values that are gone break no rule: the execution is named as one that cannot be read."""
    runtime = omium.runtime_for()
    chosen = pruning.Choice(before=float("inf"))
    pruning.prune(runtime.store, pruning.plan(runtime.store, chosen), "ann")

    found = look_back(omium.load_policy(policy(RULES)), runtime.store, recorded[:1])

    assert list(found.unread) == [recorded[0]]
    assert [one for one in found.findings if one.rule == "small"] == []


def test_the_command_says_it_in_words_and_as_data(policy: Write, recorded: list[str]) -> None:
    """The table has every rule, the findings name execution, step and attempt, and warnings say what is odd."""
    path = policy(RULES)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["policy", "replay", path, *arguments])

    told = run()
    assert told.exit_code == 0, told.output
    assert "90 is much." in told.output
    assert "was never asked" in told.output
    data = json.loads(run(recorded[0], "--json").output)
    assert data["executions"] == [recorded[0]]
    assert data["rules"]["small"] == {"asked": 1, "fired": 0}
    assert run("--workflow", "nothing").exit_code == 2
