"""Voters as users declare them: `@omium.voter`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from omium.declaring import check_function, name_for
from omium.runtime import registry
from omium_core.runtime.declarations import VoterDeclaration, check_name

__all__ = ["voter"]

F = TypeVar("F", bound=Callable[..., Any])


@overload
def voter(given: F) -> F: ...
@overload
def voter(given: str) -> Callable[[F], F]: ...


def voter(given: Any) -> Any:
    """Declare a function as a voter, under its own name or `@omium.voter("name")`; a policy's `quorum` names it.

    It is called with what one agent hands to another and says what it thinks of it: True for it, False or a text that
    says why against it, None to abstain. What it raises is a vote against.
    """
    if isinstance(given, str):
        check_name(given)
        return lambda fn: _declared(fn, given)
    return _declared(given, None)


def _declared(fn: Any, name: str | None) -> Any:
    check_function("voter", fn)
    registry().add(VoterDeclaration(check_name(name_for("voter", fn, name)), fn))
    return fn
