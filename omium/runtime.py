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
from omium.plugins import Plugins, load_plugins
from omium_core.journal.codec import Codec, ExtraCodec
from omium_core.journal.types import Types
from omium_core.runtime.declarations import Registry
from omium_core.runtime.store import Store
from omium_core.specs import CodecSpec

__all__ = ["Runtime", "plugins", "register", "registry", "running_now", "runtime_for", "types"]

_Class = TypeVar("_Class", bound=type)


@attrs.define(eq=False)
class Runtime:
    """An open store with the plugins and declarations that its executions use."""

    config: Config
    plugins: Plugins
    store: Store
    registry: Registry
    hooks: PluginHooks

    def close(self) -> None:
        """End the plugins' part and close the store; opening the same URL again makes a new one."""
        self.hooks.shutdown(self)
        self.hooks.close()
        try:
            self.store.close()
        finally:
            _PROCESS.forget(self)


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

    def runtime(self, config: Config) -> Runtime:
        with self.lock:
            runtime = self.runtimes.get(config.store)
            if runtime is None:
                plugins = self.loaded_plugins()
                runtime = self.runtimes[config.store] = _open(config, plugins, self.registry, self.types)
            return runtime

    def loaded_plugins(self) -> Plugins:
        with self.lock:
            if self.plugins is None:
                self.plugins = load_plugins()
            return self.plugins

    def running(self) -> bool:
        # The copy is one step: another thread may open a store meanwhile.
        return any(one.store.running for one in tuple(self.runtimes.values()))

    def forget(self, runtime: Runtime) -> None:
        with self.lock:
            if self.runtimes.get(runtime.config.store) is runtime:
                del self.runtimes[runtime.config.store]


def runtime_for(store: str | os.PathLike[str] | None = None, **options: Any) -> Runtime:
    """Return the runtime over a store, by default the configured one; the same URL gives the same object."""
    config = load_config(store=store, **options)
    if store is not None and "blobs" not in options and config.origins["blobs"] == "default":
        config = attrs.evolve(config, blobs=blobs_beside(config.store) or config.blobs)
    return _PROCESS.runtime(config)


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


def _open(config: Config, plugins: Plugins, registry: Registry, types: Types) -> Runtime:
    _make_home(config)
    blobs = plugins.blob_store(urlsplit(config.blobs).scheme).load()(config.blobs)
    open_journal = plugins.journal(urlsplit(config.store).scheme).load()
    journal = open_journal(config.store, durability=config.durability, large=blobs)
    codec = Codec(types, tuple(_extra(spec) for spec in plugins.specs(CodecSpec).values()))
    store = Store(config.store, journal, codec)
    runtime = Runtime(config, plugins, store, registry, PluginHooks.of(plugins, config))
    runtime.hooks.startup(runtime)
    return runtime


def _make_home(config: Config) -> None:
    """Make the project's own folder, which version control leaves alone."""
    if str(config.home) in config.store and not config.home.exists():
        config.home.mkdir(parents=True)
        (config.home / ".gitignore").write_text("*\n")


def _extra(spec: CodecSpec) -> ExtraCodec:
    make: Callable[[], ExtraCodec] = spec.load()
    return make()


_PROCESS = _Process()
