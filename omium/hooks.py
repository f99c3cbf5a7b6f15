"""What the runtime tells plugins, off the execution's path; a plugin that fails is recorded and goes no further."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any

import attrs
import pluggy

from omium.config import Config
from omium.plugins import Plugins
from omium_core.model.events import Event

__all__ = ["PluginHooks"]

QUEUE_MAX = 100_000
_LOG = logging.getLogger("omium")


@attrs.define(eq=False)
class PluginHooks:
    """The hooks of the loaded plugins, as the runtime calls them."""

    manager: pluggy.PluginManager
    plugins: Plugins
    channels: Mapping[str, str]
    _events: queue.Queue[tuple[str, Event] | None] = attrs.field(factory=lambda: queue.Queue(QUEUE_MAX))
    _thread: threading.Thread | None = None
    _tracked: bool = False
    _wrapped: bool = False

    @classmethod
    def of(cls, plugins: Plugins, config: Config) -> PluginHooks:
        """Return the hooks of these plugins; what no plugin implements costs nothing."""
        hooks = cls(plugins.manager, plugins, config.channels)
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

    def notify(self, channel: str, subject: str, message: str) -> str | None:
        """Tell a channel, which `[tool.omium.channels]` binds to a notifier (`log`, `file:PATH`, a plugin's)."""
        name, _, target = self.channels.get(channel, channel).partition(":")
        try:
            self.plugins.notifier(name).load()(target, subject, message)
        except Exception as error:  # A notifier may raise anything, and it must not reach the workflow.
            _LOG.error("channel `%s` was not told `%s`: %s", channel, subject, error)
            return str(error) or type(error).__name__
        return None

    def startup(self, runtime: Any) -> None:
        """Tell each plugin that a runtime has its store open; one that fails keeps nobody from it."""
        self._each("startup", runtime)

    def shutdown(self, runtime: Any) -> None:
        """Tell each plugin that a runtime is about to close; one that fails keeps nobody from it."""
        self._each("shutdown", runtime)

    def close(self) -> None:
        """Give the plugins what is queued."""
        if self._thread is not None:
            self._events.put(None)
            self._thread.join()
            self._thread = None

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


def _raising(error: Exception) -> Generator[None, Any, None]:
    """A wrapper that could not be made: it fails as soon as it is started."""
    raise error
    yield
