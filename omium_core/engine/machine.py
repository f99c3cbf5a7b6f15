"""One execution in the engine: its folded state, and whether it has to stop.

The protocols beside this module are generators: they yield commands and are sent the results. A driver runs them, and
holds the execution's lock between two commands, so that they need none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from typing import Any, Literal, TypeAlias, TypeVar

import attrs

from omium_core.engine.commands import DURABLE, Command, Quiesce
from omium_core.engine.scope import Scope
from omium_core.engine.state import ExecutionState
from omium_core.engine.watch import Watch
from omium_core.errors import OmiumError
from omium_core.model import events as e
from omium_core.model.body import Body
from omium_core.model.fix import Fix

__all__ = ["AttemptAborted", "Carried", "Interrupt", "Machine", "Protocol", "Stop"]

LOOPS_MAX = 25
CRASHES_MAX = 3

T = TypeVar("T")
EventT = TypeVar("EventT", bound=e.Event)
Protocol: TypeAlias = Generator[Command, Any, T]


class Interrupt(BaseException):
    """The messenger through user code when an execution must stop; `except Exception` cannot swallow it."""


class AttemptAborted(BaseException):
    """The messenger through user code when an attempt failed in a way that the code must not handle."""


class Carried(Exception):
    """A user's exception on its way out of a protocol: a generator cannot raise `StopIteration` as itself."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


@attrs.frozen
class Stop:
    """Why an execution leaves its user code: what is done at the boundary, once all lanes are quiet."""

    kind: Literal["rollback", "pause", "halt", "diverged", "failed"]
    reason: str
    target: str = ""
    by: str = ""
    failure: int = 0
    step: str | None = None
    review: str | None = None
    error: OmiumError | None = None


@attrs.define(eq=False)
class Machine:
    """The engine's half of one execution.

    `seal` gives a value's stored form; it computes, it does no I/O. The driver sets `now` before it goes on with a
    protocol, so the engine never reads a clock. `flying` are the effects that are being performed in this process,
    `trials` those that are tried after their circuit was open.
    `watch` is what the execution's policy remembers, where it has one.
    `loops_max` is how often a step may repeat itself, `crashes_max` how often runners may die without a checkpoint, and
    `standing` are the fixes that reach a step, by its place, in every execution of the workflow.
    """

    state: ExecutionState
    seal: Callable[[Any], Body]
    now: float = 0.0
    rerun: bool = False
    loops_max: int | None = LOOPS_MAX
    crashes_max: int | None = CRASHES_MAX
    standing: Mapping[str, tuple[Fix, ...]] = attrs.field(factory=dict)
    watch: Watch | None = None
    made: list[e.Event] = attrs.field(factory=list)
    stopping: Stop | None = None
    flying: set[str] = attrs.field(factory=set)
    trials: set[str] = attrs.field(factory=set)
    entry: int = 0
    reruns: int = 0

    def event(self, kind: type[EventT], body: Body | None = None, /, **fields: Any) -> EventT:
        """Make the next event and take it into the state; it goes to the journal with the next append.

        INVARIANT: events reach the journal in the order they are made here, whichever protocol asks for the append.
        """
        state = self.state
        fields["seq"], fields["epoch"], fields["at"] = state.seq + 1, state.epoch, self.now
        if body is not None:
            fields["body"], fields["digest"], fields["size"] = body, body.digest, len(body.data)
        event = kind(**fields)
        state.apply(event)
        if self.watch is not None:
            self.watch.take(state, event)
        self.made.append(event)
        return event

    def take(self) -> list[e.Event]:
        """Return what was made since the last time, for the journal."""
        made, self.made = self.made, []
        return made

    def raise_epoch(self) -> None:
        """Fence every runner that has the epoch until now."""
        self.state.epoch += 1

    def check_running(self, scope: Scope) -> None:
        """Raise `Interrupt` where nothing may begin any more: the execution stops, or was entered again elsewhere."""
        if self.stopping is not None or scope.entry != self.entry:
            raise Interrupt
        at: Scope | None = scope
        while at is not None:
            if at.over or at.aborted is not None:
                raise AttemptAborted
            at = at.parent

    def close(self, scope: Scope) -> Protocol[None]:
        """End a body: what its lanes have begun is awaited, and they begin nothing more."""
        scope.over = True
        if scope.busy:
            yield Quiesce(scope)

    def stop(self, stop: Stop) -> Interrupt:
        """Remember why the execution stops, the first reason wins; raise what this returns.

        It is remembered BEFORE what led to it is appended, so that no other lane can begin to ask or decide meanwhile.
        Only a journal that takes nothing more comes first.
        """
        if self.stopping is None or stop.kind == "failed":
            self.stopping = stop
        return Interrupt()

    def ask(
        self, question: str, choices: list[tuple[str, str]], evidence: Any = None, **fields: Any
    ) -> Protocol[Interrupt]:
        """Journal a question to a person and stop; raise what this returns."""
        if self.stopping is not None:
            # Another lane asked first. This one asks when the execution comes here again.
            return Interrupt()
        body = self.seal(
            {
                "question": question,
                "choices": [{"action": action, "label": label} for action, label in choices],
                "evidence": evidence,
            }
        )
        event = self.event(e.ReviewRequested, body, review=self.review_id(), head=self.state.head, **fields)
        stop = self.stop(Stop("pause", question, step=fields.get("step"), review=event.review))
        yield DURABLE
        return stop

    def review_id(self) -> str:
        """Return the name of a question that is asked now."""
        return "rev_" + digest_of(self.state.id, self.state.seq + 1)[:16]


def digest_of(*parts: object) -> str:
    """Return the sha256 of parts, in hex."""
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()
