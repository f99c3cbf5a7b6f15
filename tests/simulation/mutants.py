"""Engines that break one promise each, and what catches them: proof that the simulator sees what it is there to see.

The first fifteen are those of the reference model of rollback that the engine was designed after. Each is planted in
the real engine or store, at one place, and lives as long as its context.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import attrs
import pytest

from omium.testing.simulation.programs import Effect, Node, Program, Step
from omium_core.engine import effects, life, undoing
from omium_core.engine.commands import SOON
from omium_core.engine.state import ExecutionState
from omium_core.model import events as e
from omium_core.model.effect import COMPENSATION, IRREVERSIBLE, EffectRecord
from omium_sqlite import rows
from omium_sqlite.commit import GroupWriter

__all__ = ["MUTANTS", "Mutant", "lock_released_in_checkpoint"]

Plant = Callable[[pytest.MonkeyPatch], None]


@attrs.frozen
class Mutant:
    """`broken` is part of the sentence that it is caught with, under any of `seeds`, and in the `smallest` program."""

    name: str
    breaks: str
    broken: str
    plant: Plant
    seeds: tuple[int, ...] = ()
    smallest: Program | None = None

    def planted(self) -> AbstractContextManager[None]:
        """Let the engine be this mutant for a while."""
        return _planted(self.plant)


@contextmanager
def _planted(plant: Plant) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        yield


def _after(patch: pytest.MonkeyPatch, owner: Any, name: str, then: Callable[..., None]) -> None:
    """Let something happen after each call of a method, with what it was called with."""
    real = getattr(owner, name)

    def around(*args: Any, **kwargs: Any) -> Any:
        result = real(*args, **kwargs)
        then(*args, **kwargs)
        return result

    patch.setattr(owner, name, around)


def no_intent(patch: pytest.MonkeyPatch) -> None:
    """An effect is performed while its intent is only on its way to the disk."""
    patch.setattr(effects, "DURABLE", SOON)


def dedup_by_request(patch: pytest.MonkeyPatch) -> None:
    """Only a request that is the same byte for byte is the same effect."""
    real = effects._same_request

    def same(machine: Any, scope: Any, slot: str, call: Any) -> EffectRecord | None:
        found = real(machine, scope, slot, call)
        return found if found is not None and found.arguments == call.arguments else None

    patch.setattr(effects, "_same_request", same)
    patch.setattr(effects, "_same_slot", lambda *_: None)


def no_fork_guard(patch: pytest.MonkeyPatch) -> None:
    """Another request in a slot where one stands is performed as well, and nobody is asked."""

    def conflict(*_: Any) -> Any:
        return "perform"
        yield

    patch.setattr(effects, "_conflict", conflict)


def no_approval(patch: pytest.MonkeyPatch) -> None:
    """What waits for a person goes on without the person's answer."""
    patch.setattr(life, "_answered", lambda machine: True)


def blind_retry(patch: pytest.MonkeyPatch) -> None:
    """An effect of which nobody knows whether it happened is sent again, with or without a key of the user's."""

    def intended(state: ExecutionState, event: e.EffectIntended) -> None:
        if event.kind != COMPENSATION:
            state.effects[event.effect].keyed = True

    _after(patch, ExecutionState, "_intended", intended)


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """A runner that was taken over is told that its appends are stored."""
    real = rows.extend
    patch.setattr(rows, "extend", lambda connection, entry: real(connection, entry) or True)


def no_point_of_no_return(patch: pytest.MonkeyPatch) -> None:
    """A rollback forgets the irreversible effects behind it."""

    def cut(state: ExecutionState, target: Any) -> None:
        for one in state.effects.values():
            if one.seq > target.seq and one.kind == IRREVERSIBLE:
                one.abandoned = True

    _after(patch, ExecutionState, "_cut", cut)


def forward_order(patch: pytest.MonkeyPatch) -> None:
    """A rollback compensates oldest first."""

    def compensate(machine: Any, those: Any, inside: str = "") -> Any:
        for one in sorted(those, key=lambda one: one.seq):
            yield from undoing._undo(machine, one)

    patch.setattr(undoing, "compensate", compensate)


def compensation_without_intent(patch: pytest.MonkeyPatch) -> None:
    """A compensation runs while its intent is only on its way to the disk."""
    patch.setattr(undoing, "DURABLE", SOON)


def compensation_not_idempotent(patch: pytest.MonkeyPatch) -> None:
    """A compensation that is repeated has another key."""
    numbers, real = itertools.count(), undoing.digest_of
    patch.setattr(undoing, "digest_of", lambda *parts: real(*parts, next(numbers)))


def wrong_state(patch: pytest.MonkeyPatch) -> None:
    """A rollback moves the head and leaves the outcomes that came after it."""
    real = ExecutionState._cut

    def cut(state: ExecutionState, target: Any) -> None:
        before = state.outcomes
        real(state, target)
        state.outcomes = before

    patch.setattr(ExecutionState, "_cut", cut)


def credential_reuse(patch: pytest.MonkeyPatch) -> None:
    """A credential counts as spent only if its call did something."""

    def check(*_: Any) -> Any:
        return
        yield

    patch.setattr(effects, "_check_credentials", check)


def no_unclaimed_check(patch: pytest.MonkeyPatch) -> None:
    """What stands is looked for only in the slot that asks, not where a plan had it before."""
    real = effects._same_request

    def same(machine: Any, scope: Any, slot: str, call: Any) -> EffectRecord | None:
        found = real(machine, scope, slot, call)
        return found if found is not None and found.slot == slot else None

    patch.setattr(effects, "_same_request", same)


def unclaimed_only_after_rollback(patch: pytest.MonkeyPatch) -> None:
    """What an attempt did before its process died is not claimed when the attempt goes on."""
    patch.setattr(effects, "_claimable", lambda effect, scope: not effect.abandoned and not effect.claims)


def claims_survive_rollback(patch: pytest.MonkeyPatch) -> None:
    """A claim stays with the step that a rollback went behind, so nobody can claim the effect again."""
    real = ExecutionState._cut

    def cut(state: ExecutionState, target: Any) -> None:
        claims = {one.id: one.claims for one in state.effects.values() if one.seq not in one.claims.values()}
        real(state, target)
        for id, its in claims.items():
            # Its new attempt is another one than the one that claimed it.
            state.effects[id].claims = its

    patch.setattr(ExecutionState, "_cut", cut)
    patch.setattr(ExecutionState, "_release", lambda *_: None)


def attempts_reset(patch: pytest.MonkeyPatch) -> None:
    """A rollback lets the steps behind it begin their ladders from the first rung."""

    def cut(state: ExecutionState, target: Any) -> None:
        for one in state.steps.values():
            if one.started > target.seq:
                one.attempts = 0
                one.used.clear()

    _after(patch, ExecutionState, "_cut", cut)


def key_from_request(patch: pytest.MonkeyPatch) -> None:
    """The key that a provider gets is made from the request that a model wrote."""
    real, requests = effects._intend, []

    def intend(machine: Any, scope: Any, slot: str, call: Any, again: Any = None) -> Any:
        requests.append(call)
        return real(machine, scope, slot, call, again)

    def key(execution: str, lineage: str, incarnation: int, *, keyed: bool) -> str:
        return "omk_" + requests[-1].arguments[:32]

    patch.setattr(effects, "_intend", intend)
    patch.setattr(effects, "provider_key", key)


def answers_of_attempt_1(patch: pytest.MonkeyPatch) -> None:
    """A later attempt is answered with what the first one was answered."""
    real = effects._read

    def read(machine: Any, scope: Any, slot: str, call: Any) -> Any:
        reads = machine.state.reads
        if scope.attempt > 1 and (scope.path, 1) in reads:
            reads[scope.path, scope.attempt] = reads[scope.path, 1]
        return real(machine, scope, slot, call)

    patch.setattr(effects, "_read", read)


def lock_released_in_checkpoint(patch: pytest.MonkeyPatch) -> None:
    """The WAL is copied into the database while another process may write."""
    real = GroupWriter._checkpoint

    def checkpoint(writer: GroupWriter) -> None:
        # Threads of this process stay apart; they share the connection.
        between = writer._connections._between
        between.release()
        try:
            real(writer)
        finally:
            between.take()

    patch.setattr(GroupWriter, "_checkpoint", checkpoint)


def _step(*body: Node, **given: Any) -> Program:
    return Program((Step(tuple(body), **given),))


MUTANTS = (
    Mutant("no_intent", "invariant 2", "before its intent was durable", no_intent, seeds=(0, 1, 2, 3)),
    Mutant("dedup_by_request", "invariant 3", "stands . times", dedup_by_request, seeds=(7, 77)),
    Mutant(
        "no_fork_guard",
        "invariant 4",
        "stands . times",
        no_fork_guard,
        seeds=(77,),
        smallest=_step(Effect("irreversible", words=True), fails=frozenset({1}), ladder="retry"),
    ),
    Mutant("no_approval", "invariant 2", "without an answer it went on", no_approval, seeds=(1, 12, 13, 33)),
    Mutant("blind_retry", "invariant 2", "was done twice under the key", blind_retry, seeds=(34, 40, 43, 6)),
    Mutant("no_fence", "invariant 6", "by a runner that was taken over", no_fence, seeds=(32, 22, 31)),
    Mutant("no_point_of_no_return", "invariant 4", "stands . times", no_point_of_no_return, seeds=(7, 2, 11, 18)),
    Mutant("forward_order", "invariant 4", "another order than newest first", forward_order, seeds=(2, 3, 6, 12)),
    Mutant(
        "compensation_without_intent",
        "invariant 2",
        "undone before the intent of that was durable",
        compensation_without_intent,
        seeds=(2, 3, 6, 12),
    ),
    Mutant(
        "compensation_not_idempotent",
        "invariant 3",
        "undone under two keys",
        compensation_not_idempotent,
        seeds=(35, 57),
    ),
    Mutant("wrong_state", "invariant 3", "rolled back to another state", wrong_state, seeds=(2, 3)),
    Mutant(
        "credential_reuse",
        "a credential that can be used once",
        "was presented twice",
        credential_reuse,
        smallest=_step(Effect("irreversible", token=True, trouble=("refused",) * 2), ladder="retry"),
    ),
    Mutant(
        "no_unclaimed_check",
        "invariant 3",
        "undisturbed it is",
        no_unclaimed_check,
        smallest=_step(Effect("irreversible", turned=True), fails=frozenset({1}), ladder="retry"),
    ),
    Mutant(
        "unclaimed_only_after_rollback",
        "invariant 3",
        "stands . times|comes after the irreversible",
        unclaimed_only_after_rollback,
        seeds=(1, 2),
    ),
    Mutant("claims_survive_rollback", "invariant 3", "stands . times", claims_survive_rollback, seeds=(2, 3)),
    Mutant(
        "attempts_reset",
        "invariant 9",
        "attempt 1 of s. again",
        attempts_reset,
        seeds=(2, 3),
    ),
    Mutant(
        "key_from_request",
        "invariant 3",
        "was done twice under the key",
        key_from_request,
        seeds=(2, 1),
        smallest=_step(Effect("irreversible"), times=2),
    ),
    Mutant(
        "answers_of_attempt_1",
        "attempt 2 reaches the model",
        "got the answer 1 of another one",
        answers_of_attempt_1,
        seeds=(6,),
        smallest=_step(fails=frozenset({1}), moody=True, ladder="retry"),
    ),
)
