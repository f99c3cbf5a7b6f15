"""What becomes of effects: unresolved ones are resolved without guessing, compensable ones undone newest first."""

from __future__ import annotations

from collections.abc import Iterable

from omium_core.engine.calls import Outcome
from omium_core.engine.commands import DURABLE, Check, Fetch, Jitter, Resend, Sleep, Undo
from omium_core.engine.machine import Interrupt, Machine, Protocol, Stop, digest_of
from omium_core.model import events as e
from omium_core.model.effect import COMPENSATION, EffectRecord
from omium_core.recovery.ladders import Backoff

__all__ = ["ask_person", "ask_world", "compensate", "resolve"]

COMPENSATION_ATTEMPTS_MAX = 3
COMPENSATION_BACKOFF = Backoff("exponential", 0.2, 2.0)


def resolve(machine: Machine, effect: EffectRecord) -> Protocol[None]:
    """Find out whether an effect happened: ask the world, send it again under its key, or ask a person and stop."""
    if (yield from ask_world(machine, effect)):
        return
    outcome: Outcome | None = None
    if effect.keyed:
        # An append tells a runner that it was taken over, so what it has to append is there BEFORE it sends anything.
        yield DURABLE
        outcome = yield Resend(effect)
    # Where the second sending certainly did not happen, the first one still may have.
    if (
        outcome is None
        or outcome.failure is not None
        or not (yield from _settled(machine, effect, outcome, "sent again"))
    ):
        raise (yield from ask_person(machine, effect))


def ask_world(machine: Machine, effect: EffectRecord) -> Protocol[bool]:
    """Ask the effect's own `check`; say whether it knew."""
    outcome: Outcome | None = yield Check(effect)
    return (yield from _settled(machine, effect, outcome, "check"))


def ask_person(machine: Machine, effect: EffectRecord) -> Protocol[Interrupt]:
    """Ask a person whether it happened, and stop; raise what this returns."""
    question = f"did `{effect.name}` happen? it was begun in `{effect.step or 'the workflow'}` and never answered"
    request = yield Fetch(machine.state.id, effect.seq)
    choices = [("happened", "it happened (give its value)"), ("not", "it did not happen")]
    return (
        yield from machine.ask(
            question, choices, {"request": request}, step=effect.step, kind="effect_unresolved", effect=effect.id
        )
    )


def _settled(machine: Machine, effect: EffectRecord, outcome: Outcome | None, by: str) -> Protocol[bool]:
    if outcome is None or (outcome.failure is not None and not outcome.definite):
        return False
    done = outcome.failure is None
    machine.event(e.EffectResolved, outcome.body if done else None, effect=effect.id, done=done, by=by)
    yield DURABLE
    return True


def compensate(machine: Machine, effects: Iterable[EffectRecord], inside: str = "") -> Protocol[None]:
    """Undo effects, newest first. One that cannot be undone stops the execution and is named.

    What a step outside of the one at `inside` has claimed meanwhile, in another lane, is that one's and stands.
    """
    for effect in sorted(effects, key=lambda one: one.seq, reverse=True):
        if not effect.is_claimed_outside(inside):
            yield from _undo(machine, effect)


def _undo(machine: Machine, effect: EffectRecord) -> Protocol[None]:
    key = "omk_" + digest_of("undo", effect.id)[:32]
    machine.event(
        e.EffectIntended,
        effect=effect.id,
        name=effect.name,
        step=effect.step,
        attempt=effect.attempt,
        slot=effect.slot,
        kind=COMPENSATION,
        key=key,
        fingerprint=effect.fingerprint,
        arguments=effect.arguments,
        of=effect.id,
    )
    yield DURABLE
    message = ""
    for attempt in range(1, COMPENSATION_ATTEMPTS_MAX + 1):
        outcome: Outcome = yield Undo(effect, key)
        if outcome.failure is None:
            machine.event(e.EffectCompensated, effect=effect.id, key=key)
            yield DURABLE
            return
        message, final = outcome.failure.message, attempt == COMPENSATION_ATTEMPTS_MAX
        machine.event(
            e.CompensationFailed,
            machine.seal(outcome.failure.evidence),
            effect=effect.id,
            key=key,
            attempt=attempt,
            final=final,
        )
        yield DURABLE
        if not final:
            yield Sleep(COMPENSATION_BACKOFF.wait_s(attempt, (yield Jitter())))
    reason = f"`{effect.name}` (`{effect.id}`) could not be undone and still stands: {message}"
    raise machine.stop(Stop("pause", reason, step=effect.step))
