"""Telling objects of forks of their process, for as long as they live."""

from __future__ import annotations

import contextlib
import functools
import os
import weakref
from collections.abc import Callable
from typing import Literal, TypeAlias

__all__ = ["at_fork"]

Moment: TypeAlias = Literal["before", "after_in_parent", "after_in_child"]


def at_fork(moment: Moment, method: Callable[[], None]) -> None:
    """Call an object's method at each fork of this process; it is forgotten with the object.

    As with `os.register_at_fork`, those that came last are called first before a fork, and last after it, and each is
    called also when another one raises.
    """
    methods = _methods(moment)
    weak = weakref.WeakMethod(method, lambda gone: methods.pop(id(gone), None))
    methods[id(weak)] = weak


@functools.cache
def _methods(moment: Moment) -> dict[int, weakref.WeakMethod[Callable[[], None]]]:
    """Return what is called at that moment, in the order in which it came.

    The interpreter has no way to unregister: what it is told of stays for good, so it is told of one function only.
    """
    methods: dict[int, weakref.WeakMethod[Callable[[], None]]] = {}

    def call() -> None:
        # Another thread may add to them meanwhile; no Python code runs while they are copied.
        known = list(methods.values())
        with contextlib.ExitStack() as stack:
            # An exit stack begins with what was put in last.
            for weak in known if moment == "before" else reversed(known):
                alive = weak()
                if alive is not None:
                    stack.callback(alive)

    match moment:
        case "before":
            os.register_at_fork(before=call)
        case "after_in_parent":
            os.register_at_fork(after_in_parent=call)
        case "after_in_child":
            os.register_at_fork(after_in_child=call)
    return methods
