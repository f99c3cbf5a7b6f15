"""Patterns in RE2's syntax, matched in time linear in the text.

Whether a pattern is valid never depends on what is installed: it is read here. With google-re2 installed (extra `re2`)
that library matches; without it an automaton of this package does. Python's `re` never does: it takes exponential time
for patterns such as `(a+)+$`. Syntax: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable

from omium_policy.patterns.automaton import search
from omium_policy.patterns.program import compiled
from omium_policy.patterns.reading import PatternError

__all__ = ["matcher", "problem"]


def problem(pattern: str) -> str | None:
    """Return what is wrong with a pattern, as the end of a sentence about it; None when nothing is."""
    try:
        compiled(pattern)
    except PatternError as error:
        return str(error)
    return None


@functools.lru_cache(maxsize=1024)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that says whether the pattern is found in a text; raise `PatternError` for a bad pattern."""
    program = compiled(pattern)
    try:
        re2 = importlib.import_module("re2")
    except ImportError:
        return functools.partial(search, program)
    options = re2.Options()
    options.log_errors = False
    try:
        found = re2.compile(pattern, options).search
    except re2.error:
        # A version of it may have limits of its own; what is valid is said here, and matched in any case.
        return functools.partial(search, program)
    return lambda text: found(text) is not None
