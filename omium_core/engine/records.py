"""What is known of the parts of an execution: its outcomes, checkpoints, lanes, steps and questions."""

from __future__ import annotations

import attrs

from omium_core.model import events as e
from omium_core.model.immutable import immutable
from omium_core.model.merkle import MerkleMap

__all__ = ["CheckpointRecord", "Entry", "LaneRecord", "Review", "StepRecord"]


@immutable
class Entry:
    """An outcome in the state: what it was, and the event that holds it."""

    kind: str
    digest: str
    seq: int
    name: str
    arguments: str = ""
    execution: str = ""


@immutable
class CheckpointRecord:
    """A checkpoint, with the whole state as of it. `seq` is its event's."""

    id: str
    parent: str
    step: str
    name: str
    agent: str | None
    seq: int
    at: float
    outcomes: MerkleMap[Entry]


@attrs.define
class LaneRecord:
    """The steps that began in a lane, in order, each with the seq of its first `StepStarted` on this branch."""

    seqs: dict[str, int] = attrs.field(factory=dict)
    order: list[str] = attrs.field(factory=list)

    def add(self, path: str, seq: int) -> None:
        """Take a step in; one that is there keeps its place."""
        if path not in self.seqs:
            self.seqs[path] = seq
            self.order.append(path)

    def after(self, position: int) -> list[tuple[str, int]]:
        """Return the steps from a position on, with their seqs."""
        return [(path, self.seqs[path]) for path in self.order[position:]]

    def cut(self, seq: int) -> None:
        """Forget the steps that began after an event."""
        self.order = [path for path in self.order if self.seqs[path] <= seq]
        self.seqs = {path: self.seqs[path] for path in self.order}


@attrs.define
class StepRecord:
    """What is known of a step over all its attempts and branches.

    `open` is an attempt that began and has not ended, `refused` whether the policy kept it from beginning; `failures`
    are the seqs of the `StepFailed` of the present entry into its ladder; `used` counts the rungs that were taken, and
    never goes back.
    """

    path: str
    name: str
    agent: str | None
    arguments: str
    kind: str = "step"
    execution: str = ""
    attempts: int = 0
    open: int = 0
    refused: bool = False
    began: int = 0
    described: bool = False
    told: int = 0
    performer: str | None = None
    fixes: dict[int, tuple[int, ...]] = attrs.field(factory=dict)
    started: int = 0
    used: dict[tuple[str, int], int] = attrs.field(factory=dict)
    failure: e.StepFailed | None = None
    undecided: bool = False
    decision: e.RecoveryDecided | None = None
    review: Review | None = None


@attrs.define
class Review:
    """A question to a person, and the answer once there is one. `suggestions` are the seqs of the fixes, by number."""

    request: e.ReviewRequested
    answer: e.ReviewDecided | None = None
    suggestions: dict[int, int] = attrs.field(factory=dict)
