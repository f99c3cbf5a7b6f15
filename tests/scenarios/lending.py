"""A loan: a model names the rate, rules judge it, and ladders say what happens when it breaks them."""

from __future__ import annotations

from dataclasses import dataclass

import omium
from omium import Fallback, Halt, Pause, Recovery, Retry, Rollback, checkpoint, effect, require, workflow


@dataclass
class Rate:
    apr: float


@effect(read=True)
def look_up_score(customer: str) -> int:
    return 640


@effect(model=True)
def ask_model(prompt: str) -> float:
    raise NotImplementedError("the scenarios answer for the model")


@effect(undo=lambda value: None)
def reserve_funds(customer: str, score: int) -> str:
    return f"reserved for {customer}"


@effect(irreversible=True, volatile=("body",))
def post_letter(to: str, body: str) -> str:
    return f"posted to {to}"


def in_band(rate: Rate) -> None:
    require(2.5 <= rate.apr <= 8.5, f"APR {rate.apr}% is outside our band of 2.5% to 8.5%.")


def asked(score: int) -> Rate:
    return Rate(ask_model(f"What APR for a score of {score}? {omium.current().feedback_text}".strip()))


@checkpoint("scored")
def scored(customer: str) -> int:
    return look_up_score(customer)


@checkpoint("reserved")
def reserved(customer: str, score: int) -> str:
    return reserve_funds(customer, score)


@checkpoint("posted")
def posted(customer: str, rate: Rate) -> str:
    return post_letter(customer, f"We offer you {rate.apr}%.")


@checkpoint("rate_told", ensures=in_band, recovery=Recovery(Retry(2), Pause("credit-officer"), Halt()))
def rate_told(score: int) -> Rate:
    return asked(score)


@checkpoint("rate_patient", recovery=Recovery(Retry(3, backoff="exponential(10s, 60s)"), Halt(), kinds=("timeout",)))
def rate_patient(score: int) -> Rate:
    return asked(score)


@checkpoint("rate_again", ensures=in_band, recovery=Recovery(Rollback("scored"), Pause(), Halt()))
def rate_again(score: int) -> Rate:
    return asked(score)


@checkpoint("rate_or_list", ensures=in_band, recovery=Recovery(Retry(1), Fallback("list_rate"), Halt()))
def rate_or_list(score: int) -> Rate:
    return asked(score)


@checkpoint("list_rate")
def list_rate(score: int) -> Rate:
    return Rate(8.5)


@checkpoint("rate_in_time", ensures=in_band, recovery=Recovery(Pause("credit-officer", "4h"), Halt()))
def rate_in_time(score: int) -> Rate:
    return asked(score)


@workflow
def lend(customer: str) -> str:
    return posted(customer, rate_told(scored(customer)))


@workflow
def lend_patiently(customer: str) -> str:
    return posted(customer, rate_patient(scored(customer)))


@workflow
def lend_reserved(customer: str) -> str:
    score = scored(customer)
    reserved(customer, score)
    return posted(customer, rate_again(score))


@workflow
def lend_or_list(customer: str) -> str:
    return posted(customer, rate_or_list(scored(customer)))


@workflow
def lend_in_time(customer: str) -> str:
    return posted(customer, rate_in_time(scored(customer)))


@workflow
def lend_unscored(customer: str) -> str:
    """What `lend` became after somebody removed a step from it."""
    return posted(customer, rate_told(640))
