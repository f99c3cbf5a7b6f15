"""Headers: what is written of an event is what is read back, in one line of JSON, without what goes without saying."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omium_core.journal.wire import header_of, read_header
from omium_core.model import events as e
from omium_core.model.body import Body

TEXTS = st.text(st.characters(), max_size=12)
VALUES = {
    "str": TEXTS,
    "str | None": st.none() | TEXTS,
    "int": st.integers(0, 2**40),
    "bool": st.booleans(),
    "float": st.floats(0, 4e9),
    "float | None": st.none() | st.floats(0, 4e9),
    "tuple[str, ...]": st.lists(TEXTS, max_size=3).map(tuple),
    "dict[str, Any]": st.dictionaries(TEXTS, st.none() | st.integers() | TEXTS | st.lists(st.booleans()), max_size=3),
}
VALUES["dict[str, Any] | None"] = st.none() | VALUES["dict[str, Any]"]
BODY = ("body", "digest", "size")


def made(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Events of a kind with any values, each field left out at times where it may be."""
    needed, others = {}, {}
    for one in attrs.fields(kind):
        if one.name not in BODY:
            (needed if one.default is attrs.NOTHING else others)[one.name] = VALUES[str(one.type)]
    return st.fixed_dictionaries(needed, optional=others).map(lambda fields: kind(**fields))


@pytest.mark.parametrize("kind", e.EVENT_TYPES.values(), ids=e.EVENT_TYPES)
@settings(max_examples=20)
@given(st.data())
def test_what_is_written_of_an_event_is_read_back(kind: type[Any], data: st.DataObject) -> None:
    """A header is one line, which gives the same event again; of a body it has the digest and the size."""
    event = data.draw(made(kind))
    with_body = attrs.evolve(event, body=Body(b"body", "ab" * 32), digest="ab" * 32, size=4)

    for one in (event, with_body):
        header = header_of(one)

        assert "\n" not in header
        assert read_header("exe_1", header) == attrs.evolve(one, body=None)


def test_what_goes_without_saying_is_not_written() -> None:
    """A field that has its default costs no bytes; one that has no default is always there."""
    step = e.StepStarted(step="s", name="s", arguments="", seq=3, epoch=1, at=2.5)

    assert json.loads(header_of(step)) == {
        "type": "StepStarted", "seq": 3, "epoch": 1, "at": 2.5, "step": "s", "name": "s", "arguments": "",
    }  # fmt: skip
    assert json.loads(header_of(attrs.evolve(step, attempt=2, lane="a~1")))["attempt"] == 2
    assert "values" in json.loads(
        header_of(e.RecoveryDecided(step="s", attempt=1, failure="error", strategy="halt", rung=0, source="x"))
    )


def test_equal_events_have_one_hash() -> None:
    """An event is a value: it can be kept in a set, as the type checker says."""
    given = {"step": "a", "attempt": 1, "skipped": False, "seq": 3}
    assert len({e.StepCompleted(**given), e.StepCompleted(**given), e.StepCompleted(**{**given, "seq": 4})}) == 2
