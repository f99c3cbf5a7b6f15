"""How commands are performed, as far as it is the same for the sync and the async driver."""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from omium_core import errors
from omium_core.engine.calls import Outcome
from omium_core.engine.commands import (
    Attempt,
    Check,
    CheckReady,
    Command,
    Consult,
    Correct,
    Diagnose,
    Fetch,
    Jitter,
    NotifyChannel,
    Perform,
    Recall,
    Resend,
    Restore,
    Screen,
    Suggest,
    Tell,
    Undo,
    Validate,
)
from omium_core.engine.machine import AttemptAborted, Interrupt
from omium_core.engine.scope import Scope
from omium_core.errors import (
    Corrupted,
    ExecutionFenced,
    OmiumError,
    StepError,
    StoreError,
    UnknownType,
    Unstorable,
    UsageError,
)
from omium_core.journal.codec import Codec
from omium_core.model.effect import COMPENSABLE, EffectRecord
from omium_core.model.failure import Failure
from omium_core.model.immutable import immutable
from omium_core.recovery.detectors import classify
from omium_core.runtime import telling
from omium_core.runtime.consulting import consulted, violations_in
from omium_core.runtime.context import CURRENT, Frame, Undoing, owner
from omium_core.runtime.correcting import corrected
from omium_core.runtime.declarations import EffectDeclaration, StepDeclaration
from omium_core.runtime.noting import note_call

if TYPE_CHECKING:
    from omium_core.runtime.run import Run

__all__ = [
    "NOT_DONE",
    "Invocation",
    "Invoker",
    "compute",
    "finish_sync",
    "invocation",
    "is_ours",
    "messenger_in",
    "storable_by",
]


def is_ours(error: OmiumError) -> bool:
    """Say whether an error is the runtime's own trouble, not the user code's."""
    return isinstance(error, (StoreError, ExecutionFenced, UnknownType))


def finish_sync(value: Any) -> Any:
    """Return what an awaitable gives, for user code that is async where the caller is not (an undo, a fallback)."""
    if not isinstance(value, Awaitable):
        return value
    from omium_core.runtime import awaiting  # Sync programs never come here.

    return awaiting.result_of(value)


@immutable(eq=False)
class Invocation:
    """One call of user code: what to call, where it stands meanwhile, and what its end means."""

    call: Callable[[], Any]
    frame: Frame
    succeeded: Callable[[Any], Outcome]
    failed: Callable[[BaseException], Outcome]


@attrs.frozen(eq=False)
class _Wrappers:
    """The plugins' generators around one attempt. What they raise is journaled and goes no further."""

    run: Run
    started: list[tuple[str, Generator[None, Any, None]]]

    @classmethod
    def around(cls, run: Run, step: str) -> _Wrappers | None:
        made = run.hooks.wrappers(run.id, step)
        if not made:
            return None
        wrappers = cls(run, [])
        for plugin, wrapper in made:
            if wrappers._guarded(plugin, partial(next, wrapper), None):
                wrappers.started.append((plugin, wrapper))
        return wrappers

    def ended(self, value: Any, error: BaseException | None) -> None:
        for plugin, wrapper in reversed(self.started):
            if error is None:
                self._guarded(plugin, partial(wrapper.send, value), None)
            else:
                self._guarded(plugin, partial(wrapper.throw, error), error)

    def _guarded(self, plugin: str, advance: Callable[[], Any], passing: BaseException | None) -> bool:
        try:
            advance()
        except StopIteration:
            return False
        except BaseException as error:  # A plugin may raise anything; the attempt's own exception is let through.
            if error is not passing:
                self.run.plugin_failed(plugin, "step_wrapper", error)
            return False
        return True


def invocation(run: Run, command: Attempt | Perform | Resend | Check | Undo) -> Invocation | None:
    """Return the call of user code that a command asks for; None where there is nobody to ask."""
    match command:
        case Attempt():
            return _attempt(run, command)
        case Perform():
            return _perform(run, command)
        case Resend(effect):
            return _resend(run, effect)
        case Check(effect):
            return _check(run, effect)
        case Undo(effect, key):
            return _undo(run, effect, key)


Invoker: TypeAlias = "Callable[[Run, Attempt | Perform | Resend | Check | Undo], Invocation | None]"
"""What makes the call of user code that a command asks for: `invocation`, or a scenario's script in its place."""


def compute(run: Run, command: Command) -> Any:
    """Perform a command that calls no user code but rules, and waits for nothing."""
    match command:
        case Fetch(execution, seq):
            return run.store.value(execution, seq)
        case Restore(step, evidence):
            return _restore(run, step, evidence)
        case Validate(call, outcome, scope):
            return violations_in(run, call, outcome.value, scope)
        case Screen():
            return _screened(run, command)
        case Correct(value, changes):
            return _correct(run, value, changes)
        case CheckReady(outcomes, effects):
            return _ready(run, outcomes, effects)
        case Jitter():
            return run.store.clock.chance()
        case NotifyChannel() | Tell():
            return telling.tell(run, command)
        case Consult(strategy, case):
            return consulted(run, strategy, case)
        case Recall(topic, limit):
            return run.store.mentions(topic, limit)
        case Diagnose() | Suggest():
            return _looked_into(run, command)
    raise AssertionError(f"`{type(command).__name__}` is the driver's")


def _screened(run: Run, command: Screen) -> Any:
    # Only executions that have a policy import it.
    from omium_core.runtime.judging import screened

    return screened(run, command)


def _looked_into(run: Run, command: Diagnose | Suggest) -> Any:
    # Executions in which nothing fails never import it.
    from omium_core.runtime import diagnosing, suggesting

    if isinstance(command, Diagnose):
        return diagnosing.diagnosed(run, command)
    return suggesting.suggested(run, command.scope, command.failure, command.fingerprint, command.fallbacks)


def _attempt(run: Run, command: Attempt) -> Invocation:
    call, scope = command.call, command.scope
    target = call.target
    if command.performer is not None:
        target = _fallback(run, command.performer, target)
    agent = getattr(call.target, "instance", None)
    if command.attributes is not None and agent is not None:
        for name, value in command.attributes.items():
            setattr(agent, name, value)
    # A transaction is an effect itself until its body performs a declared one, so its body has that effect's key.
    own = run.machine.state.effects.get(scope.transaction) if scope.transaction is not None else None
    frame = Frame(
        run,
        scope,
        scope.main,
        owner(),
        scope.path,
        call.agent,
        command.told,
        command.fixes,
        own.key if own is not None else None,
    )
    wrappers = _Wrappers.around(run, scope.path)

    def succeeded(value: Any) -> Outcome:
        if wrappers is not None:
            wrappers.ended(value, None)
        try:
            body = run.store.codec.seal(value)
            attributes = run.store.codec.seal(_attributes(call.target)) if call.attributes else None
        except Unstorable as error:
            return refused(error)
        return Outcome(value, body, attributes=attributes)

    def failed(error: BaseException) -> Outcome:
        if wrappers is not None:
            wrappers.ended(None, error)
        return refused(messenger_in(error))

    def refused(error: BaseException) -> Outcome:
        if isinstance(error, AttemptAborted) and scope.aborted is not None:
            return Outcome()
        if not isinstance(error, Exception) or isinstance(error, Interrupt):
            raise error
        definite = False
        if isinstance(call.declaration, StepDeclaration) and call.declaration.transaction is not None:
            definite = call.declaration.transaction.certainly_not_done(error)
        failure = classify(error, models=scope.models, storable=storable_by(run.store.codec))
        return Outcome(failure=failure, error=error, definite=definite)

    return Invocation(target, frame, succeeded, failed)


def _attributes(target: Any) -> dict[str, Any]:
    return {name: getattr(target.instance, name) for name in target.saved}


def _fallback(run: Run, name: str, target: Any) -> Callable[[], Any]:
    def call() -> Any:
        found = run.registry.find(StepDeclaration, name)
        if found is None:
            raise UsageError(f"there is no step `{name}` to fall back to; import the module that declares it")
        if not found.arguments.method:
            return found.fn(*target.args, **target.kwargs)
        if not _declares(type(target.instance), found):
            raise UsageError(
                f"`{name}` cannot be fallen back to here: it is a method of another agent; "
                f"name a step of the same agent, or one that is a function"
            )
        return found.fn(target.instance, *target.args, **target.kwargs)

    return call


def _declares(cls: type, step: StepDeclaration) -> bool:
    """Say whether a step is a method of that class or of one above it, so that an instance can be its `self`."""
    methods = [one for above in cls.__mro__ for one in vars(above).values() if isinstance(one, FunctionType)]
    steps = [one.__dict__["__omium__"] for one in methods if "__omium__" in one.__dict__]
    # By its place, not by identity: after a reload, an instance is of the class as it was before.
    home = (step.fn.__module__, step.fn.__qualname__)
    return any((one.fn.__module__, one.fn.__qualname__) == home for one in steps)


def _perform(run: Run, command: Perform) -> Invocation:
    call, here = command.call, CURRENT.get()
    assert here is not None and call.target is not None
    # What the effect calls in its turn is part of it.
    spent: dict[str, Any] = {}
    frame = attrs.evolve(here, key=command.key, plain=True, spent=spent)

    def succeeded(value: Any) -> Outcome:
        content = {**call.request(), "value": value} if call.kind == "read" and call.request is not None else value
        try:
            return Outcome(value, run.store.codec.seal(content), usage=spent or None)
        except Unstorable as error:
            return attrs.evolve(_failed_effect(run, error, definite=False), usage=spent or None)

    def failed(error: BaseException) -> Outcome:
        note_call(messenger_in(error), call.declaration, call.request)
        return attrs.evolve(_effect_error(run, call.declaration, error), usage=spent or None)

    return Invocation(call.target, frame, succeeded, failed)


def _resend(run: Run, effect: EffectRecord) -> Invocation | None:
    declaration = _declared(run, effect)
    step = run.registry.find(StepDeclaration, effect.name) if declaration is None else None
    target = declaration or step
    # The instance that a method was called on is not recorded, so there is nobody to send it again.
    if target is None or target.arguments.method:
        return None
    recorded = run.store.value(run.id, effect.seq)
    args, kwargs = target.arguments.call(recorded["arguments"])
    return _world(run, effect, effect.key, lambda: target.fn(*args, **kwargs))


def _check(run: Run, effect: EffectRecord) -> Invocation | None:
    declaration = _declared(run, effect)
    if declaration is None or declaration.check is None:
        return None
    check = declaration.check
    return _world(run, effect, effect.key, lambda: check(effect.key))


def _undo(run: Run, effect: EffectRecord, key: str) -> Invocation:
    declaration = _declared(run, effect)
    if declaration is None or declaration.undo is None:
        reason = f"the undo of `{effect.name}` is not declared here; name the file that declares it"
        raise StoreError(reason)
    undo = declaration.undo
    value = run.store.value(run.id, effect.value_seq)
    request = run.store.value(run.id, effect.seq)
    undoing = Undoing(effect.key, request.get("arguments", {}), value, effect)
    return _world(run, effect, key, lambda: undo(value), undoing)


def _world(
    run: Run, effect: EffectRecord, key: str, call: Callable[[], Any], undoing: Undoing | None = None
) -> Invocation:
    """A call to the world outside of any step's body: nothing that it does is journaled as the step's."""
    scope = Scope(effect.step, effect.attempt, run.machine.entry)
    frame = Frame(run, scope, scope.main, owner(), name=effect.step, key=key, undoing=undoing, plain=True)

    def succeeded(value: Any) -> Outcome:
        if value is NOT_DONE:
            return Outcome(failure=Failure("error", "it did not happen"), definite=True)
        return Outcome(value, run.store.codec.seal(value))

    def failed(error: BaseException) -> Outcome:
        # What ends the program or the task says nothing about the effect, and must not be lost in an answer about it.
        if not isinstance(error, Exception):
            raise error
        return _effect_error(run, _declared(run, effect), error)

    return Invocation(call, frame, succeeded, failed)


def _effect_error(run: Run, declaration: EffectDeclaration | None, error: BaseException) -> Outcome:
    """An exception is not proof that nothing happened, unless it is declared to be."""
    error = messenger_in(error)
    if isinstance(error, (Interrupt, AttemptAborted)):
        raise error
    return _failed_effect(run, error, declaration is not None and declaration.certainly_not_done(error))


def messenger_in(error: BaseException) -> BaseException:
    """Return the messenger that a task group has wrapped among what its tasks raised, else the error itself."""
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (Interrupt, AttemptAborted)):
            return one
        # A group, which Python 3.10 has no class for.
        inner = getattr(one, "exceptions", None)
        if isinstance(inner, tuple):
            waiting.extend(each for each in inner if isinstance(each, BaseException))
    return error


def _failed_effect(run: Run, error: BaseException, definite: bool) -> Outcome:
    return Outcome(
        failure=classify(error, models=0, storable=storable_by(run.store.codec)), error=error, definite=definite
    )


def _declared(run: Run, effect: EffectRecord) -> EffectDeclaration | None:
    found = run.registry.find(EffectDeclaration, effect.name)
    if found is not None:
        return found
    step = run.registry.find(StepDeclaration, effect.name)
    return step.transaction if step is not None else None


def storable_by(codec: Codec) -> Callable[[Any], bool]:
    """Return what says whether a value can be stored."""

    def storable(value: Any) -> bool:
        try:
            codec.seal(value)
        except Unstorable:
            return False
        return True

    return storable


def _restore(run: Run, step: str, evidence: dict[str, Any]) -> BaseException:
    """Return the same exception if its type is a built-in or declared one, else a `StepError` with its text."""
    error = evidence.get("error") or {}
    name, args = str(error.get("type", "")), error.get("args")
    module, _, short = name.rpartition(".")
    ours = {"builtins": builtins, "omium_core.errors": errors}.get(module)
    kind = getattr(ours, short, None) if ours is not None else run.store.codec.types.class_of(name)
    if isinstance(kind, type) and issubclass(kind, Exception) and isinstance(args, list):
        try:
            return kind(*args)
        except Exception:  # A constructor that does not take the recorded arguments back.
            return StepError(step, name, str(evidence.get("message", "")))
    return StepError(step, name, str(evidence.get("message", "")))


def _correct(run: Run, value: Any, changes: dict[str, Any]) -> Outcome:
    try:
        fixed = corrected(value, changes)
        return Outcome(fixed, run.store.codec.seal(fixed))
    except (UsageError, Unstorable) as error:
        return Outcome(failure=classify(error, models=0, storable=storable_by(run.store.codec)), error=error)


def _ready(run: Run, outcomes: tuple[tuple[str, int], ...], effects: tuple[EffectRecord, ...]) -> str | None:
    for effect in effects:
        declaration = _declared(run, effect)
        if effect.kind == COMPENSABLE and (declaration is None or declaration.undo is None):
            return f"the undo of `{effect.name}` is not declared here; name the file that declares it"
    try:
        for execution, seq in outcomes:
            run.store.verify_value(execution, seq)
    except (Corrupted, StoreError) as error:
        return str(error)
    return None


class _NotDoneType:
    """What a `check` returns to say that the effect did not happen."""

    def __repr__(self) -> str:
        return "omium.NOT_DONE"


NOT_DONE = _NotDoneType()
