"""From a call in user code to what the engine is asked: arguments by name and digest, ladders in their order."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import attrs

from omium_core.engine.calls import EffectCall, StepCall
from omium_core.errors import Unstorable, UsageError
from omium_core.journal.codec import Codec
from omium_core.model.body import Body
from omium_core.model.effect import READ
from omium_core.model.immutable import immutable
from omium_core.recovery.agents import AgentConfig, config_of, ladder_of
from omium_core.recovery.ladders import Halt, Ladder, Pause, Recovery, Rollback
from omium_core.runtime.declarations import EffectDeclaration, StepDeclaration
from omium_core.runtime.noting import note_call

__all__ = ["RollbackOn", "Target", "describe", "effect_call", "step_call"]

DETECTED = "_detected"


@immutable(eq=False)
class Target:
    """A function with the arguments of one call. `instance` is the agent it is a method of."""

    fn: Any
    instance: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    saved: tuple[str, ...] = ()

    def __call__(self) -> Any:
        if self.instance is not None:
            return self.fn(self.instance, *self.args, **self.kwargs)
        return self.fn(*self.args, **self.kwargs)


@attrs.frozen(eq=False)
class RollbackOn:
    """The failures that make a step roll back once, then pause: kinds and exception classes."""

    kinds: tuple[str, ...]
    classes: tuple[type[BaseException], ...]
    to: str | None = None

    @classmethod
    def given(cls, classes: tuple[Any, ...], flags: Mapping[str, bool], to: str | None) -> RollbackOn:
        """Read what `@rollback_on(...)` was given: `hallucination_detected=True`, `timeout=True`, exception classes."""
        for one in classes:
            if not (isinstance(one, type) and issubclass(one, BaseException)):
                raise UsageError(
                    f"`rollback_on` takes exception classes and kinds such as `timeout=True`, not `{one!r}`"
                )
        kinds = tuple(name.removesuffix(DETECTED) for name, wanted in flags.items() if wanted)
        if not kinds and not classes:
            raise UsageError(
                "`rollback_on` needs a failure kind, such as `hallucination_detected=True`, or an exception"
            )
        return cls(kinds, classes, to)

    def ladder(self, number: int = 1) -> Ladder:
        """Return it as a ladder: one rollback, then a person. `number` tells it from others on the same step."""
        recovery = Recovery(Rollback(self.to), Pause(), Halt(), kinds=self.kinds)
        source = "@rollback_on" if number == 1 else f"@rollback_on {number}"
        return Ladder(recovery, source, self.classes, {"to": self.to} if self.to else {})


def step_call(
    codec: Codec,
    declaration: StepDeclaration,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    outer: tuple[Ladder, ...],
    *,
    first: tuple[Ladder, ...] = (),
    detected: bool = False,
) -> StepCall:
    """Return a step's call as the engine takes it. `outer` are the workflow's ladders, which come last; the policy's
    come `first`.

    `detected` says that there are rules for every step, whether it has any of its own or not.
    """
    instance = args[0] if declaration.arguments.method else None
    args = args[1:] if declaration.arguments.method else args
    config = config_of(instance) if instance is not None else None
    saved = config.saved() if config is not None else ()
    named = declaration.arguments.named(args, kwargs)
    agent = agent_name(instance) if instance is not None else None
    digest, body = describe(codec, named, {name: getattr(instance, name) for name in saved})
    target = Target(declaration.fn, instance, args, kwargs, saved)
    effect = None
    if declaration.transaction is not None:
        effect = effect_call(codec, declaration.transaction, args, kwargs, performed=False)
    return StepCall(
        declaration.name,
        digest,
        target,
        declaration,
        body,
        agent,
        first + _ladders(declaration, config, agent, outer),
        detected or bool(declaration.ensures),
        bool(saved),
        effect,
    )


def effect_call(
    codec: Codec,
    declaration: EffectDeclaration,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    instance: Any = None,
    *,
    performed: bool = True,
) -> EffectCall:
    """Return an effect's call as the engine takes it; `performed=False` for a transaction, whose body is a step's."""
    try:
        named = declaration.arguments.named(args, kwargs)
    except TypeError as error:
        note_call(error, declaration, lambda: {"arguments": declaration.arguments.loosely(args, kwargs)})
        raise
    digest, storable = codec.digest(named)
    content = {"arguments": named} if storable else _storable_part(codec, named)
    lineage = _key(declaration, args, kwargs) if declaration.key is not None else None
    return EffectCall(
        declaration.name,
        declaration.kind,
        _fingerprint(codec, declaration, named, args, kwargs, digest, lineage),
        digest,
        Target(declaration.fn, instance, args, kwargs) if performed else None,
        declaration,
        None if declaration.kind == READ else codec.seal(content),
        lineage,
        declaration.on_conflict,
        declaration.model,
        lambda: content,
        tuple(codec.digest(named[name])[0] for name in declaration.single_use if name in named),
        declaration.breaker,
    )


def describe(
    codec: Codec, named: dict[str, Any], attributes: Mapping[str, Any] | None = None
) -> tuple[str, Body | None]:
    """Return the digest of arguments and their stored form, without those that cannot be stored."""
    digest, storable = codec.digest(named)
    if not named and not attributes:
        return digest, None
    content = {"arguments": named} if storable else _storable_part(codec, named)
    if attributes:
        content["attributes"] = dict(attributes)
    return digest, codec.seal(content)


def agent_name(instance: Any) -> str:
    """Return the name of the agent that an instance is."""
    return str(getattr(type(instance), "__omium_agent__", type(instance).__name__))


def _storable_part(codec: Codec, named: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    opaque: dict[str, str] = {}
    for name, value in named.items():
        try:
            codec.seal(value)
            kept[name] = value
        except Unstorable:
            opaque[name] = f"{type(value).__module__}.{type(value).__qualname__}"
    return {"arguments": kept, "opaque": opaque} if opaque else {"arguments": kept}


def _key(declaration: EffectDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return the user's own key; two requests with the same one are the same effect, so nothing vague can be one."""
    assert declaration.key is not None
    key = declaration.key(*args, **kwargs)
    # Who never imported `uuid` cannot have given one, and need not pay for it.
    uuid = sys.modules.get("uuid")
    if isinstance(key, bool) or not (isinstance(key, str | int) or (uuid is not None and isinstance(key, uuid.UUID))):
        raise UsageError(
            f"`key=` of effect `{declaration.name}` gave `{key!r}`; it must give a text, a whole number or a UUID"
        )
    if key == "":
        raise UsageError(f"`key=` of effect `{declaration.name}` gave an empty text; it must say which effect it is")
    return str(key)


def _fingerprint(
    codec: Codec,
    declaration: EffectDeclaration,
    named: dict[str, Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    digest: str,
    lineage: str | None,
) -> str:
    """Return what makes two requests the same effect: the user's key, else the arguments that are not volatile."""
    if lineage is not None:
        return f"key:{lineage}"
    if declaration.fingerprint is not None:
        return codec.digest(declaration.fingerprint(*args, **kwargs))[0]
    if declaration.volatile:
        return codec.digest({name: value for name, value in named.items() if name not in declaration.volatile})[0]
    return digest


def _ladders(
    declaration: StepDeclaration, config: AgentConfig | None, agent: str | None, outer: tuple[Ladder, ...]
) -> tuple[Ladder, ...]:
    configured = ladder_of(config, agent or "") if config is not None else None
    return declaration.ladders + ((configured,) if configured is not None else ()) + outer
