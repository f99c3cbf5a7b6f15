"""What rules say of data: three verdicts."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any

import pytest
from policy_helpers import loaded, policy

from omium_policy.program import Program

HEAD = """
  workflow a -> b
  data T {
    n: number  i: integer  p: percent  r: percent as ratio  m: money USD  d: duration
    t: text max 20  e: one of low, high  f: boolean  l: list max 5 of number  o: number optional
  }
  step b takes T gives T
  let caps = { low: 10, high: 20 }
"""


def rules(*requirements: str) -> Program:
    """Return the program of a rule for each requirement, after step `b`."""
    body = "\n".join(f"rule r{i} after b {{ require {one} on fail halt }}" for i, one in enumerate(requirements))
    found = policy(HEAD + body)
    assert found.errors == (), [one.message for one in found.errors]
    return found.own[0]


def verdict(requirement: str, **output: Any) -> str:
    """Return what a rule with this requirement says of an output."""
    findings = rules(requirement).judge("after", "b", {"input": {}, "output": output})
    return findings[0].verdict if findings else "holds"


@pytest.mark.parametrize(
    ("requirement", "output", "expected"),
    [
        ("output.p between 2.5% and 8.5%", {"p": 2.5}, "holds"),
        ("output.p between 2.5% and 8.5%", {"p": 8.51}, "breaks"),
        ("output.p between 2.5% and 8.5%", {"p": Decimal("6.9")}, "holds"),
        ("output.p between 2.5% and 8.5%", {}, "cannot tell"),
        ("output.p between 2.5% and 8.5%", {"p": None}, "cannot tell"),
        ("output.p between 2.5% and 8.5%", {"p": "6.9"}, "cannot tell"),
        ("output.p between 2.5% and 8.5%", {"p": True}, "cannot tell"),
        ("output.p between 2.5% and 8.5%", {"p": math.nan}, "cannot tell"),
        ("output.p between 2.5% and 8.5%", {"p": math.inf}, "cannot tell"),
        ("not output.p > 8.5%", {"p": math.nan}, "cannot tell"),
        ("output.r == 6.9%", {"r": 0.069}, "holds"),
        ("output.r <= 8.5%", {"r": 6.9}, "breaks"),
        ("output.m * 0.1 == $0.30", {"m": 3}, "holds"),
        ("output.m + $0.20 == $0.30", {"m": 0.1}, "holds"),
        ("output.p * output.m == $12", {"p": 6, "m": 200}, "holds"),
        ("output.m / output.m == 1", {"m": 0}, "cannot tell"),
        ("output.d <= 1m30s", {"d": datetime.timedelta(seconds=90)}, "holds"),
        ("output.n <= caps[output.e]", {"n": 15, "e": "low"}, "breaks"),
        ("output.n <= caps[output.e]", {"n": 15, "e": "high"}, "holds"),
        ("output.n <= caps[output.e]", {"n": 15, "e": "middling"}, "cannot tell"),
        ("output.e == high", {"e": "high"}, "holds"),
        ("output.e in [low, high]", {"e": "low"}, "holds"),
        ("output.i in [1, 2]", {"i": 3}, "breaks"),
        ("output.i == 3", {"i": 3.0}, "holds"),
        ("output.i == 3", {"i": 3.5}, "cannot tell"),
        ("output.f", {"f": False}, "breaks"),
        ("output.f", {"f": 1}, "cannot tell"),
        ('output.t matches "^a+$"', {"t": "aaa"}, "holds"),
        ('output.t matches "^a+$"', {"t": "aab"}, "breaks"),
        ("len(output.t) <= 3", {"t": "abc"}, "holds"),
        ("output.t == output.t", {"t": "x" * 21}, "cannot tell"),
        ("all x in output.l satisfy x > 0", {"l": [1, 2]}, "holds"),
        ("all x in output.l satisfy x > 0", {"l": [1, -2]}, "breaks"),
        ("all x in output.l satisfy x > 0", {"l": []}, "holds"),
        ("any x in output.l satisfy x > 0", {"l": []}, "breaks"),
        ("any x in output.l satisfy x > 0", {"l": [1] * 6}, "cannot tell"),
        ("output.l[0] > 0", {"l": []}, "cannot tell"),
        ("exists output.o", {}, "breaks"),
        ("exists output.o", {"o": 0}, "holds"),
        ("not exists output.o or output.o > 1", {}, "holds"),
        ("exists output.o and output.o > 1", {"o": 2}, "holds"),
        ("clamp(output.n, 1, 3) == 3", {"n": 9}, "holds"),
        ("-output.n < 0", {"n": 1}, "holds"),
        ("1 < output.n < 3", {"n": 2}, "holds"),
    ],
)
def test_verdicts(requirement: str, output: dict[str, Any], expected: str) -> None:
    """A requirement holds, breaks, or cannot be told: what is missing or odd never passes."""
    assert verdict(requirement, **output) == expected


def test_a_rule_says_nothing_where_its_guard_does_not_hold() -> None:
    """`when` that cannot be told is not a way around the rule."""
    found = policy(HEAD + "rule r after b { when output.f require output.n > 1 on fail halt }")
    judge = found.own[0].judge

    assert judge("after", "b", {"output": {"f": False}}) == ()
    assert [one.verdict for one in judge("after", "b", {"output": {"f": True, "n": 0}})] == ["breaks"]
    assert [one.verdict for one in judge("after", "b", {"output": {"n": 0}})] == ["cannot tell"]


def test_a_finding_carries_its_evidence(model: str) -> None:
    """Rule, message with values, place, citation, values at their paths, and the fix that the rule suggests."""
    given = {"input": {"risk": "low", "income": 90_000}, "output": {"apr": 0, "amount": 1000}, "step": {"elapsed": 1}}
    [finding] = [one for one in loaded(model).judge("after", "offer", given) if one.rule == "apr_in_band"]

    assert finding.message == "APR 0% is outside our licensed band of 2.5% to 8.5%."
    assert finding.where == "test.omp:29"
    assert finding.cite == "Licence CCL-88, s.4(2)"
    assert finding.values == {"output.apr": 0}
    assert [(one.path, one.value) for one in finding.suggestions] == [(("output", "apr"), 2.5)]
    assert finding.handling is not None
    assert finding.handling.ladder == "repair_offer"
