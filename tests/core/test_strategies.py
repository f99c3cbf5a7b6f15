"""What a plugin's strategy may decide, and what becomes of its decision in a ladder."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium_core.errors import UsageError
from omium_core.interfaces.recovery import ACTIONS, Decision
from omium_core.recovery.agents import AgentConfig, ladder_of
from omium_core.recovery.ladders import (
    Apply,
    Backoff,
    Compensate,
    Fallback,
    Halt,
    Ladder,
    Notify,
    Pause,
    Recovery,
    Retry,
    Rollback,
    Skip,
)
from omium_core.recovery.strategies import rung_of

RUNGS = {
    Decision("retry"): Retry(1),
    Decision("retry", wait_s=2.5): Retry(1, backoff=Backoff("constant", 2.5, 2.5, jitter=False)),
    Decision("rollback"): Rollback(),
    Decision("rollback", "credit"): Rollback("credit"),
    Decision("fallback", "small"): Fallback("small"),
    Decision("compensate"): Compensate(),
    Decision("notify"): Notify(),
    Decision("notify", "ops"): Notify("ops"),
    Decision("pause"): Pause(),
    Decision("pause", "editor"): Pause("editor"),
    Decision("skip"): Skip(),
    Decision("halt"): Halt(),
}


def test_every_action_is_a_rung() -> None:
    """Whatever can be decided is something that a ladder of the user's own could have said."""
    assert {one: rung_of(one) for one in RUNGS} == RUNGS
    assert {one.action for one in RUNGS} == set(ACTIONS)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"action": "give up"}, "a decision cannot be `give up`; it is one of retry, rollback"),
        ({"action": None}, "a decision cannot be `None`"),
        ({"action": "fallback"}, "the decision `fallback` needs a target"),
        ({"action": "retry", "target": "x"}, "the decision `retry` has no target"),
        ({"action": "pause", "target": ""}, "the target of a decision cannot be `''`"),
        ({"action": "retry", "wait_s": -1}, "the wait of a decision cannot be `-1`"),
        ({"action": "retry", "wait_s": float("nan")}, "the wait of a decision cannot be `nan`"),
        ({"action": "skip", "wait_s": 1}, "the decision `skip` does not wait"),
    ],
)
def test_what_cannot_be_decided_is_refused(fields: dict[str, Any], said: str) -> None:
    """A decision that could not be carried out cannot be made, so that the ladder goes on instead."""
    with pytest.raises(UsageError) as refused:
        Decision(**fields)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Apply(""), "`strategy` of `Apply` cannot be `''`; it is a name"),
        (lambda: Apply("x", times=0), "`times` of `Apply` cannot be `0`; it is a whole number, 1 or more"),
        (lambda: Apply("x", options={"a": []}), "`options` of `Apply` cannot be `{'a': []}`; it is names with texts"),
        (lambda: Recovery(Apply("x")), "a recovery must end with `Pause()`, `Skip()` or `Halt()`"),
    ],
)
def test_a_ladder_ends_without_its_strategies(make: Any, said: str) -> None:
    """A strategy is never a ladder's last rung, because it may have no answer."""
    with pytest.raises(UsageError) as refused:
        make()

    assert str(refused.value).startswith(said)


def test_an_agents_configuration_names_a_strategy() -> None:
    """`on_failure = "apply:NAME"` asks it once the retries are spent."""
    ladder = ladder_of(AgentConfig(max_retries=1, on_failure="apply:patience"), "Agent")

    assert ladder is not None
    assert ladder.recovery == Recovery(Retry(1), Apply("patience"), Halt())
    with pytest.raises(UsageError, match="`on_failure` cannot be `apply:`"):
        AgentConfig(on_failure="apply:")


@given(
    st.lists(st.one_of(st.integers(1, 3).map(lambda n: Apply("x", n)), st.integers(0, 3).map(Retry)), max_size=5),
    st.data(),
)
def test_asking_ends(rungs: list[Any], data: st.DataObject) -> None:
    """However a strategy answers, each rung is asked at most as often as it says, in order, and then the last one."""
    ladder = Ladder(Recovery(*rungs, Halt()), "ladder")
    used: dict[tuple[str, int], int] = {}
    taken: list[int] = []
    for _ in range(ladder.decisions_max + 1):
        index, beyond = ladder.next_rung(used), -1
        while index is not None and isinstance(ladder.recovery.rungs[index], Apply) and data.draw(st.booleans()):
            assert index > beyond
            beyond = index
            index = ladder.next_rung(used, beyond)
        if index is None:
            break
        used["ladder", index] = used.get(("ladder", index), 0) + 1
        taken.append(index)

    assert taken == sorted(taken)
    assert taken.count(len(rungs)) == 1
    assert all(count <= ladder.recovery.rungs[index].times for (_, index), count in used.items() if index < len(rungs))
