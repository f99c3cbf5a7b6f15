"""Functions of `omium.baseline`: what is in an output that should not leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omium_core.model.personal import PERSONAL, SECRETS, sightings

__all__ = ["personal_data", "secrets"]

TEXTS_MAX = 10_000
DEPTH_MAX = 100


def secrets(value: Any) -> int:
    """Return how many keys, tokens and private keys are in a value."""
    return sum(1 for text in _texts(value) for _ in sightings(text, SECRETS))


def personal_data(value: Any) -> int:
    """Return how many e-mail addresses, phone, card, account and identity numbers are in a value."""
    return sum(1 for text in _texts(value) for _ in sightings(text, PERSONAL))


def _texts(value: Any) -> Iterator[str]:
    """Give the texts in a value; raise for one that is too large to be looked through."""
    left, seen = [(value, 0)], 0
    while left:
        one, depth = left.pop()
        seen += 1
        if seen > TEXTS_MAX or depth > DEPTH_MAX:
            raise ValueError(f"more than {TEXTS_MAX} parts cannot be looked through")
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            left.extend((part, depth + 1) for pair in one.items() for part in pair)
        elif isinstance(one, list | tuple | set | frozenset):
            left.extend((part, depth + 1) for part in one)
