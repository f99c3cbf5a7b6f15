"""Functions of `omium.finance`: annuities, in the currency's unit, at a yearly rate in percent."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["annuity", "monthly_payment", "total_cost"]

MONTHS = 60
"""The term that `monthly_payment` assumes."""


def monthly_payment(amount: Decimal, apr: float) -> Decimal:
    """Return what a loan over five years costs each month."""
    return annuity(amount, apr, MONTHS)


def annuity(amount: Decimal, apr: float, months: int) -> Decimal:
    """Return what a loan costs each month, in equal payments at the end of each; raise for a term below one month."""
    if months < 1:
        raise ValueError("a loan lasts a month or more")
    rate = Decimal(repr(apr)) / 1200
    if not rate:
        return amount / months
    return amount * rate / (1 - (1 + rate) ** -months)


def total_cost(amount: Decimal, apr: float, months: int) -> Decimal:
    """Return what is paid for a loan above the amount itself."""
    return annuity(amount, apr, months) * months - amount
