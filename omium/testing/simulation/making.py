"""The functions of the real SDK that a program means."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import attrs

import omium
from omium.testing.simulation.programs import (
    ERRORS,
    LADDERS,
    Effect,
    Lanes,
    Node,
    Program,
    Saved,
    Step,
    Strange,
    Together,
)
from omium.testing.simulation.world import World

__all__ = ["compiled"]

LARGE_BYTES = 300_000


def compiled(program: Program, world: World, *, rerun: bool = False) -> Any:
    """Return the program as a workflow of the lab's store."""
    maker = _Maker(world)
    options: dict[str, Any] = {"name": "program", "store": world.lab.url, "on_divergence": "rerun" if rerun else "stop"}
    # The world is one in which processes die all the time, which is no fault of the steps that they die in.
    options["crashes_max"] = None
    if program.concurrent:
        body = maker.abody(program.nodes)

        async def aworkflow(arg: int) -> Any:
            return await body(arg)

        maker.spare(concurrent=True)
        return omium.workflow(**options)(aworkflow)
    run = maker.body(program.nodes)

    def workflow(arg: int) -> Any:
        return run(arg)

    maker.spare(concurrent=False)
    return omium.workflow(**options)(workflow)


Sync: TypeAlias = Callable[[int], Any]
Async: TypeAlias = Callable[[int], Awaitable[Any]]


@attrs.define
class _Maker:
    """Makes functions of nodes, with names by their order."""

    world: World
    count: int = 0

    def name(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def body(self, nodes: tuple[Node, ...]) -> Sync:
        made = [self.make(node) for node in nodes]
        return lambda arg: [one(arg + number * 100) for number, one in enumerate(made)]

    def abody(self, nodes: tuple[Node, ...]) -> Async:
        made = [self.amake(node) for node in nodes]

        async def run(arg: int) -> Any:
            return [await one(arg + number * 100) for number, one in enumerate(made)]

        return run

    def make(self, node: Node) -> Sync:
        match node:
            case Effect():
                return self.effect(node)
            case Step():
                return self.step(node)
            case Lanes():
                return self.lanes(node)
            case Saved():
                return self.saved(node)
            case Together():
                return self.together(node)

    def amake(self, node: Node) -> Async:
        match node:
            case Effect():
                return self.aeffect(node)
            case Step():
                return self.astep(node)
            case Lanes():
                return self.alanes(node)
            case Saved():
                return self.asaved(node)
            case Together():
                return self.atogether(node)

    # ---- effects

    def effect(self, node: Effect) -> Sync:
        world, name, options = self.world, *self._declared(node)
        ask = self._model(name)

        def fn(arg: int, words: int, token: str) -> Any:
            return world.apply(name, _provider(node), f"{name}({arg})", (arg, words), node.trouble, token)

        call = omium.effect(**options)(fn)

        def once(arg: int) -> Any:
            words = ask() if node.words else 0
            token = f"{name}/{ask() // 2}" if node.token else ""
            try:
                return call(arg, words, token)
            except Exception:
                if not node.caught:
                    raise
                return "caught"

        def turned(arg: int) -> Any:
            done = {one: once(one) for one in _plan(arg)}
            return [done[one] for one in sorted(done)]

        return turned if node.turned else once

    def aeffect(self, node: Effect) -> Async:
        world, name, options = self.world, *self._declared(node)
        ask = self._amodel(name)

        async def fn(arg: int, words: int, token: str) -> Any:
            await asyncio.sleep(0)
            value = world.apply(name, _provider(node), f"{name}({arg})", (arg, words), node.trouble, token)
            await asyncio.sleep(0)
            return value

        call = omium.effect(**options)(fn)

        async def once(arg: int) -> Any:
            words = await ask() if node.words else 0
            token = f"{name}/{await ask() // 2}" if node.token else ""
            try:
                return await call(arg, words, token)
            except Exception:
                if not node.caught:
                    raise
                return "caught"

        async def turned(arg: int) -> Any:
            done = {one: await once(one) for one in _plan(arg)}
            return [done[one] for one in sorted(done)]

        return turned if node.turned else once

    def _declared(self, node: Effect) -> tuple[str, dict[str, Any]]:
        world, name = self.world, self.name("e")
        options: dict[str, Any] = {"name": name, "on_conflict": node.on_conflict}
        if node.kind == "read":
            return name, {"name": name, "read": True}
        if node.kind == "idempotent" or (node.kind == "compensable" and node.keyed):
            options["key"] = lambda arg, words, token: f"{name}({arg})"
        if node.kind == "compensable":
            options["undo"] = lambda value: world.undo(value, node.undo_trouble)
        if node.kind == "irreversible":
            options["irreversible"] = True
        if node.check:
            options["check"] = world.check
        if node.turned:
            world.exact.add(name)
        if node.token:
            options["single_use"] = ("token",)
        if node.identity == "volatile":
            options["volatile"] = ("words", "token")
        elif node.identity == "fingerprint":
            options["fingerprint"] = lambda arg, words, token: arg
        return name, options

    def _model(self, name: str) -> Callable[[], int]:
        """A model of each place's own, so that lanes which begin with it have names of their own."""

        def asked() -> int:
            return self.world.ask(name)

        call: Callable[[], int] = omium.effect(name=f"model of {name}", model="scripted")(asked)
        return call

    def _amodel(self, name: str) -> Callable[[], Awaitable[int]]:
        async def asked() -> int:
            await asyncio.sleep(0)
            return self.world.ask(name)

        call: Callable[[], Awaitable[int]] = omium.effect(name=f"model of {name}", model="scripted")(asked)
        return call

    # ---- steps

    def step(self, node: Step) -> Sync:
        world, name = self.world, self.name("s")
        inner, ask = self.body(node.body), self._model(name)

        def fn(arg: int) -> Any:
            world.entered(omium.current().step)
            if node.early:
                _fail(node, 0)
            value = inner(arg)
            _fail(node, world.heard(name, ask()) if node.moody else 0)
            return _outcome(node, name, arg, value)

        call = _step(node, name, fn)

        def once(arg: int) -> Any:
            if not node.caught:
                return call(arg)
            try:
                return call(arg)
            except Exception as error:
                return f"caught {_kind(error)}"
            except BaseException:
                if node.caught == "bare":
                    return "swallowed"
                raise

        return lambda arg: [once(arg + number // 2) for number in range(node.times)]

    def astep(self, node: Step) -> Async:
        world, name = self.world, self.name("s")
        inner, ask = self.abody(node.body), self._amodel(name)

        async def fn(arg: int) -> Any:
            world.entered(omium.current().step)
            if node.early:
                _fail(node, 0)
            value = await inner(arg)
            _fail(node, world.heard(name, await ask()) if node.moody else 0)
            return _outcome(node, name, arg, value)

        call = _step(node, name, fn)

        async def once(arg: int) -> Any:
            if not node.caught:
                return await call(arg)
            try:
                return await call(arg)
            except Exception as error:
                return f"caught {_kind(error)}"
            except BaseException:
                if node.caught == "bare":
                    return "swallowed"
                raise

        async def run(arg: int) -> Any:
            return [await once(arg + number // 2) for number in range(node.times)]

        return run

    def spare(self, *, concurrent: bool) -> None:
        """Declare what failed steps fall back to."""

        def spare(arg: int) -> Any:
            return {"spare": arg}

        async def aspare(arg: int) -> Any:
            return {"spare": arg}

        omium.checkpoint("spare")(aspare if concurrent else spare)

    # ---- lanes

    def lanes(self, node: Lanes) -> Sync:
        made = [self.body(lane) for lane in node.lanes]

        def run(arg: int) -> Any:
            with ThreadPoolExecutor(len(made)) as pool:
                futures = [pool.submit(omium.bind(one), arg + 1000 * number) for number, one in enumerate(made)]
            return [one.result() for one in futures]

        return run

    def alanes(self, node: Lanes) -> Async:
        if node.how in ("to_thread", "threads"):
            made = [self.body(lane) for lane in node.lanes]

            async def threads(arg: int) -> Any:
                calls = [asyncio.to_thread(one, arg + 1000 * number) for number, one in enumerate(made)]
                return list(await asyncio.gather(*calls))

            return threads
        amade = [self.abody(lane) for lane in node.lanes]

        async def run(arg: int) -> Any:
            calls = [one(arg + 1000 * number) for number, one in enumerate(amade)]
            if node.how == "group" and hasattr(asyncio, "TaskGroup"):
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(_awaited(one)) for one in calls]
                return [one.result() for one in tasks]
            return list(await asyncio.gather(*calls))

        return run

    # ---- blocks

    def saved(self, node: Saved) -> Sync:
        name, inner = self.name("b"), self.body(node.body)

        def run(arg: int) -> Any:
            with omium.Checkpoint(name) as block:
                value = inner(arg)
                _expect_restored(self.world, block, name, value, node)
                if node.state:
                    block.state = value
            return value

        return run

    def asaved(self, node: Saved) -> Async:
        name, inner = self.name("b"), self.abody(node.body)

        async def run(arg: int) -> Any:
            async with omium.Checkpoint(name) as block:
                value = await inner(arg)
                _expect_restored(self.world, block, name, value, node)
                if node.state:
                    block.state = value
            return value

        return run

    def together(self, node: Together) -> Sync:
        name, inner = self.name("t"), self.body(node.body)

        def run(arg: int) -> Any:
            with omium.Transaction(name):
                value = inner(arg)
                if omium.current().attempt in node.fails:
                    raise ValueError(f"{name} failed")
            return value

        return run

    def atogether(self, node: Together) -> Async:
        name, inner = self.name("t"), self.abody(node.body)

        async def run(arg: int) -> Any:
            async with omium.Transaction(name):
                value = await inner(arg)
                if omium.current().attempt in node.fails:
                    raise ValueError(f"{name} failed")
            return value

        return run


def _plan(arg: int) -> list[int]:
    """Return the two calls of this attempt in the order in which it plans them."""
    both = [arg, arg + 7]
    return both if omium.current().attempt % 2 else both[::-1]


async def _awaited(call: Awaitable[Any]) -> Any:
    return await call


def _provider(node: Effect) -> str:
    return "keyed" if node.kind == "compensable" and node.keyed else node.kind


def _kind(error: Exception) -> str:
    # The type of a recorded failure is restored if it is Python's or Omium's own.
    return "something" if isinstance(error, Strange | omium.StepError) else type(error).__name__


def _expect_restored(world: World, block: Any, name: str, value: Any, node: Saved) -> None:
    if block.restored and node.state:
        world.expect(block.state == value, f"`{name}` restored {block.state!r}, its code gives {value!r}")


def _outcome(node: Step, name: str, arg: int, inner: Any) -> dict[str, Any]:
    outcome = {"step": name, "of": arg, "inner": inner}
    # Noise, which no compression makes smaller.
    return {**outcome, "large": random.Random(arg).randbytes(LARGE_BYTES)} if node.large else outcome


def _fail(node: Step, mood: int) -> None:
    if omium.current().attempt in node.fails or (mood and mood % 3 == 1):
        raise ERRORS[node.error]("it failed")


def _step(node: Step, name: str, fn: Any) -> Any:
    if node.ladder == "config":
        return _agent_step(node, name, fn)
    if node.transaction:
        made = omium.transaction(name, recovery=LADDERS[node.ladder])(fn)
    else:
        made = omium.checkpoint(name, recovery=LADDERS[node.ladder])(fn)
    if node.ladder == "rollback_on":
        return omium.rollback_on(ValueError, condition=True, violation=True, hallucination_detected=True, timeout=True)(
            made
        )
    return made


def _agent_step(node: Step, name: str, fn: Any) -> Any:
    """The same step as an agent's method, with a configured ladder and an attribute that is put back."""
    if inspect.iscoroutinefunction(fn):

        class AsyncWorker:
            config = {"max_retries": 2, "on_failure": "pause", "state": ("memory",)}

            def __init__(self) -> None:
                self.memory: list[int] = []

            @omium.checkpoint(name)
            async def work(self, arg: int) -> Any:
                self.memory.append(arg)
                return await fn(arg)

        worker: Any = omium.agent(name=f"A{name}")(AsyncWorker)
    else:

        class Worker:
            config = {"max_retries": 2, "on_failure": "pause", "state": ("memory",)}

            def __init__(self) -> None:
                self.memory: list[int] = []

            @omium.checkpoint(name)
            def work(self, arg: int) -> Any:
                self.memory.append(arg)
                return fn(arg)

        worker = omium.agent(name=f"A{name}")(Worker)
    return lambda arg: worker().work(arg)
