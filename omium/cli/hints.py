"""The commands that are named as next: a shell takes each as it stands, once `FILE` is said where code is needed."""

from __future__ import annotations

import shlex

from omium.config import load_config

__all__ = ["SHIPPED", "code_argument", "command"]

SHIPPED = {"loan-onboarding": "omium.demo.onboarding"}
"""Workflows that come with Omium, and where: nobody has to name their code."""


def command(*words: str | None) -> str:
    """Return a command of `omium`, quoted as a shell needs it; None is left out."""
    return shlex.join(["omium", *(one for one in words if one is not None)])


def code_argument(workflow: str, given: str | None = None) -> str | None:
    """Return what names a workflow's code: as it was given, `FILE` where somebody has to say it, else nothing."""
    if given is not None or workflow in SHIPPED or load_config().workflows:
        return given
    return "FILE"
