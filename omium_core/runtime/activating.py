"""The journals of policies: which version came into force when, by whom, and with which text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from omium_core.engine.machine import Machine
from omium_core.engine.state import ExecutionState
from omium_core.errors import ExecutionFenced, StoreError
from omium_core.journal.wire import GENESIS
from omium_core.model import events as e
from omium_core.runtime.recorder import Recorder
from omium_core.runtime.store import OWN, Loaded, Store

__all__ = ["POLICY_WORKFLOW", "Decide", "PolicyRecord", "append", "journal_of", "policies", "record_of"]

POLICY_WORKFLOW = f"{OWN}policy"
"""What the rows of policies' journals say for the workflow; no workflow can have that name."""

ATTEMPTS_MAX = 50
POLICIES_MAX = 10_000

Change: TypeAlias = "e.PolicyActivated | e.PolicyOverridden"


@attrs.frozen
class PolicyRecord:
    """What a store has on record of a policy, oldest first; `seq` is its journal's last event."""

    name: str
    changes: tuple[Change, ...] = ()
    seq: int = 0

    @property
    def activations(self) -> tuple[e.PolicyActivated, ...]:
        """The versions that came into force."""
        return tuple(one for one in self.changes if isinstance(one, e.PolicyActivated))

    @property
    def active(self) -> e.PolicyActivated | None:
        """The version in force."""
        return next(iter(self.activations[::-1]), None)

    def of(self, hash: str) -> e.PolicyActivated | None:
        """Return the last activation of the version with that hash."""
        return next((one for one in self.activations[::-1] if one.hash == hash), None)

    def overrides(self, hash: str) -> tuple[e.PolicyOverridden, ...]:
        """Return who would let a version in, since it was last in force."""
        last = self.of(hash)
        after = last.seq if last is not None else 0
        return tuple(
            one for one in self.changes if isinstance(one, e.PolicyOverridden) and one.hash == hash and one.seq > after
        )


Decide: TypeAlias = Callable[[PolicyRecord, float], "tuple[type[Change], Mapping[str, Any], Any] | None"]
"""Gives the kind, the fields and the body (None for none) of what to append at a time to what is on record."""


def journal_of(name: str) -> str:
    """Return the id of a policy's journal."""
    return f"{POLICY_WORKFLOW}:{name}"


def policies(store: Store) -> list[str]:
    """Return the names of the policies that the store has a journal of, sorted."""
    rows = store.journal.executions(prefix=journal_of(""), limit=POLICIES_MAX)
    return sorted(row.id.removeprefix(journal_of("")) for row in rows)


def record_of(store: Store, name: str, known: PolicyRecord | None = None) -> PolicyRecord:
    """Return what is on record of a policy; `known` is returned again when nothing was appended since."""
    journal = journal_of(name)
    if known is not None and next(store.journal.rows(journal, bodies=False, after=known.seq), None) is None:
        return known
    if store.journal.execution(journal) is None:
        return PolicyRecord(name)
    events = list(store.events(journal))
    changes = tuple(one for one in events if isinstance(one, e.PolicyActivated | e.PolicyOverridden))
    return PolicyRecord(name, changes, events[-1].seq)


def append(store: Store, name: str, decide: Decide) -> PolicyRecord:
    """Append what `decide` gives for what is on record; of several processes that do so at once, each sees the others.

    Returns what is on record then. `decide` is asked again when another process was first; None appends nothing.
    """
    journal = journal_of(name)
    for _ in range(ATTEMPTS_MAX):
        there = store.journal.execution(journal) is not None
        loaded = store.load(journal) if there else Loaded(ExecutionState(), GENESIS, 0)
        record = record_of(store, name)
        if record.seq != loaded.state.seq:
            continue
        machine = Machine(loaded.state, store.codec.seal, now=store.clock.now())
        made = decide(record, machine.now)
        if made is None:
            return record
        if not there:
            _begin(machine, journal)
        kind, fields, body = made
        machine.event(kind, store.codec.seal(body) if body is not None else None, **fields)
        recorder = Recorder(store.journal, journal, loaded.digest, loaded.epoch, store.codec.stored)
        try:
            recorder.append(machine.take(), machine.state).wait()
        except ExecutionFenced:
            continue
        return record_of(store, name)
    raise StoreError(f"the journal of the policy `{name}` is changed by others all the time; try again")


def _begin(machine: Machine, journal: str) -> None:
    """Begin a policy's journal. It ends at once, so nobody takes it for something that could be resumed or stopped."""
    machine.raise_epoch()
    machine.event(e.ExecutionStarted, machine.seal({"arguments": {}}), execution=journal, workflow=POLICY_WORKFLOW)
    machine.event(e.ExecutionCompleted, machine.seal(None))
