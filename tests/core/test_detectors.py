"""Where a failure is said to be: in the user's code, wherever that lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import omium
from omium_core.recovery.detectors import place_of, where_of

PACKAGE = Path(omium.__file__).parent


@pytest.mark.parametrize(
    ("file", "where"),
    [
        ("/srv/omium/flow.py", "flow.py:1"),
        ("/home/demo/omium_core/engine/flow.py", "flow.py:1"),
        (f"{PACKAGE}{os.sep}demo{os.sep}onboarding.py", "onboarding.py:1"),
        (f"{PACKAGE}{os.sep}calls.py", None),
    ],
)
def test_only_omiums_own_files_are_passed_over(file: str, where: str | None) -> None:
    """A user's folder may have any name; the demo is code as a user writes it."""
    code = compile("raise ValueError", file, "exec")
    with pytest.raises(ValueError) as caught:
        exec(code)
    # The innermost frame alone: this test is user code too, and would be the answer where the file is not.
    error = caught.value.with_traceback(caught.tb.tb_next)

    assert where_of(error) == where


def test_place_of_a_rule_is_where_it_is_written() -> None:
    """A rule that only returns False raises nothing, so its place is its own first line."""
    line = test_place_of_a_rule_is_where_it_is_written.__code__.co_firstlineno

    assert place_of(test_place_of_a_rule_is_where_it_is_written) == f"test_detectors.py:{line}"
    assert place_of(len) is None
