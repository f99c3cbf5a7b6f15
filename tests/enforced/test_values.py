"""Values that nobody thought of: a rule about them breaks or cannot tell, and never breaks the execution."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest

import omium
from omium import checkpoint, effect, workflow
from omium.enforcing import Requests
from omium_core.model import events as e
from omium_core.runtime.plain import OPAQUE, plain
from omium_policy.giving import evidence

Write = Callable[..., str]


class Odd:
    """No data."""


class Level(enum.Enum):
    HIGH = "high"


@dataclass
class Boxed:
    value: Any
    name: str = "box"


RULES = """
  data Terms {
    apr: percent amount: money USD name: text max 10 tags: list max 3 of text wait: duration
    level: one of low, high count: integer ratio: percent as ratio
  }
  step offer gives Terms
  rule a after offer {
    require output.apr between 1% and 2% message "{output.apr}" suggest output.apr = clamp(output.apr, 1%, 2%)
    on fail halt
  }
  rule b after offer {
    require output.amount <= $5 message "{output.amount}" suggest output.amount = output.amount / 2 on fail halt
  }
  rule c after offer { require output.name matches "b+" message "{output.name}" on fail halt }
  rule d after offer { require all t in output.tags satisfy t == "x" message "{output.tags}" on fail halt }
  rule f after offer { require output.wait <= 5m message "{output.wait}" on fail halt }
  rule g after offer { require output.level == high message "{output.level}" on fail halt }
  rule h after offer {
    require output.count * 1_000 < 4 message "{output.count}" suggest output.count = output.count * 2 on fail halt
  }
  rule i after offer { require output.ratio < 3% message "{output.ratio}" suggest output.ratio = 2% on fail halt }
  rule j after offer { require step.conforms on fail halt }
  rule k after free { require output.x == 1 message "{output.x}" suggest output.x = output.x * 2 on fail halt }
  rule l after free { require output.x < 3 message "{output.x}" suggest output.x = output.x + 1 on fail halt }
  rule m after free { require "a" in output.x on fail halt }
  rule n after free { require output.x matches "^b" on fail halt }
"""
HOSTILE: list[Any] = [
    None, True, -1, 10**400, 2**70, 1e308, -1e308, float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"),
    Decimal("Infinity"), Decimal("1e999999"), Decimal("1" * 5_000), "", "a" * 100_000, "1e999999", [], ["x"] * 20_000,
    [OPAQUE], {}, {"a": OPAQUE}, OPAQUE, dt.timedelta(days=999_999_999), b"x",
]  # fmt: skip
GOOD = {"apr": 1.5, "amount": 1, "name": "b", "tags": ["x"], "wait": 3, "level": "high", "count": 0, "ratio": 0.01}
KNOWN = {"step": {"name": "offer", "attempt": 1, "conforms": True}, "run": {"steps": 0}, "input": {}}


def test_hostile_values_break_rules_and_nothing_else(policy: Write) -> None:
    """No value of any field makes judging raise, a violation that cannot be journaled, or one that is too much."""
    from omium_policy.in_force import in_force

    asked = in_force(omium.load_policy(policy(RULES)))
    codec = omium.runtime_for().store.codec

    for value in HOSTILE:
        for step, output in [("free", {"x": value}), ("free", value), ("offer", value)] + [
            ("offer", {**GOOD, field: value}) for field in GOOD
        ]:
            given = {**KNOWN, "step": dict(KNOWN["step"]), "output": output}
            for one in asked.judge("after", step, given):
                assert len(codec.seal({**one.as_data(), "suggest": None}).data) < 10_000, one.rule
                codec.seal(one.suggest)
                assert len(one.message) < 2_000, one.rule


def test_evidence_is_bounded_and_keeps_what_is_small() -> None:
    """What is kept of a value says what it was, however large it was, and small ones are kept as they are."""
    assert evidence({"a": [1, "b", None, Decimal("1.5")]}) == {"a": [1, "b", None, Decimal("1.5")]}
    assert len(evidence(list(range(1_000)))) == 21
    assert evidence("a" * 5_000).endswith("... (5000 characters)")
    assert evidence(Odd()) == "something that is no data"
    assert evidence([[[[[1]]]]]) == [[[["1 parts"]]]]
    assert evidence(10**400) == "a number of 1329 bits"


def test_an_input_that_is_no_data_is_refused_like_any_other(policy: Write, events: Any, body: Any) -> None:
    """An object that cannot be stored is evidence in words: the step fails by the rule, and not by the journal."""

    @checkpoint("pay")
    def pay(what: Any) -> int:
        return 1

    @workflow(name="pays", policy=policy("rule limit before pay { require input == 1 on fail halt }"))
    def pays() -> int:
        return pay(Odd())

    execution = pays.start()

    assert (execution.status, [one.rule for one in execution.violations]) == ("halted", ["limit"])
    (violated,) = events(execution.id, e.PolicyViolated)
    assert body(execution.id, violated)["values"] == {"input": "something that is no data"}


@pytest.mark.parametrize(
    "value",
    [b"bytes", dt.timedelta(seconds=90), dt.date(2026, 1, 2), Decimal("1.50"), Level.HIGH, Boxed(3), Boxed(Boxed(1)),
     PurePosixPath("a/b"), (1, [2, {"a": 3}]), {1: 2}, 2**70],
    ids=str,
)  # fmt: skip
def test_a_request_that_is_read_back_is_what_it_was(policy: Write, events: Any, value: Any) -> None:
    """Conditions see the same arguments in the next process as in the one that made the call."""
    omium.register(Level)
    omium.register(Boxed)

    @effect(name="send", irreversible=True)
    def send(what: Any) -> None:
        return None

    @workflow(name="sends", policy=policy("rule r { at most 9 tool send per run }"))
    def sends() -> None:
        send(value)

    execution = sends.start()
    store = omium.runtime_for().store
    (intended,) = events(execution.id, e.EffectIntended)

    read = Requests(store, execution.id)(intended.seq)

    alike = plain(store.codec, value)
    assert read["args"] == {"what": alike}
    assert type(read["args"]["what"]) is type(alike)
