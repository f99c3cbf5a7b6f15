"""Fixes that were approved for always: which reach a workflow's executions now, read from the journals that say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from omium_core.errors import OmiumError
from omium_core.model import events as e
from omium_core.model.fix import Fix, fixes_topic

if TYPE_CHECKING:
    from omium_core.runtime.store import Store

__all__ = ["Standing", "by_place", "standing_fixes"]

FIXES_MAX = 200
"""As many approvals and revocations of a workflow are looked at, the last ones first."""


@attrs.frozen
class Standing:
    """A fix that reaches a step, at a place, in every execution of its workflow; it was approved in `execution`."""

    workflow: str
    place: str
    fix: Fix
    execution: str
    by: str
    reason: str
    at: float


def standing_fixes(store: Store, workflow: str) -> list[Standing]:
    """Return the fixes that reach a workflow's later executions, oldest first; a revoked one is none of them."""
    revoked: set[str] = set()
    found: list[Standing] = []
    for execution, event in store.mentions(fixes_topic(workflow), FIXES_MAX):
        match event:
            case e.FixRevoked():
                revoked.add(event.review)
            case e.ReviewDecided() if event.always and event.review not in revoked:
                fix = _fix(store, execution, event)
                if fix is not None:
                    found.append(Standing(workflow, event.always, fix, execution, event.by, event.reason, event.at))
    return found[::-1]


def by_place(found: list[Standing]) -> Mapping[str, tuple[Fix, ...]]:
    """Return fixes by the place of the step that they reach."""
    places: dict[str, tuple[Fix, ...]] = {}
    for one in found:
        places[one.place] = (*places.get(one.place, ()), one.fix)
    return places


def _fix(store: Store, execution: str, event: e.ReviewDecided) -> Fix | None:
    try:
        body = store.view(execution, event.seq)
        return Fix(body.get("kind", "prompt"), body["edit"], event.review, origin=execution)
    except (OmiumError, KeyError):
        # What is damaged or was pruned reaches nobody; `omium verify` names it.
        return None
