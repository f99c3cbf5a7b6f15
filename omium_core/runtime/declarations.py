"""What user code declares: steps, effects, workflows and voters, found again by name from any process."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import attrs

from omium_core.errors import NotDone, UsageError
from omium_core.model.effect import COMPENSABLE, IDEMPOTENT, IRREVERSIBLE, READ
from omium_core.recovery.breakers import Breaker
from omium_core.recovery.ladders import Ladder, Recovery

__all__ = [
    "Arguments",
    "EffectDeclaration",
    "Registry",
    "Rule",
    "StepDeclaration",
    "VoterDeclaration",
    "WorkflowDeclaration",
    "check_name",
    "is_async",
]

Rule: TypeAlias = Callable[[Any], Any] | str
"""What must hold of an outcome: a function that is given it, or the name of a plugin's detector."""

_FORBIDDEN = set('/#[]|@~"\\\n\r\t')


def check_name(name: str) -> str:
    """Return a name that can be part of a path; raise `UsageError` for one that cannot."""
    given: Any = name
    if not isinstance(given, str) or not name or len(name) > 100 or _FORBIDDEN & set(name):
        raise UsageError(f'`{name}` cannot be a name: use 1 to 100 characters, none of / # [ ] | @ ~ " \\')
    return name


def is_async(fn: Callable[..., Any]) -> bool:
    """Say whether a call has to be awaited: of an `async def`, a partial of one, an object with such a `__call__`."""
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(type(fn).__call__)


@attrs.frozen(eq=False)
class Arguments:
    """How a function's arguments are named, without the `self` of a method.

    `names` are the parameters where all are ordinary ones, the first `required` of them without a default.
    """

    signature: inspect.Signature
    method: bool
    names: tuple[str, ...] | None
    required: int = 0

    @classmethod
    def of(cls, fn: Callable[..., Any]) -> Arguments:
        """Read a function's parameters."""
        signature = inspect.signature(fn)
        parameters = list(signature.parameters.values())
        method = bool(parameters) and parameters[0].name == "self"
        rest = parameters[1:] if method else parameters
        simple = all(one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for one in rest)
        plain = signature.replace(parameters=rest)
        required = sum(one.default is inspect.Parameter.empty for one in rest)
        return cls(plain, method, tuple(one.name for one in rest) if simple else None, required)

    def named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the given arguments by name, so that `f(1)` and `f(x=1)` are the same call.

        Raises `TypeError`, as the call itself would, for missing and unknown ones.
        """
        if self.names is not None and not kwargs and self.required <= len(args) <= len(self.names):
            return dict(zip(self.names, args, strict=False))
        return dict(self.signature.bind(*args, **kwargs).arguments)

    def loosely(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments by name that the signature does not take, as far as they have one."""
        return {**dict(zip(self.signature.parameters, args, strict=False)), **kwargs}

    def call(self, named: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return named arguments as a call takes them."""
        bound = inspect.BoundArguments(self.signature, dict(named))
        return bound.args, bound.kwargs


@attrs.frozen(eq=False)
class EffectDeclaration:
    """A call to the world outside the execution."""

    name: str
    fn: Callable[..., Any]
    arguments: Arguments
    read: bool = False
    key: Callable[..., Any] | None = None
    undo: Callable[[Any], Any] | None = None
    check: Callable[[str], Any] | None = None
    fingerprint: Callable[..., Any] | None = None
    volatile: tuple[str, ...] = ()
    not_done_on: tuple[type[BaseException], ...] = ()
    on_conflict: str | None = None
    model: str | None = None
    single_use: tuple[str, ...] = ()
    breaker: Breaker | None = None
    schema: Mapping[str, Any] | None = None

    @property
    def kind(self) -> str:
        """The effect's kind; one that states none is irreversible, the safe reading."""
        if self.read or self.model is not None:
            return READ
        if self.undo is not None:
            return COMPENSABLE
        return IDEMPOTENT if self.key is not None else IRREVERSIBLE

    def certainly_not_done(self, error: BaseException) -> bool:
        """Say whether that exception proves that nothing happened."""
        return isinstance(error, (NotDone, ConnectionRefusedError, *self.not_done_on)) or (
            # A name that was not resolved: socket.gaierror, without importing sockets for it.
            type(error).__name__ == "gaierror"
        )


@attrs.frozen(eq=False)
class StepDeclaration:
    """A unit whose outcome is recorded. A `transaction` is one effect if its body performs no declared one.

    `ladders` are those that it declares, in order of precedence.
    """

    name: str
    fn: Callable[..., Any]
    arguments: Arguments
    ensures: tuple[Rule, ...] = ()
    recovery: Recovery | None = None
    rollback_on: tuple[Any, ...] = ()
    transaction: EffectDeclaration | None = None
    ladders: tuple[Ladder, ...] = attrs.field(init=False)

    @ladders.default
    def _declared(self) -> tuple[Ladder, ...]:
        own = [one.ladder(number) for number, one in enumerate(self.rollback_on, 1)]
        if self.recovery is not None:
            own.append(Ladder(self.recovery, f"recovery of {self.name}"))
        return tuple(own)


@attrs.frozen(eq=False)
class WorkflowDeclaration:
    """The code that an execution runs."""

    name: str
    fn: Callable[..., Any]
    arguments: Arguments
    recovery: Recovery | None = None
    rerun: bool = False
    options: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class VoterDeclaration:
    """Who judges what one agent hands to another; see `omium_core.interfaces.voting.Voter`."""

    name: str
    fn: Callable[[Any], Any]


Declaration = EffectDeclaration | StepDeclaration | WorkflowDeclaration | VoterDeclaration
D = TypeVar("D", EffectDeclaration, StepDeclaration, WorkflowDeclaration, VoterDeclaration)


@attrs.define
class Registry:
    """What this process declared, by kind and name."""

    _named: dict[tuple[type, str], Declaration] = attrs.field(factory=dict)

    def add(self, declaration: Declaration) -> None:
        """Make a declaration known under its name.

        A second one of that name takes its place when it is the same function again (a reload, a notebook's cell) or a
        local one; two different functions of a module cannot share a name.
        """
        place = (type(declaration), declaration.name)
        there = self._named.get(place)
        if there is not None and _home(there) != _home(declaration) and not (_local(there) or _local(declaration)):
            ours, theirs = ".".join(_home(declaration)), ".".join(_home(there))
            raise UsageError(f"`{ours}` and `{theirs}` are both named `{declaration.name}`; give one another `name=`")
        self._named[place] = declaration

    def discard(self, declaration: Declaration) -> None:
        """Forget a declaration that another decorator on the same function replaces."""
        place = (type(declaration), declaration.name)
        if self._named.get(place) is declaration:
            del self._named[place]

    def find(self, kind: type[D], name: str) -> D | None:
        """Return the declaration of that kind and name."""
        found = self._named.get((kind, name))
        return found if isinstance(found, kind) else None

    def names(self, kind: type[D]) -> list[str]:
        """Return the names that are declared, sorted."""
        return sorted(name for one, name in self._named if one is kind)


def _home(declaration: Declaration) -> tuple[str, str]:
    fn = declaration.fn
    # A partial or an object with `__call__` has no name of its own; that of its class says where it is from.
    return str(getattr(fn, "__module__", "")), str(getattr(fn, "__qualname__", type(fn).__qualname__))


def _local(declaration: Declaration) -> bool:
    return not hasattr(declaration.fn, "__qualname__") or "<locals>" in declaration.fn.__qualname__
