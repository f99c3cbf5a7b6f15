"""The world outside: it applies effects, recognises keys where a provider would, and writes everything down."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import attrs

import omium
from omium_core.engine.state import ExecutionState
from omium_core.model import events as e
from omium_core.model.effect import COMPENSATION
from torture.lab import Lab


class Broken(AssertionError):
    """A promise that was not kept; it is collected, because code under test may catch what is raised."""


@attrs.define
class Applied:
    """One thing that happened in the world."""

    key: str
    logical: str
    kind: str
    request: Any
    value: Any
    undone: bool = False


@attrs.define(eq=False)
class World:
    """`broken` is what went wrong so far. A logical effect is one place of the program with its argument."""

    lab: Lab
    execution: str = "one"
    keys_in_values: bool = False
    log: list[Applied] = attrs.field(factory=list)
    history: list[str] = attrs.field(factory=list)
    calls: Counter[str] = attrs.field(factory=Counter)
    bodies: Counter[str] = attrs.field(factory=Counter)
    undos: set[str] = attrs.field(factory=set)
    permitted: Counter[str] = attrs.field(factory=Counter)
    broken: list[str] = attrs.field(factory=list)
    lock: Any = attrs.field(factory=threading.RLock)
    _folded: ExecutionState = attrs.field(factory=ExecutionState)

    def moment(self) -> None:
        """Let the process die here, if this is its moment."""
        self.lab.fate.moment()

    def expect(self, holds: object, promise: str) -> None:
        if not holds:
            with self.lock:
                self.broken.append(promise)

    def ask(self, name: str, arg: Any) -> int:
        """Answer as a model does: differently every time."""
        self.moment()
        with self.lock:
            self.calls[name] += 1
            self.history.append(f"ask {name} {arg}")
            return self.calls[name]

    def apply(self, name: str, kind: str, logical: str, request: Any, trouble: tuple[str, ...]) -> Any:
        """Do something under the current key, or fail as `trouble` says for the n-th call."""
        self.moment()
        key = omium.current().key or ""
        with self.lock:
            self.calls[logical] += 1
            number = self.calls[logical]
        kind_of_trouble = trouble[number - 1] if number <= len(trouble) else ""
        if kind != "read":
            self._expect_intent(key, name)
        if kind_of_trouble == "refused":
            self._note(f"refuse {logical} {key}")
            raise omium.NotDone(f"{name} was refused")
        if kind_of_trouble == "late":
            self._note(f"never reached {logical} {key}")
            raise TimeoutError(f"{name} took too long")
        value = self._applied(name, kind, key, logical, request)
        self.moment()
        if kind_of_trouble == "lost":
            raise ConnectionResetError(f"the reply of {name} was lost")
        return value

    def undo(self, value: Any, trouble: tuple[str, ...]) -> None:
        """Compensate: recognised by the compensation's own key, so it can be repeated."""
        self.moment()
        current = omium.current()
        assert current.undoing is not None and current.key is not None
        with self.lock:
            self.calls[f"undo {current.undoing.key}"] += 1
            number = self.calls[f"undo {current.undoing.key}"]
            found = [one for one in self.log if one.key == current.undoing.key]
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
            found = [one for one in self.log if one.key == key]
            return found[-1].value if found else omium.NOT_DONE

    def entered(self, path: str, arguments_changed: bool = False) -> None:
        """A step's body begins: what is completed on the path must not be done again."""
        with self.lock:
            self.bodies[path] += 1
            self.history.append(f"body {path} {omium.current().attempt}")
            entry = self.folded().outcomes.get(path)
            self.expect(entry is None or entry.kind == "failed", f"the completed step `{path}` ran again")

    def folded(self) -> ExecutionState:
        """Give the state as far as it is on the disk, folded as it grows."""
        with self.lock:
            for event in self.lab.events(self.execution):
                if event.seq > self._folded.seq:
                    self._folded.apply(event)
            return self._folded

    def standing(self) -> list[Applied]:
        return [one for one in self.log if not one.undone]

    def net(self) -> dict[str, int]:
        """Count what stands by logical effect."""
        return dict(sorted(Counter(one.logical for one in self.standing()).items()))

    def _applied(self, name: str, kind: str, key: str, logical: str, request: Any) -> Any:
        value = {"effect": name, "for": logical}
        if kind not in ("idempotent", "keyed"):
            # The same call in two steps is two effects, unless a key of the user's says that it is one.
            logical = f"{omium.current().step}:{logical}"
        if self.keys_in_values:
            value["key"] = key
        if kind == "read":
            self._note(f"read {logical}")
            return value
        with self.lock:
            before = [one for one in self.log if one.key == key]
            if before and kind in ("idempotent", "keyed"):
                self.history.append(f"same {logical} {key}")
                self.expect(not before[-1].undone, f"`{logical}` was sent again under the key that was undone")
                before[-1].request = request
                return value
            self.expect(not before, f"`{logical}` was done twice under the key `{key}`")
            self.log.append(Applied(key, logical, kind, request, value))
            self.history.append(f"do {logical} {key}")
        return value

    def _note(self, what: str) -> None:
        with self.lock:
            self.history.append(what)

    def _expect_intent(self, key: str, name: str) -> None:
        known = any(isinstance(one, e.EffectIntended) and one.key == key for one in self.lab.events(self.execution))
        self.expect(known, f"`{name}` was performed before its intent was durable")

    def _expect_undo_intent(self, effect: str) -> None:
        events = self.lab.events(self.execution)
        known = any(
            isinstance(one, e.EffectIntended) and one.of == effect and one.kind == COMPENSATION for one in events
        )
        self.expect(known, f"`{effect}` was undone before the intent of that was durable")
