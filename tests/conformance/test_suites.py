"""The suites find what they are there to find: each broken implementation fails the check that is about it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from omium.testing import blob_stores, conforming, journals
from omium.testing.conforming import eventually, holds, refused

sys.path.insert(0, str(Path(__file__).parent))

from broken import BLOB_STORES, JOURNALS


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broken implementation never does is not waited for as long as what a slow machine may do late."""
    monkeypatch.setattr(conforming, "PATIENCE_S", 2.0)


@pytest.mark.parametrize("broken", JOURNALS, ids=lambda broken: broken.__name__)
def test_a_broken_journal_is_found(broken: type, tmp_path: Path) -> None:
    """A journal with one fault fails the check that is about it, in one sentence."""
    (check,) = [one for one in journals.CHECKS if one.__name__ == JOURNALS[broken]]

    with pytest.raises(AssertionError) as found:
        check(broken, f"sqlite:///{tmp_path}/omium.db")

    assert " must " in str(found.value)


@pytest.mark.parametrize("broken", BLOB_STORES, ids=lambda broken: broken.__name__)
def test_a_broken_blob_store_is_found(broken: type, tmp_path: Path) -> None:
    """A blob store with one fault fails the check that is about it."""
    (check,) = [one for one in blob_stores.CHECKS if one.__name__ == BLOB_STORES[broken]]

    with pytest.raises(AssertionError, match=" must "):
        check(broken, f"file://{tmp_path}/blobs")


def test_checks_have_names_and_sentences() -> None:
    """Each check has a name of its own and says in a docstring what must hold."""
    for suite in (journals.CHECKS, blob_stores.CHECKS):
        assert len({one.__name__ for one in suite}) == len(suite) > 7
        assert all(one.__doc__ and one.__doc__.endswith(".") for one in suite)


def test_sentences_do_not_depend_on_assertions() -> None:
    """What a check finds is raised by itself, so `python -O` finds the same."""
    with pytest.raises(AssertionError, match="it must"):
        holds(False, "it must")
    with pytest.raises(AssertionError, match=r"it must.*KeyError"):
        refused(lambda: {}["x"], ValueError, "it must")
    with pytest.raises(AssertionError, match="it must"):
        refused(lambda: None, ValueError, "it must")
    eventually(lambda: True, "it must")
