"""Tells people on the terminal."""

from __future__ import annotations

import sys

__all__ = ["print_it"]


def print_it(target: str, subject: str, message: str) -> None:
    """Print one line; `target` is what stands behind `yours:` in the configuration."""
    print(f"for {target or 'everybody'}: {subject}: {message}", file=sys.stderr)
