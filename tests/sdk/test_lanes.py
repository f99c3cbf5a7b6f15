"""Steps that nest and run side by side, and code that asks for something else than the record has."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

import omium
from omium import Checkpoint, Diverged, ExecutionHalted, Transaction, UsageError, checkpoint, effect, workflow


class Crash(BaseException):
    """Stands for the end of the process."""


async def test_gather_resumes_in_any_order() -> None:
    """Parallel steps are answered from the record whatever order they finished or are asked in."""
    ran: list[int] = []
    state = {"crash": True, "order": [0, 1, 2, 3]}

    @checkpoint("score")
    async def score(item: int) -> int:
        ran.append(item)
        if state["crash"] and item == 2:
            await asyncio.sleep(0.02)
            raise Crash
        return item * 10

    @workflow
    async def flow() -> list[int]:
        order = state["order"]
        assert isinstance(order, list)
        values = await asyncio.gather(*(score(item) for item in order))
        return sorted(values)

    with pytest.raises(Crash):
        await flow.start(execution_id="x")
    state.update(crash=False, order=[3, 2, 1, 0])
    execution = await flow.resume("x")

    assert execution.result == [0, 10, 20, 30]
    assert sorted(ran) == [0, 1, 2, 2, 3]
    assert omium.verify("x").ok


def test_threads_need_bind() -> None:
    """A pool's thread does not know its execution: `bind` tells it, and each call is a lane of its own."""

    @checkpoint("square")
    def square(item: int) -> int:
        return item * item

    @workflow
    def flow(bound: bool) -> int:
        with ThreadPoolExecutor(3) as pool:
            return sum(pool.map(omium.bind(square) if bound else square, range(8)))

    assert flow(True) == 140
    assert len(omium.execution_of("@last").checkpoints) == 9
    with pytest.raises(ExecutionHalted, match=r"hand the thread `omium.bind\(fn\)`"):
        flow(False)


async def test_to_thread_is_a_lane() -> None:
    """`asyncio.to_thread` carries the execution along by itself."""

    @checkpoint("square")
    def square(item: int) -> int:
        return item * item

    @workflow
    async def flow() -> list[int]:
        return await asyncio.gather(*(asyncio.to_thread(square, item) for item in range(5)))

    assert (await flow.start()).result == [0, 1, 4, 9, 16]


def test_inner_steps_are_answered_when_the_outer_one_is_redone() -> None:
    """An inner step has its own checkpoint and is not run again by a further attempt of the outer one."""
    ran: list[str] = []

    @checkpoint("inner")
    def inner(item: int) -> int:
        ran.append(f"inner {item}")
        return item

    @checkpoint("outer", recovery=omium.Recovery(omium.Retry(1), omium.Halt()))
    def outer() -> int:
        value = inner(1)
        if omium.current().attempt == 1:
            inner(2)
            raise ValueError("again")
        return value

    @workflow
    def flow() -> int:
        return outer()

    execution = flow.start(execution_id="x")

    assert execution.result == 1
    assert ran == ["inner 1", "inner 2"]
    assert sorted(omium.open_store().load("x")) == ["outer", "outer/inner"]


@pytest.mark.parametrize("change", ["name", "arguments", "missing"])
def test_divergence_stops_before_anything_is_done(change: str) -> None:
    """Code that asks for another step than the record has is stopped, with both sides named."""
    changed = [False]
    ran: list[str] = []

    @checkpoint("first")
    def first(item: int) -> int:
        ran.append("first")
        return item

    @checkpoint("other")
    def other(item: int) -> int:
        ran.append("other")
        return item

    @checkpoint("last")
    def last() -> None:
        if not changed[0]:
            raise Crash

    @workflow
    def flow() -> None:
        if changed[0] and change == "name":
            other(1)
        elif changed[0] and change == "arguments":
            first(2)
        elif not changed[0] or change != "missing":
            first(1)
        last()

    with pytest.raises(Crash):
        flow.start(execution_id="x")
    changed[0] = True

    with pytest.raises(Diverged, match="first"):
        flow.resume("x")
    assert ran == ["first"]
    assert omium.execution_of("x").status == "paused"

    changed[0] = False
    with pytest.raises(Crash):
        flow.resume("x")


def test_rerun_goes_on_from_the_divergence() -> None:
    """With `on_divergence="rerun"` what came after is rolled back, with its effects, and done anew."""
    version = [1]
    world: list[str] = []

    @effect(undo=lambda value: world.append(f"undo {value}"))
    def act(what: str) -> str:
        world.append(what)
        return what

    @checkpoint("one")
    def one(what: str) -> str:
        return act(what)

    @checkpoint("last")
    def last() -> None:
        if version[0] == 1:
            raise Crash

    @workflow(on_divergence="rerun")
    def flow() -> str:
        value = one(f"v{version[0]}")
        last()
        return value

    with pytest.raises(Crash):
        flow.start(execution_id="x")
    version[0] = 2

    assert flow.resume("x").result == "v2"
    assert world == ["v1", "undo v1", "v2"]


def test_checkpoint_block_restores_its_state() -> None:
    """A block that ended well gives its state back; what is inside is not skipped but answered."""
    crash = [True]
    ran: list[str] = []

    @checkpoint("inner")
    def inner() -> int:
        ran.append("inner")
        return 4

    @checkpoint("last")
    def last() -> None:
        if crash[0]:
            raise Crash

    @workflow
    def flow() -> int:
        with Checkpoint("important") as block:
            if not block.restored:
                block.state = {"value": inner()}
            else:
                inner()
        last()
        return int(block.state["value"])

    with pytest.raises(Crash):
        flow.start(execution_id="x")
    crash[0] = False

    assert flow.resume("x").result == 4
    assert ran == ["inner"]


def test_block_that_failed_is_left_from_the_record() -> None:
    """A transaction block that failed and was caught is not entered again after a crash."""
    crash = [True]
    world: list[str] = []

    @effect(undo=lambda value: world.append(f"undo {value}"))
    def act(what: str) -> str:
        world.append(what)
        return what

    @checkpoint("last")
    def last() -> None:
        if crash[0]:
            raise Crash

    @workflow
    def flow() -> str:
        try:
            with Transaction("both"):
                act("a")
                raise LookupError("no b")
        except LookupError:
            last()
            return "neither"
        return "both"

    with pytest.raises(Crash):
        flow.start(execution_id="x")
    crash[0] = False

    assert flow.resume("x").result == "neither"
    assert world == ["a", "undo a"]


async def test_async_blocks() -> None:
    """Blocks work with `async with` as well."""

    @checkpoint("one")
    async def one() -> int:
        return 1

    async with omium.execution("by hand", execution_id="x") as execution, Checkpoint("saved") as block:
        block.state = await one()
    assert execution.status == "completed"
    assert omium.open_store().load("x") == {"saved": 1, "saved/one": 1}


def test_execution_block_goes_on_after_a_rollback() -> None:
    """Omium cannot enter a block again: it is left with `ExecutionRolledBack`, and the same id goes on."""
    answers = iter([0, 1])

    @checkpoint("one", recovery=omium.Recovery(omium.Rollback(), omium.Halt()))
    def one() -> int:
        value = next(answers)
        omium.require(value, "zero")
        return value

    with pytest.raises(omium.ExecutionRolledBack), omium.execution("by hand", execution_id="x"):
        one()
    with omium.execution("by hand", execution_id="x") as execution:
        assert one() == 1
    assert execution.status == "completed"
    with pytest.raises(UsageError, match="is completed"), omium.execution("by hand", execution_id="x"):
        pass


def test_nothing_swallows_a_stop() -> None:
    """Not even a bare `except` keeps an execution going that has to stop."""
    after: list[str] = []

    @checkpoint("one", recovery=omium.Recovery(omium.Pause(), omium.Halt()))
    def one() -> None:
        raise ValueError("no")

    @checkpoint("two")
    def two() -> None:
        after.append("two")

    @workflow
    def flow() -> str:
        try:
            one()
        except:  # noqa: E722  # the point: not even this may swallow it
            after.append("swallowed")
        try:
            two()
        finally:
            after.append("finally")
        return "done"

    assert flow.start().status == "paused"
    assert after == ["swallowed", "finally"]


def test_workflow_inside_an_execution_is_a_step() -> None:
    """A workflow that is called by another one is a step of it, with its own steps below."""

    @checkpoint("leaf")
    def leaf() -> int:
        return 1

    @workflow
    def inner() -> int:
        return leaf() + 1

    @workflow
    def outer() -> int:
        return inner() + 1

    execution = outer.start(execution_id="x")

    assert execution.result == 3
    assert [one.step for one in execution.checkpoints] == ["", "inner/leaf", "inner"]


def test_step_outside_a_workflow_is_an_execution_of_one_step() -> None:
    """It is journaled like any other, and its exception comes out as itself."""

    @checkpoint("alone")
    def alone(fail: bool) -> str:
        if fail:
            raise LookupError("gone")
        return "fine"

    assert alone(False) == "fine"
    assert omium.execution_of("@last").workflow == "alone"
    with pytest.raises(LookupError, match="gone"):
        alone(True)


async def test_sync_workflow_in_a_running_loop() -> None:
    """The sync form works where an event loop is running, as in a notebook."""

    @checkpoint("one")
    def one() -> int:
        return 1

    @workflow
    def flow() -> int:
        return one()

    assert flow() == 1
