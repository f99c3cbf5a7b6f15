"""Which policy is in force for a workflow."""

from __future__ import annotations

import inspect
from pathlib import Path

import attrs

from omium.policies import load_policy
from omium.runtime import Runtime
from omium_core.errors import UsageError
from omium_core.runtime.declarations import WorkflowDeclaration
from omium_policy.loading import Loaded

__all__ = ["Active", "in_force", "pinned"]


@attrs.frozen
class Active:
    """A policy that is in force."""

    loaded: Loaded
    hash: str
    name: str
    version: str


def in_force(runtime: Runtime, declaration: WorkflowDeclaration) -> Active | None:
    """Return the policy of a workflow."""
    path = declaration.options.get("policy")
    if path is None:
        return None
    beside = Path(inspect.getfile(declaration.fn)).parent / path
    loaded = load_policy(beside if beside.exists() else path)
    return Active(loaded, loaded.hash, "", "")


def pinned(runtime: Runtime, name: str, hash: str) -> Active:
    """Return the version of a policy that an execution pinned."""
    raise UsageError(f"policy {name} {hash} is not known")
