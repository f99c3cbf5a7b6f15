"""Which call of an effect an exception came out of: noted where it is raised, read where the failure is diagnosed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from omium_core.runtime.declarations import EffectDeclaration

__all__ = ["note_call", "noted"]

CAUSES_MAX = 50
_NOTE = "__omium_call__"


def note_call(error: BaseException, declaration: Any, request: Callable[[], Any] | None) -> None:
    """Remember with an exception which call it came out of; `request` gives the call's arguments."""
    if isinstance(declaration, EffectDeclaration) and request is not None and not hasattr(error, _NOTE):
        # An exception with slots takes no note; the diagnosis knows one call less.
        with contextlib.suppress(AttributeError):
            setattr(error, _NOTE, (declaration, request))


def noted(error: BaseException | None) -> Iterator[tuple[EffectDeclaration, dict[str, Any]]]:
    """Give the calls that an exception, what it was raised from and what it groups came out of."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    for _ in range(CAUSES_MAX):
        if not waiting:
            return
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        note = getattr(one, _NOTE, None)
        if note is not None:
            declaration, request = note
            yield declaration, request().get("arguments", {})
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
