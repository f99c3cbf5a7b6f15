"""Every diagnostic there is: a policy that earns it, a section that explains it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from policy_helpers import SHELF, Shelf, codes, loaded, policy

import omium_policy

PACKAGE = Path(omium_policy.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "policy" / "diagnostics.md"
HEAD = """
  workflow a -> b -> c
  data T { n: number  p: percent  m: money USD  d: duration  t: text  e: one of low, high  l: list max 5 of number }
  step b takes T gives T
  let caps = { low: 10 }
  let all_caps = { low: 10, high: 20 }
"""
FAULTS = [
    ("rule r after nowhere { require input.n > 1 on fail halt }", "unknown-step"),
    ("rule r after b { require output.nn > 1 on fail halt }", "unknown-field"),
    ("rule r after b { require outptu.n > 1 on fail halt }", "unknown-name"),
    ("rule r after b { require output.e == middle on fail halt }", "unknown-word"),
    ("rule r after b { require fin.nothing(output.n) > 1 on fail halt }", "unknown-function"),
    ("rule r after b { require output.n > 1 on fail recover nowhere }", "unknown-ladder"),
    ("rule r after b { require output.n > 1 on fail fin.do(a: 1) }", "unknown-action"),
    ('rule r after b { require output.n > 1 on fail fin.open_case(queue: "a", b: 1) }', "unknown-argument"),
    ("rule r after b { require output.n > 1 on fail fin.open_case() }", "missing-argument"),
    ("step c gives Nothing", "unknown-type"),
    ("data U { a: money dollars }", "unknown-currency"),
    ("recovery z { first halt } on error fin.nothing recover z", "unknown-failure"),
    ("budget run { gpu at most 3 on exceed halt }", "unknown-meter"),
    ("extend fin.nothing { a: 1 }", "unknown-section"),
    ('test nothing "x" { case output.n = 1 holds }', "unknown-rule"),
    ('change { allow Mon 09:00..10:00 in "Europe/Nowhere" }', "unknown-zone"),
    (
        "rule r after b { require output.n > 1 on fail halt } rule r after c { require input.x on fail halt }",
        "declared-twice",
    ),
    ("let _a = 1", "private-name"),
    ("rule r after b { require output.p > 9 on fail halt }", "type-mismatch"),
    ("rule r after b { require output.d <= 20 on fail halt }", "type-mismatch"),
    ("rule r after b { require output.m > €20 on fail halt }", "type-mismatch"),
    ('rule r after b { require output.t * 1000000000 == "x" on fail halt }', "bad-arithmetic"),
    ("rule r after b { require output.n on fail halt }", "not-a-condition"),
    ("rule r after b { require output.n.x > 1 on fail halt }", "no-fields"),
    ("rule r after b { require output.n[1] > 1 on fail halt }", "no-index"),
    ("rule r after b { require output.e < high on fail halt }", "no-order"),
    ("rule r after b { require all x in output.n satisfy x > 1 on fail halt }", "not-a-list"),
    ("rule r after b { require all caps in output.l satisfy caps > 1 on fail halt }", "name-taken"),
    ("rule r after b { require output.n <= caps[output.e] on fail halt }", "missing-case"),
    ("rule r after b { require clamp(output.n, 1) > 1 on fail halt }", "wrong-arguments"),
    ('rule r after b { require output.t matches "^(a+)+(?=x)" on fail halt }', "unsafe-pattern"),
    ('rule r after b { require output.n > 1 message "{output.n" on fail halt }', "bad-placeholder"),
    ("rule r after b { require output.n > 1 suggest input.n = 2 on fail halt }", "not-output"),
    ('rule r after b { message "x" on fail halt }', "says-nothing"),
    ("rule r { require run.steps < 10 on fail halt }", "no-anchor"),
    ("rule r after b { allow tools x on fail halt }", "no-anchor"),
    ("rule r after b { never tool x on fail halt }", "anchored-sequence"),
    ("rule r after b monitoring { require output.n > 1 on fail halt }", "mode-acts"),
    ("rule r after b { require output.n > 1 }", "no-action"),
    ("rule r after b { require output.n > 5 and output.n < 3 on fail halt }", "impossible"),
    (
        "rule r after b { require output.p >= 9.1% on fail halt } rule s after b { require output.p < 9% }",
        "impossible",
    ),
    ("rule r { never step a passes before step b passes on fail halt }", "impossible"),
    ("data U { n: number >= 5 } step c gives U rule r after c { require output.n < 5 on fail halt }", "impossible"),
    ("rule r after b { when output.f require output.n > 5 require output.n < 3 on fail halt }", "impossible"),
    ("rule r after b { when output.n > 5 and output.n < 3 require output.p > 1% on fail halt }", "unreachable"),
    ("rule r after b { when output.n > 5 when output.n == 3 require output.p > 1% on fail halt }", "unreachable"),
    ("change { freeze 2027-01-04..2026-12-18 }", "impossible"),
    ("change { freeze 2026-02-30..2026-12-18 }", "impossible"),
    ('change { allow Mon 17:00..09:00 in "UTC" }', "impossible"),
    ('change { override needs 0 people from "x" }', "never"),
    ("recovery z { first retry 3 times, backoff exponential(10s, 1s) finally halt }", "impossible"),
    ("recovery z { first retry 0 times finally halt }", "never"),
    ("recovery z { first retry 1001 times finally halt }", "too-often"),
    ("recovery z { first halt then retry 1 times finally halt }", "dead-rung"),
    ("recovery z { first halt } on error any recover z on error timeout recover z", "dead-rung"),
    ("recovery z { first retry 3 times }", "endless-ladder"),
    ("recovery z { first halt at most 5 recoveries per 10m else retry 1 times }", "endless-ladder"),
    ("recovery z { first halt }", "unused"),
    ('recovery z { first pause for "x" with suggestion } on error any recover z', "no-suggestion"),
    ("budget run { on exceed halt }", "nothing-metered"),
    ("handoff a -> b { quorum 4 of x, y, z within 5s }", "quorum-too-large"),
    ("handoff a -> b { byzantine 1 of x, y, z within 5s }", "quorum-too-large"),
    ("handoff a -> b { quorum 2 of w, x, y, z within 5s }", "minority"),
    ("rule r after c { require all x in input.l satisfy all y in input.u satisfy y > x on fail halt }", "too-costly"),
    ("let c = d let d = 1", "unknown-name"),
    ('test "x" { given input.n = 1 }', "expects-nothing"),
    ('test "x" { case output.n = 1 holds }', "case-of-nothing"),
    ("rule r after b { require output.n > 1 on fail halt }", "untested"),
]


@pytest.mark.parametrize(("body", "code"), FAULTS, ids=lambda value: value if len(value) < 25 else "policy")
def test_faults_are_found(body: str, code: str) -> None:
    """Each fault is found, with its own code, and all that is found has a place in the text."""
    found = policy(HEAD + body)

    assert code in codes(found)
    assert all(one.line > 0 and one.message for one in found.diagnostics)


PACKS = Shelf(
    {
        **SHELF.texts,
        "broken": ("1.0.0", "omium 1 policy"),
        "cycle": ("1.0.0", 'omium 1 use "cycle" policy cycle { }'),
    }
)


@pytest.mark.parametrize(
    ("use", "code"),
    [
        ('use "omium.finances"', "unknown-pack"),
        ('use "omium.finance" version "^2"', "pack-version"),
        ('use "omium.finance" version "newest"', "bad-version"),
        ('use "omium.finance" pinned "sha256:000000000000"', "pin-differs"),
        ('use "omium.finance" as a use "omium.finance" as a', "declared-twice"),
        ('use "broken"', "broken-pack"),
        ('use "cycle"', "pack-cycle"),
        (" ".join(f'use "omium.finance" as p{i}' for i in range(101)), "too-many-packs"),
    ],
)
def test_packs_that_cannot_be_used(use: str, code: str) -> None:
    """A pack that is missing, of another version, changed or broken is told where it is named."""
    assert code in codes(loaded(f"omium 1 {use} policy p {{ }}", shelf=PACKS))


def test_a_pack_with_a_pin_is_used() -> None:
    """The hash that a wrong pin is answered with is the right one."""
    found = loaded('omium 1 use "omium.finance" pinned "sha256:000000000000" policy p { }')
    digest = re.findall("sha256:([0-9a-f]{64})", found.diagnostics[0].message)[0]

    assert codes(loaded(f'omium 1 use "omium.finance" version "^1.1" pinned "sha256:{digest}" policy p {{ }}')) == []


def test_every_code_has_its_section_and_its_test() -> None:
    """The page, the code and the tests know the same diagnostics."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    used = set(re.findall(r'(?:error|warning|coverage|note|unknown|Diagnostic|Unusable)\(\s*"([a-z-]+)"', text))
    used |= {"never", "too-often"}
    sections = re.findall(r"^## `([a-z-]+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(sections) == sorted(used)
    assert len(sections) == len(set(sections))
