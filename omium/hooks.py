"""What the runtime tells plugins, off the execution's path; a plugin that fails is recorded and goes no further."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias, TypeVar

import attrs
import pluggy

from omium.channels import Record, Teller, accepts_notice
from omium.config import Config
from omium.plugins import Plugins
from omium_core.errors import PluginError, UsageError
from omium_core.interfaces.recovery import Case, Decision, Produced
from omium_core.model.events import Event
from omium_core.model.failure import Violation
from omium_core.model.notice import OPERATORS, Notice
from omium_core.specs import DetectorSpec, DiagnoserSpec, NotifierSpec, StrategySpec, VoterSpec

__all__ = ["PluginHooks"]

QUEUE_MAX = 100_000
TEXT_MAX = 500
VIOLATIONS_MAX = 1_000
_Asked: TypeAlias = DetectorSpec | DiagnoserSpec | StrategySpec | NotifierSpec | VoterSpec
_Answer = TypeVar("_Answer")
_LOG = logging.getLogger("omium")


@attrs.define(eq=False)
class PluginHooks:
    """The hooks of the loaded plugins, as the runtime calls them."""

    manager: pluggy.PluginManager
    plugins: Plugins
    channels: Mapping[str, str]
    detectors: tuple[str, ...] = ()
    _events: queue.Queue[tuple[str, Event] | None] = attrs.field(factory=lambda: queue.Queue(QUEUE_MAX))
    _thread: threading.Thread | None = None
    _teller: Teller = attrs.field(init=False)
    _tracked: bool = False
    _wrapped: bool = False

    def __attrs_post_init__(self) -> None:
        self._teller = Teller(self._told)

    @classmethod
    def of(cls, plugins: Plugins, config: Config) -> PluginHooks:
        """Return the hooks of these plugins; what no plugin implements costs nothing."""
        hooks = cls(plugins.manager, plugins, config.channels, config.detectors)
        hooks._tracked = bool(plugins.manager.hook.track_event.get_hookimpls())
        hooks._wrapped = bool(plugins.manager.hook.step_wrapper.get_hookimpls())
        return hooks

    def tracker(self, execution: str) -> Callable[[list[Event]], None] | None:
        """Return what queues an execution's events for the plugins' thread; None when no plugin wants them."""
        return partial(self._track, execution) if self._tracked else None

    def wrappers(self, execution: str, step: str) -> list[tuple[str, Generator[None, Any, None]]]:
        """Return the plugins' generators around an attempt."""
        if not self._wrapped:
            return []
        made: list[tuple[str, Generator[None, Any, None]]] = []
        for one in self.manager.hook.step_wrapper.get_hookimpls():
            given = {"execution": execution, "step": step}
            try:
                wrapper = one.function(**{name: given[name] for name in one.argnames})
            except Exception as error:  # A plugin may raise anything; the run journals what a wrapper raises.
                wrapper = _raising(error)
            if isinstance(wrapper, Generator):
                made.append((one.plugin_name, wrapper))
        return made

    def detect(self, detector: str, produced: Produced) -> list[Violation]:
        """Ask a detector; raise `PluginError` when it has no usable answer."""
        return self._ask(self.plugins.detector, detector, _violations, produced)

    @property
    def diagnosers(self) -> tuple[str, ...]:
        """The diagnosers of all plugins."""
        return tuple(self.plugins.specs(DiagnoserSpec))

    def diagnose(self, diagnoser: str, case: Case) -> list[str]:
        """Ask a diagnoser; raise `PluginError` when it has no usable answer."""
        return self._ask(self.plugins.diagnoser, diagnoser, _sentences, case)

    def decide(self, strategy: str, case: Case) -> Decision | None:
        """Ask a strategy; raise `PluginError` when it has no usable answer."""
        return self._ask(self.plugins.strategy, strategy, _decision, case)

    def bind(self, channels: Mapping[str, str]) -> None:
        """Let names lead where a program says, as far as the configuration does not."""
        self.channels = {**channels, **self.channels}

    def vote(self, voter: str, value: Any) -> bool | str | None:
        """Ask a plugin's voter; raise `PluginError` when there is none, or it has no usable answer."""
        return self._ask(self.plugins.voter, voter, _answer, value)

    def channel_for(self, role: str | None) -> str | None:
        """Return the channel that is bound for a role, else that of the operators; None where neither is."""
        return next((one for one in (role, OPERATORS) if one in self.channels), None)

    def tell(self, notice: Notice, record: Record) -> PluginError | None:
        """Have a channel told and return at once, with what is wrong if that is known already."""
        if self.is_queued(notice.channel):
            self._teller.take(notice, record)
            return None
        error = self._told(notice)
        if error is not None:
            _LOG.error("channel `%s` was not told `%s`: %s", notice.channel, notice.subject, error.message)
        return error

    def is_queued(self, channel: str) -> bool:
        """Say whether a channel is told in a thread of its own; one that is not there never is."""
        name = self.channels.get(channel, channel).partition(":")[0]
        try:
            return not getattr(self.plugins.notifier(name), "instant", False)
        except UsageError:
            return False

    def _told(self, notice: Notice) -> PluginError | None:
        """Tell a channel of a notice, once."""
        name, _, target = self.channels.get(notice.channel, notice.channel).partition(":")
        try:
            self._ask(self.plugins.notifier, name, _nothing, target, notice.subject, notice.message, notice=notice)
        except PluginError as error:
            return error
        return None

    def startup(self, runtime: Any) -> None:
        """Tell each plugin that a runtime has its store open; one that fails keeps nobody from it."""
        self._each("startup", runtime)

    def shutdown(self, runtime: Any) -> None:
        """Tell each plugin that a runtime is about to close; one that fails keeps nobody from it."""
        self._each("shutdown", runtime)

    def close(self) -> None:
        """Give the plugins what is queued."""
        self._teller.close()
        if self._thread is not None:
            self._events.put(None)
            self._thread.join()
            self._thread = None

    def after_fork_in_child(self) -> None:
        """Begin with nothing queued: the parent has the threads, and tells what it has queued itself."""
        self._events, self._thread, self._teller = queue.Queue(QUEUE_MAX), None, Teller(self._told)

    def _ask(
        self,
        find: Callable[[str], _Asked],
        name: str,
        read: Callable[[Any], _Answer],
        *given: Any,
        notice: Notice | None = None,
    ) -> _Answer:
        """Call what a plugin registered under a name and read its answer; whatever is wrong is a `PluginError`."""
        try:
            spec = find(name)
        except UsageError as error:
            raise PluginError(name, f"is not there: {error}") from error
        plugin = self.plugins.plugin_of(spec)
        try:
            called: Callable[..., Any] = spec.load()
            more = {"notice": notice} if notice is not None and accepts_notice(called) else {}
            return read(called(*given, **more))
        except (_Unusable, PluginError) as error:
            raise PluginError(plugin, error.message) from error
        # A plugin may raise anything; one that ends the process must not end the workflow.
        except (Exception, SystemExit) as error:
            raise PluginError(plugin, f"raised {_said(error)}") from error

    def _each(self, hook: str, runtime: Any) -> None:
        # In pluggy's own order: the plugin that was registered last is called first.
        for one in reversed(getattr(self.manager.hook, hook).get_hookimpls()):
            try:
                one.function(*([runtime] if one.argnames else []))
            except Exception as error:  # A plugin may raise anything.
                self._failed(one.plugin_name, hook, error)

    def _track(self, execution: str, events: list[Event]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._give, name="omium-events", daemon=True)
            self._thread.start()
        for event in events:
            self._events.put((execution, event))

    def _give(self) -> None:
        while (one := self._events.get()) is not None:
            given = {"execution": one[0], "event": one[1]}
            for hook in self.manager.hook.track_event.get_hookimpls():
                try:
                    hook.function(**{name: given[name] for name in hook.argnames})
                except Exception as error:  # A plugin may raise anything.
                    self._failed(hook.plugin_name, "track_event", error)

    def _failed(self, plugin: str, hook: str, error: Exception) -> None:
        _LOG.error("plugin `%s` failed in `%s`: %s", plugin, hook, error)


@attrs.frozen
class _Unusable(Exception):
    """An answer that is none."""

    message: str


def _violations(answer: Any) -> list[Violation]:
    """Read what a detector says; one that is a generator runs while it is read."""
    if answer is None:
        return []
    if not isinstance(answer, Iterable) or isinstance(answer, str | bytes):
        raise _Unusable(f"returned {_short(answer)}, not violations")
    found: list[Violation] = []
    for one in answer:
        if not isinstance(one, Violation) or not isinstance(one.values, Mapping):
            raise _Unusable(f"returned {_short(one)}, not a violation")
        _check_texts(one.rule, one.message, one.where or "", one.kind, one.at)
        if len(found) == VIOLATIONS_MAX:
            raise _Unusable(f"returned more than {VIOLATIONS_MAX} violations")
        found.append(one)
    return found


def _answer(given: Any) -> bool | str | None:
    if given is None or isinstance(given, bool | str):
        return given
    raise UsageError(f"answered `{given!r}` where True, False, a text or None is an answer")


def _sentences(answer: Any) -> list[str]:
    """Read what a diagnoser says; one that is a generator runs while it is read."""
    if answer is None:
        return []
    if not isinstance(answer, Iterable) or isinstance(answer, str | bytes):
        raise _Unusable(f"returned {_short(answer)}, not sentences")
    found: list[str] = []
    for one in answer:
        if not isinstance(one, str):
            raise _Unusable(f"returned {_short(one)}, not a sentence")
        if len(found) == VIOLATIONS_MAX:
            raise _Unusable(f"returned more than {VIOLATIONS_MAX} sentences")
        found.append(one)
    return found


def _decision(answer: Any) -> Decision | None:
    if answer is not None and not isinstance(answer, Decision):
        raise _Unusable(f"returned {_short(answer)}, not a decision")
    if answer is not None:
        _check_texts(answer.target or "", answer.reason)
    return answer


def _check_texts(*texts: object) -> None:
    """Refuse what could not be written into a journal: no text, or one that is not Unicode."""
    for one in texts:
        try:
            if not isinstance(one, str):
                raise _Unusable(f"returned {_short(one)} where a text belongs")
            one.encode()
        except UnicodeEncodeError as error:
            raise _Unusable(f"returned {_short(one)}, which is not Unicode") from error


def _nothing(answer: Any) -> None:
    """A notifier has no answer."""


def _short(value: object) -> str:
    return f"`{_line(value, repr)}`"


def _said(error: BaseException) -> str:
    """Say what was raised."""
    return f"{type(error).__name__}: {_line(error, str)}".removesuffix(": ")


def _line(value: object, form: Callable[[object], str]) -> str:
    """Return a value in one line of a bounded length that can be stored, also where it cannot be made into one."""
    try:
        text = " ".join(form(value).split())
    except Exception:  # What a plugin gives may raise even when it is looked at.
        text = f"something that cannot be shown ({type(value).__name__})"
    text = text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}..."
    return text.encode("utf-8", "backslashreplace").decode()


def _raising(error: Exception) -> Generator[None, Any, None]:
    """A wrapper that could not be made: it fails as soon as it is started."""
    raise error
    yield
