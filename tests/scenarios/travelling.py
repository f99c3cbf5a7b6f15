"""A journey: seats and rooms that can be cancelled, a card that is charged, and tickets that cannot be called back."""

from __future__ import annotations

import omium
from omium import Halt, Recovery, Retry, Rollback, checkpoint, effect, require, transaction, workflow


@effect(undo=lambda value: None)
def book_seat(city: str) -> str:
    return f"seat to {city}"


@effect(undo=lambda value: None)
def book_bed(city: str) -> str:
    return f"bed in {city}"


@effect(undo=lambda value: None, key=lambda order: order)
def charge_card(order: str) -> str:
    return f"charged for {order}"


@effect(irreversible=True)
def send_ticket(to: str) -> str:
    return f"ticket sent to {to}"


@effect(irreversible=True, check=lambda key: omium.NOT_DONE)
def print_ticket(to: str) -> str:
    return f"ticket printed for {to}"


@effect(key=lambda order: order)
def tell_partner(order: str) -> str:
    return f"partner knows of {order}"


@effect(model=True)
def pick_city(wish: str) -> str:
    raise NotImplementedError("the scenarios answer for the model")


@checkpoint("picked")
def picked(wish: str) -> str:
    return pick_city(wish)


@checkpoint("seated")
def seated(city: str) -> str:
    return book_seat(city)


@checkpoint("bedded")
def bedded(city: str) -> str:
    return book_bed(city)


@checkpoint("charged")
def charged(order: str) -> str:
    return charge_card(order)


@checkpoint("ticketed")
def ticketed(to: str) -> str:
    return send_ticket(to)


@checkpoint("printed")
def printed(to: str) -> str:
    return print_ticket(to)


@checkpoint("partnered")
def partnered(order: str) -> str:
    return tell_partner(order)


@checkpoint("boarded", recovery=Recovery(Rollback("picked"), Halt()))
def boarded(city: str) -> str:
    return f"on the way to {city}"


def to_a_friend(outcome: str) -> None:
    require("bo@" not in outcome, "Bo is not a friend")


@checkpoint("befriended", ensures=to_a_friend, recovery=Recovery(Retry(1), Halt()))
def befriended(wish: str) -> str:
    """Sends a ticket to whoever the model picks: another attempt may pick somebody else."""
    return send_ticket(pick_city(wish))


@transaction("all_or_none")
def all_or_none(city: str) -> list[str]:
    return [book_seat(city), book_bed(city), charge_card(city)]


@workflow
def travel(wish: str) -> str:
    city = picked(wish)
    seated(city)
    bedded(city)
    return charged(city)


@workflow
def travel_boarded(wish: str) -> str:
    city = picked(wish)
    seated(city)
    bedded(city)
    return boarded(city)


@workflow
def travel_ticketed(to: str) -> str:
    seated("Bergen")
    return ticketed(to)


@workflow
def travel_printed(to: str) -> str:
    return printed(to)


@workflow
def travel_partnered(order: str) -> str:
    return partnered(order)


@workflow
def travel_befriended(wish: str) -> str:
    return befriended(wish)


@workflow
def travel_whole(city: str) -> str:
    try:
        return ", ".join(all_or_none(city))
    except omium.NotDone as reason:
        return f"not booked: {reason}"
