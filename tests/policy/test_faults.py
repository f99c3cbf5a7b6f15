"""Mistakes of meaning in the model policy: each is found, with its code, on its line."""

from __future__ import annotations

import pytest
from policy_helpers import codes, loaded

# What is changed, into what, the code of what is then said, and how many lines below the change that is said.
UNITS = [
    ("between 2.5% and 8.5%", "between 2.5% and 8.5", "type-mismatch", 0),
    ("between 2.5% and 8.5%", "between 2.5 and 8.5%", "type-mismatch", 0),
    ("clamp(output.apr, 2.5%, 8.5%)", "clamp(output.apr, 2.5%, 8.5)", "type-mismatch", 0),
    ("clamp(output.apr, 2.5%, 8.5%)", "clamp(output.apr, 2.5%, $8.5)", "type-mismatch", 0),
    ("require output.amount <= loan_cap", "require output.apr <= loan_cap", "type-mismatch", 0),
    ("suggest output.amount = loan_cap[input.risk]", "suggest output.amount = 5%", "type-mismatch", 0),
    ("monthly_payment(output.amount, output.apr)", "monthly_payment(output.apr, output.amount)", "type-mismatch", 0),
    ("input.income * 0.03", "input.income * 3s", "bad-arithmetic", 0),
    ("input.income * 0.03", "input.income + 0.03", "bad-arithmetic", 0),
    ("input.income * 0.03", "input.applicant * 1_000_000_000", "bad-arithmetic", 0),
    ("step.elapsed <= 20s", "step.elapsed <= 20", "type-mismatch", 0),
    ("step.elapsed <= 20s", "step.elapsed <= $20", "type-mismatch", 0),
    ("income: money USD >= $0", "income: money EUR >= €0", "type-mismatch", 28),
    ("cost at most $2", "cost at most 2", "type-mismatch", 0),
    ("cost at most $2", "cost at most €2", "type-mismatch", 0),
    ("tokens at most 200_000", "tokens at most $5", "type-mismatch", 0),
    ("elapsed at most 10m", "elapsed at most 10", "type-mismatch", 0),
    ("case output.apr = 2.49% breaks", "case output.apr = 2.49 breaks", "type-mismatch", 0),
    ("case step.elapsed = 20s holds", "case step.elapsed = 20 holds", "type-mismatch", 0),
    ("apr: 11.9%, amount: $15_000", "apr: 11.9, amount: $15_000", "type-mismatch", 0),
    ("expect suggestion.output.apr == 8.5%", "expect run.elapsed == 8.5%", "type-mismatch", 0),
    ('output.rationale matches "', 'output.apr matches "', "type-mismatch", 0),
    ("when exists output.rationale", "when output.rationale", "not-a-condition", 0),
    ('fin.open_case(queue: "underwriting")', "fin.open_case(queue: 5)", "type-mismatch", 0),
]
NAMES = [
    ("rule apr_in_band after offer", "rule apr_in_band after ofer", "unknown-step", 0),
    ("step offer takes", "step ofer takes", "unknown-step", 0),
    ("then rollback to credit\n    then pause", "then rollback to credt\n    then pause", "unknown-step", 0),
    ("before step offer approved", "before step ofer approved", "unknown-step", 0),
    ("handoff offer -> email {", "handoff offer -> mail {", "unknown-step", 0),
    ("answer offer gives", "answer ofer gives", "unknown-step", 0),
    ("trace step offer starts", "trace step ofer starts", "unknown-step", 0),
    ("step offer takes Application", "step offer takes Aplication", "unknown-type", 0),
    ("risk: one of low", "risk: Risk\n    x: one of low", "unknown-type", 0),
    ("amount: money USD > $0", "amount: money usd > $0", "unknown-currency", 0),
    ("require output.apr between", "require output.arp between", "unknown-field", 0),
    ("loan_cap[input.risk]\n    message", "loan_cap[input.rsik]\n    message", "unknown-field", 0),
    ('message "APR {output.apr} is', 'message "APR {output.arp} is', "unknown-field", 0),
    ("suggest output.apr =", "suggest output.arp =", "unknown-field", 0),
    ("case output.apr = 2.5% holds", "case output.arp = 2.5% holds", "unknown-field", 0),
    ("given input.income = $72_000\n", "given input.incom = $72_000\n", "unknown-field", 0),
    ('{ applicant: "A. Rao", risk: medium', '{ aplicant: "A. Rao", risk: medium', "unknown-field", 0),
    ("require step.elapsed <=", "require step.elapse <=", "unknown-field", 0),
    ("require output.apr between", "require outptu.apr between", "unknown-name", 0),
    ("require output.amount <= loan_cap", "require output.amount <= loan_caps", "unknown-name", 0),
    ("given input.risk = high", "given input.risk = hihg", "unknown-word", 0),
    ("low: $50_000, medium: $20_000, high: $5_000", "low: $50_000, medium: $20_000", "missing-case", 12),
    ("on fail recover repair_offer", "on fail recover repair_ofer", "unknown-ladder", 0),
    ("on exceed recover ask_officer", "on exceed recover ask_oficer", "unknown-ladder", 0),
    ("on disagree recover ask_officer", "on disagree recover ask_oficer", "unknown-ladder", 0),
    ("on error any recover ask_officer", "on error any recover ask_oficer", "unknown-ladder", 0),
    ('test apr_in_band "', 'test apr_in_bnad "', "unknown-rule", 0),
    ("expect offer_tools holds", "expect offer_tool holds", "unknown-rule", 0),
    ("require fin.monthly_payment(", "require fin.monthly_paymnt(", "unknown-function", 0),
    ("require fin.monthly_payment(", "require fim.monthly_payment(", "unknown-function", 0),
    ("= clamp(", "= __import__(", "unknown-function", 0),
    ("on fail fin.open_case(", "on fail fin.open_cse(", "unknown-action", 0),
    ('fin.open_case(queue: "underwriting")', 'fin.open_case(que: "underwriting")', "unknown-argument", 0),
    ('fin.open_case(queue: "underwriting")', "fin.open_case()", "missing-argument", 0),
    ("on error timeout, rate_limited", "on error timeot, rate_limited", "unknown-failure", 0),
    ("fin.rate_service_down recover", "fin.rate_service_dwn recover", "unknown-failure", 0),
    ("tokens at most", "tokns at most", "unknown-meter", 0),
    ('in "Europe/London"', 'in "Europe/Londn"', "unknown-zone", 0),
    ('use "omium.finance"', 'use "omium.finances"', "unknown-pack", 0),
    ("require output.apr between", "require output._apr between", "private-name", 0),
    ("require output.apr between", "require output.__class__ between", "private-name", 0),
    ("rule loan_cap_by_risk after", "rule apr_in_band after", "declared-twice", 0),
    ("rate_check, fraud_check, tone_check", "rate_check, rate_check, tone_check", "declared-twice", 0),
]
BOUNDS = [
    ("between 2.5% and 8.5%", "between 8.5% and 2.5%", "impossible", 0),
    ("require output.apr between 2.5% and 8.5%", "require 3% < output.apr < 3%", "impossible", 0),
    ("require output.amount <= loan_cap[input.risk]", "require output.apr > 9%", "impossible", 0),
    ("require output.amount <= loan_cap[input.risk]", "require output.amount <= $0", "impossible", 0),
    ("require step.elapsed <= 20s", "require step.elapsed < 0s and step.elapsed > 0s", "impossible", 0),
    (
        "never tool send_email before step offer approved",
        "never step kyc passes before step email passes",
        "impossible",
        0,
    ),
    (
        "exponential(1s, 10s), jitter full\n    then rollback",
        "exponential(10s, 1s)\n    then rollback",
        "impossible",
        0,
    ),
    ("freeze 2026-12-18..2027-01-04", "freeze 2027-01-04..2026-12-18", "impossible", 0),
    ("freeze 2026-12-18..2027-01-04", "freeze 2026-12-32..2027-01-04", "impossible", 0),
    ("Mon..Thu 09:00..17:00", "Mon..Thu 17:00..09:00", "impossible", 0),
    ("override needs 2 people", "override needs 0 people", "never", 0),
    ("first retry 3 times", "first retry 0 times", "never", 0),
    ("at most 5 recoveries", "at most 0 recoveries", "never", 0),
    ("quorum 2 of", "quorum 4 of", "quorum-too-large", 0),
    ("quorum 2 of", "quorum 0 of", "quorum-too-large", 0),
    ("quorum 2 of", "byzantine 1 of", "quorum-too-large", 0),
    ("quorum 2 of", "quorum 1 of", "minority", 0),
]
UNREACHED = [
    ("when exists output.rationale", "when output.apr > 9% and output.apr < 3%", "unreachable", 0),
    ("first retry 3 times with feedback", "first halt\n    then retry 3 times with feedback", "dead-rung", 1),
    (
        "with suggestion, timeout 4h\n    finally halt\n    at",
        "with suggestion\n    finally halt\n    at",
        "dead-rung",
        1,
    ),
    ("then fallback to offer_small_model\n    finally halt", "then fallback to offer_small_model", "endless-ladder", 0),
    ("per 10m else halt", "per 10m else retry 1 times", "endless-ladder", 0),
    (
        "on error timeout, rate_limited",
        "on error any recover transient\n  on error timeout, rate_limited",
        "dead-rung",
        1,
    ),
    (
        "on error any recover ask_officer",
        "on error any recover transient\n  on error any recover ask_officer",
        "dead-rung",
        1,
    ),
    ("on error any recover", "on error timeout recover", "declared-twice", 0),
    ("recovery transient {", "recovery unused_one { first halt }\n  recovery transient {", "unused", 0),
    ("let loan_cap =", "let unused_one = 1\n  let loan_cap =", "unused", 0),
    ("    on fail skip\n", "", "no-action", -2),
]
PATTERNS = [
    ("(?i)guaranteed", "(?=guaranteed)", "unsafe-pattern", 0),
    ("(?i)guaranteed", "(?<!not )guaranteed", "unsafe-pattern", 0),
    ("(?i)guaranteed", r"(g)uaranteed\\1", "unsafe-pattern", 0),
    ("(?i)guaranteed", "a{1000000}", "unsafe-pattern", 0),
    ("(?i)guaranteed", "((a{100}){100}){100}", "unsafe-pattern", 0),
    ("(?i)guaranteed", "(?:x{1000}){1000}", "unsafe-pattern", 0),
    ("(?i)guaranteed", "a**", "unsafe-pattern", 0),
    ("(?i)guaranteed", "(guaranteed", "unsafe-pattern", 0),
    ("(?i)guaranteed", "a++", "unsafe-pattern", 0),
]
TESTS = [
    (
        "case output.apr = 2.49% breaks\n    case output.apr = 2.5% holds\n    case output.apr = 8.5% holds\n",
        "",
        "untested",
        -94,
    ),
    ("    expect one_email_per_run holds\n", "", "untested", -92),
    ("    case step.elapsed = 21s breaks\n", "", "untested", -74),
]
PACKS = [
    ('version "^1.2" as fin', 'version "^2.0" as fin', "pack-version", 0),
    ('version "^1.2" as fin', 'version "newest" as fin', "bad-version", 0),
    ('version "^1.2" as fin', 'as fin pinned "sha256:0123456789ab"', "pin-differs", 0),
    ('version "^1.2" as fin', 'as fin pinned "sha256:00"', "pin-differs", 0),
]


@pytest.mark.parametrize(("old", "new", "code", "below"), [*UNITS, *NAMES, *BOUNDS, *UNREACHED, *PATTERNS, *PACKS])
def test_a_fault_is_found_on_its_line(model: str, old: str, new: str, code: str, below: int) -> None:
    """The first that is said of the changed policy, apart from tests that are now missing, is this, on this line."""
    assert old in model, old
    line = model[: model.index(old)].count("\n") + 1 + below
    found = loaded(model.replace(old, new, 1))

    assert (code, line) in [(one.code, one.line) for one in found.diagnostics], [
        (one.code, one.line, one.message) for one in found.diagnostics
    ]


@pytest.mark.parametrize(("old", "new", "code", "below"), TESTS)
def test_missing_tests_are_told(model: str, old: str, new: str, code: str, below: int) -> None:
    """A rule without a case where it holds, or where it breaks, is named at the rule."""
    found = loaded(model.replace(old, new, 1))

    assert codes(found) == [code]
    assert found.source.line(found.diagnostics[0].line).strip().startswith("rule ")
    assert found.errors == ()


def test_faults_do_not_hide_each_other(model: str) -> None:
    """One fault of each kind in one file: all are told, in the order of the text."""
    text = model
    for old, new, _, _ in (UNITS[0], NAMES[0], BOUNDS[-4], UNREACHED[4], PATTERNS[0], NAMES[-5]):
        assert old in text
        text = text.replace(old, new, 1)

    assert codes(loaded(text), "error") == [
        "unknown-pack",
        "unknown-step",
        "type-mismatch",
        "unknown-function",
        "unknown-action",
        "unsafe-pattern",
        "endless-ladder",
        "unknown-failure",
        "quorum-too-large",
    ]
