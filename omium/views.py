"""An execution as users see it: read from the journal whenever it is asked, from any process."""

from __future__ import annotations

import html
from datetime import datetime, timezone
from typing import Any

import attrs

from omium_core.engine.state import ExecutionState
from omium_core.errors import OmiumError, UnknownType
from omium_core.model import events as e
from omium_core.model.failure import BLOCKING
from omium_core.runtime.store import Store

__all__ = ["CheckpointView", "Execution", "RecoveryView", "ViolationView"]


@attrs.frozen
class CheckpointView:
    """A checkpoint on the path to the head."""

    id: str
    name: str
    step: str
    agent: str | None
    parent: str
    root: str
    at: datetime


@attrs.frozen
class ViolationView:
    """A rule that was broken, where, and what it said; only what is `blocking` kept anything from going on."""

    step: str
    attempt: int
    rule: str
    message: str
    where: str | None
    values: dict[str, Any]
    mode: str = BLOCKING
    severity: str = ""
    cite: str | None = None


@attrs.frozen
class RecoveryView:
    """What was decided about a failure, and which ladder said so."""

    step: str
    attempt: int
    failure: str
    strategy: str
    source: str
    target: str | None


@attrs.frozen(repr=False)
class Execution:
    """One execution. Its fields are read when they are asked for, so they are as of now."""

    _store: Store = attrs.field(repr=False)
    id: str

    @property
    def workflow(self) -> str:
        """The name of the workflow."""
        return self._state().workflow

    @property
    def status(self) -> str:
        """`running`, `recovering`, `paused`, `completed` or `halted`."""
        return self._state().status

    @property
    def reason(self) -> str:
        """Why it is paused or halted; empty otherwise."""
        return self._state().reason

    @property
    def head(self) -> str:
        """The id of the checkpoint that it would go on from."""
        return self._state().head

    @property
    def checkpoints(self) -> list[CheckpointView]:
        """The checkpoints from the start to the head."""
        return [
            CheckpointView(one.id, one.name, one.step, one.agent, one.parent, one.outcomes.root, _time(one.at))
            for one in self._state().path_to_head()
        ]

    @property
    def violations(self) -> list[ViolationView]:
        """All broken rules, oldest first."""
        return [self._violation(one) for one in self._store.events(self.id) if isinstance(one, e.PolicyViolated)]

    @property
    def recoveries(self) -> list[RecoveryView]:
        """All decisions about failures, oldest first."""
        return [
            RecoveryView(one.step, one.attempt, one.failure, one.strategy, one.source, one.target)
            for one in self._store.events(self.id)
            if isinstance(one, e.RecoveryDecided)
        ]

    @property
    def result(self) -> Any:
        """What the workflow returned; None before that. Without its classes it is plain data."""
        state = self._state()
        if not state.result_seq:
            return None
        try:
            return self._store.value(self.id, state.result_seq)
        except UnknownType:
            return self._store.view(self.id, state.result_seq)

    @property
    def started(self) -> datetime:
        """When it began, UTC."""
        return _time(self._state().started)

    @property
    def ended(self) -> datetime | None:
        """When it ended, UTC; None while it has not."""
        ended = self._state().ended
        return _time(ended) if ended is not None else None

    def __repr__(self) -> str:
        try:
            state = self._state()
        except OmiumError:
            # A view outlives its store, and whoever shows it (a debugger, the end of an event loop) must not fail.
            return f"<Execution {self.id}>"
        why = f" ({state.reason})" if state.reason else ""
        return (
            f"<Execution {self.id} of {state.workflow}: {state.status}{why}, {len(state.path_to_head())} checkpoints>"
        )

    def _repr_html_(self) -> str:
        state = self._state()
        cells = [(html.escape(one.name), html.escape(one.agent or ""), one.id) for one in state.path_to_head()]
        rows = "".join(
            f"<tr><td>{name}</td><td>{agent}</td><td><code>{id}</code></td></tr>" for name, agent, id in cells
        )
        title = f"{html.escape(state.workflow)} <code>{html.escape(self.id)}</code>: <b>{state.status}</b>"
        return f"<p>{title} {html.escape(state.reason)}</p><table><tr><th>checkpoint<th>agent<th>id</tr>{rows}</table>"

    def _state(self) -> ExecutionState:
        return self._store.load(self.id).state

    def _violation(self, event: e.PolicyViolated) -> ViolationView:
        body = self._store.view(self.id, event.seq)
        said = (body.get("message", ""), event.where, body.get("values", {}))
        return ViolationView(event.step, event.attempt, event.rule, *said, event.mode, event.severity, body.get("cite"))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
