"""What an effect is: its kind, and what is known of one that was asked for."""

from __future__ import annotations

import hashlib

import attrs

__all__ = [
    "COMPENSABLE",
    "COMPENSATION",
    "IDEMPOTENT",
    "IRREVERSIBLE",
    "READ",
    "EffectRecord",
    "effect_id",
    "is_transaction",
    "provider_key",
    "transaction_slot",
]

READ = "read"
IDEMPOTENT = "idempotent"
COMPENSABLE = "compensable"
IRREVERSIBLE = "irreversible"
COMPENSATION = "compensation"

INTENDED = "intended"
DONE = "done"
FAILED = "failed"
UNRESOLVED = "unresolved"
COMPENSATED = "compensated"

_TRANSACTION = "|transaction"

# The states in which an effect happened or may have happened.
STANDING = (INTENDED, DONE, UNRESOLVED)


@attrs.define
class EffectRecord:
    """One incarnation of an effect that is not a read, folded from the journal.

    `claims` are the steps and attempts that rely on it, each with the event since which it does: the one that performed
    it, and whoever it answered. Several share only what a user's key names; what nobody relies on stands without an
    owner and may be claimed. `before` is what was known of it when it was sent again. `undoing`: its compensation was
    begun, so nobody can rely on it any more.
    """

    id: str
    name: str
    kind: str
    slot: str
    step: str
    attempt: int
    key: str
    fingerprint: str
    arguments: str
    lineage: str
    incarnation: int
    keyed: bool
    seq: int
    state: str = INTENDED
    within: str | None = None
    claims: dict[tuple[str, int], int] = attrs.field(factory=dict)
    value_seq: int = 0
    dissolved: bool = False
    abandoned: bool = False
    before: EffectRecord | None = None
    undoing: bool = False

    @property
    def owner(self) -> tuple[str, int] | None:
        """The step and attempt whose outcome includes it: the first that still relies on it."""
        return next(iter(self.claims), None)

    @property
    def stands(self) -> bool:
        """True while it happened or may have happened, and was not undone."""
        return self.state in STANDING and not self.dissolved

    @property
    def uncertain(self) -> bool:
        """True while nobody knows whether it happened."""
        return self.state in (INTENDED, UNRESOLVED) and not self.dissolved

    def is_claimed_outside(self, path: str) -> bool:
        """Say whether a step relies on it that is neither the one at `path` nor inside of it; all are inside of ``."""
        return bool(path) and any(one != path and not one.startswith(f"{path}/") for one, _ in self.claims)


def effect_id(execution: str, name: str, lineage: str, incarnation: int) -> str:
    """Name one incarnation of an effect within all executions."""
    return "eff_" + _hash(execution, name, lineage, incarnation)[:24]


def transaction_slot(path: str, name: str) -> str:
    """Return the slot of the effect that a transaction is until its body performs a declared one."""
    return f"{path}||{name}{_TRANSACTION}"


def is_transaction(slot: str) -> bool:
    """Say whether a slot is that of a transaction, and not of a call of an effect."""
    return slot.endswith(_TRANSACTION)


def provider_key(execution: str, lineage: str, incarnation: int, *, keyed: bool) -> str:
    """Return the idempotency key that the provider gets: the user's own where there is one.

    It never depends on the epoch, the attempt or the content, so a repeated request is recognised; it changes with the
    incarnation, so that an effect that was compensated can be performed again.
    """
    if keyed:
        return lineage if incarnation == 0 else f"{lineage}~{incarnation}"
    return "omk_" + _hash(execution, lineage, incarnation)[:32]


def _hash(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()
