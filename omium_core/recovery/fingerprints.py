"""What makes two failures the same one, also in other executions and after the code was edited."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from omium_core.model.failure import Failure, Violation

__all__ = ["fingerprint_of", "place_of_step", "rule_of"]

_LANE_OR_COUNT = re.compile(r"\[[^\]]*\]|#\d+")
_VARYING = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"|\d+(?:[.,:]\d+)*")
_PLACE = re.compile(r"[^\s/]+\.\w+:\d+")


def fingerprint_of(workflow: str, step: str, failure: Failure, paths: Iterable[str] = ()) -> str:
    """Return the name of a failure: workflow, step, the rules that were broken, and the paths of what broke them.

    Lanes, counts of occurrence, line numbers and the values themselves are no part of it.
    """
    rules = sorted({rule_of(one) for one in failure.violations}) or [_error_of(failure)]
    parts = (workflow, place_of_step(step), failure.kind, *rules, "", *sorted(set(paths)))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def place_of_step(path: str) -> str:
    """Return where a step stands in its workflow, whichever lane it is in and however often it was called there."""
    return _LANE_OR_COUNT.sub("", path)


def rule_of(violation: Violation) -> str:
    """Return the name of a rule; of one that has none but its place, its message without what varies."""
    named = violation.rule not in ("", violation.where) and not _PLACE.fullmatch(violation.rule)
    return violation.rule if named else _VARYING.sub("#", violation.message)


def _error_of(failure: Failure) -> str:
    error = failure.evidence.get("error") or {}
    return f"{failure.kind}:{error.get('type', '')}"
