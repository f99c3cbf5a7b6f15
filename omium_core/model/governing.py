"""What happened to a policy: the events of its own journal, beside those with which every journal begins."""

from __future__ import annotations

from omium_core.model.event import EventBase
from omium_core.model.immutable import immutable

__all__ = ["PolicyActivated", "PolicyOverridden"]


@immutable(kw_only=True)
class PolicyActivated(EventBase):
    """A version of a policy comes into force, in the policy's own journal. Body: `{"sources"}`, its file and packs.

    `file` is where its text was. `overridden` are the people who let it in outside of the times that the version before
    it allows.
    """

    hash: str
    name: str
    version: str = ""
    file: str = ""
    by: str = ""
    reason: str = ""
    overridden: tuple[str, ...] = ()


@immutable(kw_only=True)
class PolicyOverridden(EventBase):
    """One person of a role would let a version in at a time when it may not change, in the policy's own journal."""

    hash: str
    by: str
    role: str
    reason: str = ""
