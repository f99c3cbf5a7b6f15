"""Ladders are finite, take their rungs in order, and are read from what users write."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium import (
    AgentConfig,
    Backoff,
    Compensate,
    Fallback,
    Halt,
    Notify,
    Pause,
    Recovery,
    Retry,
    Rollback,
    Skip,
    UsageError,
)
from omium_core.model.failure import KINDS, UNSWALLOWABLE
from omium_core.recovery.agents import ladder_of
from omium_core.recovery.ladders import Ladder, Rung, seconds

RUNGS: st.SearchStrategy[Rung] = st.one_of(
    st.builds(Retry, times=st.integers(0, 4)),
    st.builds(Rollback, to=st.sampled_from([None, "credit"])),
    st.just(Fallback("other")),
    st.just(Compensate()),
    st.just(Notify()),
    st.just(Pause()),
)
RECOVERIES = st.builds(
    lambda rungs, last: Recovery(*rungs, last), st.lists(RUNGS, max_size=6), st.sampled_from([Pause(), Skip(), Halt()])
)


def uses(rung: Rung) -> int:
    return rung.times if isinstance(rung, Retry) else 1


@given(RECOVERIES)
def test_a_ladder_ends(recovery: Recovery) -> None:
    """Each rung is taken as often as it says, in order, and then there is none left."""
    ladder, used = Ladder(recovery, "here"), Counter[tuple[str, int]]()
    taken = []
    for _ in range(sum(map(uses, recovery.rungs)) + 1):
        index = ladder.next_rung(used)
        if index is None:
            break
        used["here", index] += 1
        taken.append(index)
    expected = [index for index, rung in enumerate(recovery.rungs) for _ in range(uses(rung))]
    assert taken == expected
    assert ladder.next_rung(used) is None


@given(RECOVERIES, st.data())
def test_a_ladder_never_goes_back(recovery: Recovery, data: st.DataObject) -> None:
    """A rung behind the last one taken is over, whatever it has left; another ladder's rungs do not count."""
    ladder = Ladder(recovery, "here")
    last = data.draw(st.integers(0, len(recovery.rungs) - 1))
    used = {("here", last): data.draw(st.integers(1, 5)), ("elsewhere", len(recovery.rungs) - 1): 9}
    index = ladder.next_rung(used)
    assert index is None or index >= last


@given(RECOVERIES, st.sampled_from(KINDS))
def test_a_ladder_without_kinds_takes_all_but_what_only_a_person_can_decide(recovery: Recovery, kind: str) -> None:
    """Divergences, conflicts and unresolved effects need to be named."""
    assert Ladder(recovery, "here").takes(kind, None) == (kind not in UNSWALLOWABLE)
    named = Recovery(*recovery.rungs, kinds=(kind,))
    assert [one for one in KINDS if Ladder(named, "here").takes(one, None)] == [kind]
    everything = Recovery(*recovery.rungs, kinds=("any", kind))
    assert Ladder(everything, "here").takes(kind, None)


def test_a_ladder_takes_exceptions_by_class() -> None:
    """`@rollback_on(ValueError)` takes what derives from it, and nothing else of that kind."""
    ladder = Ladder(Recovery(Halt(), kinds=()), "here", (ValueError,))
    assert ladder.takes("error", UnicodeError())
    assert not ladder.takes("error", KeyError())


@pytest.mark.parametrize(
    "rungs", [(), (Retry(1),), (Rollback(),), (Halt(), Retry(1), Halt()), (Skip(), Halt()), (Notify(), Compensate())]
)
def test_a_ladder_that_could_not_end_is_refused(rungs: tuple[Rung, ...]) -> None:
    """The last rung is terminal, and nothing follows one that ends it."""
    with pytest.raises(UsageError):
        Recovery(*rungs)


@given(
    st.sampled_from(["constant", "linear", "exponential"]),
    st.floats(0.001, 1e6),
    st.floats(0.001, 1e6),
    st.floats(1, 10),
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
)
def test_a_wait_is_never_longer_than_its_bound(
    shape: str, first_s: float, max_s: float, factor: float, retry: int, chance: float
) -> None:
    """Whatever the number of the retry, and jitter only shortens it."""
    backoff = Backoff(shape, first_s, max_s, factor)
    longest = Backoff(shape, first_s, max_s, factor, jitter=False).wait_s(retry, chance)
    assert 0 <= backoff.wait_s(retry, chance) <= longest
    assert longest <= (first_s if shape == "constant" else max_s)


@given(st.integers(0, 10_000), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_durations_are_read(number: int, unit: str) -> None:
    """A number and its unit, with or without space between; a number alone is seconds."""
    factor = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    assert seconds(f"{number}{unit}") == seconds(f" {number} {unit} ") == number * factor
    assert seconds(number) == number


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-1s", "1 parsec", "exponential()", "exponential(1s, 2s, 3, 4)", "x(1s)"]
)
def test_what_is_not_a_duration_or_a_backoff_is_refused(text: str) -> None:
    """With a sentence that shows the form."""
    with pytest.raises(UsageError):
        Backoff.parse(text) if "(" in text else seconds(text)


@given(
    st.none() | st.integers(0, 5),
    st.none() | st.sampled_from(["retry", "rollback", "pause", "pause_and_notify", "notify", "skip", "halt"]),
)
def test_a_configuration_means_a_ladder_that_ends(retries: int | None, on_failure: str | None) -> None:
    """`max_retries` attempts come first; saying nothing means no ladder."""
    ladder = ladder_of(AgentConfig(max_retries=retries, on_failure=on_failure), "Agent")
    if retries is None and on_failure is None:
        assert ladder is None
        return
    assert ladder is not None
    expected = retries if retries is not None else (3 if on_failure == "retry" else 0)
    assert sum(rung.times for rung in ladder.recovery.rungs if isinstance(rung, Retry)) == expected
    assert isinstance(ladder.recovery.rungs[-1], Halt | Skip | Pause)
