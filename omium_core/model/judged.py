"""What a policy said of an execution, as an event of it."""

from __future__ import annotations

from omium_core.model.event import EventBase
from omium_core.model.immutable import immutable

__all__ = ["PolicyViolated"]


@immutable(kw_only=True)
class PolicyViolated(EventBase):
    """A `rule` was broken; only a `blocking` one keeps anything from going on. Body: `{"message", "values", "cite"}`.

    `effect` is the call that it is about: one `skipped` was not made, nor is it when the code comes to its `slot`
    again. `told` is what the policy remembers to have been said with it.
    """

    step: str
    attempt: int
    rule: str
    where: str | None = None
    mode: str = "blocking"
    severity: str = ""
    effect: str = ""
    skipped: bool = False
    slot: str = ""
    told: str = ""
