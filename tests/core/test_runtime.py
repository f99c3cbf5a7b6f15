"""What the runtime does between the engine and user code, each where a review found it otherwise."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import pickle
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import omium
from omium import (
    AtMost,
    Backoff,
    Fallback,
    Hallucination,
    Halt,
    Notify,
    Pause,
    Recovery,
    Retry,
    Rollback,
    UsageError,
    agent,
    checkpoint,
    effect,
    require,
    rollback_on,
    workflow,
)
from omium_core import errors
from omium_core.model import events as e
from omium_core.recovery.detectors import classify, where_of

ERRORS = [getattr(errors, name) for name in errors.__all__]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project as the working directory, with a store that is closed afterwards."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "omium.toml").write_text('durability = "process"\n')
    yield tmp_path
    omium.runtime_for().close()


def events(execution: str, kind: type) -> list[Any]:
    return [one for one in omium.open_store().journal(execution) if isinstance(one, kind)]


class Group(Exception):
    """Stands for an exception group, which Python 3.10 has no class for."""

    def __init__(self, *exceptions: BaseException) -> None:
        super().__init__("unhandled errors in a task group")
        self.exceptions = exceptions


def test_cancelling_during_a_check_cancels_the_execution() -> None:
    """What ends a task goes on through the question to the world, and is not taken for its answer."""
    begun = asyncio.Event()

    async def ask(key: str) -> object:
        begun.set()
        await asyncio.Event().wait()
        return omium.NOT_DONE

    @effect(check=ask)
    async def act() -> None:
        raise TimeoutError

    @checkpoint("one", recovery=Recovery(Retry(2), Halt()))
    async def one() -> None:
        await act()

    @workflow
    async def flow() -> None:
        await one()

    async def whole() -> None:
        task = asyncio.create_task(flow.start(execution_id="x"))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(whole())

    assert events("x", e.EffectResolved) == []


def test_keyboard_interrupt_in_an_undo_ends_the_program() -> None:
    """An undo that the user stopped is no failed compensation; the next process undoes again."""
    stopped = [True]
    undone: list[str] = []

    def undo(value: str) -> None:
        if stopped.pop() if stopped else False:
            raise KeyboardInterrupt
        undone.append(value)

    @effect(undo=undo)
    def book() -> str:
        return "seat"

    @checkpoint("one", recovery=Recovery(Rollback("start"), Halt()))
    def one() -> None:
        book()
        if not undone:
            raise ValueError

    @workflow
    def flow() -> None:
        one()

    with pytest.raises(KeyboardInterrupt):
        flow.start(execution_id="x")
    assert events("x", e.CompensationFailed) == []

    assert flow.resume("x").status == "completed"
    assert undone == ["seat"]


def test_method_effect_is_not_sent_again_without_its_instance() -> None:
    """The instance is not recorded, so a person is asked where a function would be sent again."""
    seen: list[tuple[str, str]] = []

    class Api:
        @effect(key=lambda payment, currency="EUR": payment)
        def put(self, payment: str, currency: str = "EUR") -> None:
            seen.append((payment, currency))
            raise TimeoutError

    @checkpoint("one", recovery=Recovery(Rollback("start"), Halt()))
    def one() -> None:
        Api().put("p1", "USD")

    @workflow
    def flow() -> None:
        one()

    execution = flow.start()

    assert execution.status == "paused"
    assert seen == [("p1", "USD")]


def test_fallback_to_another_agents_method_is_refused() -> None:
    """A method runs only with a `self` of its own class."""
    ran: list[str] = []

    @agent
    class Other:
        @checkpoint("theirs")
        def theirs(self) -> None:
            ran.append(type(self).__name__)

    @agent
    class Mine:
        @checkpoint("mine", recovery=Recovery(Fallback("theirs"), Halt()))
        def mine(self) -> None:
            raise ValueError

    @workflow
    def flow() -> None:
        Mine().mine()

    execution = flow.start()

    assert execution.status == "halted"
    assert "`theirs` cannot be fallen back to here" in execution.reason
    assert ran == []


def test_fallback_to_an_inherited_method_runs_it() -> None:
    """A method of a class above is the agent's own."""

    class Base:
        @checkpoint("simple")
        def simple(self) -> str:
            return type(self).__name__

    @agent
    class Mine(Base):
        @checkpoint("hard", recovery=Recovery(Fallback("simple"), Halt()))
        def hard(self) -> str:
            raise ValueError

    @workflow
    def flow() -> str:
        return Mine().hard()

    assert flow() == "Mine"


@pytest.mark.parametrize("key", [None, "", True, 1.5, ["a"]], ids=repr)
def test_vague_key_is_refused_before_anything_is_done(key: Any) -> None:
    """Requests with one key are one effect, so `None` for each of them would make them all the same."""
    sent: list[int] = []

    @effect(key=lambda number: key)
    def send(number: int) -> None:
        sent.append(number)

    @checkpoint("one")
    def one() -> None:
        send(1)

    @workflow
    def flow() -> None:
        one()

    execution = flow.start()

    [failed] = events(execution.id, e.StepFailed)
    assert failed.kind == "specification"
    assert "`key=` of effect `send` gave" in execution.reason
    assert sent == []
    assert events(execution.id, e.EffectIntended) == []


@pytest.mark.parametrize("key", ["order-7", 7, uuid.UUID(int=7)], ids=repr)
def test_key_that_names_one_thing_is_the_providers(key: Any) -> None:
    """A text, a whole number and a UUID are given to the provider as they are written."""
    given: list[str | None] = []

    @effect(key=lambda: key)
    def send() -> None:
        given.append(omium.current().key)

    @workflow
    def flow() -> None:
        send()

    flow()

    assert given == [str(key)]


def test_async_fallback_of_a_sync_workflow_in_a_loop_stays_in_its_execution() -> None:
    """The thread that waits for async code knows which execution the code belongs to."""
    sent: list[str] = []

    @effect
    def send(text: str) -> None:
        sent.append(text)

    @checkpoint("inner")
    def inner() -> str:
        return "inner"

    @checkpoint("other")
    async def other() -> str:
        send("hello")
        return inner()

    @checkpoint("one", recovery=Recovery(Fallback("other"), Halt()))
    def one() -> str:
        raise ValueError

    @workflow
    def flow() -> str:
        return one()

    async def in_loop() -> omium.Execution:
        execution: omium.Execution = flow.start()
        return execution

    execution = asyncio.run(in_loop())

    assert execution.result == "inner"
    assert sent == ["hello"]
    assert [one.name for one in events(execution.id, e.EffectDone)] == ["send"]


def test_async_undo_of_a_sync_workflow_in_a_loop_knows_what_it_undoes() -> None:
    """An undo that is awaited in another thread sees the effect that it compensates."""
    keys: list[tuple[str, str | None]] = []

    async def undo(value: str) -> None:
        undoing = omium.current().undoing
        keys.append(("undo", undoing.key if undoing is not None else None))

    @effect(undo=undo)
    def book() -> str:
        keys.append(("book", omium.current().key))
        return "seat"

    @checkpoint("one", recovery=Recovery(Rollback("start"), Halt()))
    def one() -> None:
        book()
        if len(keys) == 1:
            raise ValueError

    @workflow
    def flow() -> None:
        one()

    async def in_loop() -> omium.Execution:
        execution: omium.Execution = flow.start()
        return execution

    assert asyncio.run(in_loop()).status == "completed"
    assert [what for what, _ in keys] == ["book", "undo", "book"]
    assert keys[0][1] == keys[1][1] != keys[2][1]


def test_each_rollback_on_of_a_step_has_its_own_turn() -> None:
    """The second one begins at its first rung, whatever was taken of the first one."""
    raised = iter([ValueError("first"), KeyError("second")])

    @rollback_on(KeyError, to="start")
    @rollback_on(ValueError, to="start")
    @checkpoint("one")
    def one() -> None:
        for error in raised:
            raise error

    @workflow
    def flow() -> None:
        one()

    execution = flow.start()

    assert execution.status == "completed"
    taken = [(one.strategy, one.source) for one in execution.recoveries]
    assert taken == [("rollback", "@rollback_on 2"), ("rollback", "@rollback_on")]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs asyncio.TaskGroup, which Python 3.11 brought")
def test_condition_in_a_task_group_is_a_violation() -> None:
    """A task group wraps what its tasks raise; the ladder sees what it was."""
    task_group = vars(asyncio)["TaskGroup"]

    @rollback_on(violation=True, to="start")
    @checkpoint("one")
    async def one() -> None:
        async def part() -> None:
            require(done, "not yet")

        done = bool(events("x", e.RecoveryDecided))
        async with task_group() as group:
            group.create_task(part())

    @workflow
    async def flow() -> None:
        await one()

    execution = asyncio.run(flow.start(execution_id="x"))

    assert execution.status == "completed"
    assert [one.failure for one in execution.recoveries] == ["violation"]


def test_group_means_its_first_telling_exception_and_lists_every_violation() -> None:
    """The kind is the first one that is more than `error`; no broken rule is lost."""
    group = Group(ValueError("x"), Group(Hallucination("made up"), TimeoutError()), AssertionError("too low"))

    failure = classify(group, models=0, storable=lambda value: False)

    assert (failure.kind, failure.message) == ("hallucination", "made up")
    assert [one.message for one in failure.violations] == ["made up", "too low"]


def test_group_without_a_telling_exception_is_an_error() -> None:
    """A group of plain errors keeps its own words."""
    failure = classify(Group(ValueError("x"), KeyError("y")), models=0, storable=lambda value: False)

    assert (failure.kind, failure.message) == ("error", "unhandled errors in a task group")
    assert failure.violations == ()


def test_group_that_holds_itself_is_looked_at_a_bounded_number_of_times() -> None:
    """Anything may call itself a group, so the search through it has an end."""
    group = Group(ValueError("x"))
    group.exceptions = (group, ValueError("x"))

    assert classify(group, models=0, storable=lambda value: False).kind == "error"


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: Retry("3"), "`times` of `Retry`"),  # type: ignore[arg-type] # What a user may write.
        (lambda: Retry(-1), "`times` of `Retry`"),
        (lambda: Retry(1, backoff=5), "`backoff` of `Retry`"),  # type: ignore[arg-type] # What a user may write.
        (lambda: Pause(timeout_s=-1), "`timeout_s` of `Pause`"),
        (lambda: Pause(timeout_s="soon"), "`soon` is not a duration"),
        (lambda: Backoff("cubic"), "`shape` of `Backoff`"),
        (lambda: Backoff("linear", "1s"), "`first_s` of `Backoff`"),  # type: ignore[arg-type] # What a user may write.
        (lambda: Backoff(max_s=float("nan")), "`max_s` of `Backoff`"),
        (lambda: Backoff.parse("exponential(1s, 2s, x)"), "the factor of"),
        (lambda: AtMost("4", "10m"), "`recoveries` of `AtMost`"),  # type: ignore[arg-type] # What a user may write.
        (lambda: Fallback(5), "`step` of `Fallback`"),  # type: ignore[arg-type] # What a user may write.
        (lambda: Notify(""), "`channel` of `Notify`"),
        (lambda: Recovery("retry", Halt()), "`'retry'` cannot be in a recovery"),  # type: ignore[arg-type] # As above.
    ],
)
def test_rung_that_cannot_be_is_refused_when_built(build: Callable[[], object], named: str) -> None:
    """A mistake in a ladder shows where it is written, not when the first step fails."""
    with pytest.raises(UsageError, match=named):
        build()


def test_rungs_take_durations_as_they_are_written() -> None:
    """A duration is a text or a number of seconds."""
    assert Pause("officer", "4h").timeout_s == 14_400.0
    assert AtMost(4, "10m").window_s == 600.0
    assert Retry(0).times == 0


def _made(cls: type[errors.OmiumError], *, defaults: bool) -> errors.OmiumError:
    if cls is errors.OmiumError:
        return cls("text")
    values = {"str": "text", "int": 3, "float": 4.5, "bool": True, "Any": 6, "tuple[str, ...]": ("a", "b")}
    fields = [one for one in _fields(cls) if not (defaults and one.default is not attrs.NOTHING)]
    return cls(**{one.name: values[str(one.type)] for one in fields})


def _fields(cls: Any) -> tuple[attrs.Attribute[Any], ...]:
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)
    return fields


@pytest.mark.parametrize("defaults", [False, True], ids=["given", "defaults"])
@pytest.mark.parametrize("cls", ERRORS)
@pytest.mark.parametrize("again", [lambda one: pickle.loads(pickle.dumps(one)), copy.copy, copy.deepcopy])
def test_every_error_survives_pickle_and_copy(
    cls: type[errors.OmiumError], again: Callable[[Any], Any], defaults: bool
) -> None:
    """An error that comes out of a worker process says the same, with the same facts."""
    error = _made(cls, defaults=defaults)

    other = again(error)

    assert type(other) is cls
    assert (str(other), other.args) == (str(error), error.args)
    facts = [one.name for one in _fields(cls)] if cls is not errors.OmiumError else []
    assert [getattr(other, name) for name in facts] == [getattr(error, name) for name in facts]


def test_fenced_says_what_is_true_of_a_takeover_and_of_a_lost_start() -> None:
    """The store cannot tell whether the other runner came later or was first."""
    text = str(errors.ExecutionFenced("exe_1"))

    assert "which took it over or began it first" in text


def test_place_of_a_failure_is_the_users_line_and_not_a_librarys() -> None:
    """What the standard library raised is shown where the user's code asked for it."""
    with pytest.raises(ValueError) as caught:
        json.loads("not json")

    line = inspect.getsourcelines(test_place_of_a_failure_is_the_users_line_and_not_a_librarys)[1] + 3
    assert where_of(caught.value) == f"test_runtime.py:{line}"


def test_place_of_a_failure_that_no_user_code_saw_is_the_librarys() -> None:
    """Where every line is installed, the innermost one is better than none."""
    with pytest.raises(ValueError) as caught:
        json.loads("not json")
    error = caught.value.with_traceback(caught.tb.tb_next)

    assert (where_of(error) or "").startswith("decoder.py:")
