"""The commands of a text scenario: each is one thing that is done on the stage, or one look at what came of it."""

from __future__ import annotations

import difflib
import functools
import inspect
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from omium import operating
from omium.cli.arguments import arguments
from omium.cli.code import CodeFailed, declared
from omium.cli.rendering import render
from omium.cli.tree import build_story
from omium.cli.wording import clean, value_text
from omium.testing.scenarios.stage import Ended, Stage
from omium_core.errors import OmiumError, UsageError
from omium_core.model.effect import COMPENSATION, EffectRecord

__all__ = ["Commands"]

COLUMNS = 10_000
_NAMED = re.compile(r"([A-Za-z_][\w.\[\]-]*)=")
_ID = re.compile(r"\b(ckpt|eff|omk|rev)_([0-9a-f]{8,64})\b")
_JSON = json.JSONDecoder()


@attrs.define(eq=False)
class Commands:
    """Performs command lines on a stage; files are looked for beside the scenario, in `folder`."""

    stage: Stage
    folder: Path
    _told: int = attrs.field(default=0, init=False)
    _names: dict[str, list[str]] = attrs.field(factory=dict, init=False)

    def perform(self, line: str) -> str:
        """Return a command's output; raise `UsageError` for a line that is no command, `CodeFailed` for code
        that cannot be imported.

        What Omium refuses is part of the story: its sentence is the output.
        """
        name, _, rest = line.strip().partition(" ")
        command = self._known().get(name)
        if command is None:
            near = difflib.get_close_matches(name, self._known(), n=1)
            listed = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(self._known())}"
            raise UsageError(f"there is no command `{name}`; {listed}")
        try:
            output = command(rest) if name == "input" else self._called(command, rest)
        except (CodeFailed, UsageError):
            raise
        except OmiumError as error:
            output = f"refused: {clean(str(error))}"
        for number, runner in enumerate(self.stage.runners, 1):
            output = output.replace(runner, f"runner {number}")
        return _ID.sub(self._numbered, output)

    def _numbered(self, found: re.Match[str]) -> str:
        """Return a short name for an id that is a hash: the same for the same, in the order of their appearance."""
        kind, names = found[1], self._names.setdefault(found[1], [])
        # A tree shows the beginning of an id, a sentence the whole of it.
        known = next(
            (number for number, one in enumerate(names) if one.startswith(found[2]) or found[2].startswith(one)), None
        )
        if known is None:
            known = len(names)
            names.append(found[2])
        return f"{kind}_{known + 1}"

    def _known(self) -> dict[str, Callable[..., str]]:
        stage = self.stage
        return {
            "workflow": self._workflow,
            "input": self._input,
            "answer": _silent(stage.answer),
            "fail": _silent(stage.fail),
            "kill": _silent(stage.kill),
            "run": _telling(stage.run),
            "resume": _telling(stage.resume),
            "rollback": _telling(stage.rollback),
            "review": self._review,
            "fork": _silent(stage.fork),
            "about": self._about,
            "advance": _silent(stage.advance),
            "show": self._show,
            "status": self._status,
            "checkpoints": self._checkpoints,
            "state": self._state,
            "effects": self._effects,
            "performed": self._performed,
            "verify": self._verify,
        }

    def _called(self, command: Callable[..., str], rest: str) -> str:
        given, named = _parsed(rest)
        _check_fit(command, given, named)
        return command(*given, **named)

    def _workflow(self, spec: str) -> str:
        file, colon, name = spec.partition(":")
        path = self.folder / file
        self.stage.declaration = declared(f"{path}{colon}{name}" if path.is_file() else spec)
        return ""

    def _input(self, text: str) -> str:
        if self.stage.declaration is None:
            raise UsageError("name the workflow before its input")
        self.stage.input(**arguments(self.stage.declaration, text))
        return ""

    def _review(self, action: str | None = None, **named: Any) -> str:
        changes = {name: named.pop(name) for name in list(named) if "." in name}
        if changes:
            named["set"] = changes
        if action is not None:
            named[action] = True
        _check_fit(operating.review, [self.stage.execution_id], {"by": "", **named})
        self.stage.review(**named)
        return "answered"

    def _about(self, execution: str) -> str:
        self.stage.execution_id = operating.execution_of(execution, store=self.stage.store).id
        return ""

    def _show(self, what: str = "") -> str:
        from rich.console import Console  # It is not needed by scenarios that do not look.

        if what not in ("", "details"):
            raise UsageError(f"`show` takes `details` or nothing, not `{what}`")
        out = io.StringIO()
        console = Console(file=out, width=COLUMNS, color_system=None, highlight=False, markup=False, emoji=False)
        render(build_story(self.stage.runtime.store, self.stage.execution_id), console, details=bool(what))
        return out.getvalue()

    def _status(self) -> str:
        execution = self.stage.execution
        return ": ".join(filter(None, (execution.status, clean(execution.reason))))

    def _checkpoints(self) -> str:
        return " > ".join(one.name for one in self.stage.execution.checkpoints)

    def _state(self) -> str:
        store = self.stage.runtime.store
        state = store.load(self.stage.execution_id).state
        entries = sorted(state.outcomes.items())
        return "\n".join(
            f"{path} = {value_text(store.view(one.execution, one.seq)) if one.digest else 'skipped'}"
            for path, one in entries
        )

    def _effects(self) -> str:
        state = self.stage.runtime.store.load(self.stage.execution_id).state
        return "\n".join(_ledger(one) for one in state.effects.values() if one.kind != COMPENSATION) or "none"

    def _performed(self) -> str:
        new = self.stage.performed[self._told :]
        self._told += len(new)
        return "\n".join(new) or "nothing"

    def _verify(self) -> str:
        found = operating.verify(self.stage.execution_id, store=self.stage.store)
        return "\n".join(str(one) for one in found.problems) or "ok"


def _check_fit(command: Callable[..., object], given: list[Any], named: dict[str, Any]) -> None:
    try:
        inspect.signature(command).bind(*given, **named)
    except TypeError as error:
        raise UsageError(f"the command does not fit: {error}") from error


def _silent(do: Callable[..., object]) -> Callable[..., str]:
    @functools.wraps(do)
    def command(*given: Any, **named: Any) -> str:
        do(*given, **named)
        return ""

    return command


def _telling(do: Callable[..., Ended]) -> Callable[..., str]:
    @functools.wraps(do)
    def command(*given: Any, **named: Any) -> str:
        return _ended(do(*given, **named))

    return command


def _ended(ended: Ended) -> str:
    text = value_text(ended.value) if ended.kind == "completed" and ended.value is not None else clean(ended.text)
    return f"{ended.kind} {text}" if ended.kind == "killed" else ": ".join(filter(None, (ended.kind, text)))


def _ledger(effect: EffectRecord) -> str:
    state = effect.state if not effect.dissolved else "left to what it is made of"
    times = f", incarnation {effect.incarnation}" if effect.incarnation else ""
    owner = ", without an owner" if effect.stands and not effect.uncertain and effect.owner is None else ""
    return f"{effect.name}: {state} ({effect.kind}, in `{effect.step}`, attempt {effect.attempt}{times}{owner})"


def _parsed(text: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a command by place and by name: JSON, or a bare word."""
    given: list[Any] = []
    named: dict[str, Any] = {}
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        name = _NAMED.match(text, at)
        value, at = _value(text, name.end() if name is not None else at)
        if name is not None:
            named[name[1]] = value
        elif named:
            raise UsageError(f"`{text}` has `{value}` by place after what is given by name")
        else:
            given.append(value)
    return given, named


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        value, end = _JSON.raw_decode(text, at)
    except ValueError:
        end = at
    if end == at or (end < len(text) and not text[end].isspace()):
        if text[at : at + 1] in ("{", "[", '"'):
            raise UsageError(f"`{text[at:]}` is not JSON")
        end = next((place for place in range(at, len(text)) if text[place].isspace()), len(text))
        value = text[at:end]
    return value, end
