"""What happens to an execution from outside: deaths, resumes, answers and rollbacks of a person, until it rests."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import attrs

import omium
from omium_core.errors import OmiumError
from torture.invariants import check_rest
from torture.lab import Lab, lab
from torture.programs import Program, compiled
from torture.world import World

LIVES_MAX = 60
EXECUTION = "one"


@attrs.frozen
class Story:
    """`deaths` are the moments at which one process after the other dies, with what is kept of unwaited writes.

    `answers` are choices by number, `returns` the checkpoints (by number on the path) that a person rolls back to when
    the execution rests.
    """

    deaths: tuple[tuple[int, int], ...] = ()
    answers: tuple[int, ...] = ()
    returns: tuple[int, ...] = ()


@attrs.define
class Ending:
    """How it ended, with the world and the state to compare."""

    status: str
    reason: str
    world: World
    state: dict[str, Any]
    root: str
    result: Any
    events: list[Any]
    lives: int
    moments: int


def tell(program: Program, story: Story, *, keys_in_values: bool = False, seed: int = 0) -> Ending:
    """Run a program through a story; raise `AssertionError` with the history when a promise is broken."""
    with lab(seed) as where:
        world = World(where, EXECUTION, keys_in_values)
        try:
            ending = _Teller(program, story, where, world).tell()
            assert not world.broken, world.broken
            return ending
        except BaseException as error:
            lines = [f"{type(one).__name__} {_brief(one)}" for one in where.events(EXECUTION)]
            error.add_note("\n".join(["events:", *lines, "world:", *world.history]))
            raise


@attrs.define
class _Teller:
    program: Program
    story: Story
    lab: Lab
    world: World
    deaths: list[tuple[int, int]] = attrs.field(init=False)
    answers: list[int] = attrs.field(init=False)
    returns: list[int] = attrs.field(init=False)
    lives: int = 0
    moments: int = 0

    def tell(self) -> Ending:
        self.deaths, self.answers, self.returns = map(list, (self.story.deaths, self.story.answers, self.story.returns))
        workflow = compiled(self.program, self.world)
        self.live(lambda: workflow.start(1, execution_id=EXECUTION))
        while self.lives < LIVES_MAX:
            if self.lab.disk.execution(EXECUTION) is None:
                self.live(lambda: workflow.start(1, execution_id=EXECUTION))
                continue
            state = self.world.folded()
            if state.status in ("running", "recovering"):
                self.live(lambda: workflow.resume(EXECUTION))
            elif state.review is not None and state.review.answer is None and state.status == "paused":
                self.live(self.answer)
            elif self.returns:
                number = self.returns.pop(0)
                self.live(lambda number=number: self.go_back(number))
            elif state.status == "paused":
                self.live(lambda: workflow.resume(EXECUTION))
            else:
                break
        else:
            raise AssertionError(f"it did not come to rest in {LIVES_MAX} lives")
        return self.ending()

    def live(self, act: Any) -> None:
        """Let a process do something; it may die of it."""
        self.lives += 1
        at, keep = self.deaths.pop(0) if self.deaths else (None, 0)
        self.lab.process(at, keep)
        try:
            found = act()
            if inspect.isawaitable(found):
                found = asyncio.run(_whole(found))
        except BaseException:
            # A task group may have wrapped the crash, and what else came of it was not seen by anybody.
            if not self.lab.fate.dead:
                raise
        self.moments = max(self.moments, self.lab.fate.moments)
        check_rest(self.lab, self.world, crashed=self.lab.fate.dead)

    def answer(self) -> None:
        """Answer as a person who knows the world and tells the truth about it."""
        state = self.world.folded()
        assert state.review is not None
        asked = state.review.request
        store = self.lab.store
        choices = [one["action"] for one in store.view(EXECUTION, asked.seq)["choices"]]
        if asked.kind == "effect_unresolved" and asked.effect is not None:
            effect = state.effects[asked.effect]
            found = [one for one in self.world.log if one.key == effect.key]
            self.world._note(f"person: {effect.name} {'happened' if found else 'did not happen'}")
            self.review(choice=0 if found else 1, value=found[-1].value if found else None)
            return
        number = self.answers.pop(0) if self.answers else len(choices) - 1
        action = choices[number % len(choices)]
        self.world._note(f"person: {action}")
        if action == "perform":
            self.world.permitted[state.effects[asked.effect or ""].name] += 1
        if action == "edit":
            self.review(edit="try harder")
        elif action == "set":
            self.review(set={"output": {"corrected": True}})
        else:
            self.review(choice=number % len(choices))

    def review(self, **given: Any) -> None:
        omium.review(EXECUTION, by="ann", store=self.lab.url, expected_head=self.world.folded().head, **given)

    def go_back(self, number: int) -> None:
        path = self.world.folded().path_to_head()
        point = path[number % len(path)]
        self.world._note(f"person: back to {point.step or point.name}")
        unfinished = self.world.folded().rollback
        try:
            omium.rollback(EXECUTION, point.id, by="ann", reason="because", store=self.lab.url)
        except omium.RollbackRefused:
            # What an unfinished rollback has begun to undo cannot be gone back to.
            self.lab.runs.ended.clear()
            assert unfinished is not None
            assert point.seq > self.world.folded().checkpoints[unfinished.target].seq

    def ending(self) -> Ending:
        self.lab.process()
        execution = omium.execution_of(EXECUTION, store=self.lab.url)
        state = self.lab.state(EXECUTION)
        values = omium.open_store(self.lab.url).load(EXECUTION)
        return Ending(
            execution.status, execution.reason, self.world, values, state.outcomes.root, execution.result,
            list(self.lab.events(EXECUTION)), self.lives, self.moments,
        )  # fmt: skip


async def _whole(found: Any) -> Any:
    # Tasks that died with their process have nobody who looks at their exceptions.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    return await found


def _brief(event: Any) -> str:
    hidden = ("body", "digest", "size", "at", "arguments", "fingerprint", "root", "execution", "runner")
    fields = attrs.asdict(event, filter=lambda a, value: a.name not in hidden and value not in (None, "", (), 0, {}))
    return " ".join(f"{name}={value}" for name, value in fields.items())


__all__ = ["EXECUTION", "Ending", "OmiumError", "Story", "tell"]
