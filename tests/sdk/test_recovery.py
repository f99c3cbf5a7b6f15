"""Failures and what is done about them: kinds, ladders, configuration, feedback, people."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import omium
from omium import (
    AtMost,
    Compensate,
    ExecutionHalted,
    Fallback,
    Hallucination,
    Halt,
    Notify,
    Pause,
    Recovery,
    Retry,
    Rollback,
    Skip,
    UsageError,
    agent,
    checkpoint,
    effect,
    require,
    rollback_on,
    workflow,
)


@dataclass
class Offer:
    apr: float


def in_band(offer: Offer) -> None:
    require(offer.apr >= 2.5, f"APR {offer.apr}% is too low")


def failing(times: int, error: Exception | None = None) -> Any:
    """Return a function that fails that often, then returns the attempt."""
    left = [times]

    def run() -> int:
        if left[0]:
            left[0] -= 1
            raise error or ValueError("not yet")
        return omium.current().attempt

    return run


def test_exception_without_a_ladder_leaves_the_step_as_itself() -> None:
    """The workflow may catch it; on re-entry it is raised again from the record, and the step does not run."""
    ran: list[int] = []

    @checkpoint("one")
    def one() -> None:
        ran.append(1)
        raise LookupError("nowhere", 7)

    @checkpoint("two")
    def two(text: str) -> str:
        if len(ran) == 1:
            ran.append(2)
            raise KeyboardInterrupt
        return text

    @workflow
    def flow() -> str:
        try:
            one()
        except LookupError as error:
            return two(repr(error))
        return "no error"

    with pytest.raises(KeyboardInterrupt):
        flow.start(execution_id="x")

    assert flow.resume("x").result == "LookupError('nowhere', 7)"
    assert ran == [1, 2]


def test_stop_iteration_leaves_as_itself() -> None:
    """Not even the one exception that generators cannot raise is turned into another."""
    nothing: list[int] = []

    @effect(read=True)
    def read() -> int:
        return next(iter(nothing))

    @checkpoint("one")
    def one() -> int:
        return read()

    @workflow
    def flow() -> str:
        try:
            return str(one())
        except StopIteration:
            return "nothing there"

    assert flow.start().result == "nothing there"


def test_exception_that_leaves_the_workflow_halts() -> None:
    """The boundary raises `ExecutionHalted` from the exception, and the journal says why."""

    @workflow
    def flow() -> None:
        raise ValueError("broken")

    with pytest.raises(ExecutionHalted, match="broken") as raised:
        flow()

    assert isinstance(raised.value.__cause__, ValueError)
    assert omium.execution_of("@last").status == "halted"


def test_feedback_tells_the_agent_what_was_wrong() -> None:
    """A retry is told the violations of the attempt before, in words."""
    told: list[str] = []
    answers = iter([0.0, 1.0, 4.0])

    @checkpoint("offer", ensures=in_band, recovery=Recovery(Retry(2), Halt()))
    def offer() -> Offer:
        told.append(omium.current().feedback_text)
        return Offer(next(answers))

    @workflow
    def flow() -> Offer:
        return offer()

    execution = flow.start()

    assert execution.result == Offer(4.0)
    assert [text.splitlines()[-1:] for text in told] == [[], ["- APR 0.0% is too low"], ["- APR 1.0% is too low"]]
    assert [one.where for one in execution.violations] == [f"test_recovery.py:{_line('APR {offer.apr}')}"] * 2


def test_broken_rule_after_a_model_call_is_a_hallucination() -> None:
    """The kind of a violation says whether a model was asked."""

    @effect(model=True)
    def ask() -> float:
        return 0.0

    @checkpoint("offer", ensures=in_band, recovery=Recovery(Skip()))
    def offer() -> Offer:
        return Offer(ask())

    @workflow
    def flow() -> Offer | None:
        return offer()

    execution = flow.start()

    assert execution.result is None
    assert [one.failure for one in execution.recoveries] == ["hallucination"]


def test_blocking_rule_without_a_ladder_halts() -> None:
    """A refused outcome never reaches user code."""

    @checkpoint("offer", ensures=in_band)
    def offer() -> Offer:
        return Offer(0.0)

    @workflow
    def flow() -> str:
        try:
            offer()
        except BaseException:  # the point: not even this may swallow it
            return "swallowed"
        return "accepted"

    assert flow.start().status == "halted"


@pytest.mark.parametrize(
    ("config", "status", "strategies"),
    [
        ({"max_retries": 1}, "halted", ["retry", "halt"]),
        ({"max_retries": 2, "on_failure": "pause"}, "paused", ["retry", "retry", "pause"]),
        ({"on_failure": "retry"}, "halted", ["retry", "retry", "retry", "halt"]),
        ({"on_failure": "pause_and_notify"}, "paused", ["notify", "pause"]),
        ({"on_failure": "notify"}, "halted", ["notify", "halt"]),
        ({"on_failure": "skip"}, "completed", ["skip"]),
        ({"on_failure": "rollback"}, "paused", ["rollback", "pause"]),
        ({"on_failure": "fallback:steady"}, "completed", ["fallback"]),
    ],
)
def test_agent_configuration(config: dict[str, Any], status: str, strategies: list[str]) -> None:
    """What happens when the retries are spent is what `on_failure` says."""

    @checkpoint("steady")
    def steady() -> int:
        return 1

    @agent
    class Worker:
        @checkpoint("work")
        def work(self) -> int:
            raise ValueError("no")

    Worker.config.max_retries = config.get("max_retries")
    Worker.config.on_failure = config.get("on_failure")

    @workflow
    def flow() -> int | None:
        return Worker().work()

    execution = flow.start()

    assert execution.status == status
    assert [one.strategy for one in execution.recoveries] == strategies


def test_the_instance_wins_over_its_class() -> None:
    """One agent of a class can be configured otherwise."""

    @agent
    class Worker:
        config = {"on_failure": "halt"}

        @checkpoint("work")
        def work(self) -> int:
            raise ValueError("no")

    @workflow
    def flow() -> str:
        worker = Worker()
        worker.config.on_failure = "skip"
        return f"{worker.work()}"

    assert flow.start().result == "None"
    assert Worker.config.on_failure == "halt"


def test_unknown_on_failure_is_refused_in_words() -> None:
    """A misspelt strategy says what there is."""

    with pytest.raises(UsageError, match="`on_failure` cannot be `rolback`; it is one of retry, rollback"):

        @agent
        class Worker:
            config = {"on_failure": "rolback"}


def test_attributes_are_put_back_before_every_attempt() -> None:
    """What `config.state` names is as of the checkpoint before, in a retry, after a crash and in a new process."""
    crash = [True]

    @agent
    class Writer:
        config = {"state": ("history",), "max_retries": 1}

        def __init__(self) -> None:
            self.history: list[str] = []

        @checkpoint("plan")
        def plan(self) -> None:
            self.history.append("plan")

        @checkpoint("write")
        def write(self) -> list[str]:
            self.history.append(f"write {omium.current().attempt}")
            if omium.current().attempt == 1:
                raise ValueError("again")
            if crash[0]:
                raise KeyboardInterrupt
            return list(self.history)

    @workflow
    def flow() -> list[str]:
        writer = Writer()
        writer.plan()
        return writer.write()

    with pytest.raises(KeyboardInterrupt):
        flow.start(execution_id="x")
    crash[0] = False

    assert flow.resume("x").result == ["plan", "write 2"]


def test_rollback_on_goes_back_once_then_asks() -> None:
    """`@rollback_on` takes kinds and exceptions, rolls back to `to`, and pauses the second time."""
    ran: list[str] = []

    @checkpoint("credit")
    def credit() -> None:
        ran.append("credit")

    @rollback_on(LookupError, hallucination_detected=True, to="start")
    @checkpoint("offer")
    def offer() -> None:
        ran.append("offer")
        raise Hallucination("0 %") if len(ran) < 3 else LookupError("gone")

    @workflow
    def flow() -> None:
        credit()
        offer()

    execution = flow.start()

    assert ran == ["credit", "offer", "credit", "offer"]
    assert execution.status == "paused"
    assert [one.source for one in execution.recoveries] == ["@rollback_on"] * 2


def test_rollback_on_alone_makes_a_step() -> None:
    """Without `@checkpoint` the step has the function's name."""

    @rollback_on(timeout=True)
    def lonely() -> int:
        return 3

    @workflow
    def flow() -> int:
        return lonely()

    assert [one.name for one in flow.start().checkpoints] == ["start", "lonely"]


def test_rungs_in_order() -> None:
    """Each rung is taken in its turn, and what it does is in the journal with its reason."""
    undone: list[str] = []

    @effect(undo=undone.append)
    def reserve() -> str:
        return "room"

    @checkpoint("work", recovery=Recovery(Retry(1), Compensate(), Notify(), Skip()))
    def work() -> None:
        reserve()
        raise ValueError("no")

    @workflow
    def flow() -> str:
        work()
        return "went on"

    execution = flow.start()

    assert execution.result == "went on"
    assert [one.strategy for one in execution.recoveries] == ["retry", "compensate", "notify", "skip"]
    assert undone == ["room"]


def test_attempts_are_counted_across_rollbacks() -> None:
    """A rollback gives no rung back, so recovery ends."""
    ran: list[int] = []

    @checkpoint("work", recovery=Recovery(Retry(1), Rollback("start"), Pause(), Halt()))
    def work() -> None:
        ran.append(omium.current().attempt)
        raise ValueError("no")

    @workflow
    def flow() -> None:
        work()

    assert flow.start().status == "paused"
    assert ran == [1, 2, 3]


def test_outer_limit_halts() -> None:
    """More recoveries than `at_most` within its window halt, whatever the ladder would do."""

    @checkpoint("work", recovery=Recovery(Retry(50), Halt(), at_most=AtMost(4, "10m")))
    def work() -> int:
        raise ValueError("no")

    @workflow
    def flow() -> int:
        return work()

    execution = flow.start()

    assert execution.status == "halted"
    assert len(execution.recoveries) == 5


def test_fallback_takes_the_same_arguments() -> None:
    """Another registered step does it in place, with this step's arguments and rules."""

    @checkpoint("small_model")
    def small(amount: int) -> Offer:
        return Offer(float(amount))

    @checkpoint("large_model", ensures=in_band, recovery=Recovery(Fallback("small_model"), Halt()))
    def large(amount: int) -> Offer:
        raise TimeoutError("busy")

    @workflow
    def flow(amount: int) -> Offer:
        return large(amount)

    assert flow.start(5).result == Offer(5.0)
    assert flow.start(1).status == "halted"


def test_unknown_fallback_is_a_failure_of_the_step() -> None:
    """A ladder that names a step that is not there goes on with its next rung and says so."""

    @checkpoint("one", recovery=Recovery(Fallback("nobody"), Halt()))
    def one() -> None:
        raise ValueError("no")

    @workflow
    def flow() -> None:
        one()

    assert "there is no step `nobody`" in flow.start().reason


def test_rollback_to_an_unknown_checkpoint_halts_and_names_it() -> None:
    """A misspelt target is not guessed."""

    @checkpoint("one", recovery=Recovery(Rollback("nowhere"), Halt()))
    def one() -> None:
        raise ValueError("no")

    @workflow
    def flow() -> None:
        one()

    assert "there is no checkpoint `nowhere`" in flow.start().reason


@pytest.mark.parametrize(
    "rungs", [(), (Retry(1),), (Halt(), Pause()), (Skip(), Halt())], ids=["empty", "open", "after halt", "after skip"]
)
def test_ladders_that_cannot_end_are_refused(rungs: tuple[Any, ...]) -> None:
    """A ladder ends in a terminal rung, and nothing follows one."""
    with pytest.raises(UsageError):
        Recovery(*rungs)


def test_notifiers(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`log` and `file` are there, and a channel can be bound in the project's file."""
    (project / "omium.toml").write_text('durability = "process"\n[channels]\nops = "file:alerts.jsonl"\n')

    @checkpoint("one", recovery=Recovery(Notify("ops"), Notify("log"), Notify("nobody"), Skip()))
    def one() -> None:
        raise ValueError("on fire")

    @workflow
    def flow() -> None:
        one()

    with caplog.at_level(logging.WARNING, "omium"):
        assert flow.start().status == "completed"

    assert "on fire" in (project / "alerts.jsonl").read_text()
    assert any("on fire" in record.message and record.levelname == "WARNING" for record in caplog.records)
    assert any("nobody" in record.message for record in caplog.records)


def test_deadline_of_a_review_is_an_answer() -> None:
    """Who opens the execution after the deadline takes the next rung; a later answer is refused."""

    @checkpoint("one", recovery=Recovery(Pause("officer", timeout_s=0.0), Halt()))
    def one() -> None:
        raise ValueError("no")

    @workflow
    def flow() -> None:
        one()

    flow.start(execution_id="x")

    with pytest.raises(omium.ReviewRefused, match="deadline"):
        omium.review("x", approve=True, by="ann", reason="late")
    assert flow.resume("x").status == "halted"


def test_answer_is_bound_to_what_was_seen() -> None:
    """An answer to another head than the present one is refused, and nothing is recorded."""

    @checkpoint("one", recovery=Recovery(Pause(), Halt()))
    def one() -> None:
        raise ValueError("no")

    @workflow
    def flow() -> None:
        one()

    execution = flow.start(execution_id="x")

    with pytest.raises(omium.ReviewRefused, match="it changed since you looked"):
        omium.review("x", approve=True, by="ann", reason="", expected_head="ckpt_other")
    omium.review("x", approve=True, by="ann", reason="", expected_head=execution.head)


def test_advice_reaches_the_attempt() -> None:
    """An edit is one further attempt that finds it in `current().fixes`."""

    @checkpoint("one", recovery=Recovery(Pause(), Halt()))
    def one() -> str:
        if not omium.current().fixes:
            raise ValueError("no idea")
        return str(omium.current().fixes[0])

    @workflow
    def flow() -> str:
        return one()

    flow.start(execution_id="x")
    omium.review("x", edit="say please", by="ann", reason="manners")

    assert flow.resume("x").result == "say please"


def test_correction_goes_through_all_rules() -> None:
    """A corrected outcome that still breaks a rule is asked about again; one that holds commits without an attempt."""
    ran: list[int] = []

    @checkpoint("offer", ensures=in_band, recovery=Recovery(Pause(), Halt()))
    def offer() -> Offer:
        ran.append(1)
        return Offer(0.0)

    @workflow
    def flow() -> Offer:
        return offer()

    flow.start(execution_id="x")
    omium.review("x", set={"offer.output.apr": 1.0}, by="ann", reason="")
    assert flow.resume("x").status == "paused"
    omium.review("x", set={"offer.output.apr": 4.5}, by="ann", reason="")

    assert flow.resume("x").result == Offer(4.5)
    assert ran == [1]


def _line(text: str) -> int:
    source = Path(__file__).read_text().splitlines()
    return next(number for number, line in enumerate(source, 1) if text in line)
