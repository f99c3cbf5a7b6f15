"""What operators do to a journal beside its executions: stop them from outside, and let old values go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol, TypeAlias

import attrs
from typing_extensions import TypeIs

from omium_core.interfaces.checkpoint import Batch, ExecutionRow, JournalRow

__all__ = ["Intervention", "Pruning", "Removal", "Removed", "Upkeep", "offers_upkeep"]

Intervention: TypeAlias = Callable[[ExecutionRow, JournalRow], Batch | None]
"""Gives what to append to an execution, from its row and its last append (without bodies) as they are at that moment.

It MUST be quick and MUST NOT use the journal: every other writer waits for it. None appends nothing.
"""


@attrs.frozen
class Removal:
    """What one prune removes: the bodies of the executions that `batches` append to, and the blobs named."""

    batches: tuple[Batch, ...] = ()
    blobs: Collection[str] = ()


@attrs.frozen
class Removed:
    """What a prune removed, and how many bytes that was."""

    executions: tuple[str, ...] = ()
    bodies_bytes: int = 0
    blobs: int = 0
    blobs_bytes: int = 0


Pruning: TypeAlias = Callable[[Iterator[JournalRow], Callable[[str], bytes | None]], Removal]
"""Gives what to remove, from the appends (with bodies) that came since it was planned, and a reader of blobs."""


class Upkeep(Protocol):
    """What a `Journal` offers its operators beside what executions need."""

    def append_at_end(self, execution: str, make: Intervention) -> bool:
        """Append what `make` gives, durably, with every other writer kept out; say whether anything was appended.

        Whoever else appends to the execution finds another end, and is fenced. An execution that is not there is False.
        """

    def ends(self) -> Mapping[str, int]:
        """Give each execution's last sequence number."""

    def prune(self, since: Mapping[str, int], decide: Pruning) -> Removed:
        """Remove bodies and blobs in one transaction, with every other writer kept out from before `decide` is called.

        `decide` is given the appends after `since`, and all of those of an execution that `since` does not name. When
        blobs go, the store's generation (0 at first) rises in the same transaction. A batch with `reliances` of another
        generation than the store's MUST be asked for the blobs that it may miss, and they committed with it.
        """


def offers_upkeep(journal: object) -> TypeIs[Upkeep]:
    """Return whether a journal offers its operators something; a wrapper offers what it passes on.

    From Python 3.12 on `isinstance` looks past `__getattr__`, which is how wrappers pass things on.
    """
    return all(callable(getattr(journal, name, None)) for name in ("append_at_end", "ends", "prune"))
