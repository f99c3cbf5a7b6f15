"""Versions of packs, and which of them a policy accepts (https://semver.org)."""

from __future__ import annotations

import re

__all__ = ["accepts", "is_constraint", "version"]

_VERSION = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?")
_TERM = re.compile(r"(\^|~|>=|<=|>|<|=)?\s*(\d+(?:\.\d+){0,2})")


def version(text: str) -> tuple[int, int, int] | None:
    """Return a version's numbers; None when it is none."""
    match = _VERSION.fullmatch(text.strip())
    return (int(match[1]), int(match[2] or 0), int(match[3] or 0)) if match else None


def is_constraint(text: str) -> bool:
    """True for what `accepts` understands."""
    return all(_TERM.fullmatch(term.strip()) for term in text.split(","))


def accepts(constraint: str, given: str) -> bool:
    """Return whether a version satisfies all terms of a constraint: `^1.2`, `~1.2.3`, `>=1, <3` or `1.2.0`."""
    found = version(given)
    return found is not None and all(_holds(term.strip(), found) for term in constraint.split(","))


def _holds(term: str, given: tuple[int, int, int]) -> bool:
    match = _TERM.fullmatch(term)
    wanted = version(match[2]) if match else None
    if match is None or wanted is None:
        return False
    major, minor, _ = wanted
    match match[1]:
        case "^":
            # Below 1.0 each minor version may break what was.
            above = (major + 1, 0, 0) if major else (0, minor + 1, 0)
            return wanted <= given < above
        case "~":
            return wanted <= given < (major, minor + 1, 0)
        case ">=":
            return given >= wanted
        case "<=":
            return given <= wanted
        case ">":
            return given > wanted
        case "<":
            return given < wanted
    return given[: match[2].count(".") + 1] == wanted[: match[2].count(".") + 1]
