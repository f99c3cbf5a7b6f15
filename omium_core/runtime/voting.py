"""Voters of a handoff are asked at the same time, each in a thread of its own; who is late has no vote."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from omium_core.engine.commands import Poll
from omium_core.recovery.policy import Ballot, Vote
from omium_core.runtime.context import CURRENT
from omium_core.runtime.declarations import VoterDeclaration
from omium_core.runtime.judging import given_after

if TYPE_CHECKING:
    from omium_core.runtime.run import Run

__all__ = ["polled"]


def polled(run: Run, command: Poll) -> Ballot:
    """Return the answers that came in time; a voter that is nowhere, or that raises anything, rejects and says why."""
    handoff, value = command.handoff, command.outcome.value
    watch = run.machine.watch
    assert watch is not None
    given = given_after(run, command.call, value, command.scope)
    answers: queue.SimpleQueue[Vote] = queue.SimpleQueue()
    votes: dict[str, Vote] = {}
    for voter in handoff.voters:
        ruled = watch.policy.vote(voter, command.call.name, given)
        if ruled is not None:
            votes[voter] = ruled
            continue
        declared = run.registry.find(VoterDeclaration, voter)
        ask = declared.fn if declared is not None else partial(run.hooks.vote, voter)
        _start(voter, partial(_asked, answers, voter, ask, value))
    late = _gather(votes, answers, len(handoff.voters), handoff.within_s)
    return Ballot(tuple(votes[one] for one in handoff.voters if one in votes), late)


def _gather(votes: dict[str, Vote], answers: queue.SimpleQueue[Vote], expected: int, within_s: float) -> bool:
    """Take answers until all are there; say whether the time was up before."""
    until = time.monotonic() + within_s
    while len(votes) < expected:
        try:
            vote = answers.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return True
        votes[vote.voter] = vote
    return False


def _start(voter: str, ask: Callable[[], None]) -> None:
    """Ask in a thread that knows where it stands; what a voter does in the world is none of the execution's effects."""
    context = contextvars.copy_context()
    frame = CURRENT.get()
    if frame is not None:
        context.run(CURRENT.set, attrs.evolve(frame, plain=True))
    threading.Thread(target=context.run, args=(ask,), name=f"omium-voter-{voter}", daemon=True).start()


def _asked(answers: queue.SimpleQueue[Vote], voter: str, fn: Callable[[Any], Any], value: Any) -> None:
    answers.put(_answer(voter, fn, value))


def _answer(voter: str, fn: Callable[[Any], Any], value: Any) -> Vote:
    from omium_core.runtime.performing import finish_sync

    try:
        answer = finish_sync(fn(value))
    except BaseException as error:  # A voter that raises anything, `SystemExit` as well, has not accepted.
        return Vote(voter, "reject", str(error) or type(error).__name__)
    if answer is None:
        return Vote(voter, "abstain")
    if isinstance(answer, str):
        return Vote(voter, "reject", answer)
    return Vote(voter, "accept" if answer is True else "reject")
