"""What the simulator found, each as the smallest program that shows it."""

from __future__ import annotations

from pathlib import Path

import omium
from omium import Halt, NotDone, Recovery, Retry
from omium.testing import VirtualClock, opened


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
