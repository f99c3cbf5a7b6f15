"""Random programs and stories."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from omium.testing.simulation.process import Death
from omium.testing.simulation.programs import ERRORS, LADDERS, Effect, Lanes, Node, Program, Saved, Step, Together
from omium.testing.simulation.story import Story

TROUBLES = ("", "refused", "late", "lost")


def calm_effects() -> st.SearchStrategy[Effect]:
    """Effects whose outcome does not depend on how often they are called."""
    return st.builds(
        Effect,
        kind=st.sampled_from(["read", "idempotent", "compensable", "irreversible"]),
        keyed=st.booleans(),
        check=st.booleans(),
        identity=st.sampled_from(["arguments", "volatile", "fingerprint"]),
    )


def wild_effects() -> st.SearchStrategy[Effect]:
    """Effects with everything that goes wrong."""
    return st.builds(
        Effect,
        kind=st.sampled_from(["read", "idempotent", "compensable", "compensable", "irreversible"]),
        keyed=st.booleans(),
        check=st.booleans(),
        identity=st.sampled_from(["arguments", "volatile", "fingerprint"]),
        words=st.booleans(),
        trouble=st.lists(st.sampled_from(TROUBLES), max_size=3).map(tuple),
        undo_trouble=st.lists(st.sampled_from(["", "refused", "lost"]), max_size=4).map(tuple),
        on_conflict=st.sampled_from([None, None, None, "reuse"]),
        caught=st.sampled_from([False, False, False, True]),
    )


def calm_programs(*, concurrent: bool, lanes: bool = True) -> st.SearchStrategy[Program]:
    """Programs that come to the same end whatever happens to them."""
    ladders = ["retry", "retry, compensate", "rollback", "notify"]

    def extend(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        bodies = st.lists(inner, max_size=3).map(tuple)
        steps = st.builds(
            Step,
            body=bodies,
            fails=st.sampled_from([frozenset(), frozenset(), frozenset({1}), frozenset({1, 2})]),
            error=st.sampled_from(sorted(ERRORS)),
            early=st.booleans(),
            ladder=st.sampled_from(ladders),
            times=st.sampled_from([1, 1, 1, 2, 3]),
        )
        return st.one_of(_around(inner, bodies, steps, concurrent, lanes))

    nodes = st.recursive(calm_effects(), extend, max_leaves=7)
    return st.builds(Program, st.lists(nodes, min_size=1, max_size=4).map(tuple), st.just(concurrent))


def wild_programs(*, concurrent: bool, lanes: bool = True) -> st.SearchStrategy[Program]:
    """Programs with models in them, and everything that goes wrong."""

    def extend(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        bodies = st.lists(inner, max_size=3).map(tuple)
        steps = st.builds(
            Step,
            body=bodies,
            fails=st.frozensets(st.integers(1, 4), max_size=3),
            error=st.sampled_from(sorted(ERRORS)),
            early=st.booleans(),
            moody=st.sampled_from([False, False, True]),
            ladder=st.sampled_from(sorted(LADDERS)),
            transaction=st.sampled_from([False, False, False, True]),
            caught=st.sampled_from(["", "", "exception", "bare"]),
            times=st.sampled_from([1, 1, 1, 2, 3]),
        )
        return st.one_of(_around(inner, bodies, steps, concurrent, lanes))

    nodes = st.recursive(wild_effects(), extend, max_leaves=7)
    return st.builds(Program, st.lists(nodes, min_size=1, max_size=4).map(tuple), st.just(concurrent))


def _around(
    inner: st.SearchStrategy[Node],
    bodies: st.SearchStrategy[tuple[Node, ...]],
    steps: st.SearchStrategy[Node],
    concurrent: bool,
    lanes: bool,
) -> list[st.SearchStrategy[Node]]:
    blocks = st.builds(Saved, body=bodies, state=st.booleans())
    together = st.builds(Together, body=st.lists(inner, min_size=1, max_size=2).map(tuple).filter(_can_be_undone))
    found = [steps, steps, steps, blocks, together]
    if lanes:
        hows = ["gather", "group", "to_thread"] if concurrent else ["threads"]
        sides = st.lists(st.lists(inner, min_size=1, max_size=2).map(tuple), min_size=2, max_size=3).map(tuple)
        found.append(st.builds(Lanes, lanes=sides, how=st.sampled_from(hows)))
    return found


def deaths() -> st.SearchStrategy[tuple[Death, ...]]:
    return st.lists(st.builds(Death, at=st.integers(1, 60), keep=st.integers(0, 8)), max_size=4).map(tuple)


def stories(*, returns: bool = True) -> st.SearchStrategy[Story]:
    return st.builds(
        Story,
        deaths=deaths(),
        answers=st.lists(st.integers(0, 7), max_size=6).map(tuple),
        returns=st.lists(st.integers(0, 20), max_size=3 if returns else 0).map(tuple),
    )


def _can_be_undone(body: tuple[Node, ...]) -> bool:
    """Say whether a transaction may have this body: compensable effects, at most one irreversible one at its end."""
    kinds = [kind for node in body for kind in _kinds(node) if kind != "read"]
    return bool(kinds) and set(kinds[:-1]) <= {"compensable"} and kinds[-1] in ("compensable", "irreversible")


def _kinds(node: Node) -> list[str]:
    match node:
        case Effect():
            return [node.kind]
        case Lanes():
            kinds = [kind for lane in node.lanes for one in lane for kind in _kinds(one)]
            # Nobody knows which lane would come last.
            return ["nowhere" if kind == "irreversible" else kind for kind in kinds]
        case Step():
            return [kind for one in node.body for kind in _kinds(one)] * node.times
    return [kind for one in node.body for kind in _kinds(one)]


def told(slice_max: int) -> settings:
    """Return how many stories are told: `slice_max` that are always the same, or `OMIUM_TORTURE` new ones."""
    given = os.environ.get("OMIUM_TORTURE")
    return settings(
        max_examples=int(given) if given else slice_max,
        derandomize=not given,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
