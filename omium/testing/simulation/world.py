"""The world outside: it applies effects, recognises keys where a provider would, and writes everything down."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

import omium
from omium.testing.simulation.process import Lab
from omium_core.engine.state import ExecutionState
from omium_core.model import events as e
from omium_core.model.effect import COMPENSATION

__all__ = ["Applied", "World"]

# The kinds of providers that recognise a key which they have dealt with.
RECOGNISED = ("idempotent", "keyed")


@attrs.define
class Applied:
    """One thing that happened in the world."""

    key: str
    logical: str
    kind: str
    request: Any
    value: Any
    undone: bool = False

    @property
    def call(self) -> str:
        """The place of the program with its argument, whichever step it was done in."""
        return self.logical.rsplit(":", 1)[-1]


@attrs.define(eq=False)
class World:
    """A record of its own of what happened outside. A logical effect is one place of the program with its argument.

    `broken` are the promises that were not kept so far; they are collected, because code under test may catch what is
    raised. `visitor` is called when an effect has happened and its caller has not heard of it yet. `exact` are the
    names of effects of which a request with other arguments is never the same one in other words.
    """

    lab: Lab
    execution: str = "one"
    keys_in_values: bool = False
    visitor: Callable[[], None] | None = None
    log: list[Applied] = attrs.field(factory=list)
    history: list[str] = attrs.field(factory=list)
    calls: Counter[str] = attrs.field(factory=Counter)
    bodies: Counter[str] = attrs.field(factory=Counter)
    undos: set[str] = attrs.field(factory=set)
    permitted: Counter[str] = attrs.field(factory=Counter)
    broken: list[str] = attrs.field(factory=list)
    late: list[tuple[int, str, Callable[[], None]]] = attrs.field(factory=list)
    answers: set[tuple[str, str, int, int]] = attrs.field(factory=set)
    tokens: dict[str, str] = attrs.field(factory=dict)
    exact: set[str] = attrs.field(factory=set)
    requests: int = 0
    lock: Any = attrs.field(factory=threading.RLock)
    _folded: ExecutionState = attrs.field(factory=ExecutionState)
    _torn: int = 0

    def moment(self) -> None:
        """Let the process die here, if this is its moment."""
        self.lab.fate.moment()

    def expect(self, holds: object, promise: str) -> None:
        """Collect a promise that was not kept."""
        if not holds:
            with self.lock:
                self.broken.append(promise)

    def ask(self, name: str) -> int:
        """Answer as a model does: differently every time."""
        self.moment()
        with self.lock:
            self.calls[name] += 1
            answer = self.calls[name]
            self.answers.add((name, omium.current().step, omium.current().attempt, answer))
            self.history.append(f"ask {name}: {answer}")
            return answer

    def heard(self, name: str, answer: int) -> int:
        """Return an answer that code got: it was given to this attempt, and to no other.

        Not for code in a `Transaction` block: one that was committed answers as it did in every attempt around it.
        """
        given = (name, omium.current().step, omium.current().attempt, answer)
        self.expect(given in self.answers, f"attempt {given[2]} at `{given[1]}` got the answer {answer} of another one")
        return answer

    def apply(self, name: str, kind: str, logical: str, request: Any, trouble: tuple[str, ...], token: str = "") -> Any:
        """Do something under the current key, or fail as `trouble` says for the n-th call."""
        self.moment()
        key = omium.current().key or ""
        with self.lock:
            self.calls[logical] += 1
            number = self.calls[logical]
            self.requests += 1
            self._deliver(lambda due, _: due < self.requests)
        met = trouble[number - 1] if number <= len(trouble) else ""
        step = omium.current().step
        if kind != "read":
            self._expect_intent(key, name)
            self._expect_runner(name)
            self._expect_unspent(token, key)
        if met == "refused":
            self.note(f"refuse {logical} {key}")
            raise omium.NotDone(f"{name} was refused")
        if met == "late":
            self.note(f"never reached {logical} {key}")
            raise TimeoutError(f"{name} took too long")
        if met == "delayed" and kind != "read":
            # It is on its way, and arrives while others are under way, or when somebody asks for it.
            with self.lock:
                arrive = partial(self._applied, name, kind, key, logical, request, step)
                self.late.append((self.requests + 1, key, arrive))
            raise TimeoutError(f"{name} took too long")
        for _ in range(2 if met == "twice" and kind in RECOGNISED else 1):
            value = self._applied(name, kind, key, logical, request, step)
        if self.visitor is not None:
            self.visitor()
        self.moment()
        if met == "lost":
            raise ConnectionResetError(f"the reply of {name} was lost")
        return value

    def deliver(self, key: str) -> None:
        """Let what is on its way under a key arrive."""
        with self.lock:
            self._deliver(lambda _, its: its == key)

    def undo(self, value: Any, trouble: tuple[str, ...]) -> None:
        """Compensate: recognised by the compensation's own key, so it can be repeated."""
        self.moment()
        current = omium.current()
        assert current.undoing is not None and current.key is not None
        with self.lock:
            found = [one for one in self.log if one.key == current.undoing.key]
            # Counted by what is undone, not by its key: a provider that does not answer comes back one day.
            logical = found[-1].logical if found else current.undoing.key
            self.calls[f"undo {logical}"] += 1
            number = self.calls[f"undo {logical}"]
            self._expect_runner(f"the undo of {logical}")
            self._expect_undo_intent(current.undoing.effect.id)
            self.expect(found, f"an undo of `{current.undoing.key}`, which never happened")
            self.expect(current.undoing.value == value, "an undo got another value than `undoing` has")
            if number <= len(trouble) and trouble[number - 1] == "refused":
                raise omium.NotDone("the undo was refused")
            if found and current.key not in self.undos:
                self.expect(not found[-1].undone, f"`{found[-1].logical}` undone under two keys")
                self.undos.add(current.key)
                found[-1].undone = True
                self.history.append(f"undo {found[-1].logical} {found[-1].key}")
        self.moment()
        if number <= len(trouble) and trouble[number - 1] == "lost":
            raise ConnectionResetError("the reply of an undo was lost")

    def check(self, key: str) -> Any:
        """Say what became of a key."""
        self.moment()
        with self.lock:
            self.deliver(key)
            found = [one for one in self.log if one.key == key]
            return found[-1].value if found else omium.NOT_DONE

    def entered(self, path: str) -> None:
        """Note that a step's body begins: what is completed on the path must not be done again."""
        with self.lock:
            self.bodies[path] += 1
            self.history.append(f"body {path} {omium.current().attempt}")
            entry = self.folded().outcomes.get(path)
            fits = entry is None or entry.kind == "failed"
            # Who was taken over learns it from its next append, and may go through code until then.
            self.expect(fits or not self.runs(), f"the completed step `{path}` ran again")

    def folded(self) -> ExecutionState:
        """Give the state as far as it is on the disk, folded as it grows."""
        with self.lock:
            if self._torn != self.lab.torn:
                self._torn, self._folded = self.lab.torn, ExecutionState()
            for event in self.lab.events(self.execution):
                if event.seq > self._folded.seq:
                    self._folded.apply(event)
            return self._folded

    def standing(self) -> list[Applied]:
        """Give what happened and was not undone."""
        return [one for one in self.log if not one.undone]

    def net(self) -> dict[str, int]:
        """Count what stands by logical effect."""
        return dict(sorted(Counter(one.logical for one in self.standing()).items()))

    def note(self, what: str) -> None:
        """Write down what happened, for whoever reads the history."""
        with self.lock:
            self.history.append(what)

    def _applied(self, name: str, kind: str, key: str, logical: str, request: Any, step: str) -> Any:
        value = {"effect": name, "for": logical}
        if kind not in RECOGNISED:
            # The same call in two steps is two effects, unless a key of the user's says that it is one.
            logical = f"{step}:{logical}"
        if self.keys_in_values:
            value["key"] = key
        if kind == "read":
            self.note(f"read {logical}")
            return value
        with self.lock:
            before = [one for one in self.log if one.key == key]
            if before and kind in RECOGNISED:
                self.history.append(f"same {logical} {key}")
                self.expect(not before[-1].undone, f"`{logical}` was sent again under the key that was undone")
                before[-1].request = request
                return value
            self.expect(not before, f"`{logical}` was done twice under the key `{key}`")
            self.log.append(Applied(key, logical, kind, request, value))
            self.history.append(f"do {logical} {key}")
        return value

    def _deliver(self, arrives: Callable[[int, str], bool]) -> None:
        for one in [one for one in self.late if arrives(one[0], one[1])]:
            self.late.remove(one)
            # What arrives under a key that was dealt with meanwhile is one request too many, and is recognised.
            if not any(applied.key == one[1] for applied in self.log):
                one[2]()

    def _expect_runner(self, what: str) -> None:
        """Invariant 6: who was taken over does nothing more in the world."""
        self.expect(self.runs(), f"{what} by a runner that was taken over")

    def runs(self) -> bool:
        """Say whether the present process is the one that runs the execution."""
        return self.folded().runner == self.lab.present.journal.name

    def _expect_unspent(self, token: str, key: str) -> None:
        """A credential that can be used once is presented by one effect, whatever became of that."""
        with self.lock:
            if token:
                self.expect(self.tokens.setdefault(token, key) == key, f"the credential `{token}` was presented twice")

    def _expect_intent(self, key: str, name: str) -> None:
        known = any(isinstance(one, e.EffectIntended) and one.key == key for one in self.lab.events(self.execution))
        self.expect(known, f"`{name}` was performed before its intent was durable")

    def _expect_undo_intent(self, effect: str) -> None:
        events = self.lab.events(self.execution)
        known = any(
            isinstance(one, e.EffectIntended) and one.of == effect and one.kind == COMPENSATION for one in events
        )
        self.expect(known, f"`{effect}` was undone before the intent of that was durable")
