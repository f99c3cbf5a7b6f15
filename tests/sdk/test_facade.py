"""Calls as users write them: the wrong ones are refused in words, the right ones work."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import omium
from omium import Halt, Notify, Pause, Recovery, StoreError, UsageError, agent, checkpoint, effect, workflow
from omium.runtime import plugins
from omium_core.model import events as e


def events(execution: str, kind: type) -> list[Any]:
    return [one for one in omium.open_store().journal(execution) if isinstance(one, kind)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError])
async def test_a_block_that_is_interrupted_is_let_go(error: type[BaseException]) -> None:
    """Whatever leaves `with omium.execution(...)`, the same id can be entered again, sync and async."""
    with pytest.raises(error), omium.execution("block", execution_id="one"):
        raise error
    with pytest.raises(error):
        async with omium.execution("block", execution_id="one"):
            raise error

    with omium.execution("block", execution_id="one") as execution:
        pass

    assert execution.status == "completed"


def test_a_refused_first_append_is_its_own_error_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes nothing says so, and the id is free again once it does."""

    @workflow
    def flow() -> int:
        return 1

    def refuse(*_: object) -> None:
        raise StoreError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(type(omium.runtime_for().store.journal), "append", refuse)
        with pytest.raises(StoreError, match="the disk is gone"):
            flow.start(execution_id="one")

    assert not omium.runtime_for().store.running
    assert flow.start(execution_id="one").result == 1


def test_effects_in_a_pool_thread_need_bind() -> None:
    """An effect that its execution would not know of is refused; a read is a plain call."""

    @effect
    def send() -> str:
        return "sent"

    @effect
    async def asend() -> str:
        return "sent"

    @effect(read=True)
    def look() -> str:
        return "seen"

    @workflow
    def flow(bound: bool) -> list[str]:
        calls: list[Callable[[], Any]] = [look, send, lambda: asyncio.run(asend())]
        with ThreadPoolExecutor(1) as pool:
            said = []
            for call in calls:
                done = pool.submit(omium.bind(call) if bound else call)
                said.append(done.result() if done.exception() is None else str(done.exception()))
            return said

    said = flow(False)
    assert said[0] == "seen"
    assert said[1].startswith("effect `send` was called in a thread that belongs to no execution")
    assert said[2].startswith("effect `asend` was called in a thread")
    assert flow(True) == ["seen", "sent", "sent"]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(send).result() == "sent"


def test_bind_binds_async_functions() -> None:
    """What is awaited in another thread belongs to the execution as well."""

    @checkpoint("score")
    async def score(item: int) -> int:
        return item

    @workflow
    def flow() -> int:
        bound = omium.bind(score)
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(bound(3))).result()

    execution = flow.start()

    assert execution.result == 3
    assert [one.step.rpartition("]")[2] for one in events(execution.id, e.StepStarted)] == ["score"]
    assert len(omium.open_store().executions()) == 1


def test_approve_may_name_its_choice() -> None:
    """`approve=True` beside `choice=0` is the one answer that both mean; beside `skip` it is not."""

    @checkpoint("check", recovery=Recovery(Pause()))
    def check() -> None:
        raise ValueError("no")

    @workflow
    def flow() -> None:
        check()

    flow.start(execution_id="one")
    with pytest.raises(omium.ReviewRefused, match="exactly one"):
        omium.review("one", approve=True, skip=True, by="ann")
    omium.review("one", approve=True, by="ann", choice=0)

    assert [one.action for one in events("one", e.ReviewDecided)] == ["retry"]


def test_fork_takes_the_new_id() -> None:
    """`execution_id` is the new execution's; what cannot be an id is refused before anything is written."""

    @workflow
    def flow() -> int:
        return 1

    flow.start(execution_id="one")

    assert omium.fork("one", at="start", execution_id="two").id == "two"
    for wrong in ("", "@last", "a\nb", "x" * 500):
        with pytest.raises(UsageError, match="cannot be an execution's id"):
            omium.fork("one", at="start", execution_id=wrong)
    assert len(omium.open_store().executions()) == 2


def test_a_checkpoint_is_found_by_its_id_alone() -> None:
    """A checkpoint's id is enough to read its state; the execution and a name is the other way."""

    @checkpoint("score")
    def score() -> int:
        return 7

    @workflow
    def flow() -> int:
        return score()

    execution = flow.start(execution_id="one")
    omium.fork("one", at="score", execution_id="two")
    store = omium.open_store()

    assert store.checkpoint(execution.head) == store.checkpoint("one", "score") == {"score": 7}
    with pytest.raises(UsageError, match="no execution has a checkpoint `ckpt_none`"):
        store.checkpoint("ckpt_none")


def test_a_policy_that_is_not_there_is_refused_when_it_would_be_used() -> None:
    """Code that names a policy can be imported; running it without the policy's rules is refused."""

    @workflow(policy="nowhere.omp")
    def flow() -> int:
        return 1

    block = omium.execution("block", policy="nowhere.omp")

    with pytest.raises(UsageError, match=r"there is no file `nowhere\.omp`"):
        flow()
    with pytest.raises(UsageError, match=r"there is no file `nowhere\.omp`"), block:
        pass
    assert omium.open_store().executions() == []


def test_a_foreign_decorator_between_two_of_omiums_stays() -> None:
    """What `functools.wraps` copied the mark onto is a function of its own, and is called."""
    seen: list[str] = []

    def logged(fn: Callable[[], int]) -> Callable[[], int]:
        @functools.wraps(fn)
        def inner() -> int:
            seen.append("logged")
            return fn()

        return inner

    @omium.rollback_on(timeout=True)
    @logged
    @checkpoint("score")
    def score() -> int:
        return 1

    @workflow
    def flow() -> int:
        return score()

    assert flow() == 1
    assert seen == ["logged"]


def test_config_is_inherited() -> None:
    """A class has its base's configuration where it says nothing, and follows it when it changes."""

    @agent
    class Base:
        config = {"max_retries": 2, "on_failure": "skip"}

        @checkpoint("work")
        def work(self) -> None:
            raise ValueError("no")

    @agent
    class Child(Base):
        config = {"max_retries": 0}

    @agent
    class Heir(Child):
        pass

    class Plain:
        config = {"on_failure": "pause"}

    @agent
    class OfPlain(Plain):
        pass

    @workflow
    def flow() -> None:
        Heir().work()

    def value(cls: Any, name: str) -> Any:
        return cls().config.value(name)

    assert [value(Heir, "max_retries"), value(Heir, "on_failure")] == [0, "skip"]
    assert value(OfPlain, "on_failure") == "pause"
    assert flow.start().status == "completed"
    Base.config.on_failure = "halt"  # type: ignore[attr-defined]  # the decorator put an `AgentConfig` there
    assert value(Heir, "on_failure") == "halt"


OPTIMIZED = '''
import omium

@omium.checkpoint("spaced")
def spaced(x):
    assert(x > 0), "negative"

@omium.checkpoint("told")
def told(x):
    """Say more.

    assert that the caller knows
    """
    return x

print(told(1))
try:
    spaced(-1)
except omium.UsageError as error:
    print(error)
print(len(omium.open_store().executions()))
'''


def test_optimized_steps_that_assert_do_not_start(project: Path) -> None:
    """Under `python -O` a step that asserts refuses to start, however it is spelt; text about it is no assertion."""
    (project / "flows.py").write_text(OPTIMIZED)
    roots = os.pathsep.join(str(Path(__file__).parents[2] / one) for one in (".", "plugins"))

    done = subprocess.run(
        [sys.executable, "-O", "flows.py"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": roots},
        check=False,
    )

    assert done.stdout.splitlines() == [
        "1",
        "step `spaced` relies on `assert`, which `python -O` removes; use `omium.require(condition, message)`",
        "1",
    ], done.stderr


def test_a_notifier_that_raises_anything_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that cannot be told is no failure of the step: the next rung is taken."""

    class Broken:
        def load(self) -> Callable[..., None]:
            def tell(*_: object) -> None:
                raise ValueError

            return tell

    monkeypatch.setattr(type(plugins()), "notifier", lambda *_: Broken())

    @checkpoint("work", recovery=Recovery(Notify("ops"), Pause()))
    def work() -> None:
        raise KeyError("k")

    @workflow
    def flow() -> None:
        work()

    assert flow.start(execution_id="f").status == "paused"
    omium.runtime_for().close()
    failed = [one for one in omium.open_store().journal("f") if isinstance(one, e.PluginFailed)]
    assert [one.message for one in failed] == ["raised ValueError"]


def test_a_wrapper_that_cannot_be_made_is_journaled() -> None:
    """The journal has what a plugin raised, and the step goes on."""

    class Broken:
        @omium.hookimpl
        def step_wrapper(self, execution: str, step: str) -> None:
            raise ValueError("no wrapper today")

    plugins().manager.register(Broken(), "broken")
    try:

        @checkpoint("work")
        def work() -> int:
            return 1

        @workflow
        def flow() -> int:
            return work()

        execution = flow.start()
    finally:
        plugins().manager.unregister(name="broken")

    failed = [(one.plugin, one.hook, one.message) for one in events(execution.id, e.PluginFailed)]
    assert execution.result == 1
    assert failed and set(failed) == {("broken", "step_wrapper", "no wrapper today")}


def test_plugins_that_fail_at_startup_or_shutdown_keep_no_store_closed(caplog: pytest.LogCaptureFixture) -> None:
    """A store opens and closes whatever its plugins raise, and the other plugins are told."""
    told: list[str] = []

    class Good:
        @omium.hookimpl
        def startup(self, runtime: Any) -> None:
            told.append("startup")

        @omium.hookimpl
        def shutdown(self) -> None:
            told.append("shutdown")

    class Broken:
        @omium.hookimpl
        def startup(self) -> None:
            raise ValueError("not up")

        @omium.hookimpl
        def shutdown(self, runtime: Any) -> None:
            raise ValueError("not down")

    plugins().manager.register(Good(), "good")
    plugins().manager.register(Broken(), "broken")
    try:
        omium.open_store("sqlite:///other.db").close()
    finally:
        plugins().manager.unregister(name="good")
        plugins().manager.unregister(name="broken")

    assert told == ["startup", "shutdown"]
    assert "plugin `broken` failed in `startup`: not up" in caplog.text
    assert "plugin `broken` failed in `shutdown`: not down" in caplog.text


def yielding() -> Iterator[int]:
    yield 1


async def ayielding() -> AsyncIterator[int]:
    yield 1


def plain(body: str) -> str:
    return body


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: effect(volatile=("nope",))(plain), "names `nope`, which is not an argument of it; it has `body`"),
    (lambda: effect(single_use="token")(plain), "names `token`, which is not an argument of it; it has `body`"),
    (lambda: effect(key="id")(plain), "`key=` of effect `plain` takes a function, not `'id'`"),  # type: ignore[arg-type]  # the mistake
    (lambda: effect(undo=5)(plain), "`undo=` of effect `plain` takes a function, not `5`"),  # type: ignore[arg-type]  # the mistake
    (lambda: effect(check=5)(plain), "`check=` of effect `plain` takes a function"),  # type: ignore[arg-type]  # the mistake
    (lambda: effect(fingerprint="x")(plain), "`fingerprint=` of effect `plain` takes"),  # type: ignore[arg-type]  # the mistake
    (lambda: effect(not_done_on=(5,))(plain), "takes exception classes, not `5`"),  # type: ignore[arg-type]  # the mistake
    (lambda: omium.transaction("t", key="id"), "`key=` of transaction `t` takes a function"),  # type: ignore[arg-type]  # the mistake
    (lambda: checkpoint("c", ensures=(5,)), "`ensures=` of checkpoint `c` takes a function"),  # type: ignore[arg-type]  # the mistake
    (lambda: omium.rollback_on(halucination_detected=True), "did you mean `hallucination`"),
    (lambda: checkpoint(plain), '`@checkpoint` takes a name; write `@checkpoint("plain")`'),  # type: ignore[arg-type]  # the mistake
    (lambda: omium.transaction(plain), 'write `@transaction("plain")`'),  # type: ignore[arg-type]  # the mistake
    (lambda: checkpoint(5), "`5` cannot be a name"),  # type: ignore[arg-type]  # the mistake
    (lambda: effect(5), "`@effect` goes on a function, not on `5`"),  # type: ignore[call-overload]  # the mistake
    (lambda: workflow(5), "`@workflow` goes on a function, not on `5`"),  # type: ignore[call-overload]  # the mistake
    (lambda: agent(5), "`@agent` goes on a function, not on `5`"),  # type: ignore[call-overload]  # the mistake
    (lambda: effect(functools.partial(plain, "x")), "has no name of its own; give `@effect` one"),
    (lambda: omium.rollback_on(timeout=True)(functools.partial(plain, "x")), "has no name of its own"),
    (lambda: effect(staticmethod(plain)), "put `@effect` below `@staticmethod`"),
    (lambda: effect(yielding), "cannot go on `yielding`, which yields"),
    (lambda: effect(ayielding), "cannot go on `ayielding`, which yields"),
    (lambda: checkpoint("c")(yielding), "`@checkpoint` cannot go on `yielding`"),
    (lambda: checkpoint("c")(ayielding), "`@checkpoint` cannot go on `ayielding`"),
    (lambda: omium.bind(5), "`bind` takes a function, not `5`"),  # type: ignore[type-var]  # the mistake
    (lambda: omium.AgentConfig(on_failure="explode"), "`on_failure` cannot be `explode`"),
    (lambda: omium.AgentConfig(max_retries=-1), "`max_retries` cannot be `-1`"),
    (lambda: omium.AgentConfig(retry_backoff="soon"), "`soon` is not a backoff"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_declaration_is_refused_where_it_stands(wrong: Callable[[], Any], message: str) -> None:
    """What cannot work is refused in one sentence when it is declared, not when it is needed."""
    with pytest.raises(UsageError) as refused:
        wrong()

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_wrong_configuration_is_refused_when_it_is_set() -> None:
    """A misspelt strategy is refused on the class, on the instance, and field by field."""

    @agent
    class Worker:
        pass

    worker: Any = Worker()
    with pytest.raises(UsageError, match="`on_failure` cannot be `explode`"):
        worker.config = {"on_failure": "explode"}
    with pytest.raises(UsageError, match="`on_failure` cannot be `explode`"):
        worker.config.on_failure = "explode"
    with pytest.raises(UsageError, match="`on_failure` cannot be `explode`"):
        agent(type("Other", (), {"config": {"on_failure": "explode"}}))


def test_one_name_may_be_a_text() -> None:
    """`volatile="body"` is one argument; a function that takes any argument may name any."""
    sent: list[str] = []

    @effect(volatile="body")
    def send(body: str) -> None:
        sent.append(body)

    @effect(volatile=("whatever",), not_done_on=ValueError)  # type: ignore[arg-type]  # one class is one
    def open_ended(**given: str) -> None:
        pass

    @checkpoint("work", recovery=Recovery(omium.Retry(1), Halt()))
    def work() -> None:
        send("one" if not sent else "two")
        open_ended(whatever="x")
        omium.require(omium.current().attempt == 2, "again")

    @workflow
    def flow() -> None:
        work()

    flow()

    assert sent == ["one"]


def test_objects_that_are_called_can_be_steps_and_effects() -> None:
    """A partial and an object with `__call__` work under a name that is given, sync and async."""

    class Scale:
        def __call__(self, item: int) -> int:
            return item * 10

    class AScale:
        async def __call__(self, item: int) -> int:
            return item * 10

    def add(one: int, two: int) -> int:
        return one + two

    scale = checkpoint("scale")(Scale())
    add_one = effect(name="add_one", read=True)(functools.partial(add, 1))
    ascale = checkpoint("ascale")(AScale())

    @workflow
    async def flow() -> int:
        return add_one(scale(2)) + await ascale(3)

    assert asyncio.run(flow()) == 51
    checkpoint("scale")(Scale())  # A reload declares it again.


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        ((1,), {}, "missing a required argument: 'two'"),
        ((1, 2, 3, 4), {}, "too many positional arguments"),
        ((1, 2), {"four": 4}, "got an unexpected keyword argument 'four'"),
    ],
)
def test_arguments_that_do_not_fit_start_nothing(args: tuple[int, ...], kwargs: dict[str, int], why: str) -> None:
    """Missing and extra arguments are refused BEFORE there is an execution."""

    @workflow
    def flow(one: int, two: int, three: int = 3) -> int:
        return one + two + three

    for call in (flow, flow.start):
        with pytest.raises(UsageError) as refused:
            call(*args, **kwargs)
        assert str(refused.value).startswith("the arguments do not fit `flow(")
        assert why in str(refused.value)
    assert omium.open_store().executions() == []
    assert flow(1, 2) == 6


def test_a_step_in_a_thread_is_refused_whatever_the_store() -> None:
    """The refusal looks at every store of the process, not at the default one."""
    refusals: list[str] = []

    @checkpoint("solo")
    def solo() -> None:
        pass

    @workflow(store="sqlite:///elsewhere.db")
    def flow() -> None:
        def call() -> None:
            with pytest.raises(UsageError) as refused:
                solo()
            refusals.append(str(refused.value))

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    flow()
    omium.open_store("sqlite:///elsewhere.db").close()

    assert refusals[0].startswith("step `solo` was called in a thread that belongs to no execution")
