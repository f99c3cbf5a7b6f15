"""Find plugins, load them one at a time, and remember the ones that cannot be used and why.

A plugin that is not usable is recorded, never raised: a recovery layer must not stop the workflow it guards because a
notifier is broken. Omium's own plugins enter through the same door as everybody else's, only first.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from types import ModuleType
from typing import TypeAlias, TypeVar

import attrs
import pluggy

from omium_core import hookspecs
from omium_core.errors import PluginError, UsageError
from omium_core.specs import (
    ANY_SCHEME,
    BlobStoreSpec,
    CodecSpec,
    DetectorSpec,
    DiagnoserSpec,
    JournalSpec,
    NotifierSpec,
    PolicyPackSpec,
    StrategySpec,
    VoterSpec,
)

__all__ = ["LoadedPlugin", "PluginFailure", "Plugins", "load_plugins"]

Spec: TypeAlias = (
    JournalSpec
    | BlobStoreSpec
    | NotifierSpec
    | DetectorSpec
    | DiagnoserSpec
    | StrategySpec
    | VoterSpec
    | CodecSpec
    | PolicyPackSpec
)

_GROUP = "omium"
_OWN_DISTRIBUTION = "omium"
_LIMIT = "OMIUM_LOAD_PLUGINS"
_REGISTRATIONS: Mapping[str, type[Spec]] = {
    "register_journals": JournalSpec,
    "register_blob_stores": BlobStoreSpec,
    "register_notifiers": NotifierSpec,
    "register_detectors": DetectorSpec,
    "register_diagnosers": DiagnoserSpec,
    "register_strategies": StrategySpec,
    "register_voters": VoterSpec,
    "register_codecs": CodecSpec,
    "register_policy_packs": PolicyPackSpec,
}
_T = TypeVar("_T", bound=Spec)


@attrs.frozen
class LoadedPlugin:
    """A plugin whose hooks are in force."""

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...]
    specs: tuple[Spec, ...] = ()


@attrs.frozen
class PluginFailure:
    """A plugin that was found and is not in force, whose it is, and why in one sentence."""

    name: str
    distribution: str
    reason: str
    error: BaseException | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class Plugins:
    """What plugins added: the hooks to call, the specs to look up, and the plugins that could not be loaded."""

    manager: pluggy.PluginManager = attrs.field(repr=False)
    loaded: tuple[LoadedPlugin, ...]
    failed: tuple[PluginFailure, ...]

    def journal(self, scheme: str) -> JournalSpec:
        """Give the spec of the journals under this URL scheme; raise `UsageError` when nothing serves it."""
        return self._find(JournalSpec, scheme, "keeps journals under the URL scheme")

    def blob_store(self, scheme: str) -> BlobStoreSpec:
        """Give the spec of the blob stores under this URL scheme; raise `UsageError` when nothing serves it."""
        known = self.specs(BlobStoreSpec)
        if scheme not in known and ANY_SCHEME in known:
            return known[ANY_SCHEME]
        return self._find(BlobStoreSpec, scheme, "keeps blobs under the URL scheme")

    def notifier(self, name: str) -> NotifierSpec:
        """Give the spec of the notifier of this name; raise `UsageError` when there is none."""
        return self._find(NotifierSpec, name, "is the notifier")

    def detector(self, name: str) -> DetectorSpec:
        """Give the spec of the detector of this name; raise `UsageError` when there is none."""
        return self._find(DetectorSpec, name, "has the detector")

    def diagnoser(self, name: str) -> DiagnoserSpec:
        """Give the spec of the diagnoser of this name; raise `UsageError` when there is none."""
        return self._find(DiagnoserSpec, name, "has the diagnoser")

    def strategy(self, name: str) -> StrategySpec:
        """Give the spec of the strategy of this name; raise `UsageError` when there is none."""
        return self._find(StrategySpec, name, "has the strategy")

    def voter(self, name: str) -> VoterSpec:
        """Give the spec of the voter of this name; raise `UsageError` when there is none."""
        return self._find(VoterSpec, name, "has the voter")

    def codec(self, tag: str) -> CodecSpec:
        """Give the spec of the codec for values with this tag; raise `UsageError` when there is none."""
        return self._find(CodecSpec, tag, "stores values tagged")

    def specs(self, kind: type[_T]) -> dict[str, _T]:
        """Give the specs of one kind by each name that they are looked up by."""
        return {
            name: spec
            for plugin in self.loaded
            for spec in plugin.specs
            if isinstance(spec, kind)
            for name in spec.names
        }

    def plugin_of(self, spec: Spec) -> str:
        """Give the name of the plugin that registered a spec; empty for one that none did."""
        return next((one.name for one in self.loaded if spec in one.specs), "")

    def _find(self, kind: type[_T], name: str, what: str) -> _T:
        known = self.specs(kind)
        if name not in known:
            raise UsageError(f"no plugin {what} `{name}`{self._hint(name, known)}")
        return known[name]

    def _hint(self, name: str, known: Iterable[str]) -> str:
        """Say what was probably meant, or that the plugin is there but could not be loaded."""
        broken = next((one for one in self.failed if one.name == name), None)
        if broken is not None:
            return f": that of `{broken.distribution}` could not be loaded because {broken.reason}"
        names = sorted(set(known) - {ANY_SCHEME})
        listed = ", ".join(f"`{one}`" for one in names) or "none"
        return _did_you_mean(name, names) or f"; there is {listed} (`omium plugins` shows what is installed)"


def load_plugins() -> Plugins:
    """Load every installed plugin, each by itself.

    `OMIUM_LOAD_PLUGINS` limits which distributions load besides Omium: their names, separated by commas; set to the
    empty text it loads none of them. Omium's own plugins always load: without them there is no store.
    """
    manager = pluggy.PluginManager(_GROUP)
    manager.add_hookspecs(hookspecs)
    found = sorted(metadata.entry_points(group=_GROUP), key=_precedence)
    loaded: list[LoadedPlugin] = []
    failed: list[PluginFailure] = []
    for entry_point in _chosen(found):
        try:
            loaded.append(_load(manager, entry_point, loaded, reserved=_own_names(found)))
        # A module can end the process while it is imported, which is no reason to end the workflow.
        except (Exception, SystemExit) as error:
            failed.append(PluginFailure(entry_point.name, _owner(entry_point), _reason(error), error))
    failed.extend(_absent(found))
    return Plugins(manager, tuple(loaded), tuple(failed))


def _load(
    manager: pluggy.PluginManager,
    entry_point: metadata.EntryPoint,
    loaded: list[LoadedPlugin],
    reserved: frozenset[str],
) -> LoadedPlugin:
    """Import a plugin, check it as a whole, and only then put its hooks in force."""
    name, owner = entry_point.name, _owner(entry_point)
    holder = next((one.distribution for one in loaded if one.name == name), None)
    if name in reserved and owner != _OWN_DISTRIBUTION:
        holder = _OWN_DISTRIBUTION
    if holder is not None:
        raise PluginError(name, f"has a name that is already taken by `{holder}`")
    plugin = entry_point.load()
    hooks = dict(_hooks(manager, name, plugin))
    specs = tuple(_specs(name, hooks))
    _check_names(name, specs, loaded)
    try:
        manager.register(plugin, name=name)
    except Exception:
        # pluggy keeps what it registered before it found the fault.
        if manager.has_plugin(name):
            manager.unregister(name=name)
        raise
    version = entry_point.dist.version if entry_point.dist is not None else ""
    return LoadedPlugin(name, owner, version, tuple(sorted(hooks)), specs)


def _hooks(manager: pluggy.PluginManager, name: str, plugin: ModuleType) -> Iterator[tuple[str, Callable[..., object]]]:
    """Give the plugin's hookimpls by hook; raise `PluginError` for one that would never be called as it was meant."""
    known = _hook_arguments()
    found = False
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        function = getattr(plugin, attribute)
        if options is None:
            if attribute in known and getattr(function, "__module__", None) == plugin.__name__:
                raise PluginError(name, f"has a function `{attribute}` that is not marked with `@hookimpl`")
            continue
        hook = options.get("specname") or attribute
        if hook not in known:
            hint = _did_you_mean(hook, known) or "; docs/plugins/hooks.md lists those there are"
            raise PluginError(name, f"implements `{hook}`, which is not a hook{hint}")
        if hook in _REGISTRATIONS and (options.get("wrapper") or options.get("hookwrapper")):
            raise PluginError(name, f"wraps `{hook}`; a plugin registers what is its own and cannot change others'")
        _check_arguments(name, hook, function, known[hook])
        found = True
        yield hook, function
    if not found:
        raise PluginError(name, "has no hooks; mark at least one function with `@hookimpl`")


def _hook_arguments() -> dict[str, tuple[str, ...]]:
    """Give every hook's argument names, from the hook specifications themselves."""
    return {
        name: tuple(inspect.signature(function).parameters)
        for name, function in vars(hookspecs).items()
        if inspect.isfunction(function) and function.__module__ == hookspecs.__name__
    }


def _check_arguments(name: str, hook: str, function: Callable[..., object], known: tuple[str, ...]) -> None:
    """Refuse an argument that the hook does not have, or that it would never be given."""
    for argument in inspect.signature(function).parameters.values():
        plain = argument.kind is argument.POSITIONAL_OR_KEYWORD and argument.default is argument.empty
        if argument.name not in known and argument.default is argument.empty:
            takes = f"has {', '.join(f'`{one}`' for one in known)}" if known else "takes none"
            raise PluginError(name, f"wants the argument `{argument.name}` in the hook `{hook}`, which {takes}")
        if argument.name in known and not plain:
            raise PluginError(name, f"must take `{argument.name}` of the hook `{hook}` plainly and without a default")


def _specs(name: str, hooks: Mapping[str, Callable[..., object]]) -> Iterator[Spec]:
    """Ask the plugin for its specs; raise `PluginError` when it gives something else."""
    for hook, kind in _REGISTRATIONS.items():
        given = hooks[hook]() if hook in hooks else None
        if given is None:
            continue
        if not isinstance(given, Iterable) or isinstance(given, str):
            raise PluginError(name, f"returns no list from `{hook}`; it must return a list of `{kind.__name__}`")
        for spec in given:
            if not isinstance(spec, kind):
                raise PluginError(name, f"returns `{spec!r}` from `{hook}`, which is not a `{kind.__name__}`")
            yield spec


def _check_names(name: str, specs: tuple[Spec, ...], loaded: list[LoadedPlugin]) -> None:
    """Refuse a plugin that registers what an earlier plugin, or itself, registered already."""
    taken = {
        (type(spec), served): f"`{plugin.name}` of `{plugin.distribution}`"
        for plugin in loaded
        for spec in plugin.specs
        for served in spec.names
    }
    for spec in specs:
        for served in spec.names:
            key = (type(spec), served)
            if key in taken:
                raise PluginError(name, f"registers `{served}`, which is already taken by {taken[key]}")
            taken[key] = "itself"


def _chosen(found: list[metadata.EntryPoint]) -> list[metadata.EntryPoint]:
    """Leave out what `OMIUM_LOAD_PLUGINS` does not name."""
    wanted = _wanted()
    if wanted is None:
        return found
    return [one for one in found if _owner(one) in {*wanted, _OWN_DISTRIBUTION}]


def _absent(found: list[metadata.EntryPoint]) -> Iterator[PluginFailure]:
    """Give a failure for each distribution that `OMIUM_LOAD_PLUGINS` names and that has no plugins."""
    installed = {_owner(one) for one in found}
    for distribution in sorted((_wanted() or set()) - installed - {_OWN_DISTRIBUTION}):
        hint = _did_you_mean(distribution, installed)
        yield PluginFailure(distribution, distribution, f"`{_LIMIT}` names it, but it is not installed{hint}")


def _wanted() -> set[str] | None:
    """Give the distributions that are allowed to load; None allows all."""
    limit = os.environ.get(_LIMIT)
    return None if limit is None else {_normal(one.strip()) for one in limit.split(",") if one.strip()}


def _own_names(found: list[metadata.EntryPoint]) -> frozenset[str]:
    """Give the plugin names that are Omium's even when its plugin of that name cannot be loaded."""
    return frozenset(one.name for one in found if _owner(one) == _OWN_DISTRIBUTION)


def _precedence(entry_point: metadata.EntryPoint) -> tuple[bool, str, str]:
    """Sort Omium's own plugins first and the others by name, so that no installer decides who wins."""
    owner = _owner(entry_point)
    return (owner != _OWN_DISTRIBUTION, owner, entry_point.name)


def _owner(entry_point: metadata.EntryPoint) -> str:
    """Give the normalised name of the distribution that declares this entry point."""
    return "" if entry_point.dist is None else _normal(entry_point.dist.name)


def _normal(distribution: str) -> str:
    """Give the one spelling of a distribution's name, by the packaging specification on name normalisation."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _reason(error: BaseException) -> str:
    """Say in one line why a plugin is not in force."""
    if isinstance(error, PluginError):
        return f"it {error.message}"
    if isinstance(error, SystemExit):
        return "it ends the process when it is imported"
    text = " ".join(str(error).split())
    return f"it cannot be imported: {type(error).__name__}: {text}" if text else f"it raises {type(error).__name__}"


def _did_you_mean(given: str, known: Iterable[str]) -> str:
    """Give the end of a sentence that names the nearest known name, or nothing."""
    nearest = difflib.get_close_matches(given, sorted(known), n=1)
    return f"; did you mean `{nearest[0]}`?" if nearest else ""
