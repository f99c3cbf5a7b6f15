"""Values as a reader of policies writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from omium_policy import literals
from omium_policy.types import ValueType

__all__ = ["seconds_in_words", "shown"]

TEXT_SHOWN_MAX = 200
DIGITS_SHOWN_MAX = 40
_SIGNS = {code: sign for sign, code in literals.CURRENCIES.items()}


def shown(value: Any, kind: ValueType) -> str:
    """Return a value in its unit: `6.9%`, `$20,000`, `1m 30s`."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if not isinstance(value, int | float | Decimal):
        text = value if isinstance(value, str) else repr(value)
        return text if len(text) <= TEXT_SHOWN_MAX else f"{text[:TEXT_SHOWN_MAX]}..."
    match kind.kind:
        case "percent" | "ratio":
            return f"{_plain(value)}%"
        case "money":
            sign = _SIGNS.get(kind.currency or "")
            return f"{sign}{_plain(value)}" if sign else f"{_plain(value)} {kind.currency or ''}".strip()
        case "duration":
            return seconds_in_words(value)
    return _plain(value)


def seconds_in_words(seconds: float | Decimal) -> str:
    """Return a duration in the units in which it is written."""
    if seconds < 0:
        return f"-{seconds_in_words(-seconds)}"
    whole, parts = Decimal(str(seconds)), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        count = int(whole // size)
        if count:
            parts.append(f"{count}{unit}")
            whole -= count * size
    if whole or not parts:
        parts.append(f"{_plain(whole)}s")
    return " ".join(parts)


def _plain(value: float | Decimal) -> str:
    number = Decimal(str(value)).normalize()
    return f"{number:,f}" if abs(number.adjusted()) < DIGITS_SHOWN_MAX else f"{number:.6e}"
