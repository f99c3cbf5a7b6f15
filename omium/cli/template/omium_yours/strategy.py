"""Waits for a service that is out of breath, longer each time."""

from __future__ import annotations

from omium_core.interfaces.recovery import Case, Decision

__all__ = ["wait_longer"]


def wait_longer(case: Case) -> Decision | None:
    """Try again after `first_s` seconds, then after twice as long; leave other failures to the ladder's next rung.

    The ladder sets the options, `Apply("yours", times=4, options={"first_s": 0.5})`, and how often this is asked.
    """
    if case.kind not in ("rate_limited", "timeout"):
        return None
    wait_s = float(case.options.get("first_s", 1.0)) * 2 ** (case.use - 1)
    return Decision("retry", wait_s=wait_s, reason=f"{case.kind}, so wait {wait_s:g} s")
