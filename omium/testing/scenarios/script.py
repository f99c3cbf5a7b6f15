"""What user code does in a scenario: answers and failures in its place, and what was really done."""

from __future__ import annotations

import difflib
import inspect
import threading
import typing
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from omium.cli.structuring import structured
from omium.cli.wording import value_text
from omium.testing.bench import die
from omium.testing.faults import Faults
from omium_core.engine.commands import Attempt, Check, Perform, Resend, Undo
from omium_core.errors import NotDone, UsageError
from omium_core.model.effect import EffectRecord
from omium_core.runtime import performing
from omium_core.runtime.declarations import EffectDeclaration, Registry, StepDeclaration
from omium_core.runtime.performing import NOT_DONE, Invocation
from omium_core.runtime.run import Run

__all__ = ["Script", "ScriptedFailure", "failure", "fitting"]

NOT_DONE_KIND = "not_done"
_ASKED = ("undo ", "check ")


class ScriptedFailure(Exception):
    """What a step or an effect raises where a scenario says that it fails; `failure_kind` says in which way."""

    def __init__(self, message: str, kind: str = "error") -> None:
        super().__init__(message, kind)
        self.failure_kind = kind

    def __str__(self) -> str:
        return str(self.args[0])


@attrs.define(eq=False)
class Script:
    """Who answers what, what fails when, and where the process dies; and what was really done.

    `performed` is what was done in the world, in order, and what failed there; `counts` is how often what was done.
    Steps and effects go by their names, a step also by its path; compensations and questions by `undo NAME` and `check
    NAME`. Answers and failures go by attempts of a step, and by how often an effect was begun.
    """

    performed: list[str] = attrs.field(factory=list, init=False)
    counts: Counter[str] = attrs.field(factory=Counter, init=False)
    faults: Faults = attrs.field(factory=Faults, init=False)
    _answers: dict[str, tuple[Any, ...]] = attrs.field(factory=dict, init=False)
    _failures: dict[tuple[str, int], Exception] = attrs.field(factory=dict, init=False)
    _met: set[tuple[str, int]] = attrs.field(factory=set, init=False)
    _begun: Counter[str] = attrs.field(factory=Counter, init=False)
    _deaths: set[tuple[str, str]] = attrs.field(factory=set, init=False)
    _keys: set[str] = attrs.field(factory=set, init=False)
    # Steps of one execution may be in several threads.
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    # What answered effects did, by their keys: a check of one asks here, as it would ask the provider.
    _world: dict[str, Any] = attrs.field(factory=dict, init=False)

    def answer(self, registry: Registry, name: str, values: tuple[Any, ...]) -> None:
        """Let the n-th of these values be the n-th answer of a step or effect, the last one also of all that follow."""
        if not values:
            raise UsageError(f"`{name}` needs at least one answer")
        declaration = _declared(registry, name)
        self._answers[name] = tuple(fitting(declaration.fn, one, f"the answer of `{name}`") for one in values)

    def fail(self, registry: Registry, name: str, at: Iterable[int], error: Exception) -> None:
        """Let a step or effect raise that error in these attempts, without running its body."""
        _declared(registry, name)
        self._failures.update({(name, one): error for one in at})

    def kill(self, registry: Registry, when: str, name: str) -> None:
        """Let the process die once `before` or `after` a step's body or an effect, with nothing of that on record."""
        _declared(registry, name)
        self._deaths.add((when, name))

    def unmet(self) -> list[str]:
        """Return a sentence for each failure that never came: what it was to show was not shown."""
        left = sorted(set(self._failures) - self._met)
        return [f"`{name}` was to fail in attempt {number}, and never came to it" for name, number in left]

    def invocation(self, run: Run, command: Attempt | Perform | Resend | Check | Undo) -> Invocation | None:
        """Make the call of user code that a command asks for, as far as the script does not say otherwise."""
        made = performing.invocation(run, command)
        if made is None:
            return None
        match command:
            case Attempt(call, scope):
                # The workflow's own body is never played: it is what a scenario is about.
                if not scope.path:
                    return made
                # What stands in for a step is another one, which goes by its own name.
                names = (scope.path, call.name) if command.performer is None else (command.performer,)
                return self._played(made, names, scope.attempt, "")
            case Perform(call, key):
                arguments = call.request().get("arguments", {}) if call.request is not None else {}
                shown = ", ".join(f"{name}={value_text(value)}" for name, value in arguments.items())
                return self._performed(made, call.name, key, f"{call.name}({shown})")
            case Resend(effect):
                return self._performed(made, effect.name, effect.key, effect.name)
            case Check(effect):
                return self._checked(made, effect)
            case Undo(effect):
                return self._undone(made, effect)

    def _performed(self, made: Invocation, name: str, key: str, line: str) -> Invocation:
        # Nobody keeps the keys of reads: they are done as often as one likes.
        again = ", again under its key" if key and key in self._keys else ""
        self._keys.add(key)
        played = self._played(made, (name,), self._begin(name), line + again)

        def succeeded(value: Any) -> Any:
            self._world[key] = value
            return played.succeeded(value)

        return Invocation(played.call, played.frame, succeeded, played.failed)

    def _checked(self, made: Invocation, effect: EffectRecord) -> Invocation:
        def call() -> Any:
            if effect.name not in self._answers:
                return made.call()
            return self._world.get(effect.key, NOT_DONE)

        name = f"check {effect.name}"
        return self._played(made, (name,), self._begin(name), name, call)

    def _undone(self, made: Invocation, effect: EffectRecord) -> Invocation:
        def call() -> Any:
            # What was never done for real is not undone for real.
            return None if effect.name in self._answers else made.call()

        name = f"undo {effect.name}"
        return self._played(made, (name,), self._begin(name), name, call)

    def _begin(self, name: str) -> int:
        with self._lock:
            self._begun[name] += 1
            return self._begun[name]

    def _played(
        self, made: Invocation, names: tuple[str, ...], number: int, line: str, call: Callable[[], Any] | None = None
    ) -> Invocation:
        """Put the script's part around a call; `line` is how the world tells of it, if it does."""

        def play() -> Any:
            self._die("before", names)
            for name in names:
                if (name, number) in self._failures:
                    self._met.add((name, number))
                    raise self._failures[name, number]
            for name in names:
                if name in self._answers:
                    answers = self._answers[name]
                    return answers[min(number, len(answers)) - 1]
            return (call or made.call)()

        def succeeded(value: Any) -> Any:
            if line:
                with self._lock:
                    self.performed.append(line)
                    self.counts.update(names)
            self._die("after", names)
            return made.succeeded(value)

        def failed(error: BaseException) -> Any:
            if line and isinstance(error, Exception):
                self.performed.append(f"{line} failed: {error}")
            return made.failed(error)

        return Invocation(play, made.frame, succeeded, failed)

    def _die(self, when: str, names: tuple[str, ...]) -> None:
        hit = {(when, name) for name in names} & self._deaths
        if hit:
            self._deaths -= hit
            # Whatever the process would still write is never written, whoever catches what is raised here.
            self.faults.kill(self.faults.writes() + 1)
            die()


def fitting(fn: Callable[..., Any], value: Any, path: str) -> Any:
    """Return plain data as what a function is annotated to return; any other value is taken as it is."""
    if not isinstance(value, str | int | float | list | dict):
        return value
    try:
        hint = typing.get_type_hints(inspect.unwrap(fn)).get("return", Any)
    except Exception:  # Annotations that cannot be evaluated are no annotations; user code may raise anything.
        return value
    return structured(value, hint, path)


def failure(kind: str, message: str) -> Exception:
    """Return the exception that is a failure of that kind; `not_done` is an effect that certainly did not happen."""
    return NotDone(message) if kind == NOT_DONE_KIND else ScriptedFailure(message, kind)


def _declared(registry: Registry, name: str) -> StepDeclaration | EffectDeclaration:
    """Return what is declared under a name or a path; a script about nothing would be a test of nothing."""
    plain = name
    for prefix in _ASKED:
        plain = plain.removeprefix(prefix)
    plain = plain.rpartition("/")[2].rpartition("]")[2].partition("#")[0]
    found = registry.find(StepDeclaration, plain) or registry.find(EffectDeclaration, plain)
    if found is None:
        known = [*registry.names(StepDeclaration), *registry.names(EffectDeclaration)]
        near = difflib.get_close_matches(plain, known, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else "; it is the name of a step or an effect"
        raise UsageError(f"nothing is declared as `{plain}`{hint}")
    return found
