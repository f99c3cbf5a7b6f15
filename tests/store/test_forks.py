"""What hears of forks: in order, whatever another one does, and only for as long as it lives."""

from __future__ import annotations

import gc
import os
import sys
import weakref

import pytest

from omium_sqlite import forks


class Hearing:
    """It writes down that it heard of a fork, and may fail at that."""

    def __init__(self, name: str, heard: list[str], *, fails: bool = False) -> None:
        self.name, self.heard, self.fails = name, heard, fails
        forks.at_fork("before", self.before)
        forks.at_fork("after_in_parent", self.after)

    def before(self) -> None:
        self.heard.append(f"before {self.name}")
        if self.fails:
            raise ValueError(self.name)

    def after(self) -> None:
        self.heard.append(f"after {self.name}")


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def test_each_hears_of_a_fork_also_when_another_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one first before it, and last after it, as the interpreter does it."""
    heard: list[str] = []
    unraisable: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: unraisable.append(str(one.exc_value)))
    hearing = [Hearing("a", heard), Hearing("b", heard, fails=True), Hearing("c", heard)]
    _fork()
    assert heard == ["before c", "before b", "before a", "after a", "after b", "after c"]
    assert unraisable == ["b"]
    del hearing


def test_what_is_gone_is_forgotten() -> None:
    """A process that opens stores all day keeps nothing of those that it closed."""
    heard: list[str] = []
    before = len(forks._methods("before"))
    hearing = Hearing("a", heard)
    gone = weakref.ref(hearing)
    assert len(forks._methods("before")) == before + 1
    del hearing
    gc.collect()
    assert gone() is None
    assert len(forks._methods("before")) <= before
    _fork()
    assert heard == []
