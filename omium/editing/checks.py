"""What is worth a warning in a Python file: a step whose outcome nobody looks at."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from omium.editing.reading import PythonFile
from omium.editing.surroundings import Surroundings
from omium_policy.source import Span

__all__ = ["Warned", "warnings_of"]


@attrs.frozen
class Warned:
    """A warning: a stable code, one sentence, its place, and what to do."""

    code: str
    message: str
    span: Span
    help: str


def warnings_of(file: PythonFile, around: Surroundings) -> Iterator[Warned]:
    """Give a warning for each step without a post-condition: none of its own, and no rule of a policy after it."""
    for step in file.steps:
        if step.ensures or step.checks:
            continue
        if step.name is None or any(True for policy in around.policies for _ in policy.rules_after(step.name)):
            continue
        yield Warned(
            "no-post-condition",
            f"the step `{step.name}` has no post-condition: whatever it returns becomes a checkpoint",
            step.decorator,
            f"give it `ensures=`, write `require(...)` in its body, or a rule `after {step.name}` in a policy",
        )
