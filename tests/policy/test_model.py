"""The model policy, as compliance officers wrote it: it loads, its tests pass, it reads as English."""

from __future__ import annotations

from policy_helpers import loaded

from omium_policy.explaining import explained
from omium_policy.testing import run_tests


def test_the_model_policy_has_nothing_wrong(model: str) -> None:
    """Every check passes, coverage included."""
    assert [one.message for one in loaded(model).diagnostics] == []


def test_its_own_tests_pass(model: str) -> None:
    """What the policy says of itself is so."""
    found = loaded(model)
    outcomes = run_tests(found.source, found.own[0])

    assert [one.failures for one in outcomes if not one.passed] == []
    assert len(outcomes) == 10


def test_a_test_that_expects_something_else_fails_at_its_place(model: str) -> None:
    """A wrong expectation is told with the line where it stands and with what came instead."""
    wrong = model.replace("case output.apr = 2.49% breaks", "case output.apr = 2.49% holds")
    found = loaded(wrong)
    failures = [failure for one in run_tests(found.source, found.own[0]) for failure in one.failures]

    assert [failure.message for failure in failures] == [
        "`apr_in_band` breaks, and holds was expected: APR 2.49% is outside our licensed band of 2.5% to 8.5%."
    ]
    assert found.source.line(failures[0].line).strip() == "case output.apr = 2.49% holds"


def test_it_reads_as_english(model: str) -> None:
    """The explanation names no keyword that a reader would have to learn."""
    file = loaded(model).file
    assert file is not None
    text = explained(file)

    assert "after `offer`, it must be that the output's apr is between 2.5% and 8.5%." in text
    assert "First, try the step again, 3 times at most, telling the agent what was wrong" in text
    assert "{" not in text.replace("{output.apr}", "").replace("{output.amount}", "").replace(
        "{input.risk}", ""
    ).replace("{loan_cap[input.risk]}", "")
