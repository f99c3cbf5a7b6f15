"""A sale, for scenarios in Python: a model, a charge that can be taken back, and a ticket that cannot."""

from __future__ import annotations

from dataclasses import dataclass

import omium
from omium import Halt, Pause, Recovery, Retry, Rollback, checkpoint, effect, require, workflow
from omium.testing import Stage


@dataclass
class Price:
    amount: float


def give_back(value: str) -> None:
    raise AssertionError("what a scenario answers for is never undone for real")


@effect(model=True)
def ask_price(item: str) -> float:
    raise AssertionError("a scenario answers for the model")


@effect(undo=give_back)
def take_money(amount: float) -> str:
    return f"took {amount}"


given: dict[str, str] = {}


@effect(irreversible=True, check=lambda key: given.get(key, omium.NOT_DONE))
def hand_over(item: str) -> str:
    given[str(omium.current().key)] = f"here is {item}"
    return f"here is {item}"


def is_positive(price: Price) -> None:
    require(price.amount > 0, f"a price of {price.amount} is none")


@checkpoint("priced", ensures=is_positive, recovery=Recovery(Retry(2), Pause(), Halt()))
def priced(item: str) -> Price:
    return Price(ask_price(item))


@checkpoint("paid")
def paid(price: Price) -> str:
    return take_money(price.amount)


@checkpoint("handed", recovery=Recovery(Rollback("priced"), Halt(), kinds=("timeout",)))
def handed(item: str) -> str:
    return hand_over(item)


@workflow
def sell(item: str) -> str:
    paid(priced(item))
    return handed(item)


@omium.scenario("happy_path")
def _(s: Stage) -> None:
    s.input("a map")
    s.answer("ask_price", 12.5)
    s.expect(
        status="completed",
        result="here is a map",
        steps=["priced", "paid", "handed"],
        effects={"take_money": 1, "hand_over": 1},
        violations=0,
        recoveries=0,
        performed={"ask_price": 1, "take_money": 1, "hand_over": 1},
    )


@omium.scenario("told_what_was_wrong")
def _(s: Stage) -> None:
    s.input(item="a map")
    s.answer("ask_price", -1, 0, 12.5)
    s.expect(
        status="completed",
        steps={"priced": 3, "paid": 1},
        violations=["price of -1", "price of 0"],
        recoveries=["retry", "retry"],
    )


@omium.scenario("back_to_the_price")
def _(s: Stage) -> None:
    s.input("a map")
    s.answer("ask_price", 12.5)
    s.answer("take_money", "took it")
    s.fail("handed", at=1, kind="timeout")
    s.expect(
        status="completed",
        recoveries=["rollback"],
        effects={"take_money": 1},
        performed={"take_money": 2, "undo take_money": 1, "ask_price": 1},
    )


@omium.scenario("priced_by_a_person")
def _(s: Stage) -> None:
    s.input("a map")
    s.answer("priced", {"amount": -3})
    s.run()
    s.expect(status="paused", result=None)
    s.review(set={"priced.output.amount": 9}, by="ann")
    s.resume()
    s.expect(status="completed", recoveries=["retry", "retry", "pause"])


@omium.scenario("dies_and_is_taken_over")
def _(s: Stage) -> None:
    s.input("a map")
    s.answer("ask_price", 12.5)
    s.kill(after="take_money")
    s.run()
    s.expect(status="running", effects={"take_money": 0})
    s.resume()
    s.review(choice=0, value="took 12.5", by="ann", reason="it is in the till")
    s.resume()
    s.expect(status="completed", performed={"take_money": 1, "hand_over": 1})


@omium.scenario("a_step_alone", workflow=priced)
def _(s: Stage) -> None:
    s.input("a map")
    s.answer("ask_price", 3)
    s.expect(status="completed", result={"amount": 3.0})
