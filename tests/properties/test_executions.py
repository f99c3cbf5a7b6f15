"""Random programs through random stories of deaths, answers and rollbacks keep what concepts.md promises.

A failure prints the program and the story, which `tell(program, story)` tells again, and a line to reproduce it.
"""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torture.strategies import calm_programs, stories, told, wild_programs

from omium.testing.simulation.process import Death
from omium.testing.simulation.programs import Effect, Lanes, Program, Saved, Step, Together
from omium.testing.simulation.simulating import same_end
from omium.testing.simulation.story import Story, tell

KINDS = st.booleans()


@told(60)
@given(concurrent=KINDS, data=st.data())
def test_a_program_comes_to_the_same_end_whatever_happens_to_it(concurrent: bool, data: st.DataObject) -> None:
    """Deaths and rollbacks change neither the outcomes, nor their Merkle root, nor what stands in the world."""
    _same_end(data.draw(calm_programs(concurrent=concurrent, lanes=False)), data.draw(stories()))


@told(60)
@given(concurrent=KINDS, data=st.data())
def test_a_program_with_lanes_comes_to_the_same_end_whatever_happens_to_it(
    concurrent: bool, data: st.DataObject
) -> None:
    """The same with threads and tasks, which a resume schedules in another order."""
    _same_end(data.draw(calm_programs(concurrent=concurrent)), data.draw(stories()))


@told(60)
@given(concurrent=KINDS, data=st.data())
def test_a_program_keeps_the_promises_whatever_goes_wrong(concurrent: bool, data: st.DataObject) -> None:
    """Lost replies, refusals, models that reword, failed compensations, all ladders, blocks and transactions."""
    program = data.draw(wild_programs(concurrent=concurrent, lanes=False))
    tell(program, data.draw(stories()), keys_in_values=True)


@told(60)
@given(concurrent=KINDS, data=st.data())
def test_a_program_with_lanes_keeps_the_promises_whatever_goes_wrong(concurrent: bool, data: st.DataObject) -> None:
    """The same with threads and tasks."""
    program = data.draw(wild_programs(concurrent=concurrent))
    tell(program, data.draw(stories()), keys_in_values=True)


_CHARGE = Effect("compensable", check=True)
_UPSERT = Effect("idempotent")
_MAIL = Effect("irreversible", check=True)
_LOOKUP = Effect("read")
_BUSY = (
    Step((_LOOKUP, _UPSERT)),
    Step((_CHARGE, Step((_CHARGE,), ladder="retry")), fails=frozenset({1}), ladder="retry", error="condition"),
    Saved((_CHARGE, Step((_UPSERT,)))),
    Together((_CHARGE, _MAIL)),
    Step((_CHARGE, _MAIL), fails=frozenset({1, 2}), ladder="rollback", error="hallucination"),
)
_SIDES = ((Step((_CHARGE, _MAIL)), _UPSERT), (Step((_UPSERT,), fails=frozenset({1}), ladder="retry"),), (_MAIL,))


@pytest.mark.parametrize("keep", [0, 2, 4, 8])
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(Program(_BUSY), id="sync"),
        pytest.param(Program(_BUSY, concurrent=True), id="async"),
        pytest.param(Program((*_BUSY[:2], Lanes(_SIDES, "threads"), _BUSY[4])), id="threads"),
        pytest.param(Program((*_BUSY[:2], Lanes(_SIDES, "gather"), _BUSY[4]), concurrent=True), id="gather"),
        pytest.param(Program((Lanes(_SIDES, "to_thread"), _BUSY[4]), concurrent=True), id="to_thread"),
    ],
)
def test_a_death_at_any_moment_changes_nothing(program: Program, keep: int) -> None:
    """A process that dies at write or call 1, 2, ... n leaves what the next one brings to the undisturbed end."""
    undisturbed = tell(program, Story())
    assert undisturbed.status == "completed", undisturbed.reason
    for moment in range(1 + keep // 2, undisturbed.moments + 1, 5):
        disturbed = tell(program, Story(deaths=(Death(moment, keep),)))
        same_end(undisturbed, disturbed)


@told(15)
@given(st.lists(st.integers(1, 25), min_size=3, max_size=8), st.integers(0, 8))
def test_dying_again_and_again_loses_nothing(moments: list[int], keep: int) -> None:
    """Each life gets a bit further, also those that die while they recover."""
    program = Program(_BUSY)
    same_end(tell(program, Story()), tell(program, Story(deaths=tuple(Death(moment, keep) for moment in moments))))


def _same_end(program: Program, story: Story) -> None:
    same_end(tell(program, Story()), tell(program, attrs.evolve(story, answers=())))
