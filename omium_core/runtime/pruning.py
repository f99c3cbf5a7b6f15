"""Which values of finished executions nobody needs any more, and how they go while every chain still verifies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs

from omium_core.errors import Corrupted, ValuePruned
from omium_core.interfaces.checkpoint import Batch, ExecutionRow, JournalRow
from omium_core.interfaces.upkeep import Removal, Removed
from omium_core.journal.tree import references
from omium_core.journal.wire import read_row, split_bodies
from omium_core.model import events as e
from omium_core.runtime.standing import standing_fixes
from omium_core.runtime.stopping import append_event, upkeep_of
from omium_core.runtime.store import OWN, Store

__all__ = ["FINAL", "Choice", "PrunePlan", "plan", "prune", "refuse_pruned"]

FINAL = ("completed", "halted")
EXECUTIONS_MAX = 2**31
BLOBS_READ = 256


@attrs.frozen
class Choice:
    """Which executions to prune: those that ended so, before that, of that workflow; the newest `keep_last` stay."""

    before: float
    statuses: tuple[str, ...] = FINAL
    workflow: str | None = None
    keep_last: int = 0


@attrs.frozen
class _Chosen:
    """An execution that is to be pruned: where its journal ends, its bodies' bytes, and every blob below them."""

    row: ExecutionRow
    end: JournalRow
    bodies_bytes: int
    reached: frozenset[str]


@attrs.frozen
class PrunePlan:
    """What a prune would remove.

    `kept` were chosen, but executions that stay were forked from them, or their advice reaches every later execution.
    """

    chosen: tuple[_Chosen, ...]
    kept: tuple[str, ...]
    blobs: Mapping[str, int]
    since: Mapping[str, int]
    sources: Mapping[str, str]

    @property
    def executions(self) -> tuple[ExecutionRow, ...]:
        """The executions whose values go."""
        return tuple(one.row for one in self.chosen)

    @property
    def bodies_bytes(self) -> int:
        """The bytes of the bodies that go."""
        return sum(one.bodies_bytes for one in self.chosen)


def plan(store: Store, choice: Choice) -> PrunePlan:
    """Say what can go. It reads the headers' starts of every execution, and, for shared blobs, every value once."""
    # Taken BEFORE anything is read: what is appended from here on is looked at again when the store is locked.
    since = upkeep_of(store).ends()
    rows = store.journal.executions(limit=EXECUTIONS_MAX)
    ended = _matching([row for row in rows if not row.id.startswith(OWN)], choice)
    wanted = {row.id for row in ended if not _pruned(store, row.id)}
    sources = {row.id: source for row in rows if (source := _source(store, row.id)) is not None}
    advising = _advising(store, rows)
    needed = _needed(sources, ({row.id for row in rows} - wanted) | advising) | advising
    chosen = [one for row in rows if row.id in wanted - needed if (one := _looked_at(store, row)) is not None]
    reached = {digest for one in chosen for digest in one.reached}
    if reached:
        gone = {one.row.id for one in chosen}
        reached -= _still_needed(store, [row.id for row in rows if row.id not in gone])
    return PrunePlan(tuple(chosen), tuple(sorted(wanted & needed)), _sizes(store, sorted(reached)), since, sources)


def prune(store: Store, planned: PrunePlan, by: str, reason: str = "") -> Removed:
    """Remove what was planned, but for what has come to be needed since; a crash leaves all of it or nothing of it."""

    def decide(later: Iterator[JournalRow], blob: Callable[[str], bytes | None]) -> Removal:
        changed, sources, seen = set(), dict(planned.sources), set[str]()
        for row in later:
            changed.add(row.execution)
            first = read_row(row)[0]
            if isinstance(first, e.Forked):
                sources[row.execution] = first.source
            _reach(row, blob, seen)
        stay = changed | _needed(sources, changed)
        chosen = [one for one in planned.chosen if one.row.id not in stay]
        for one in planned.chosen:
            if one.row.id in stay:
                seen |= one.reached
        batches = tuple(_batch(one, by, reason, store.clock.now()) for one in chosen)
        return Removal(batches, [one for one in planned.blobs if one not in seen])

    return upkeep_of(store).prune(planned.since, decide)


def refuse_pruned(store: Store, execution: str) -> None:
    """Raise `ValuePruned` for an execution that nobody can go on with, because its values are gone."""
    gone = _pruned(store, execution)
    if gone is not None:
        raise ValuePruned(execution, gone.until, gone.by)


def _matching(rows: Iterable[ExecutionRow], choice: Choice) -> list[ExecutionRow]:
    final = [row for row in rows if row.status in FINAL and choice.workflow in (None, row.workflow)]
    old = [row for row in final[choice.keep_last :] if row.ended is not None and row.ended <= choice.before]
    return [row for row in old if row.status in choice.statuses]


def _pruned(store: Store, execution: str) -> e.Pruned | None:
    found = [one for one in store.events(execution) if isinstance(one, e.Pruned)]
    return found[-1] if found else None


def _source(store: Store, execution: str) -> str | None:
    first = next(store.journal.rows(execution, bodies=False), None)
    event = read_row(first)[0] if first is not None else None
    return event.source if isinstance(event, e.Forked) else None


def _needed(sources: Mapping[str, str], stay: set[str]) -> set[str]:
    """Return the executions that those which stay were forked from, at any depth: they answer from their values."""
    needed: set[str] = set()
    waiting = [sources[one] for one in stay if one in sources]
    while waiting:
        one = waiting.pop()
        if one not in needed:
            needed.add(one)
            waiting += [sources[one]] if one in sources else []
    return needed


def _advising(store: Store, rows: Iterable[ExecutionRow]) -> set[str]:
    """Return the executions in which advice was approved for always: its words are there."""
    return {one.execution for name in {row.workflow for row in rows} for one in standing_fixes(store, name)}


def _still_needed(store: Store, executions: Iterable[str]) -> set[str]:
    """Return every blob below the values of executions that stay."""
    seen: set[str] = set()
    for id in executions:
        for row in store.journal.rows(id):
            for data in _bodies(row):
                store.verify_references(data, seen)
    return seen


def _sizes(store: Store, digests: list[str]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for start in range(0, len(digests), BLOBS_READ):
        found = store.journal.blobs(digests[start : start + BLOBS_READ])
        sizes.update((digest, len(data)) for digest, data in found.items())
    return sizes


def _looked_at(store: Store, row: ExecutionRow) -> _Chosen | None:
    end, size, reached = None, 0, set[str]()
    for one in store.journal.rows(row.id):
        end, size = one, size + len(one.bodies or b"")
        for data in _bodies(one):
            store.verify_references(data, reached)
    return _Chosen(row, attrs.evolve(end, bodies=None), size, frozenset(reached)) if end is not None else None


def _bodies(row: JournalRow) -> Iterable[bytes]:
    return split_bodies(row, read_row(row)).values()


def _reach(row: JournalRow, blob: Callable[[str], bytes | None], seen: set[str]) -> None:
    """Add every blob below an append's values to `seen`."""
    waiting = [digest for data in _bodies(row) for digest in references(data)]
    while waiting:
        digest = waiting.pop()
        if digest in seen:
            continue
        seen.add(digest)
        data = blob(digest)
        if data is None:
            raise Corrupted(f"blob `{digest[:16]}` is missing, so nothing can be pruned safely; see `omium verify`")
        waiting += references(data)


def _batch(chosen: _Chosen, by: str, reason: str, at: float) -> Batch:
    end = chosen.end
    last = end.first_seq + len(end.headers) - 1
    event = e.Pruned(seq=last + 1, epoch=end.epoch, at=at, until=last, by=by, reason=reason)
    return append_event(attrs.evolve(chosen.row, epoch=end.epoch), end, event)
