"""How long a policy's rules take here: `omium policy bench`."""

from __future__ import annotations

import functools
import timeit
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from omium.cli.costs import costs

if TYPE_CHECKING:
    from omium_policy.loaded import Loaded
    from omium_policy.program import Program

__all__ = ["Figures", "measured"]

ANY = "any step"
ROUNDS = 30
ROUND_S = 0.002
"""A round is short, so that one of them is not disturbed; the least of all rounds is told."""


@attrs.frozen
class Moment:
    """What the rules of one moment of a step take. `holds` is False where no test gives data of which all hold."""

    when: str
    step: str
    rules: int
    us: float
    cost: int
    holds: bool


@attrs.frozen
class Figures:
    """What was measured; `call_us` is what calling a function that does nothing takes."""

    file: str
    call_us: float
    moments: tuple[Moment, ...]

    def as_data(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return attrs.asdict(self)

    def in_words(self) -> Iterator[str]:
        """Give a line for each moment."""
        for one in self.moments:
            why = "" if one.holds else "; not all rules hold of what the tests give, so this is with their findings"
            times = f"{one.us / self.call_us:.1f}x a bare call" if self.call_us else "a bare call takes no time"
            yield (
                f"{one.when} `{one.step}`: {one.us:.2f} us for {one.rules} rules = {times};"
                f" at most {one.cost:,} operations{why}"
            )
        if not self.moments:
            yield "no rule stands before or after a step"
        yield f"a bare function call takes {self.call_us:.3f} us here"


def measured(loaded: Loaded) -> Figures:
    """Measure what `judge` takes before and after each step, of data from the policy's own tests."""
    call_us = _least_us(_nothing)
    cost = {(one.when, one.step): one.cost for one in costs(loaded)}
    moments = []
    for program in loaded.own:
        data = _examples(loaded, program)
        # A pack knows no steps; its rules are those of any.
        for step in program.scope.steps or (ANY,):
            for when in ("before", "after"):
                rules = program.rules_at(when, step)
                if rules:
                    us = _least_us(functools.partial(program.judge, when, step, data)) - call_us
                    holds = not program.judge(when, step, data)
                    moments.append(
                        Moment(
                            when,
                            step,
                            len(rules),
                            max(us, 0.0),
                            cost.get((when, step if step != ANY else None), 0),
                            holds,
                        )
                    )
    return Figures(loaded.source.name, call_us, tuple(moments))


def _nothing() -> None:
    return None


def _least_us(call: Callable[[], object]) -> float:
    timer = timeit.Timer(call)
    calls = 1
    while (took := timer.timeit(calls)) < ROUND_S and calls < 1 << 20:
        calls *= 2
    return min(took, *(timer.timeit(calls) for _ in range(ROUNDS))) / calls * 1e6


def _examples(loaded: Loaded, program: Program) -> dict[str, Any]:
    """Return data in which each rule finds what its own tests say it holds of; later tests fill what is missing."""
    from omium_policy.testing import examples

    found: dict[str, Any] = {}
    for given in examples(loaded.source, program):
        _fill(found, given)
    return found


def _fill(into: dict[str, Any], given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _fill(into[name], value)
        else:
            into.setdefault(name, dict(value) if isinstance(value, dict) else value)
