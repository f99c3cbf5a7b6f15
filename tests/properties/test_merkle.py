"""The Merkle map against a dict: content, root, persistence."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from omium_core.model.merkle import EMPTY_ROOT, MerkleMap

KEYS = st.text(max_size=4)
VALUES = st.integers(0, 3)
CHANGES = st.lists(st.tuples(st.sampled_from(["put", "remove"]), KEYS, VALUES), max_size=60)


def filled(entries: dict[str, int]) -> MerkleMap[int]:
    made: MerkleMap[int] = MerkleMap()
    for key, value in entries.items():
        made = made.with_entry(key, value, str(value))
    return made


@given(CHANGES)
def test_it_holds_what_a_dict_holds(changes: list[tuple[str, str, int]]) -> None:
    """After any puts and removals it gives and lists what a dict does, under the root of a map filled at once."""
    made: MerkleMap[int] = MerkleMap()
    model: dict[str, int] = {}
    for change, key, value in changes:
        if change == "put":
            made, model = made.with_entry(key, value, str(value)), {**model, key: value}
        else:
            made, model = made.without(key), {one: each for one, each in model.items() if one != key}
        assert made.get(key) == model.get(key)
    assert dict(made.items()) == model
    assert len(list(made.items())) == len(model)
    assert made.root == filled(model).root


@given(st.dictionaries(KEYS, VALUES, max_size=40), st.randoms(use_true_random=False))
def test_the_root_does_not_depend_on_the_order(entries: dict[str, int], chance: random.Random) -> None:
    """Two maps with the same entries have the same root, however they were filled."""
    shuffled = list(entries.items())
    chance.shuffle(shuffled)
    assert filled(dict(shuffled)).root == filled(entries).root


@given(st.dictionaries(KEYS, VALUES, max_size=20), st.dictionaries(KEYS, VALUES, max_size=20))
def test_the_root_names_the_content(first: dict[str, int], second: dict[str, int]) -> None:
    """Two maps have the same root only if they have the same entries."""
    assert (filled(first).root == filled(second).root) == (first == second)
    assert (filled(first).root == EMPTY_ROOT) == (not first)


@given(CHANGES)
def test_older_maps_stay_as_they_are(changes: list[tuple[str, str, int]]) -> None:
    """A map that is kept, as each checkpoint keeps one, does not change with what is made from it."""
    kept: list[tuple[MerkleMap[int], str, dict[str, int]]] = []
    made: MerkleMap[int] = MerkleMap()
    for change, key, value in changes:
        made = made.with_entry(key, value, str(value)) if change == "put" else made.without(key)
        kept.append((made, made.root, dict(made.items())))
    for one, root, content in kept:
        assert (one.root, dict(one.items())) == (root, content)


@given(st.dictionaries(KEYS, VALUES, max_size=20), KEYS)
def test_a_key_that_is_not_there_can_be_removed(entries: dict[str, int], key: str) -> None:
    """Removing it changes nothing, and removing what was just put gives the map before."""
    made = filled(entries)
    if key not in entries:
        assert made.without(key).root == made.root
        assert made.with_entry(key, 7, "7").without(key).root == made.root
