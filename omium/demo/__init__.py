"""What `omium demo` runs: a loan onboarding, written as a user would write it, and the world around it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["WORKFLOWS"]

WORKFLOWS: Final[Mapping[str, str]] = MappingProxyType({"loan-onboarding": "omium.demo.onboarding"})
"""The module of each workflow that comes with Omium, so that `omium resume` finds the code by itself."""
