"""A fix: what is changed so that a step that failed can go on."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["ADVICE", "FIX_KINDS", "Fix", "Suggestion", "fixes_topic"]

FIX_KINDS = ("value", "prompt", "tool_schema", "fallback", "rollback")
"""Correct the outcome, tell the agent something, tell it a tool's schema, let another step do it, go back further."""

ADVICE = ("prompt", "tool_schema")
"""Kinds that reach the agent in `current().fixes`, so they can also be given to later executions."""


@attrs.frozen
class Fix:
    """An approved fix: its kind, what is changed, and the review that approved it, in `origin` or in this execution.

    `topic` is that of the failure it is for; one without a topic is no trial that the catalog counts.
    """

    kind: str
    change: Any
    review: str
    origin: str = ""
    topic: str = ""


@attrs.frozen
class Suggestion:
    """A proposed fix: what to change, why, and how often this kind of fix worked for this failure before."""

    kind: str
    label: str
    change: Any
    evidence: tuple[str, ...] = ()
    worked: int = 0
    tried: int = 0


def fixes_topic(workflow: str) -> str:
    """Return the topic of the fixes that reach every execution of a workflow."""
    return f"fixes:{workflow}"
