"""What a person sets at a path of a refused outcome is set there, in a copy, and nowhere else."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium import UsageError
from omium_core.runtime.correcting import corrected


@dataclass(frozen=True)
class Offer:
    apr: Any
    terms: Any = None


@attrs.frozen
class Loan:
    offer: Any


class Pair(NamedTuple):
    left: Any
    right: Any


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,3}", fullmatch=True)
ANY_KEY = st.text(st.characters(exclude_characters="'", exclude_categories=["Cs"]), max_size=4)
LEAVES = st.none() | st.integers() | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(NAMES | ANY_KEY, inner, max_size=3),
        st.builds(Offer, inner, inner),
        st.builds(Loan, inner),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=8,
)


def paths(value: Any, here: str = "") -> list[str]:
    """Give every path there is, as a person would write it."""
    found = [here]
    for part, inner in parts(value):
        found += paths(inner, f"{here}{part}" if part.startswith("[") or not here else f"{here}.{part}")
    return found


def parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(key if key.isidentifier() and key.isascii() else f"['{key}']", one) for key, one in value.items()]
    if isinstance(value, Pair):
        return [("left", value.left), ("[1]", value.right)]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", one) for index, one in enumerate(value)]
    if isinstance(value, Offer):
        return [("apr", value.apr), ("terms", value.terms)]
    return [("offer", value.offer)] if isinstance(value, Loan) else []


def at(value: Any, path: str) -> Any:
    """Look a path up again, by way of all paths."""
    return dict(looked_up(value, ""))[path]


def looked_up(value: Any, here: str) -> list[tuple[str, Any]]:
    found = [(here, value)]
    for part, inner in parts(value):
        found += looked_up(inner, f"{here}{part}" if part.startswith("[") or not here else f"{here}.{part}")
    return found


@given(VALUES, st.data())
def test_a_path_is_set_in_a_copy(value: Any, data: st.DataObject) -> None:
    """The value at the path is the new one, the rest and the original stay, and types are kept."""
    path = data.draw(st.sampled_from(paths(value)))
    before = copy.deepcopy(value)
    changed = corrected(value, {path: "new"})
    assert value == before
    assert at(changed, path) == "new"
    for other in paths(value):
        if not other.startswith(path) and not path.startswith(other):
            assert at(changed, other) == at(value, other)
    if path:
        assert type(changed) is type(value)
    assert corrected(changed, {path: at(value, path)}) == value


@given(VALUES, st.sampled_from(["nothing_here", "[99]", "['no such key']", "a.b.c", "[0][0][0][0]"]))
def test_a_path_that_is_not_there_is_refused(value: Any, path: str) -> None:
    """With the path in the sentence; nothing is added to an outcome by a slip."""
    if path in paths(value):
        return
    with pytest.raises(UsageError):
        corrected(value, {path: 1})


@pytest.mark.parametrize("path", ["a..b", "[", "[x]", "a[", "a b", "['a", ".", "a.", "9"])
def test_what_is_not_a_path_is_refused(path: str) -> None:
    """Also where the value would have it."""
    with pytest.raises(UsageError):
        corrected({"a": {"b": [1]}, "9": 1, "a b": 2}, {path: 1})


def test_several_paths_are_set_in_order() -> None:
    """A later one sees what an earlier one made."""
    assert corrected({"a": 1}, {"a": {"b": 1}, "a.b": 2}) == {"a": {"b": 2}}
    assert corrected(5, {"": {"a": 1}, "a": 2}) == {"a": 2}
