"""Calls of declared steps and effects: inside an execution through the engine, outside as plain Python."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from omium.runtime import running_now
from omium_core.engine import effects, steps
from omium_core.engine.calls import StepCall
from omium_core.errors import UsageError
from omium_core.model.effect import READ
from omium_core.runtime.calling import effect_call, step_call
from omium_core.runtime.context import CURRENT, Frame, current_frame
from omium_core.runtime.declarations import EffectDeclaration, StepDeclaration

__all__ = ["aperform_effect", "aperform_step", "here", "in_pool_thread", "perform_effect", "perform_step"]


def here() -> Frame | None:
    """Return where a declared call stands; None where it is plain Python: outside, and inside a check or an undo."""
    frame = current_frame()
    return None if frame is None or frame.plain else frame


def perform_step(frame: Frame, declaration: StepDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the step's value, from the record or by attempting it."""
    call = _step_call(frame, declaration, args, kwargs)
    return frame.run.drive(steps.perform(frame.run.machine, frame.scope, frame.lane, call))


async def aperform_step(
    frame: Frame, declaration: StepDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """Return the step's value, from the record or by attempting it."""
    call = _step_call(frame, declaration, args, kwargs)
    return await frame.run.adrive(steps.perform(frame.run.machine, frame.scope, frame.lane, call))


def perform_effect(declaration: EffectDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the effect's value, from the record or by performing it; outside an execution it is a plain call."""
    frame = here()
    if frame is None:
        _refuse_lost(declaration)
        return declaration.fn(*args, **kwargs)
    instance, args = _split(declaration, args)
    call = effect_call(frame.run.store.codec, declaration, args, kwargs, instance)
    return frame.run.drive(effects.perform(frame.run.machine, frame.scope, frame.lane, call))


async def aperform_effect(declaration: EffectDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the effect's value, from the record or by performing it; outside an execution it is a plain call."""
    frame = here()
    if frame is None:
        _refuse_lost(declaration)
        return await declaration.fn(*args, **kwargs)
    instance, args = _split(declaration, args)
    call = effect_call(frame.run.store.codec, declaration, args, kwargs, instance)
    return await frame.run.adrive(effects.perform(frame.run.machine, frame.scope, frame.lane, call))


def in_pool_thread(what: str) -> None:
    """Refuse a call in a thread that does not know which execution it belongs to, while this process runs one."""
    if CURRENT.get() is None and threading.current_thread() is not threading.main_thread() and running_now():
        raise UsageError(
            f"{what} was called in a thread that belongs to no execution, while this process runs one; "
            f"hand the thread `omium.bind(fn)` instead of `fn`"
        )


def _step_call(
    frame: Frame, declaration: StepDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> StepCall:
    run = frame.run
    detected = bool(run.hooks.detectors) or run.machine.watch is not None
    return step_call(
        run.store.codec, declaration, args, kwargs, run.ladders, first=run.first_ladders, detected=detected
    )


def _refuse_lost(declaration: EffectDeclaration) -> None:
    """A plain call in a pool's thread would be an effect that the execution does not know of; a read does no harm."""
    if declaration.kind != READ:
        in_pool_thread(f"effect `{declaration.name}`")


def _split(declaration: EffectDeclaration, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    return (args[0], args[1:]) if declaration.arguments.method else (None, args)
