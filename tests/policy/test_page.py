"""The policies that the pages show are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from omium.policies import read_policy
from omium_policy.formatter import formatted
from omium_policy.testing import run_tests

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["README.md", "docs/policy/language.md"])
def test_the_policy_on_the_page_is_a_good_one(page: str, tmp_path: Path) -> None:
    """It has nothing wrong, its tests pass, and it is laid out canonically."""
    text = re.findall(
        r"^```text\n(omium 1.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )[0]
    path = tmp_path / "loans.omp"
    path.write_text(text)
    found = read_policy(path)

    assert [one.message for one in found.diagnostics] == []
    assert [one.test for one in run_tests(found.source, found.own[0]) if not one.passed] == []
    assert formatted(found.source)[0] == text
