"""From JSON to annotated arguments: everything that fits, and one sentence for everything that does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

import attrs
import pytest
from pydantic import BaseModel

from omium.cli.arguments import arguments
from omium.cli.structuring import structured
from omium_core.errors import UsageError
from omium_core.runtime.declarations import Arguments, WorkflowDeclaration


class Risk(Enum):
    low = "low"
    high = "high"


class Money(NamedTuple):
    amount: Decimal
    currency: str = "USD"


class Contact(BaseModel):
    email: str
    tries: int = 0


@attrs.frozen
class Address:
    city: str
    since: date | None = None


@dataclass
class Application:
    applicant: str
    risk: Risk
    address: Address
    tags: list[str]


APPLICATION = {"applicant": "Ann", "risk": "low", "address": {"city": "Rome"}, "tags": ["a"]}


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (5, int, 5),
        (5.0, int, 5),
        (5, float, 5.0),
        ("1.10", Decimal, Decimal("1.10")),
        (1.1, Decimal, Decimal("1.1")),
        ("2026-01-02", date, date(2026, 1, 2)),
        ("2026-01-02T03:04:05Z", datetime, datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        ("12345678-1234-5678-1234-567812345678", UUID, UUID("12345678-1234-5678-1234-567812345678")),
        ("/tmp/x", Path, Path("/tmp/x")),
        ("aGk=", bytes, b"hi"),
        ("high", Risk, Risk.high),
        ("a", Literal["a", "b"], "a"),
        (None, int | None, None),
        (3, int | None, 3),
        ("x", int | str, "x"),
        ([1, 2], list[int], [1, 2]),
        ([1, "a"], tuple[int, str], (1, "a")),
        ([1, 2], tuple[int, ...], (1, 2)),
        (["a", "a"], set[str], {"a"}),
        ({"a": "1"}, dict[str, Decimal], {"a": Decimal(1)}),
        ({"city": "Rome", "since": "2020-01-01"}, Address, Address("Rome", date(2020, 1, 1))),
        ({"email": "a@b.c"}, Contact, Contact(email="a@b.c")),
        ({"anything": [1]}, Any, {"anything": [1]}),
        (APPLICATION, Application, Application("Ann", Risk.low, Address("Rome"), ["a"])),
    ],
)
def test_value_becomes_what_the_annotation_says(value: Any, annotation: Any, expected: Any) -> None:
    """JSON comes out as the annotated type, equal to what a user would have written."""
    made = structured(value, annotation, "$.x")

    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("value", "annotation", "said"),
    [
        (1.5, int, "`$.x` of the input is not a whole number"),
        (True, int, "is not a whole number"),
        ("5", int, "is not a whole number"),
        (5, str, "is not text"),
        ("true", bool, "is not true or false"),
        ("abc", Decimal, "is not a number"),
        ("yesterday", date, "is not a date such as 2026-12-31"),
        ("medium", Risk, "is not one of low, high"),
        ("c", Literal["a", "b"], "is not one of a, b"),
        ("ab", list[str], "is not a list"),
        (["a", 5], list[str], "`$.x[1]` of the input is not text"),
        ([1], tuple[int, str], "is not a list"),
        (5, Address, "is not an object with city, since"),
        ({}, Address, "`$.x.city` of the input is missing"),
        ({"town": "Rome"}, Address, "has no field `town`; it has city, since (1 more)"),
        ({"email": 5}, Contact, "does not fit at `email`"),
        ({**APPLICATION, "address": {"city": 5}}, Application, "`$.x.address.city` of the input is not text"),
    ],
)
def test_what_does_not_fit_is_one_sentence(value: Any, annotation: Any, said: str) -> None:
    """The sentence names the path and what was expected, in words that are not Python's."""
    with pytest.raises(UsageError) as raised:
        structured(value, annotation, "$.x")

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def one(address: Address) -> None:
    """A workflow with one parameter."""


def city(city: str) -> None:
    """A workflow whose parameter has the name of a field."""


def several(address: Address, times: int = 1) -> None:
    """A workflow with two parameters."""


def declared(fn: Any) -> WorkflowDeclaration:
    return WorkflowDeclaration(fn.__name__, fn, Arguments.of(fn))


def test_one_parameter_is_given_by_name_or_alone() -> None:
    """`{"address": ...}` and the address itself mean the same."""
    assert arguments(declared(one), '{"city": "Rome"}') == {"address": Address("Rome")}
    assert arguments(declared(one), '{"address": {"city": "Rome"}}') == {"address": Address("Rome")}
    assert arguments(declared(city), '"Rome"') == arguments(declared(city), '{"city": "Rome"}') == {"city": "Rome"}
    assert arguments(declared(several), '{"address": {"city": "Rome"}}') == {"address": Address("Rome")}


@pytest.mark.parametrize(
    ("fn", "given", "said"),
    [
        (one, None, "workflow `one` needs `address` (an object with city, since); give it with `--input JSON`"),
        (several, "{}", "workflow `several` needs `address`"),
        (several, "[]", "`--input` must be an object with the parameters of workflow `several`: `address`, `times`"),
        (several, '{"adress": 1}', "workflow `several` has no parameter `adress`; it has `address`, `times`"),
        (one, "{", "`--input` is not JSON: expecting"),
        (one, "@nowhere.json", "the file `nowhere.json` of `--input` cannot be read: no such file"),
    ],
)
def test_what_is_wrong_with_the_input_is_said(fn: Any, given: str | None, said: str) -> None:
    """Missing, unknown and unreadable arguments are each one sentence that says what to type."""
    with pytest.raises(UsageError) as raised:
        arguments(declared(fn), given)

    assert said in str(raised.value)
