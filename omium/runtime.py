"""The process's side of Omium: configuration, plugins, declarations, and the stores that are open."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import attrs

from omium.config import Config, blobs_beside, load_config
from omium.hooks import PluginHooks
from omium.keeping import Kept
from omium.plugins import Plugins, load_plugins
from omium_core.errors import OmiumError, PluginError, UsageError
from omium_core.interfaces.checkpoint import BlobStore, Journal
from omium_core.journal.codec import Codec, ExtraCodec
from omium_core.journal.types import Types
from omium_core.runtime.clock import Clock, SystemClock
from omium_core.runtime.declarations import Registry
from omium_core.runtime.performing import Invoker, invocation
from omium_core.runtime.store import Store
from omium_core.specs import CodecSpec

__all__ = ["Parts", "Runtime", "open_runtime", "plugins", "register", "registry", "running_now", "runtime_for", "types"]

_Class = TypeVar("_Class", bound=type)


@attrs.define(eq=False)
class Runtime:
    """An open store with the plugins and declarations that its executions use, and the policies that were loaded."""

    config: Config
    plugins: Plugins
    store: Store
    registry: Registry
    hooks: PluginHooks
    invocation: Invoker = invocation
    policies: Kept = attrs.field(factory=Kept)

    def close(self) -> None:
        """End the plugins' part and close the store; opening the same URL again makes a new one."""
        self.hooks.shutdown(self)
        self.hooks.close()
        try:
            self.store.close()
        finally:
            _PROCESS.forget(self)

    def come_back(self) -> None:
        """Be the process's runtime over its store again, after another one was abandoned."""
        _PROCESS.runtimes[self.config.store] = self

    def abandon(self) -> None:
        """Let go of the runtime and leave its store as it is, as a process does that dies."""
        self.hooks.close()
        _PROCESS.forget(self)


def _as_it_is(part: Any, url: str) -> Any:
    return part


@attrs.frozen
class Parts:
    """What a runtime has in the place of the ordinary: a clock, what is put around its journal and its blobs, and what
    makes the calls of user code.
    """

    clock: Clock = attrs.field(factory=SystemClock)
    journal: Callable[[Journal, str], Journal] = _as_it_is
    blobs: Callable[[BlobStore, str], BlobStore] = _as_it_is
    invocation: Invoker = invocation


@attrs.define(eq=False)
class _Process:
    """What is one per process by its nature: names are declared once, and a database may have one writer in a process.

    This is the only state that a module of Omium keeps.
    """

    types: Types = attrs.field(factory=Types)
    registry: Registry = attrs.field(factory=Registry)
    runtimes: dict[str, Runtime] = attrs.field(factory=dict)
    plugins: Plugins | None = None
    lock: threading.RLock = attrs.field(factory=threading.RLock)
    hears_of_forks: bool = False

    def runtime(self, config: Config) -> Runtime:
        with self.lock:
            runtime = self.runtimes.get(config.store)
            if runtime is None:
                runtime = self.runtimes[config.store] = self.made(config, Parts())
            return runtime

    def made(self, config: Config, parts: Parts) -> Runtime:
        if not self.hears_of_forks:
            # The interpreter has no way to unregister, so it is told once, of whatever is open at a fork.
            os.register_at_fork(after_in_child=self.after_fork_in_child)
            self.hears_of_forks = True
        return _open(config, self.loaded_plugins(), self.registry, self.types, parts)

    def use(self, config: Config, parts: Parts) -> Runtime:
        with self.lock:
            if config.store in self.runtimes:
                raise UsageError(f"the store `{config.store}` is open in this process already; close it first")
            runtime = self.runtimes[config.store] = self.made(config, parts)
            return runtime

    def loaded_plugins(self) -> Plugins:
        with self.lock:
            if self.plugins is None:
                self.plugins = load_plugins()
            return self.plugins

    def running(self) -> bool:
        # The copy is one step: another thread may open a store meanwhile.
        return any(one.store.running for one in tuple(self.runtimes.values()))

    def after_fork_in_child(self) -> None:
        for one in tuple(self.runtimes.values()):
            one.hooks.after_fork_in_child()

    def forget(self, runtime: Runtime) -> None:
        with self.lock:
            if self.runtimes.get(runtime.config.store) is runtime:
                del self.runtimes[runtime.config.store]


def runtime_for(store: str | os.PathLike[str] | None = None, **options: Any) -> Runtime:
    """Return the runtime over a store, by default the configured one; the same URL gives the same object."""
    return _PROCESS.runtime(_config(store, options))


def open_runtime(store: str | os.PathLike[str], parts: Parts, **options: Any) -> Runtime:
    """Return a runtime with parts of its own, which is the process's over that store until it is closed.

    Tests and simulations give it their clock and their faults. Raises `UsageError` when the store is open already.
    """
    return _PROCESS.use(_config(store, options), parts)


def running_now() -> bool:
    """Say whether this process runs an execution at the moment, in whatever store; it opens none."""
    return _PROCESS.running()


def registry() -> Registry:
    """Return what this process declared."""
    return _PROCESS.registry


def plugins() -> Plugins:
    """Return the plugins of this process; they are loaded by the first call."""
    return _PROCESS.loaded_plugins()


def register(cls: _Class, name: str | None = None) -> _Class:
    """Let recorded values be restored to `cls`; see `Types.register`."""
    return _PROCESS.types.register(cls, name)


def types() -> Types:
    """Return the classes that recorded values may be restored to."""
    return _PROCESS.types


def _config(store: str | os.PathLike[str] | None, options: dict[str, Any]) -> Config:
    config = load_config(store=store, **options)
    if store is not None and "blobs" not in options and config.origins["blobs"] == "default":
        return attrs.evolve(config, blobs=blobs_beside(config.store) or config.blobs)
    return config


def _open(config: Config, plugins: Plugins, registry: Registry, types: Types, parts: Parts) -> Runtime:
    blobs = parts.blobs(_blobs(config, plugins), config.blobs)
    open_journal = plugins.journal(urlsplit(config.store).scheme).load()
    # Only now, so that a configuration that names nothing to open leaves no folder behind.
    _make_home(config)
    journal = parts.journal(open_journal(config.store, durability=config.durability, large=blobs), config.store)
    codec = Codec(types, tuple(_extra(spec) for spec in plugins.specs(CodecSpec).values()))
    store = Store(config.store, journal, codec, clock=parts.clock)
    runtime = Runtime(config, plugins, store, registry, PluginHooks.of(plugins, config), parts.invocation)
    runtime.hooks.startup(runtime)
    return runtime


def _blobs(config: Config, plugins: Plugins) -> BlobStore:
    spec = plugins.blob_store(urlsplit(config.blobs).scheme)
    try:
        return spec.load()(config.blobs)
    except OmiumError:
        raise
    except Exception as error:  # A plugin may raise anything.
        problem = f"could not open the blobs at `{config.blobs}`: {type(error).__name__}: {error}"
        raise PluginError(plugins.plugin_of(spec), problem) from error


def _make_home(config: Config) -> None:
    """Make the project's own folder, which version control leaves alone."""
    if str(config.home) in config.store and not config.home.exists():
        # Two processes may come here at once.
        config.home.mkdir(parents=True, exist_ok=True)
        (config.home / ".gitignore").write_text("*\n")


def _extra(spec: CodecSpec) -> ExtraCodec:
    make: Callable[[], ExtraCodec] = spec.load()
    return make()


_PROCESS = _Process()
