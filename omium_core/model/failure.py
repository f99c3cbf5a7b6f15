"""A failure: the fact that a step's outcome needs recovery, with its kind and its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["ADVISORY", "BLOCKING", "KINDS", "MONITORING", "UNSWALLOWABLE", "Failure", "Violation"]

BLOCKING = "blocking"
MONITORING = "monitoring"
ADVISORY = "advisory"

KINDS = (
    "violation",
    "hallucination",
    "specification",
    "misalignment",
    "state_sync",
    "tool_invocation",
    "communication",
    "verification",
    "timeout",
    "rate_limited",
    "budget_exceeded",
    "handoff_rejected",
    "replay_diverged",
    "crashed",
    "loop",
    "circuit_open",
    "effect_conflict",
    "effect_unresolved",
    "error",
)
"""The kinds Omium knows; the set is open, plugins add names."""

UNSWALLOWABLE = frozenset({"replay_diverged", "effect_conflict", "effect_unresolved"})
"""Kinds that a ladder takes only when it names them."""


@attrs.frozen
class Violation:
    """A broken rule: its name, what it says in words, where it stands (`file:line`), and the values that broke it.

    `hallucinated`: the rule itself said that a model made something up. `kind` is the failure kind that it means, where
    that is another one than `violation`. `at` is the path of the value that broke it, `suggest` one that would hold.
    Of a policy's rule, `mode` says whether it is `blocking`; `monitoring` ones are only recorded, `advisory` ones told
    to the agent, and either to the channel `notify`. `cite` is the source of the rule, `severity` is for people. `told`
    is what the policy remembers once this was said: that something is late, or missing, is said once.
    """

    rule: str
    message: str
    where: str | None = None
    values: Mapping[str, Any] = attrs.field(factory=dict)
    hallucinated: bool = False
    kind: str = ""
    at: str = ""
    suggest: Any = None
    mode: str = BLOCKING
    severity: str = ""
    cite: str | None = None
    notify: str | None = None
    told: str = ""

    @property
    def blocks(self) -> bool:
        """True where nothing may go on as if the rule held."""
        return self.mode == BLOCKING

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data for a journal body."""
        data = {"rule": self.rule, "message": self.message, "where": self.where, "values": dict(self.values)}
        if self.at or self.suggest is not None:
            data |= {"at": self.at, "suggest": self.suggest}
        said = {"mode": self.mode, "severity": self.severity, "cite": self.cite}
        return data | {name: value for name, value in said.items() if value not in ("", None, BLOCKING)}


@attrs.frozen
class Failure:
    """How an attempt failed.

    `blocking` says that the outcome may not reach user code even if no ladder takes the failure. `evidence` is what the
    journal keeps: message, error type and arguments, violations, and the refused value when it is known.
    """

    kind: str
    message: str
    where: str | None = None
    violations: tuple[Violation, ...] = ()
    evidence: Mapping[str, Any] = attrs.field(factory=dict)
    blocking: bool = False

    @classmethod
    def recorded(cls, kind: str, evidence: Mapping[str, Any], where: str | None = None) -> Failure:
        """Return a failure as its evidence in the journal tells it."""
        violations = tuple(Violation(**one) for one in evidence.get("violations", ()))
        return cls(kind, evidence["message"], where, violations, evidence)
