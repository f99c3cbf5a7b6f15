"""What a runtime keeps of policies between executions, so that a file is loaded again only when it changed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

import attrs

if TYPE_CHECKING:
    from omium.activation import Active
    from omium.sources import Taken
    from omium_core.runtime.activating import PolicyRecord

__all__ = ["Kept", "KeptFile"]

Version: TypeAlias = tuple[str, str]
"""A policy's name and a version's hash."""

SAID_MAX = 1_000


@attrs.define
class KeptFile:
    """A policy's file as it was loaded last, and what is in force because of it.

    `accepted` are the hashes that came into force from this file in this process.
    """

    taken: Taken
    active: Active | None = None
    accepted: set[str] = attrs.field(factory=set)


@attrs.define(eq=False)
class Kept:
    """Policies by file, versions by name and hash, and journals by name. Whoever changes it holds the lock.

    `fitting` are the hashes of versions that this process's program can carry out; declarations only become more.
    """

    lock: threading.RLock = attrs.field(factory=threading.RLock)
    files: dict[str, KeptFile] = attrs.field(factory=dict)
    versions: dict[Version, Active] = attrs.field(factory=dict)
    records: dict[str, PolicyRecord] = attrs.field(factory=dict)
    fitting: set[str] = attrs.field(factory=set)
    _said: set[str] = attrs.field(factory=set)

    def is_new(self, text: str) -> bool:
        """Say whether a warning was not given yet; each is given once."""
        if text in self._said:
            return False
        if len(self._said) >= SAID_MAX:
            self._said.clear()
        self._said.add(text)
        return True
