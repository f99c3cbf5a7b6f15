"""A policy as the engine asks it: what packs and plugins add is in force like what the file says itself."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import attrs
from policy_helpers import FINANCE, Shelf

from omium_core.recovery.policy import Happening, Spent
from omium_policy import types
from omium_policy.in_force import InForce, in_force
from omium_policy.loading import load
from omium_policy.source import Source

METERED = attrs.evolve(FINANCE, meters={"omium.finance.bureau_calls": types.INTEGER})


def policy(body: str, uses: str = "", pack: str = "") -> InForce:
    text = f'omium 1\n{uses}\npolicy a.b version "1.0.0" {{\n{body}\n}}\n'
    finance = f'omium 1\npolicy omium.finance version "1.2.0" {{\n{pack}\n}}\n'
    loaded = load(Source("rules.omp", text), METERED, Shelf({"omium.finance": ("1.2.0", finance)}))
    assert not loaded.errors, [one.message for one in loaded.errors]
    return in_force(loaded)


FIN = 'use "omium.finance" version "^1.2" as fin'


def test_a_plugins_meter_has_a_budget() -> None:
    """It is counted under its full name, whatever the policy calls the pack."""
    rules = policy("budget run { fin.bureau_calls at most 3 on exceed halt }", FIN)

    def said(calls: int) -> list[str]:
        spent = Spent({"omium.finance.bureau_calls": calls}, {})
        return [one.message for one in rules.exceeded({}, "offer", spent, {})]

    assert said(3) == []
    assert said(4) == ["the omium.finance.bureau_calls of the run is used up: 4 of 3"]


def test_a_packs_rules_and_ladders_have_its_alias() -> None:
    """Rules, ladders and order of events of a pack are in force beside the file's own, under the name of its alias."""
    pack = """
      rule never_refund { never tool refund on fail recover ask }
      rule small after any step { require output <= 10 on fail recover ask }
      recovery ask { first pause for "officer" }
    """
    rules = policy("rule mine after offer { require output >= 0 }", FIN, pack)

    assert [one.rule for one in rules.judge("after", "offer", given(-1))] == ["mine"]
    assert [one.rule for one in rules.judge("after", "anything", given(11))] == ["fin.small"]
    assert [one.rule for one in rules.peek({}, Happening("tool", "refund"))] == ["fin.never_refund"]
    assert [(one.source, sorted(one.rules)) for one in rules.ladders] == [
        ("rule mine", ["mine"]),
        ("fin.ask", ["fin.never_refund", "fin.small"]),
    ]


def test_many_threads_ask_one_policy() -> None:
    """It keeps nothing of what it is asked, so the answers are those that one thread would get."""
    rules = policy("rule small after offer { require output <= 10 } rule once { at most 1 tool send per run }")
    wrong: list[Any] = []

    def ask(number: int) -> None:
        for value in range(200):
            found = [one.rule for one in rules.judge("after", "offer", given(value % 20))]
            memory = rules.count({}, Happening("tool", "send")) if value % 2 else {}
            peeked = [one.rule for one in rules.peek(memory, Happening("tool", "send"))]
            if found != (["small"] if value % 20 > 10 else []) or peeked != (["once"] if value % 2 else []):
                wrong.append((number, value, found, peeked))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


def given(output: Any) -> dict[str, Any]:
    return {"output": output, "input": {}, "step": {}, "run": {}}


def test_amounts_are_exact() -> None:
    """A cost that was told as a text or a float is a decimal amount in the budget."""
    rules = policy("budget run { cost at most $0.30 on exceed halt }")

    assert not rules.exceeded({}, "offer", Spent({"cost": Decimal("0.1") + Decimal("0.2")}, {}), {})
    assert rules.exceeded({}, "offer", Spent({"cost": Decimal("0.301")}, {}), {})
    assert not rules.exceeded({}, "offer", Spent({"cost": Decimal("0.6")}, {}), {"budget run": 1})
