"""What every journal must keep, one check per property, for whoever writes a plugin that keeps journals.

    @pytest.mark.parametrize("check", journals.CHECKS)
    def test_journal(check, tmp_path):
        check(open_journal, f"sqlite:///{tmp_path}/omium.db")

A check is given what a `JournalSpec` names, and a URL where there is nothing yet. It opens the journal as Omium does,
`open_journal(url, durability=..., large=...)`, as often as it needs, also in processes that it forks and kills.
"""

from __future__ import annotations

from omium.testing.journals import appending, contents, processes, upkeep
from omium.testing.journals.suite import Check

__all__ = ["CHECKS"]

CHECKS: tuple[Check, ...] = (*contents.CHECKS, *appending.CHECKS, *processes.CHECKS, *upkeep.CHECKS)
"""Each raises `AssertionError` with one sentence where its property does not hold."""
