"""What happens to an execution from outside: deaths, resumes, answers, rollbacks, other runners, until it rests."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any, Literal

import attrs

import omium
from omium.testing.simulation.invariants import check_rest
from omium.testing.simulation.making import compiled
from omium.testing.simulation.process import Death, Lab, lab
from omium.testing.simulation.programs import Program
from omium.testing.simulation.world import World
from omium_core.errors import ExecutionBusy, ExecutionFenced, OmiumError

__all__ = ["EXECUTION", "Ending", "Story", "Visit", "tell"]

# Ladders are finite but multiply: a dozen inner steps that each go back to the start twice need a hundred lives, with a
# person's answer in each.
LIVES_MAX = 500
EXECUTION = "one"


@attrs.frozen
class Visit:
    """What happens while the `at`-th effect of the world is under way, before its caller has heard of it.

    `busy`: another process wants to resume the execution. `sleep`: this process's machine sleeps for longer than its
    lease, and another process takes over and goes on to its end or its `death`. `jump`: the clock is set.
    """

    at: int
    what: Literal["busy", "sleep", "jump"]
    death: Death = attrs.field(factory=Death)
    seconds: float = 0.0


@attrs.frozen
class Story:
    """`deaths` are how one process after the other dies. `answers` are choices by number.

    With `hasty`, somebody resumes before a question is answered, and somebody else answers it once more.

    `returns` are the checkpoints (by number on the path) that a person rolls back to when the execution rests.
    """

    deaths: tuple[Death, ...] = ()
    answers: tuple[int, ...] = ()
    returns: tuple[int, ...] = ()
    visits: tuple[Visit, ...] = ()
    hasty: bool = False


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


class Untold(AssertionError):
    """A promise was broken; `history` is what happened, as text."""

    def __init__(self, broken: str, history: str) -> None:
        super().__init__(f"{broken}\n{history}")
        self.broken = broken


def tell(program: Program, story: Story, *, keys_in_values: bool = False, seed: int = 0) -> Ending:
    """Run a program through a story; raise `AssertionError` with the history when a promise is broken."""
    with lab(seed) as where:
        world = World(where, EXECUTION, keys_in_values)
        try:
            ending = _Teller(program, story, where, world).tell()
            assert not world.broken, world.broken
            return ending
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # Also what no user should ever see: a messenger of the engine's own.
            history = "\n".join(["events:", *_lines(where), "world:", *world.history])
            raise Untold(f"{type(error).__name__}: {error}", history) from error


@attrs.define
class _Teller:
    program: Program
    story: Story
    lab: Lab
    world: World
    workflow: Any = None
    deaths: list[Death] = attrs.field(init=False)
    answers: list[int] = attrs.field(init=False)
    returns: list[int] = attrs.field(init=False)
    visits: list[Visit] = attrs.field(init=False)
    lives: int = 0
    moments: int = 0
    effects: int = 0

    def tell(self) -> Ending:
        story = self.story
        self.deaths, self.answers, self.returns = list(story.deaths), list(story.answers), list(story.returns)
        self.visits = sorted(story.visits, key=lambda one: one.at)
        self.workflow = compiled(self.program, self.world)
        self.world.visitor = self.visit if self.visits else None
        self.live(self.start)
        while self.lives < LIVES_MAX:
            act = self.next_act()
            if act is None:
                return self.ending()
            self.live(act)
        raise AssertionError(f"it did not come to rest in {LIVES_MAX} lives")

    def next_act(self) -> Callable[[], Any] | None:
        """Return what is done next from outside; None when the execution rests."""
        if self.lab.disk.execution(EXECUTION) is None:
            return self.start
        state = self.world.folded()
        if state.status in ("running", "recovering"):
            return self.resume
        if state.review is not None and state.review.answer is None and state.status == "paused":
            return self.answer
        if self.returns:
            return self.go_back
        return self.resume if state.status == "paused" else None

    def live(self, act: Callable[[], Any]) -> None:
        """Let a process do something; it may die of it."""
        self.lives += 1
        self.lab.process(death=self.deaths.pop(0) if self.deaths else None)
        self.act(act)
        crashed = self.lab.fate.dead
        self.moments = max(self.moments, self.lab.fate.moments)
        self.lab.rest()
        check_rest(self.lab, self.world, crashed=crashed)

    def act(self, act: Callable[[], Any]) -> None:
        taken = self.lab.present.journal
        try:
            found = act()
            if inspect.isawaitable(found):
                asyncio.run(_whole(found))
        except ExecutionFenced:
            if not self.lab.fate.dead and taken.name not in self.lab.slept:
                raise
        except BaseException:
            # A task group may have wrapped the crash, and what else came of it was not seen by anybody.
            if not self.lab.fate.dead:
                raise

    def start(self) -> Any:
        return self.workflow.start(1, execution_id=EXECUTION)

    def resume(self) -> Any:
        return self.workflow.resume(EXECUTION)

    def visit(self) -> None:
        """Let happen what happens while this effect is under way."""
        with self.world.lock:
            self.effects += 1
            if not self.visits or self.visits[0].at > self.effects or len(self.lab.processes) > 1:
                return
            visit = self.visits.pop(0)
        if visit.what == "busy" and not self.world.runs():
            return
        self.world.note(f"visit: {visit.what}")
        if visit.what == "jump":
            self.lab.clock.jump(visit.seconds)
            return
        if visit.what == "sleep":
            self.lab.sleep()
        # A thread of its own has neither the context nor the event loop of the code that is interrupted here.
        thread = threading.Thread(target=self.other_process, args=(visit,))
        thread.start()
        thread.join()

    def other_process(self, visit: Visit) -> None:
        self.lab.another(death=visit.death)
        try:
            if visit.what == "sleep":
                self.act(self.resume)
            else:
                self.be_refused()
        except BaseException as error:
            self.world.expect(False, f"another process failed with {type(error).__name__}: {error}")
        finally:
            self.lab.bury_present()

    def be_refused(self) -> None:
        """Try to resume what another process runs: it is refused, and nothing changes."""
        before = self.world.folded().seq
        try:
            self.act(self.resume)
        except ExecutionBusy:
            pass
        else:
            self.world.expect(self.lab.fate.dead, "a second runner began beside the living one")
        self.world.expect(self.world.folded().seq == before, "who was refused changed the journal")

    def answer(self) -> None:
        """Answer as a person who knows the world and tells the truth about it."""
        if self.story.hasty:
            self.resume_unanswered()
        state = self.world.folded()
        assert state.review is not None
        asked = state.review.request
        store = self.lab.store
        choices = [one["action"] for one in store.view(EXECUTION, asked.seq)["choices"]]
        if asked.kind == "effect_unresolved" and asked.effect is not None:
            effect = state.effects[asked.effect]
            self.world.deliver(effect.key)
            found = [one for one in self.world.log if one.key == effect.key]
            self.world.note(f"person: {effect.name} {'happened' if found else 'did not happen'}")
            self.review(choice=0 if found else 1, value=found[-1].value if found else None)
            return
        number = self.answers.pop(0) if self.answers else len(choices) - 1
        if asked.effect is not None and state.effects[asked.effect].name in self.world.exact:
            number = len(choices) - 1
        action = choices[number % len(choices)]
        self.world.note(f"person: {action}")
        if action == "perform":
            self.world.permitted[state.effects[asked.effect or ""].name] += 1
        if action == "edit":
            self.review(edit="try harder")
        elif action == "set":
            self.review(set={"output": {"corrected": True}})
        else:
            self.review(choice=number % len(choices))

    def resume_unanswered(self) -> None:
        """Try to go on before anybody answered: it stays paused, and nothing is done."""
        review = self.world.folded().review
        assert review is not None
        if review.request.deadline is not None:
            return
        before = len(self.world.history)
        self.act(self.resume)
        done = self.world.history[before:]
        self.world.expect(not done, f"without an answer it went on: {done}")

    def review(self, **given: Any) -> None:
        head = self.world.folded().head
        omium.review(EXECUTION, by="ann", store=self.lab.url, expected_head=head, **given)
        if self.story.hasty:
            before = self.lab.events(EXECUTION)[-1].seq
            try:
                omium.review(EXECUTION, by="bob", store=self.lab.url, expected_head=head, **given)
            except OmiumError:
                pass
            else:
                self.world.expect(False, "a question was answered twice")
            self.world.expect(self.lab.events(EXECUTION)[-1].seq == before, "a refused answer changed the journal")

    def go_back(self) -> None:
        path = self.world.folded().path_to_head()
        point = path[self.returns.pop(0) % len(path)]
        self.world.note(f"person: back to {point.step or point.name}")
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
            execution.status,
            execution.reason,
            self.world,
            values,
            state.outcomes.root,
            execution.result,
            list(self.lab.events(EXECUTION)),
            self.lives,
            self.moments,
        )


async def _whole(found: Any) -> None:
    # Tasks that died with their process have nobody who looks at their exceptions.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    await found


def _lines(lab: Lab) -> list[str]:
    try:
        return [f"{type(one).__name__} {_brief(one)}" for one in lab.events(EXECUTION)]
    except OmiumError as error:
        return [str(error)]


def _brief(event: Any) -> str:
    hidden = ("body", "digest", "size", "at", "arguments", "fingerprint", "root", "execution", "runner")
    fields = attrs.asdict(event, filter=lambda a, value: a.name not in hidden and value not in (None, "", (), 0, {}))
    return " ".join(f"{name}={value}" for name, value in fields.items())
