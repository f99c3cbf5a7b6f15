"""From an exception to a failure: its kind, its place in the user's code, and the evidence that is kept."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from omium_core.errors import ConditionFailed, Hallucination, Unstorable, UsageError
from omium_core.model.failure import Failure, Violation

__all__ = ["classify", "kind_of", "place_of", "violation_of", "where_of"]

TEXT_MAX = 2_000
# As many exceptions of a group are looked at, with the groups in it.
LOOKED_AT_MAX = 1_000
_HERE = Path(__file__).parents[2]
_OWN = tuple(str(_HERE / package) + os.sep for package in ("omium", "omium_core", "omium_policy"))
# The demo is written as a user would write it, and its lines are shown as a user's.
_DEMO = str(_HERE / "omium" / "demo") + os.sep
_LIBRARY = (os.path.dirname(os.__file__) + os.sep, "<frozen ")
_INSTALLED = {"site-packages", "dist-packages"}
_VIOLATING = (AssertionError, ConditionFailed, Hallucination)


def classify(error: BaseException, *, models: int, storable: Callable[[Any], bool]) -> Failure:
    """Return the failure that an exception means; `models` is how many model calls the attempt made.

    A group, such as a task group raises, means what the first exception in it means that is more than an error.
    """
    leaves = _leaves(error)
    telling = next((one for one in (error, *leaves) if kind_of(one, models=models) != "error"), error)
    kind = kind_of(telling, models=models)
    where = where_of(telling) or where_of(error)
    message = _text(telling)
    violations = tuple(violation_of(one) for one in leaves if isinstance(one, _VIOLATING))
    args = list(error.args) if storable(list(error.args)) else None
    evidence: Mapping[str, Any] = {
        "kind": kind,
        "message": message,
        "error": {"type": _type_name(error), "args": args},
        "violations": [one.as_data() for one in violations],
    }
    return Failure(kind, message, where, violations, evidence)


def kind_of(error: BaseException, *, models: int = 0) -> str:
    """Return the failure kind; an exception class can say its own in `failure_kind`."""
    own = getattr(error, "failure_kind", None)
    if isinstance(own, str):
        return own
    match error:
        case Hallucination():
            return "hallucination"
        case AssertionError() | ConditionFailed():
            return "hallucination" if models else "violation"
        case UsageError() | Unstorable():
            return "specification"
        case TimeoutError():
            return "timeout"
    # On Python 3.10 these two are not the built-in one; frameworks bring others of the same name.
    if "Timeout" in type(error).__name__:
        return "timeout"
    if getattr(error, "status_code", None) == 429 or "RateLimit" in type(error).__name__:
        return "rate_limited"
    return "error"


def violation_of(error: BaseException, rule: str | None = None) -> Violation:
    """Return the violation that a broken assertion or condition is."""
    where = where_of(error)
    hallucinated = isinstance(error, Hallucination)
    name = rule or (where or type(error).__name__)
    at, suggest = (error.at, error.suggest) if isinstance(error, ConditionFailed) else ("", None)
    return Violation(name, _text(error), where, hallucinated=hallucinated, at=at, suggest=suggest)


def where_of(error: BaseException) -> str | None:
    """Return the innermost `file:line` of the user's own code that the exception passed through.

    Where it passed through none, for example in an application that is installed itself, it is a library's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if _is_users(one.filename)] or [one for one in frames if not _is_ours(one.filename)]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else None


def place_of(fn: Any) -> str | None:
    """Return the `file:line` where a function begins; None for what is not written in Python."""
    code = getattr(fn, "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code is not None else None


def _leaves(error: BaseException) -> list[BaseException]:
    """Return the exceptions in a group and in the groups in it, in their order; else the error itself."""
    leaves: list[BaseException] = []
    waiting = [error]
    for _ in range(LOOKED_AT_MAX):
        if not waiting:
            break
        one = waiting.pop()
        # A group, which Python 3.10 has no class for.
        inner = getattr(one, "exceptions", None)
        if isinstance(inner, tuple) and inner and all(isinstance(each, BaseException) for each in inner):
            waiting.extend(reversed(inner))
        else:
            leaves.append(one)
    return leaves


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OWN) and not filename.startswith(_DEMO)


def _is_users(filename: str) -> bool:
    if filename.startswith(_DEMO):
        return True
    return not (_is_ours(filename) or filename.startswith(_LIBRARY) or _INSTALLED & set(Path(filename).parts))


def _text(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "…"


def _type_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
