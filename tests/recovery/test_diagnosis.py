"""Diagnosis: where the offending value came from, and which call was not what its tool takes; found in the record."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import dataclass
from typing import Any, Literal

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import omium
from omium import Halt, Pause, Recovery, Retry, checkpoint, effect, require, workflow
from omium.plugins import LoadedPlugin
from omium_core.errors import Corrupted
from omium_core.model import events as e
from omium_core.model.failure import Failure, Violation
from omium_core.recovery.diagnosis import offenders
from omium_core.recovery.fingerprints import fingerprint_of
from omium_core.recovery.paths import field_of, inside, leaves
from omium_core.recovery.tool_schema import mismatches, schema_of
from omium_core.runtime import diagnosing
from omium_core.runtime.declarations import Arguments
from omium_core.specs import DiagnoserSpec


@dataclass
class Offer:
    apr: float
    name: str = "a fair offer"


def in_band(offer: Offer) -> None:
    require(2.5 <= offer.apr <= 8.5, f"APR {offer.apr:g}% is outside of 2.5% to 8.5%.")


@pytest.fixture
def found(events: Any, body: Any) -> Any:
    """Give what was found about the last failure of an execution."""

    def of(execution: Any) -> list[dict[str, Any]]:
        *_, failed = events(execution.id, e.StepFailed)
        diagnosis: list[dict[str, Any]] = body(execution.id, failed).get("diagnosis", [])
        return diagnosis

    return of


@effect(name="terms-model", model="scripted")
def model(answer: Any) -> Any:
    return answer


@checkpoint("terms-risk")
def risk(rate: float) -> dict[str, float]:
    return {"rate": 11.75 if rate < 100 else rate}


@checkpoint("terms-middle")
def middle(value: Any) -> Any:
    return [value, "unrelated"]


@checkpoint("terms", ensures=in_band, recovery=Recovery(Pause(), Halt()))
def offer(rate: float, answer: Any = None) -> Offer:
    if answer is None:
        return Offer(rate)
    said = model(answer)
    return Offer(json.loads(said)["apr"] if isinstance(said, str) else said["apr"])


@workflow(name="banking")
def banking(rate: float, answer: Any = None, own: float | None = None) -> Offer:
    assessed = risk(rate)
    middle(assessed)
    return offer(own if own is not None else assessed["rate"], answer)


@pytest.mark.parametrize(
    ("arguments", "where", "step", "source"),
    [
        ((1.5,), "outcome", "terms-risk", "rate"),
        ((112.25,), "input", "", "rate"),
        ((1.5, {"apr": 0}), "input", "", "answer.apr"),
        ((1.5, None, 0.125), "input", "", "own"),
    ],
)
def test_first_appearance(found: Any, arguments: tuple[Any, ...], where: str, step: str, source: str) -> None:
    """The earliest place on record that has the value is named: the input, an outcome up the branch, or here."""
    execution = banking.start(*arguments)

    (one,) = found(execution)
    assert (one["kind"], one["path"], one["where"]) == ("first_appearance", "terms.output.apr", where)
    assert (one["step"], one["source"]) == (step, source)
    assert "`terms.output.apr` = " in one["text"]


def test_what_a_model_answered_is_read_as_it_answers(found: Any) -> None:
    """A text that is JSON is looked into, so the answer is named and not the step."""

    @checkpoint("asking", ensures=in_band, recovery=Recovery(Pause(), Halt()))
    def asking(number: int) -> Offer:
        return Offer(json.loads(model(json.dumps({"terms": {"apr": number * 0.0}})))["terms"]["apr"])

    @workflow
    def asks(number: int) -> Offer:
        return asking(number)

    (one,) = found(asks.start(7))
    assert (one["where"], one["source"]) == ("answer", "terms.apr")
    assert "what `terms-model` answered to this step" in one["text"]


def test_a_value_from_nowhere_first_appeared_here(found: Any) -> None:
    """What is nowhere on record was made by the step itself."""

    @checkpoint("making", ensures=in_band, recovery=Recovery(Pause(), Halt()))
    def making(number: int) -> Offer:
        return Offer(number * 1.375)

    @workflow
    def makes(number: int) -> Offer:
        return making(number)

    (one,) = found(makes.start(9))
    assert (one["where"], one["text"]) == ("here", "`making.output.apr` = 12.375 first appeared in this step itself")


def test_a_rule_says_the_path_itself(found: Any) -> None:
    """With `at=` nothing is guessed from the message."""

    def cheap(items: list[dict[str, int]]) -> None:
        for number, item in enumerate(items):
            require(item["price"] < 10, "too dear", at=f"[{number}].price", suggest=9)

    @checkpoint("pick", ensures=cheap, recovery=Recovery(Pause(), Halt()))
    def pick(prices: list[int]) -> list[dict[str, int]]:
        return [{"price": one} for one in prices]

    @workflow
    def picks(prices: list[int]) -> Any:
        return pick(prices)

    (one,) = found(picks.start([3, 777]))
    assert (one["path"], one["source"]) == ("pick.output[1].price", "prices[1]")


def test_calls_are_held_to_annotations_and_schemas(found: Any) -> None:
    """A call that is not as the tool says is named with what is wrong and what it takes."""

    @effect(name="transfer", read=True)
    def transfer(amount: int, currency: Literal["EUR", "USD"], note: str = "") -> int:
        return amount + 1

    @effect(name="search", read=True, schema={"properties": {"limit": {"maximum": 10}}, "required": ["query"]})
    def search(query: str = "", limit: int = 1) -> str:
        raise TimeoutError("no answer")

    @checkpoint("tool", recovery=Recovery(Retry(0), Pause(), Halt()))
    def tool(how: str) -> Any:
        match how:
            case "type":
                return transfer("ten", "GBP")  # type: ignore[arg-type]  # what a model may do
            case "name":
                return transfer(amuont=10, currency="EUR")  # type: ignore[call-arg]  # what a model may do
            case "schema":
                return search(limit=99)
        try:
            return transfer(None, "EUR")  # type: ignore[arg-type]  # what a model may do
        except TypeError as error:
            raise RuntimeError("the tool failed") from error

    @workflow
    def tools(how: str) -> Any:
        return tool(how)

    problems = {how: found(tools.start(how))[0]["problems"] for how in ("type", "name", "schema", "wrapped")}
    assert problems == {
        "type": ["`amount` is 'ten', expected a whole number", "`currency` is 'GBP', expected one of 'EUR', 'USD'"],
        "name": ["`amount` is missing", "`amuont` is not an argument; there are `amount`, `currency`, `note`"],
        "schema": ["`query` is missing", "`limit` is 99, expected at most 10"],
        "wrapped": ["`amount` is None, expected a whole number"],
    }


def test_a_diagnosis_that_fails_keeps_nobody_from_recovering(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    """Where the record cannot be searched, that is what was found, and the ladder goes on."""

    def broken(*_: Any) -> Any:
        raise Corrupted("event 3 is damaged")

    monkeypatch.setattr(diagnosing, "_sources", broken)

    execution = banking.start(1.5)

    assert execution.status == "paused"
    assert found(execution)[0]["text"] == "the record could not be searched: event 3 is damaged"


def test_offenders_are_taken_from_messages_with_care() -> None:
    """Only values of the outcome that the message names, as numbers or in quotes; never a bound of the rule."""
    outcome = {"apr": 0.0, "amount": 15000, "who": "ann", "flag": True}

    def at(message: str) -> list[str]:
        return [one.path for one in offenders([Violation("r", message)], outcome)]

    assert at("APR 0% is outside of 2.5% to 8.5%") == ["apr"]
    assert at("15,000 is too much for `ann`") == ["amount", "who"]
    assert at("ann said 1") == []


def test_fingerprints_survive_edits_and_values() -> None:
    """Line numbers, lanes, occurrences and values are no part of what a failure is; rule, step and path are."""

    def of(step: str, rule: str, message: str, path: str = "apr", workflow: str = "w") -> str:
        failure = Failure("violation", message, violations=(Violation(rule, message, "flow.py:3"),))
        return fingerprint_of(workflow, step, failure, [path])

    one = of("[ask~12ab34cd]offer#2/check", "flow.py:3", "APR 0 is wrong")
    assert one == of("offer/check", "flow.py:90", "APR 17.5 is wrong")
    assert len({one, of("offer", "in_band", ""), of("offer", "in_band", "", "amount"), of("offer", "other", "")}) == 4
    assert of("offer", "in_band", "") != of("offer", "in_band", "", workflow="v")


def test_paths_are_those_that_a_correction_takes() -> None:
    """Every leaf of a view has the path under which `set` finds it."""
    data = {"@type": "Offer", "items": [{"price": 3}], "a key": {"@type": "decimal", "value": "4.5"}}

    assert dict(leaves(data)) == {"items[0].price": 3, "['a key']": "4.5"}
    assert [field_of(one) for one in ("items[0].price", "['a key']", "", "[3]")] == ["price", "a key", "", ""]
    assert inside("[1, 2") == "[1, 2"


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"type": ["integer", "null"]}, "x", ["`the call` is 'x', expected a whole number or nothing"]),
        ({"type": "integer"}, True, ["`the call` is True, expected a whole number"]),
        ({"anyOf": [{"type": "integer"}, {"const": 1}]}, "b", ["`the call` is 'b', which is none of what is expected"]),
        ({"type": "array", "items": {"minLength": 2}}, ["ab", "c"], ["`[1]` is 'c', expected at least 2"]),
        ({"type": "object", "additionalProperties": False}, {"x": 1}, ["`x` is not an argument; there are none"]),
        ({"const": 3}, 4, ["`the call` is 4, expected one of 3"]),
        ({"unknown": "keyword"}, object, []),
    ],
)
def test_schemas(schema: dict[str, Any], value: Any, said: list[str]) -> None:
    """What is read of JSON schemas, in words; what is not asks for nothing."""
    assert mismatches(schema, value) == said


def test_schema_of_a_function() -> None:
    """Annotations as a JSON schema; one that names nothing takes anything."""

    def tool(a: int, b: list[str], c: "Unknown" = None, *more: int, **rest: Any) -> None:  # type: ignore[name-defined]  # noqa: F821, UP037  # what a user may write
        """Nothing."""

    assert schema_of(tool, Arguments.of(tool).signature) == {
        "type": "object",
        "properties": {"a": {}, "b": {}, "c": {}},
        "required": ["a", "b"],
        "additionalProperties": True,
    }


def test_plugins_diagnose_as_well(monkeypatch: pytest.MonkeyPatch, found: Any, events: Any) -> None:
    """Every diagnoser is asked; one that fails is journaled, and the others are asked all the same."""
    module: Any = types.ModuleType("recovery_plugin")
    module.sleepy = lambda case: [f"{case.step} looks tired"]
    module.broken = lambda case: 1 / 0
    module.wrong = lambda case: "text"
    monkeypatch.setitem(sys.modules, "recovery_plugin", module)
    specs = tuple(DiagnoserSpec(name, f"recovery_plugin:{name}") for name in ("sleepy", "broken", "wrong"))
    hooks = omium.runtime_for().hooks
    tired = LoadedPlugin("tired", "tired", "1", ("register_diagnosers",), specs)
    monkeypatch.setattr(hooks, "plugins", attrs.evolve(hooks.plugins, loaded=(*hooks.plugins.loaded, tired)))

    execution = banking.start(1.5)

    assert [one["text"] for one in found(execution) if one["kind"] == "sleepy"] == ["terms looks tired"]
    failed = {(one.plugin, one.hook) for one in events(execution.id, e.PluginFailed)}
    assert failed == {("tired", "diagnoser broken"), ("tired", "diagnoser wrong")}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.decimals(allow_nan=False)
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES, message=st.text(max_size=60) | st.none())
def test_whatever_was_refused_a_person_is_asked(value: Any, message: str | None, found: Any) -> None:
    """No value and no message keeps a failure from being decided about, and every suggestion can be applied."""

    def refused(outcome: Any) -> None:
        raise AssertionError(repr(outcome) if message is None else message)

    @checkpoint("any", ensures=refused, recovery=Recovery(Pause(), Halt()))
    def anything() -> Any:
        return value

    @workflow(name="anything")
    def whatever() -> Any:
        return anything()

    execution = whatever.start()

    assert execution.status == "paused"
    assert all(one["kind"] == "first_appearance" for one in found(execution))
    omium.review(execution.id, fix=1, by="ann")
    assert whatever.resume(execution.id).status in ("paused", "halted")


def test_a_step_that_succeeds_is_never_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of all this runs, or is imported, where nothing fails."""
    for name in ("omium_core.runtime.diagnosing", "omium_core.runtime.suggesting"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    assert banking.start(1.5, None, 3.0).status == "completed"
    assert "omium_core.runtime.diagnosing" not in sys.modules
    assert omium.runtime_for().store.mentions("fixes:banking", 1) == []
