"""What a literal's text stands for."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["CURRENCIES", "duration", "number", "text", "written"]

CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP"}
SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


def number(written: str) -> Decimal:
    """Return `50_000.5` as a number."""
    return Decimal(written.replace("_", ""))


def duration(written: str) -> Decimal:
    """Return `1m30s` in seconds."""
    return sum((Decimal(amount) * SECONDS[unit] for amount, unit in _DURATION.findall(written)), Decimal(0))


def text(written: str) -> str:
    """Return a text without its quotes and escapes."""
    return _ESCAPE.sub(lambda match: _ESCAPED[match[1]], written[1:-1])


def written(value: str) -> str:
    """Return a text with its quotes and escapes."""
    escaped = {char: f"\\{escape}" for escape, char in _ESCAPED.items()}
    return f'"{"".join(escaped.get(char, char) for char in value)}"'
