"""What the simulator found, each as the smallest program that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

import omium
from omium import Halt, NotDone, Recovery, Retry
from omium.testing import VirtualClock, opened
from omium.testing.simulation import simulate
from omium.testing.simulation.process import Death
from omium.testing.simulation.programs import Effect, Node, Program, Saved, Step, Together
from omium.testing.simulation.story import Story, Visit, tell
from omium_core.model import events as e


def test_a_step_that_needs_a_new_credential_gets_one(tmp_path: Path) -> None:
    """The answer begins another attempt: the one that presented it would be given the same one by its record."""
    given, paid = iter(["a", "a", "b"]), []

    @omium.effect(model="scripted")
    def credential() -> str:
        return next(given)

    @omium.effect(irreversible=True, single_use=("token",))
    def pay(token: str) -> str:
        if token == "a":
            raise NotDone("refused")
        paid.append(token)
        return token

    @omium.checkpoint("pays", recovery=Recovery(Retry(1), Halt(), kinds=("error",)))
    def pays() -> str:
        return pay(credential())

    @omium.workflow(store=str(tmp_path / "omium.db"))
    def flow() -> str:
        return pays()

    with opened(tmp_path / "omium.db", clock=VirtualClock()) as store:
        assert flow.start(execution_id="one").status == "paused"
        omium.review("one", choice=0, by="ann", store=store.url)
        assert flow.resume("one").result == "b"
    assert paid == ["b"]


def test_an_execution_can_be_shown_when_its_store_is_closed(tmp_path: Path) -> None:
    """The end of an event loop shows what its task returned, and must not fail because of that."""

    @omium.workflow(store=str(tmp_path / "omium.db"))
    def flow() -> int:
        return 1

    with opened(tmp_path / "omium.db"):
        execution = flow.start(execution_id="one")
        assert "completed" in repr(execution)
    assert repr(execution) == "<Execution one>"


def test_a_workflow_without_a_step_for_a_new_credential_is_halted(tmp_path: Path) -> None:
    """Its body has one attempt, so no answer of a person could give it another one; a rollback does."""
    given, paid = iter(["a", "b"]), []

    @omium.effect(model="scripted")
    def credential() -> str:
        return next(given)

    @omium.effect(irreversible=True, single_use=("token",))
    def pay(token: str) -> str:
        if token == "a":
            raise NotDone("refused")
        paid.append(token)
        return token

    @omium.workflow(store=str(tmp_path / "omium.db"))
    def flow() -> str:
        token = credential()
        try:
            return pay(token)
        except NotDone:
            return pay(token)

    with opened(tmp_path / "omium.db", clock=VirtualClock()) as store:
        halted = flow.start(execution_id="one")
        assert halted.status == "halted"
        assert "call it in a step, or roll back to before the credential was given" in halted.reason
        omium.rollback("one", "start", by="ann", store=store.url)
        assert flow.resume("one").result == "b"
    assert paid == ["b"]


SHARED = Effect("compensable", keyed=True)
FAILS_ONCE = Step((Step((SHARED,), times=2),), fails=frozenset({1}), ladder="retry", transaction=True)


def test_no_outcome_keeps_a_shared_effect_that_was_undone() -> None:
    """Seed 5317: two steps share a user's key in a transaction that fails; the process dies at any moment."""
    program = Program((FAILS_ONCE,))
    undisturbed = tell(program, Story(), keys_in_values=True)
    assert undisturbed.status == "completed"
    for moment in range(1, undisturbed.moments + 1):
        tell(program, Story(deaths=(Death(moment),)), keys_in_values=True)


def test_an_answer_to_a_conflict_is_for_the_request_that_was_shown() -> None:
    """Seeds 52852, 54719, 55832: each attempt words it anew, and each time a person is asked."""
    program = Program((Step((Effect("irreversible", words=True),), fails=frozenset({1, 2}), ladder="retry"),))
    ending = tell(program, Story())
    asked = [one for one in ending.events if isinstance(one, e.ReviewRequested)]
    assert [one.kind for one in asked] == ["effect_conflict"] * 2
    assert ending.world.net() == {"s1:e2(1)": 3}


def test_who_was_taken_over_sends_nothing_again() -> None:
    """Seed 54622: what became of an effect is for the runner to find out that has the lease now."""
    lost = Effect("compensable", keyed=True, trouble=("lost",))
    program = Program((Step((lost,), ladder="retry", transaction=True),))
    assert tell(program, Story(visits=(Visit(1, "sleep"),))).status == "completed"


BOTH = (Effect("compensable"), Effect("irreversible"))


@pytest.mark.parametrize("kept", [Step(BOTH), Together(BOTH), Saved(BOTH)])
def test_a_transaction_is_no_answer_after_what_it_went_on_from_was_undone(kept: Node) -> None:
    """Seeds 51644, 58938, 59519: its second attempt only met what had been kept; then a person went back."""
    program = Program((Step((kept,), fails=frozenset({1}), ladder="retry", transaction=True),))
    ending = tell(program, Story(returns=(0,)), keys_in_values=True)
    assert list(ending.world.net().values()) == [1, 1]
    assert sum(what.startswith("undo") for what in ending.world.history) == 1


@pytest.mark.parametrize("kept", [Step(BOTH), Together(BOTH), Saved(BOTH)])
def test_a_transaction_that_fails_again_undoes_nothing_before_its_irreversible_effect(kept: Node) -> None:
    """All of it stands or none, also when it is the second attempt that goes on from both."""
    program = Program((Step((kept,), fails=frozenset({1, 2}), ladder="retry", transaction=True),))
    ending = tell(program, Story(), keys_in_values=True)
    assert ending.status == "completed"
    assert not any(what.startswith("undo") for what in ending.world.history)


def test_an_irreversible_effect_that_was_claimed_keeps_what_came_before_it() -> None:
    """Seed 59040: what one step left behind answers another one's transaction, which fails with a part of it."""
    fails = frozenset({1, 2})
    inside = Together((Step((Effect("compensable"),)), Effect("irreversible")), fails)
    program = Program((Step((inside,), ladder="retry, skip", transaction=True, times=2),))
    assert tell(program, Story()).status == "completed"


def test_another_runner_may_die_at_any_moment_of_its_own() -> None:
    """Seeds 59154, 59764: who took over dies between an undo and its outcome, and the first one wakes up to that."""
    undone = Effect("compensable", check=True)
    program = Program((Step((undone, Effect("read")), fails=frozenset({1}), ladder="rollback"),))
    for moment in range(1, 40):
        visit = Visit(2, "sleep", Death(moment))
        assert tell(program, Story(visits=(visit,)), keys_in_values=True).status == "completed"


@pytest.mark.parametrize("seed", [5317, 51644, 52852, 54622, 55832, 58938, 59040, 59154, 100572, 103473])
def test_a_seed_that_broke_a_promise(seed: int) -> None:
    """As it was drawn, with everything else that happens in it."""
    simulate(seed)
