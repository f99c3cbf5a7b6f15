"""Finds what a model was to fill in and did not, such as `[customer name]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from omium_core.interfaces.recovery import Produced
from omium_core.model.failure import Violation

__all__ = ["find_placeholders", "placeholders_in"]

PLACEHOLDER = re.compile(r"\[(?:your|the|customer|company|insert)\b[^\]]*\]|lorem ipsum", re.IGNORECASE)


def find_placeholders(produced: Produced) -> Iterator[Violation]:
    """Give a violation for each text in the outcome that has a placeholder.

    `kind` names the failure, so that a ladder can be for it alone: `Recovery(..., kinds=("unfilled",))`.
    """
    for path, text in _texts("$", produced.value):
        for found in placeholders_in(text):
            yield Violation("yours", f"`{found}` at `{path}` was not filled in", values={path: text}, kind="unfilled")


def placeholders_in(text: str) -> list[str]:
    """Return the placeholders in a text."""
    return PLACEHOLDER.findall(text)


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Give every text in a value with the path to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(f"{path}.{name}", one)
    elif attrs.has(type(value)) or hasattr(value, "__dict__"):
        for name in _fields(value):
            yield from _texts(f"{path}.{name}", getattr(value, name))
    elif isinstance(value, Iterable):
        for number, one in enumerate(value):
            yield from _texts(f"{path}[{number}]", one)


def _fields(value: Any) -> list[str]:
    return [one.name for one in attrs.fields(type(value))] if attrs.has(type(value)) else list(vars(value))
