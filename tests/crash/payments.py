"""A payment as a user writes it: a function that calls a provider directly, with no effect declared.

`test_payment.py` runs this module in children; the provider is a server of its own on loopback.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import omium
from omium import Halt, Recovery, Retry, checkpoint, transaction, workflow


def provider(path: str, **fields: Any) -> Any:
    """Call the payment provider."""
    headers = {"Content-Type": "application/json", "User-Agent": f"shop/{os.getpid()}"}
    request = Request(os.environ["PROVIDER"] + path, json.dumps(fields).encode(), headers)
    with build_opener(ProxyHandler({})).open(request, timeout=10) as reply:
        return json.load(reply)


def charge(order: str, amount: int, key: str | None = None) -> str:
    """Charge a customer; return the receipt."""
    return str(provider("/charge", order=order, amount=amount, key=key)["receipt"])


def find(key: str) -> Any:
    """Ask the provider for the charge under a key."""
    found = provider("/find", key=key)["receipt"]
    return found if found is not None else omium.NOT_DONE


@checkpoint("price")
def price(order: str) -> int:
    return len(order) * 100


@transaction("pay")
def pay(order: str, amount: int) -> str:
    return charge(order, amount)


@transaction("pay_checked", check=find)
def pay_checked(order: str, amount: int) -> str:
    return charge(order, amount, omium.current().key)


@transaction("pay_keyed", key=lambda order, amount: f"order-{order}")
def pay_keyed(order: str, amount: int) -> str:
    return charge(order, amount, omium.current().key)


@transaction("pay_retried", recovery=Recovery(Retry(2), Halt()))
def pay_retried(order: str, amount: int) -> str:
    return charge(order, amount)


@checkpoint("ship")
def ship(order: str, receipt: str) -> str:
    return f"{order} shipped against {receipt}"


@workflow
def shop(order: str) -> str:
    return ship(order, pay(order, price(order)))


@workflow
def shop_checked(order: str) -> str:
    return ship(order, pay_checked(order, price(order)))


@workflow
def shop_keyed(order: str) -> str:
    return ship(order, pay_keyed(order, price(order)))


@workflow
def shop_retried(order: str) -> str:
    return ship(order, pay_retried(order, price(order)))
