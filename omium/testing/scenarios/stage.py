"""One scenario's world, and all that can happen in it: what both forms of scenarios are played on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import attrs

from omium import operating, workflows
from omium.runtime import Runtime
from omium.testing.bench import Bench, Killed
from omium.testing.clock import VirtualClock
from omium.testing.scenarios import expecting
from omium.testing.scenarios.script import Script, failure
from omium.views import Execution
from omium_core.engine.life import End
from omium_core.errors import Diverged, UsageError
from omium_core.recovery.ladders import seconds
from omium_core.runtime.declarations import WorkflowDeclaration, is_async
from omium_core.runtime.performing import finish_sync

__all__ = ["Ended", "Stage", "staged"]

FIRST = "exe_1"


@attrs.frozen
class Ended:
    """How a stay in the workflow's code ended, and what is to be said of it."""

    kind: Literal["completed", "paused", "halted", "diverged", "failed", "killed"]
    text: str = ""
    value: Any = None


@attrs.define(eq=False)
class Stage:
    """A store that is thrown away, a clock that never waits, and a script of who answers what and what fails when.

    First what is given: `input`, `answer`, `fail`, `kill`. Then what is done: `run`, `resume`, `rollback`, `review`,
    `fork`, `advance`. Then what must have come of it: `expect`, which runs the workflow if nothing did before.
    """

    folder: Path
    declaration: WorkflowDeclaration | None = None
    execution_id: str = FIRST
    ended: Ended | None = None
    script: Script = attrs.field(factory=Script, init=False)
    bench: Bench = attrs.field(init=False)
    runners: list[str] = attrs.field(factory=list, init=False)
    _arguments: tuple[tuple[Any, ...], Mapping[str, Any]] = attrs.field(default=((), {}), init=False)
    _forks: int = attrs.field(default=1, init=False)
    _death: str = attrs.field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        # Time passes only where something waits, so that what a scenario shows of it is what was waited for.
        clock = VirtualClock(tick_s=0.0)
        self.bench = Bench(f"sqlite:///{self.folder}/omium.db", clock, self.script.invocation)
        self._opened()

    @property
    def store(self) -> str:
        """The URL of the store."""
        return self.bench.url

    @property
    def runtime(self) -> Runtime:
        """What the present process runs the execution with."""
        return self.bench.runtime

    @property
    def execution(self) -> Execution:
        """The execution that the scenario is about."""
        return operating.execution_of(self.execution_id, store=self.store)

    @property
    def performed(self) -> list[str]:
        """What was really done to the world, in order: effects, compensations and questions."""
        return self.script.performed

    def input(self, *args: Any, **kwargs: Any) -> None:
        """Give the workflow's arguments, as in a call of it."""
        self._arguments = (args, kwargs)

    def answer(self, name: str, *values: Any) -> None:
        """Let a step or effect have these answers, one an attempt, without running its body; the last one stays.

        Plain data becomes what its function is annotated to return.
        """
        self.script.answer(self.runtime.registry, name, values)

    def fail(
        self, name: str, at: int | tuple[int, ...] | list[int] = 1, *, kind: str = "error", error: Any = None
    ) -> None:
        """Let a step fail in its attempt `at`, or an effect when it is performed for the `at`-th time.

        `kind` is the kind of failure, such as `timeout`; `not_done` is an effect that certainly did not happen, any
        other leaves open whether it did. `error` is an exception to raise instead, or what the failure says.
        """
        given = error if isinstance(error, Exception) else failure(kind, str(error or f"`{name}` was made to fail"))
        self.script.fail(self.runtime.registry, name, (at,) if isinstance(at, int) else at, given)

    def kill(self, *, write: int | None = None, before: str | None = None, after: str | None = None) -> None:
        """Let the process die before its `write`-th append, or once before or after a step's body or an effect."""
        given = {"write": write, "before": before, "after": after}
        chosen = [name for name, value in given.items() if value is not None]
        if len(chosen) != 1:
            raise UsageError("say when the process dies, with one of `write=`, `before=` and `after=`")
        if self._death:
            raise UsageError(f"the process is to die {self._death} already; it dies once before the next one")
        if write is not None:
            self.script.faults.kill(write)
            self._death = f"before write {write}"
        else:
            (when,) = chosen
            self.script.kill(self.runtime.registry, when, str(given[when]))
            self._death = f"{when} `{given[when]}`"

    def run(self) -> Ended:
        """Start the execution and stay until it ends, waits, or the process dies."""
        runtime, declaration, (args, kwargs) = self.runtime, self._declared(), self._arguments
        return self._stay(
            lambda: workflows.run(runtime, declaration, args, kwargs, self.execution_id),
            lambda: workflows.arun(runtime, declaration, args, kwargs, self.execution_id),
        )

    def resume(self) -> Ended:
        """Go on with the execution, as another process would."""
        runtime, declaration = self.runtime, self._declared()
        return self._stay(
            lambda: workflows.resume(runtime, self.execution_id, declaration),
            lambda: workflows.aresume(runtime, self.execution_id, declaration),
        )

    def rollback(self, to: str, *, by: str = "a person", reason: str = "") -> Ended:
        """Roll the execution back to a checkpoint, as a person does."""
        return self._operated(lambda: operating.rollback(self.execution_id, to, by=by, reason=reason, store=self.store))

    def review(self, *, by: str = "a person", **answer: Any) -> Ended:
        """Answer what the execution asks; `answer` is what `omium.review` takes."""
        return self._operated(lambda: operating.review(self.execution_id, by=by, store=self.store, **answer))

    def fork(self, at: str) -> None:
        """Start a new execution from a checkpoint; from here on the scenario is about that one."""
        self._forks += 1
        fork = operating.fork(self.execution_id, at, execution_id=f"exe_{self._forks}", store=self.store)
        self.execution_id = fork.id

    def advance(self, time: float | str) -> None:
        """Let time pass, `4h` or a number of seconds."""
        self.bench.clock.advance(seconds(time))

    def expect(
        self,
        *,
        status: str | None = None,
        result: Any = expecting.ANYTHING,
        steps: Any = None,
        effects: Mapping[str, int] | None = None,
        violations: Any = None,
        recoveries: Any = None,
        performed: Mapping[str, int] | None = None,
    ) -> None:
        """Raise `AssertionError` that says all that is not as expected.

        `steps` are the checkpoints on the way to the head, or a mapping of how often each was attempted. `effects` is
        how many of each stand, `performed` how often each was done, undone or not. `violations` are parts of their
        messages in order, `recoveries` the strategies that were taken; both may be numbers.
        """
        if self.ended is None:
            self.run()
        found = expecting.Expected(status, result, steps, effects, violations, recoveries, performed)
        wrong = found.mismatches(self.runtime.store, self.execution_id, self._declared(), self.script.counts)
        if wrong:
            raise AssertionError("\n".join(wrong))

    def unmet(self) -> list[str]:
        """Return a sentence for all that a scenario arranged for and that never came: it shows less than it says."""
        if self.ended is None:
            return ["the scenario never runs its workflow"]
        death = [f"the process was to die {self._death}, and did not"] if self._death else []
        return death + self.script.unmet()

    def close(self) -> None:
        """Let everything go."""
        self.bench.close()

    def _declared(self) -> WorkflowDeclaration:
        if self.declaration is None:
            raise UsageError("there is no workflow yet; name the file that declares it")
        return self.declaration

    def _stay(self, sync: Callable[[], tuple[str, End]], asynchronous: Callable[[], Any]) -> Ended:
        def stayed() -> Ended:
            _, end = finish_sync(_quietly(asynchronous())) if is_async(self._declared().fn) else sync()
            return _ended(end)

        return self._lived(stayed)

    def _operated(self, operation: Callable[[], Execution]) -> Ended:
        def operated() -> Ended:
            execution = operation()
            status: Any = execution.status
            return Ended(status, execution.reason)

        return self._lived(operated)

    def _lived(self, life: Callable[[], Ended]) -> Ended:
        """Do what a process does, up to its death; the one after it opens the store again."""
        try:
            self.ended = life()
        except Killed:
            self.ended = Ended("killed", self._death)
            self._death = ""
            self.bench.restart()
            self._opened()
        return self.ended

    def _opened(self) -> None:
        self.script.faults = self.bench.faults
        self.runners.append(self.runtime.store.journal.runner())


@contextmanager
def staged(declaration: WorkflowDeclaration | None = None) -> Iterator[Stage]:
    """Give a stage; user code that opens the configured store while it stands opens its store."""
    before = os.environ.get("OMIUM_STORE")
    with tempfile.TemporaryDirectory(prefix="omium-scenario-") as folder:
        stage = Stage(Path(folder), declaration)
        os.environ["OMIUM_STORE"] = stage.store
        try:
            yield stage
        finally:
            if before is None:
                del os.environ["OMIUM_STORE"]
            else:
                os.environ["OMIUM_STORE"] = before
            stage.close()


async def _quietly(stay: Awaitable[Any]) -> Any:
    """Await a stay; of a process that died, nobody is told what its other tasks would still have raised."""
    import asyncio  # Scenarios of sync workflows do not need it.

    def tell(loop: Any, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), Killed):
            loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(tell)
    return await stay


def _ended(end: End) -> Ended:
    if end.kind == "failed":
        return Ended("diverged" if isinstance(end.error, Diverged) else "failed", str(end.error))
    kind: Any = end.kind
    return Ended(kind, end.reason, end.value)
