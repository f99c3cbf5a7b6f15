"""Where a failure comes from, found in the record and without a model: which value, since when, through which call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import attrs

from omium_core.model.failure import Violation
from omium_core.recovery.paths import field_of, leaves

__all__ = ["Finding", "Offender", "Source", "appearance", "numbers_in", "offenders"]

OFFENDERS_MAX = 5
TEXT_CHARS_MAX = 200
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:[.,]\d+)*(?![\w])")
_QUOTED = re.compile(r"`([^`]+)`|'([^']+)'|\"([^\"]+)\"")


@attrs.frozen
class Offender:
    """A value that broke a rule: its path in the outcome, and what the rule would rather have there, if it said so."""

    path: str
    value: Any
    suggested: Any = None


@attrs.frozen
class Source:
    """Something recorded that a value can come from. `name` is how it is said, `step` whose outcome or answer it is."""

    kind: Literal["input", "outcome", "argument", "answer"]
    name: str
    step: str
    data: Any


@attrs.frozen
class Finding:
    """One thing that was found: its kind, a sentence, and the facts it rests on, which the journal keeps."""

    kind: str
    text: str
    facts: dict[str, Any] = attrs.field(factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data for a journal body."""
        return {"kind": self.kind, "text": self.text, **self.facts}


def offenders(violations: Iterable[Violation], outcome: Any) -> list[Offender]:
    """Return the values of a refused outcome that broke its rules.

    A rule says the path itself; where it does not, the message is searched for the outcome's own values.
    """
    known = dict(leaves(outcome))
    found: dict[str, Offender] = {}
    for one in violations:
        if one.at or (one.suggest is not None and "" in known):
            found.setdefault(one.at, Offender(one.at, known.get(one.at), one.suggest))
            continue
        said = _said_in(one.message)
        for path, value in known.items():
            if path in one.values or f"output.{path}" in one.values or _is_said(value, said):
                found.setdefault(path, Offender(path, value))
    return list(found.values())[:OFFENDERS_MAX]


def appearance(offender: Offender, output: str, sources: Sequence[Source]) -> Finding:
    """Say where a value first appeared: `sources` are in the order in which they were recorded, the input first."""
    at = output + (offender.path if offender.path.startswith("[") else f".{offender.path}" if offender.path else "")
    for source in sources:
        match = _found_in(offender, source)
        if match is not None:
            where = f"{source.name}, at `{match}`" if match else source.name
            facts = {
                "path": at,
                "value": _kept(offender.value),
                "where": source.kind,
                "step": source.step,
                "source": match,
            }
            return Finding("first_appearance", f"`{at}` = {_shown(offender.value)} first appeared in {where}", facts)
    facts = {"path": at, "value": _kept(offender.value), "where": "here", "step": "", "source": ""}
    return Finding("first_appearance", f"`{at}` = {_shown(offender.value)} first appeared in this step itself", facts)


def numbers_in(message: str) -> list[float]:
    """Return the numbers that a message names, in their order."""
    return [float(one.replace(",", "")) for one in _NUMBER.findall(message) if _readable(one)]


def _readable(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True


def _found_in(offender: Offender, source: Source) -> str | None:
    """Return the path at which a source has the value; a value that is everywhere has to be in a field of that name."""
    own = field_of(offender.path)
    for path, value in leaves(source.data):
        if _same(value, offender.value) and (_is_distinctive(value) or (own and field_of(path) == own)):
            return path
    return None


def _same(one: Any, other: Any) -> bool:
    number = isinstance(one, int | float) and isinstance(other, int | float)
    return one == other and (number or type(one) is type(other)) and isinstance(one, bool) == isinstance(other, bool)


def _is_distinctive(value: Any) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, str):
        return len(value) > 2
    return isinstance(value, int | float) and (abs(value) >= 10 or value != int(value))


def _said_in(message: str) -> tuple[set[float], set[str]]:
    quoted = {one for groups in _QUOTED.findall(message) for one in groups if one}
    return set(numbers_in(message)), quoted


def _is_said(value: Any, said: tuple[set[float], set[str]]) -> bool:
    numbers, texts = said
    if isinstance(value, int | float) and not isinstance(value, bool):
        # As `%g` writes it, which is how most messages do.
        return float(value) in numbers or float(f"{value:g}") in numbers
    return isinstance(value, str) and (value in texts)


def _kept(value: Any) -> Any:
    """A long text is in the refused outcome already."""
    return value[:TEXT_CHARS_MAX] if isinstance(value, str) else value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."
