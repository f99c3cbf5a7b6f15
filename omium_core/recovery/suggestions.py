"""What could be done about a failure, from what was found about it and from what worked before. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from omium_core.model.failure import Failure
from omium_core.model.fix import FIX_KINDS, Suggestion
from omium_core.recovery.catalog import Tally, Trial, tallies
from omium_core.recovery.diagnosis import Offender, numbers_in

__all__ = ["advice", "fallback", "further_rollback", "ranked", "tool_advice", "value_correction"]

CANDIDATES_MAX = 3
REMEMBERED_MAX = 2


def value_correction(
    step: str, failure: Failure, broken: Sequence[Offender], holds: Callable[[dict[str, Any]], bool]
) -> Suggestion | None:
    """Return a corrected outcome that the step's rules accept; `holds` asks them, a few times at most.

    A rule says what it would rather have, or its message names numbers: the nearest one that holds is taken.
    """
    for one in broken:
        for candidate in _candidates(one, failure)[:CANDIDATES_MAX]:
            change = {one.path: candidate}
            if holds(change):
                at = f"{step}.output" + (one.path if one.path.startswith("[") else f".{one.path}" if one.path else "")
                evidence = (f"`{at}` was {one.value!r}", f"with {candidate!r} every rule of `{step}` holds")
                return Suggestion("value", f"set {at} to {candidate!r}", change, evidence)
    return None


def advice(failure: Failure, broken: Sequence[Offender], trials: Iterable[Trial]) -> list[Suggestion]:
    """Return what the agent could be told: advice that worked before, then what was wrong and what would be right."""
    made = []
    # The words of one may have been pruned.
    told = [one for one in trials if one.kind == "prompt" and one.worked and isinstance(one.change, str)]
    remembered = {one.change: one for one in told}
    for text, trial in list(remembered.items())[:REMEMBERED_MAX]:
        made.append(Suggestion("prompt", f"tell it: {text}", text, (f"it was told that in `{trial.execution}`",)))
    said = failure.message.rstrip(".")
    values = ", ".join(f"`{one.path or 'the value'}` was {one.value!r}" for one in broken)
    text = f"{said}. {f'Your last answer was wrong: {values}. ' if values else ''}Make sure of this before you answer."
    if failure.violations and text not in remembered:
        made.append(Suggestion("prompt", f"tell it: {text}", text, ("the rule in words, and what broke it",)))
    return made


def tool_advice(findings: Iterable[Mapping[str, Any]]) -> list[Suggestion]:
    """Return what the agent could be told about the tools that it called in another way than they take."""
    made = []
    for one in findings:
        if one["kind"] == "tool_schema":
            text = f"`{one['tool']}` takes {_described(one['schema'])}. Your last call was wrong: "
            text += "; ".join(one["problems"]) + "."
            label = f"tell it what `{one['tool']}` takes"
            made.append(Suggestion("tool_schema", label, text, tuple(one["problems"])))
    return made


def fallback(steps: Iterable[str]) -> list[Suggestion]:
    """Return the other steps that the ladder names to do it instead."""
    evidence = ("the ladder names it",)
    return [Suggestion("fallback", f"let `{one}` do it instead", {"step": one}, evidence) for one in steps]


def further_rollback(checkpoint: str, name: str, why: str) -> Suggestion:
    """Return going back behind where the execution stands."""
    return Suggestion("rollback", f"go back to `{name}`", {"checkpoint": checkpoint, "name": name}, (why,))


def ranked(made: Iterable[Suggestion], trials: Iterable[Trial]) -> tuple[Suggestion, ...]:
    """Return suggestions with what is known of their kind; the one that is most likely to work comes first."""
    known = tallies(trials)
    counted = [_counted(one, known.get(one.kind, Tally())) for one in made]

    def place(one: Suggestion) -> tuple[float, int]:
        confidence = Tally(one.worked, one.tried).confidence
        # What was never tried stands where a coin would.
        return -(0.5 if confidence is None else confidence), FIX_KINDS.index(one.kind)

    return tuple(sorted(counted, key=place))


def _counted(one: Suggestion, tally: Tally) -> Suggestion:
    return Suggestion(one.kind, one.label, one.change, one.evidence, tally.worked, tally.tried)


def _candidates(broken: Offender, failure: Failure) -> list[Any]:
    if broken.suggested is not None:
        return [broken.suggested]
    value = broken.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    messages = " ".join(one.message for one in failure.violations)
    others = {one for one in numbers_in(messages) if one not in (value, float(f"{value:g}"))}
    nearest = sorted(others, key=lambda one: (abs(one - value), one))
    return [int(one) if isinstance(value, int) and one == int(one) else one for one in nearest]


def _described(schema: Mapping[str, Any]) -> str:
    properties: Mapping[str, Any] = schema.get("properties") or {}
    required = schema.get("required") or ()
    parts = [f"`{name}` ({_kind(one)}{'' if name in required else ', optional'})" for name, one in properties.items()]
    return ", ".join(parts) or "no arguments"


def _kind(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return "anything"
    if "enum" in schema:
        return "one of " + ", ".join(map(repr, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    kind = schema.get("type", "anything")
    return kind if isinstance(kind, str) else " or ".join(kind)
