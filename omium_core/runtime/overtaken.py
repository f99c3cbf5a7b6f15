"""What a runner finds out when its execution was stopped, or taken over, by somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omium_core.engine.commands import Stopped
from omium_core.engine.machine import Machine
from omium_core.errors import ExecutionFenced, OmiumError
from omium_core.model import events as e
from omium_core.model.effect import READ
from omium_core.runtime.recorder import Recorder

if TYPE_CHECKING:
    from omium_core.runtime.run import Run
    from omium_core.runtime.store import Loaded

__all__ = ["stopped", "turns"]

# A long wait looks this often whether the execution is still this runner's.
LOOK_S = 1.0
# Two operators can be at work at once, each with a few appends.
TRIES_MAX = 5


def turns(run: Run, seconds: float) -> Iterator[float]:
    """Give the parts in which to wait; between two of them a wait ends early when the execution is stopped.

    Raises `ExecutionFenced` where another process has stopped it or taken it over.
    """
    while seconds > LOOK_S:
        yield LOOK_S
        seconds -= LOOK_S
        if run.machine.stopping is not None:
            return
        row = run.store.journal.execution(run.id)
        if row is not None and row.epoch > run.recorder.epoch:
            raise ExecutionFenced(run.id)
    yield seconds


def stopped(run: Run) -> Stopped | None:
    """Return how a person stopped the execution that this runner had; None where another runner has it now.

    What its effects in flight came to is journaled for it, unless somebody goes on with it already.
    """
    late = [one for one in run.recorder.refused() if isinstance(one, e.EffectDone | e.EffectFailed)]
    for _ in range(TRIES_MAX):
        loaded = run.store.load(run.id)
        state = loaded.state
        if not state.stopped_by or state.status not in ("paused", "halted"):
            return None
        try:
            _journal(run, loaded, late)
        except ExecutionFenced:
            continue
        except OmiumError:
            # They stay unresolved, as after a crash; that the execution is stopped holds all the same.
            pass
        return Stopped("halted" if state.status == "halted" else "paused", state.reason)
    return None


def _journal(run: Run, loaded: Loaded, late: list[e.EffectDone | e.EffectFailed]) -> None:
    """Journal the outcomes that came after the stop, of effects whose intent came before it."""
    state = loaded.state
    machine = Machine(state, run.store.codec.seal, now=run.store.clock.now())
    for event in late:
        record = state.effects.get(event.effect)
        if event.kind == READ or record is None or not record.uncertain:
            continue
        done = isinstance(event, e.EffectDone)
        if done or (isinstance(event, e.EffectFailed) and event.definite):
            by = "its runner, after it was stopped"
            machine.event(e.EffectResolved, event.body if done else None, effect=record.id, done=done, by=by)
    made = machine.take()
    if made:
        recorder = Recorder(run.store.journal, run.id, loaded.digest, loaded.epoch, run.store.codec.stored)
        recorder.track = run.recorder.track
        recorder.append(made, state).wait()
