"""What this process has for policies to name: its declarations, its configuration and its plugins, as plain data."""

from __future__ import annotations

import collections.abc
import datetime
import decimal
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from typing_extensions import is_typeddict

from omium.config import Config
from omium.plugins import Plugins
from omium_core.interfaces.recovery import ACTIONS
from omium_core.journal.types import kind_of, record_of
from omium_core.model.failure import KINDS
from omium_core.runtime.declarations import (
    Arguments,
    EffectDeclaration,
    Registry,
    StepDeclaration,
    VoterDeclaration,
    WorkflowDeclaration,
)
from omium_core.specs import NotifierSpec, PolicyPackSpec, StrategySpec, VoterSpec
from omium_policy.binding import Host, Shape, StepShape

__all__ = ["host_of", "shape_of"]

SHAPE_DEEP_MAX = 8
_SCALARS = (
    bool,
    bytes,
    float,
    int,
    str,
    datetime.date,
    datetime.datetime,
    datetime.timedelta,
    decimal.Decimal,
)
_LISTS = (list, tuple, collections.abc.Sequence)


def host_of(registry: Registry, plugins: Plugins, config: Config) -> Host:
    """Return what policies may name here; no plugin is imported for it."""
    effects = list(_all(registry, EffectDeclaration))
    undone = [one for one in (*effects, *_transactions(registry)) if one.undo is not None]
    notifiers = frozenset(plugins.specs(NotifierSpec))
    packs = plugins.specs(PolicyPackSpec).values()
    named = {one: config.roles.get(one, ()) for one in (*config.roles, *config.channels)}
    return Host(
        steps=dict(_steps(registry)),
        tools=frozenset(one.name for one in effects),
        compensations=frozenset(name for one in undone for name in (one.name, _name_of(one.undo)) if name),
        channels=frozenset(name for name, to in config.channels.items() if to.partition(":")[0] in notifiers),
        notifiers=notifiers,
        roles=named,
        voters=frozenset({*registry.names(VoterDeclaration), *plugins.specs(VoterSpec)}),
        actions={f"{pack.name}.{one.name}": one.strategy for pack in packs for one in pack.actions},
        strategies=frozenset({*ACTIONS, *plugins.specs(StrategySpec)}),
        failures=frozenset({*KINDS, *(f"{pack.name}.{one}" for pack in packs for one in pack.failures)}),
    )


def shape_of(annotation: Any, deep: int = 0) -> Shape | None:
    """Return what an annotation says of the fields of its values; None where it leaves them open."""
    annotation = _plain(annotation)
    if deep > SHAPE_DEEP_MAX:
        return None
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _LISTS:
        # Of a tuple of several types, each element has its own.
        alike = len(arguments) == 1 or (len(arguments) == 2 and arguments[1] is Ellipsis)
        return Shape("a list", is_list=True, of=shape_of(arguments[0], deep + 1) if alike else None)
    if not isinstance(annotation, type):
        return None
    if annotation in _SCALARS:
        return Shape(annotation.__name__)
    names = _fields(annotation)
    if names is None:
        return None
    hints = _hints(annotation)
    return Shape(annotation.__name__, {name: shape_of(hints.get(name), deep + 1) for name in sorted(names)})


def _fields(cls: type) -> frozenset[str] | None:
    """Return the fields of a class whose values have no others."""
    if is_typeddict(cls):
        return frozenset(cls.__annotations__)
    if getattr(cls, "model_config", {}).get("extra") == "allow":
        return None
    kind = kind_of(cls)
    try:
        return record_of(cls).names if kind is not None and kind.name != "ENUM" else None
    except TypeError:
        return None


def _plain(annotation: Any) -> Any:
    """Return what an annotation is about: without `Annotated`, without `None` beside it, awaited."""
    for _ in range(SHAPE_DEEP_MAX):
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            annotation = annotation.__origin__
        elif origin in (typing.Union, types.UnionType):
            there = [one for one in arguments if one is not type(None)]
            if len(there) != 1:
                return None
            annotation = there[0]
        elif origin in (collections.abc.Awaitable, collections.abc.Coroutine) and arguments:
            annotation = arguments[-1]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        else:
            break
    return annotation


def _steps(registry: Registry) -> Iterator[tuple[str, StepShape]]:
    """Give the steps; a workflow that is called inside another is one as well."""
    for found in (*_all(registry, WorkflowDeclaration), *_all(registry, StepDeclaration)):
        hints = _hints(inspect.unwrap(found.fn))
        yield found.name, StepShape(_takes(found.arguments, hints), shape_of(hints.get("return")))


def _takes(arguments: Arguments, hints: Mapping[str, Any]) -> Shape | None:
    """Return the shape of a step's input: that of its only argument, else a record of its arguments."""
    if arguments.names is None:
        return None
    if len(arguments.names) == 1:
        return shape_of(hints.get(arguments.names[0]))
    return Shape("its arguments", {name: shape_of(hints.get(name)) for name in arguments.names})


def _transactions(registry: Registry) -> Iterator[EffectDeclaration]:
    for step in _all(registry, StepDeclaration):
        if step.transaction is not None:
            yield step.transaction


def _all(registry: Registry, kind: Any) -> Iterator[Any]:
    for name in registry.names(kind):
        yield registry.find(kind, name)


def _name_of(fn: Callable[..., Any] | None) -> str | None:
    return getattr(fn, "__name__", None)


def _hints(owner: Any) -> Mapping[str, Any]:
    """Return annotations as far as they can be resolved now; a class that is not imported leaves them open."""
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except Exception:  # Evaluating annotations runs what the user wrote there.
        return {}
