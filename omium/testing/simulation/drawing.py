"""Random programs and stories: a seed says what they are."""

from __future__ import annotations

import random
from typing import TypeVar

import attrs

from omium.testing.simulation.process import Death
from omium.testing.simulation.programs import ERRORS, LADDERS, Effect, Lanes, Node, Program, Saved, Step, Together
from omium.testing.simulation.story import Story, Visit

__all__ = ["Tale", "draw"]

T = TypeVar("T")
DEPTH_MAX = 3
HOUR_S = 3600.0


@attrs.frozen
class Tale:
    """What a seed stands for. A `calm` program comes to the same end whatever happens to it."""

    seed: int
    program: Program
    story: Story
    calm: bool


def draw(seed: int) -> Tale:
    """Return the program and the story of a seed."""
    drawn = _Drawn(random.Random(seed))
    calm = drawn.one_in(3)
    concurrent = drawn.one_in(2)
    lanes = (
        drawn.weighted({"": 5, "threads": 1}) if not concurrent else drawn.weighted({"": 4, "tasks": 4, "threads": 1})
    )
    maker = _Maker(drawn, calm, concurrent, lanes)
    program = Program(maker.nodes(1, 4, 0), concurrent)
    return Tale(seed, program, _story(drawn, calm, lanes), calm)


@attrs.define
class _Drawn:
    """Draws from a seed."""

    random: random.Random

    def one_in(self, number: int) -> bool:
        return self.random.randrange(number) == 0

    def up_to(self, number: int) -> int:
        return self.random.randint(0, number)

    def of(self, *those: T) -> T:
        return self.random.choice(those)

    def weighted(self, weights: dict[T, int]) -> T:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def some(self, count_max: int, *those: T) -> tuple[T, ...]:
        return tuple(self.of(*those) for _ in range(self.up_to(count_max)))


@attrs.define
class _Maker:
    """Makes nodes; `budget` bounds how many there are."""

    drawn: _Drawn
    calm: bool
    concurrent: bool
    lanes: str
    budget: int = 12

    def nodes(self, least: int, most: int, depth: int, in_step: bool = False) -> tuple[Node, ...]:
        count = self.drawn.random.randint(least, most)
        made = []
        for number in range(count):
            if self.budget <= 0 and number >= least:
                break
            made.append(self.node(depth, in_step))
        return tuple(made)

    def node(self, depth: int, in_step: bool) -> Node:
        self.budget -= 1
        if depth >= DEPTH_MAX:
            return self.effect(in_step=in_step)
        what = self.drawn.weighted({"effect": 4, "step": 5, "saved": 1, "together": 1, "lanes": 1 if self.lanes else 0})
        match what:
            case "effect":
                return self.effect(in_step=in_step)
            case "saved":
                return Saved(_straight(self.nodes(0, 2, depth + 1, in_step)), self.drawn.one_in(2))
            case "together":
                return self.together(depth)
            case "lanes":
                return self.side_by_side(depth, in_step)
        return self.step(depth)

    def effect(self, kind: str = "", *, in_step: bool = False, once: bool = False) -> Effect:
        drawn = self.drawn
        kind = kind or drawn.of("read", "idempotent", "compensable", "compensable", "irreversible")
        keyed, check, identity = drawn.one_in(2), drawn.one_in(2), drawn.of("arguments", "volatile", "fingerprint")
        turned = drawn.one_in(6) and not once
        if self.calm:
            return Effect(kind, keyed, check, identity, turned=turned)
        words, trouble = drawn.one_in(2), drawn.some(3, "", "", "refused", "late", "lost", "delayed", "twice")
        undo_trouble = drawn.some(4, "", "", "refused", "lost")
        on_conflict, caught = drawn.of(None, None, None, "reuse"), drawn.one_in(4)
        # Outside of a step there is no attempt that could get another one.
        token = in_step and kind in ("compensable", "irreversible") and not keyed and drawn.one_in(8)
        # Who words a request differently and plans in another order cannot be understood by anybody.
        turned = turned and not words and not trouble
        return Effect(
            kind,
            keyed,
            check,
            identity,
            words=words,
            trouble=trouble,
            undo_trouble=undo_trouble,
            on_conflict=None if turned else on_conflict,
            caught=caught,
            turned=turned,
            token=token and not turned,
        )

    def step(self, depth: int) -> Step:
        drawn = self.drawn
        body, error = self.nodes(0, 3, depth + 1, in_step=True), drawn.of(*sorted(ERRORS))
        times, early, large = drawn.of(1, 1, 1, 2, 3), drawn.one_in(4), drawn.one_in(40)
        if self.calm:
            fails = drawn.of(frozenset[int](), frozenset[int](), frozenset({1}), frozenset({1, 2}))
            ladder = drawn.of("retry", "retry, compensate", "rollback", "notify")
            return Step(body, fails, error, early, ladder=ladder, times=times, large=large)
        return Step(
            body,
            frozenset(drawn.some(3, 1, 1, 2, 2, 3, 4)),
            error,
            early,
            moody=drawn.one_in(3),
            ladder=drawn.of(*sorted(LADDERS)),
            transaction=drawn.one_in(4),
            caught=drawn.of("", "", "exception", "bare"),
            times=times,
            large=large,
        )

    def together(self, depth: int) -> Node:
        """A transaction: what can be undone, and at most one irreversible effect, which comes last."""
        inside: list[Node] = [self.effect(self.drawn.of("compensable", "read")) for _ in range(self.drawn.up_to(2))]
        if self.drawn.one_in(3) and depth + 1 < DEPTH_MAX:
            inside.append(Step((self.effect("compensable"),), ladder="retry", fails=self.fails()))
        inside.append(self.effect(self.drawn.of("compensable", "irreversible"), once=True))
        fails = frozenset[int]() if self.calm else self.fails()
        return Together(_straight(tuple(inside)), fails)

    def fails(self) -> frozenset[int]:
        return frozenset({1}) if self.drawn.one_in(3) else frozenset()

    def side_by_side(self, depth: int, in_step: bool) -> Lanes:
        hows = (
            {"threads": ("to_thread",), "tasks": ("gather", "group")}[self.lanes] if self.concurrent else ("threads",)
        )
        lanes = tuple(self.nodes(1, 2, depth + 1, in_step) for _ in range(self.drawn.random.randint(2, 3)))
        return Lanes(lanes, self.drawn.of(*hows))


def _straight(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Return a block's nodes so that each pass through it goes the same way: Python cannot skip what has ended well."""
    straight: list[Node] = []
    for one in nodes:
        match one:
            case Effect():
                straight.append(attrs.evolve(one, turned=False))
            case Lanes():
                straight.append(attrs.evolve(one, lanes=tuple(_straight(lane) for lane in one.lanes)))
            case _:
                straight.append(one)
    return tuple(straight)


def _story(drawn: _Drawn, calm: bool, lanes: str) -> Story:
    count = drawn.weighted({0: 1, 1: 4, 2: 3, 3: 2, 4: 1})
    # Two runners in one Python process: where its threads go on meanwhile, nobody can say which runner they are.
    visits = (
        () if lanes == "threads" else tuple(_visit(drawn, lanes) for _ in range(drawn.weighted({0: 3, 1: 2, 2: 1})))
    )
    return Story(
        tuple(_death(drawn) for _ in range(count)),
        () if calm else drawn.some(6, *range(8)),
        drawn.some(3, *range(20)) if drawn.one_in(2) else (),
        visits,
        drawn.one_in(4),
    )


def _visit(drawn: _Drawn, lanes: str) -> Visit:
    # What other lanes have under way when a machine falls asleep is sent when it wakes, which nobody can prevent.
    what = drawn.weighted({"busy": 1, "sleep": 0 if lanes else 2, "jump": 1})
    at = 1 + drawn.up_to(6)
    if what == "jump":
        return Visit(at, "jump", seconds=drawn.of(-24 * HOUR_S, -HOUR_S, HOUR_S, 24 * HOUR_S))
    if what == "busy":
        return Visit(at, "busy")
    return Visit(at, "sleep", _death(drawn) if drawn.one_in(2) else Death())


def _death(drawn: _Drawn) -> Death:
    at = 1 + int(drawn.random.expovariate(1 / 20))
    how = drawn.weighted({"": 6, "torn": 2, "scattered": 1, "copied": 1})
    return Death(
        at,
        drawn.up_to(8),
        torn=drawn.random.random() if how == "torn" else None,
        scattered=drawn.up_to(10**6) if how == "scattered" else None,
        copied=drawn.up_to(10**6) if how == "copied" else None,
    )
