"""Spans of time as people type them: `7d`, `12h`, `30m`, `45s`."""

from __future__ import annotations

import re

import click

__all__ = ["span"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_FORM = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw])")


def span(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of an option's value; exit 2 for what is not a span of time."""
    if value is None:
        return None
    match = _FORM.fullmatch(value.strip())
    if match is None:
        raise click.BadParameter(f"`{value}` is not a span of time, such as `7d`, `12h`, `30m` or `45s`", ctx, param)
    return float(match[1]) * _UNITS[match[2]]
