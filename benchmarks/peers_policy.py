"""One rule as others write it: a lambda, CEL, Cedar and JSON logic. What is not installed is left out, and said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["CAPS", "GIVEN", "peers"]

CAPS = {"low": 50_000, "medium": 20_000, "high": 5_000}
GIVEN = {"input": {"risk": "low"}, "output": {"apr": 6.9, "amount": 1_000.0}}
"""What the rule is asked of: an offer that it holds of."""


def peers() -> tuple[dict[str, Callable[[], object]], list[str]]:
    """Give functions that ask each peer once, ready to be asked again, and the names of those that are not there."""
    found: dict[str, Callable[[], object]] = {"a handwritten lambda": _lambda()}
    missing = []
    for name, make in (("json-logic", _json_logic), ("cedarpy", _cedar), ("cel-python", _cel)):
        try:
            ask = make()
        except ImportError:
            missing.append(name)
        else:
            assert ask(), name
            found[name] = ask
    return found, missing


def _lambda() -> Callable[[], object]:
    holds = lambda given: (  # noqa: E731  # it is what people write
        2.5 <= given["output"]["apr"] <= 8.5 and given["output"]["amount"] <= CAPS[given["input"]["risk"]]
    )
    return lambda: holds(GIVEN)


def _json_logic() -> Callable[[], object]:
    from json_logic import jsonLogic

    # It cannot look a value up by another one, so the caps are written out.
    risk = {"var": "input.risk"}
    cap = {"if": [{"==": [risk, "low"]}, CAPS["low"], {"==": [risk, "medium"]}, CAPS["medium"], CAPS["high"]]}
    band = {"<=": [2.5, {"var": "output.apr"}, 8.5]}
    rule = {"and": [band, {"<=": [{"var": "output.amount"}, cap]}]}
    return lambda: jsonLogic(rule, GIVEN)


def _cedar() -> Callable[[], object]:
    import cedarpy

    # It has no fractions, so percentages are basis points, and no tables, so the caps are written out.
    caps = " || ".join(f'(context.risk == "{risk}" && context.amount <= {cap})' for risk, cap in CAPS.items())
    text = f"permit(principal, action, resource) when {{ context.apr >= 250 && context.apr <= 850 && ({caps}) }};"
    policies = cedarpy.PolicySet.from_str(text)
    context = {"apr": 690, "amount": 1_000, "risk": "low"}
    asked = {"principal": 'User::"a"', "action": 'Action::"offer"', "resource": 'Loan::"b"', "context": context}
    return lambda: cedarpy.is_authorized(asked, policies, []).decision == cedarpy.Decision.Allow


def _cel() -> Callable[[], object]:
    import celpy
    from celpy.adapter import json_to_cel

    environment = celpy.Environment()
    text = "2.5 <= output.apr && output.apr <= 8.5 && output.amount <= caps[input.risk]"
    program = environment.program(environment.compile(text))
    caps = {risk: float(cap) for risk, cap in CAPS.items()}
    # Converting the values is not counted.
    given: dict[str, Any] = {name: json_to_cel(value) for name, value in {**GIVEN, "caps": caps}.items()}
    return lambda: program.evaluate(given)
