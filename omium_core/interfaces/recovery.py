"""How failures are found, decided about and told: the Protocols that recovery plugins implement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol, get_args

import attrs

from omium_core.errors import UsageError
from omium_core.model.failure import Violation

__all__ = ["Action", "Case", "Decision", "Detector", "Diagnoser", "Notifier", "Produced", "Strategy"]

Action = Literal["retry", "rollback", "fallback", "compensate", "notify", "pause", "skip", "halt"]
ACTIONS: tuple[Action, ...] = get_args(Action)


@attrs.frozen
class Produced:
    """What an attempt at a step produced, BEFORE it is a checkpoint.

    `value` is the outcome itself and MUST NOT be changed. `models` is how many model calls the attempt made.
    """

    workflow: str
    execution: str
    step: str
    agent: str | None
    attempt: int
    models: int
    value: Any


class Detector(Protocol):
    """Looks at an outcome and says what is wrong with it.

    A detector that is in use is a rule: what it cannot judge MUST NOT pass, so whatever it raises is journaled as
    `PluginFailed` and the outcome is refused. It is called in the execution's own thread or task, once for each attempt
    that ended with a value, and MUST NOT touch the world.
    """

    def __call__(self, produced: Produced) -> Iterable[Violation] | None:
        """Give what is wrong; nothing, or None, where all is well."""


@attrs.frozen
class Case:
    """A failed attempt that a strategy decides about.

    `value` is the outcome that a rule refused, when it is known. `use` counts from 1 how often this strategy has been
    asked about this step, `times` how often it may be. `options` are those that the ladder gives it.
    """

    workflow: str
    execution: str
    step: str
    agent: str | None
    attempt: int
    kind: str
    message: str
    violations: tuple[Violation, ...]
    value: Any
    use: int
    times: int
    options: Mapping[str, Any]


def _known(of: object, field: attrs.Attribute[str], value: object) -> None:
    if value not in ACTIONS:
        raise UsageError(f"a decision cannot be `{value}`; it is one of {', '.join(ACTIONS)}")


def _for_its_action(of: Decision, field: attrs.Attribute[str | None], value: object) -> None:
    if value is not None and (not isinstance(value, str) or not value):
        raise UsageError(f"the target of a decision cannot be `{value!r}`; it is a name")
    if value is None and of.action == "fallback":
        raise UsageError("the decision `fallback` needs a target: the step that does it instead")
    if value is not None and of.action in ("retry", "compensate", "skip", "halt"):
        raise UsageError(f"the decision `{of.action}` has no target")


def _wait(of: Decision, field: attrs.Attribute[float], value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise UsageError(f"the wait of a decision cannot be `{value!r}`; it is a number of seconds, 0 or more")
    if value and of.action != "retry":
        raise UsageError(f"the decision `{of.action}` does not wait")


@attrs.frozen
class Decision:
    """What is done about a failure, in one of the ways that Omium has.

    `target` is the checkpoint of a `rollback`, the step of a `fallback`, the channel of a `notify` or the role of a
    `pause`. `wait_s` is how long a `retry` waits. `reason` is journaled with the decision, for people.
    """

    action: Action = attrs.field(validator=_known)
    target: str | None = attrs.field(default=None, validator=_for_its_action)
    wait_s: float = attrs.field(default=0.0, validator=_wait)
    reason: str = attrs.field(default="", converter=str)


class Strategy(Protocol):
    """Decides what is done about a failed attempt, where a ladder says `Apply("name")`.

    It is asked at most as often as the ladder says, so recovery ends whatever it answers. What it raises, and an answer
    that is no `Decision`, is journaled as `PluginFailed`, and the ladder's next rung is taken. It is called in the
    execution's own thread or task and MUST NOT touch the world: it may be asked again after a crash.
    """

    def __call__(self, case: Case) -> Decision | None:
        """Give the decision; None leaves it to the ladder's next rung."""


class Diagnoser(Protocol):
    """Says where a failure comes from, beside what Omium finds itself. What it raises is journaled as `PluginFailed`.

    It is called in the execution's own thread or task when an attempt has failed, and MUST NOT touch the world.
    """

    def __call__(self, case: Case) -> Iterable[str] | None:
        """Give what was found, one sentence each; nothing, or None, where that is nothing."""


class Notifier(Protocol):
    """Tells people, in a thread beside the execution; it MUST return within seconds, and may be called again.

    What it raises in its last attempt is journaled as `PluginFailed`, and keeps nobody from going on. One that has an
    argument `notice` is given the `Notice` by that name.
    """

    def __call__(self, target: str, subject: str, message: str) -> None:
        """Tell `target`, which is what stands behind the name in `[tool.omium.channels]`: of `log:app`, it is `app`."""
