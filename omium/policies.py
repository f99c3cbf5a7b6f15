"""Policies as Python sees them: load one, judge with it, or learn everything that is wrong with it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from omium import runtime
from omium.config import load_config
from omium.kept import KeptPolicies
from omium.plugins import Plugins
from omium_core.errors import PluginError, PolicyError, UsageError
from omium_core.specs import PolicyFunction, PolicyPackSpec

if TYPE_CHECKING:
    from omium_policy.functions import Function
    from omium_policy.loaded import Loaded
    from omium_policy.packs import Finder, PackFile
    from omium_policy.registry import ActionSpec, Registry, SectionSpec
    from omium_policy.source import Source
    from omium_policy.types import ValueType

__all__ = ["Packs", "load_policy", "loaded", "read_file", "read_policy", "registry"]


def load_policy(path: str | Path) -> Loaded:
    """Return the policy in a file, checked with its packs; raise `PolicyError` with every diagnostic."""
    from omium_policy.diagnostics import rendered

    found = read_policy(path)
    if found.errors:
        said = tuple(rendered(one) for one in found.errors)
        raise PolicyError(str(path), len(found.errors), found.errors[0].message, said)
    return found


def read_policy(path: str | Path) -> Loaded:
    """Return the policy in a file with all that is wrong with it; raise `UsageError` when it cannot be read."""
    from omium_policy.source import Source

    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no file `{path}`") from None
    except UnicodeDecodeError as problem:
        raise UsageError(f"`{path}` is not UTF-8: {problem.reason} at byte {problem.start}") from None
    except OSError as problem:
        raise UsageError(f"`{path}` cannot be read: {problem.strerror}") from None
    plugins = runtime.plugins()
    return loaded(Source(str(path), text), Packs(plugins), plugins)


def loaded(source: Source, finder: Finder, plugins: Plugins) -> Loaded:
    """Return a policy with all that is wrong with it, from what is kept of it where that is still right."""
    from omium_policy.keeping import load

    keeper = KeptPolicies.of(load_config().home)
    return load(source, _names(plugins), lambda: registry(plugins), finder, keeper)


def _names(plugins: Plugins) -> str:
    """Return what differs where `registry` does, without making it."""
    return repr(sorted(plugins.specs(PolicyPackSpec).items()))


def registry(plugins: Plugins) -> Registry:
    """Return the names that plugins add to the language; raise `PluginError` for one that cannot be."""
    from omium_policy.registry import Registry

    packs = plugins.specs(PolicyPackSpec).values()
    return Registry(
        functions={one.name: one for pack in packs for one in _functions(pack)},
        actions={one.name: one for pack in packs for one in _actions(pack)},
        failures=frozenset(f"{pack.name}.{failure}" for pack in packs for failure in pack.failures),
        meters={f"{pack.name}.{name}": _type(pack, word) for pack in packs for name, word in pack.meters.items()},
        sections={one.name: one for pack in packs for one in _sections(pack)},
    )


def _functions(pack: PolicyPackSpec) -> Iterator[Function]:
    from omium_policy.functions import Function, signature

    for one in pack.functions:
        try:
            takes, gives = signature(one.signature)
        except ValueError as problem:
            raise PluginError(pack.name, f"has a function `{one.name}` that cannot be used: {problem}") from problem
        yield Function(f"{pack.name}.{one.name}", takes, gives, _loaded_at_first_call(one), one.cost)


def _loaded_at_first_call(function: PolicyFunction) -> Callable[..., Any]:
    """Policies are checked without importing what their functions need."""
    load = functools.cache(function.load)
    return lambda *arguments: load()(*arguments)


def _actions(pack: PolicyPackSpec) -> Iterator[ActionSpec]:
    from omium_policy.registry import ActionSpec

    for one in pack.actions:
        parameters = {name: _type(pack, word) for name, word in one.parameters.items()}
        yield ActionSpec(f"{pack.name}.{one.name}", parameters, one.terminal, strategy=one.strategy)


def _sections(pack: PolicyPackSpec) -> Iterator[SectionSpec]:
    from omium_policy.registry import SectionSpec

    for name, fields in pack.sections.items():
        yield SectionSpec(f"{pack.name}.{name}", {field: _type(pack, word) for field, word in fields.items()})


def _type(pack: PolicyPackSpec, word: str) -> ValueType:
    from omium_policy.functions import type_named

    try:
        return type_named(word)
    except ValueError as problem:
        raise PluginError(pack.name, f"cannot be used: {problem}") from problem


def read_file(path: Path) -> str | None:
    """Return a file's text; None where there is none that can be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


@attrs.frozen
class Packs:
    """The packs of plugins, and those in files beside a policy, whose texts `read` gives."""

    plugins: Plugins
    read: Callable[[Path], str | None] = read_file

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the packs that are installed."""
        return tuple(self.plugins.specs(PolicyPackSpec))

    def __call__(self, name: str) -> PackFile | None:
        """Return an installed pack."""
        from omium_policy.packs import PackFile
        from omium_policy.source import Source

        spec = self.plugins.specs(PolicyPackSpec).get(name)
        return PackFile(name, spec.version, Source(spec.file, spec.text())) if spec is not None else None

    def beside(self, source: Source, path: str) -> PackFile | None:
        """Return the pack in a file whose path is relative to the policy that uses it."""
        from omium_policy.packs import PackFile
        from omium_policy.source import Source

        file = Path(source.name).parent / path
        text = self.read(file)
        return PackFile(path, "0.0.0", Source(str(file), text)) if text is not None else None

    def text_beside(self, source: Source, path: str) -> str | None:
        """Return the text of a file beside a policy; None where there is none."""
        spec = self.packaged(source)
        return spec.text_beside(path) if spec is not None else self.read(Path(source.name).parent / path)

    def packaged(self, source: Source) -> PolicyPackSpec | None:
        """Return the installed pack that a source is the text of; None for one from a file."""
        return next((one for one in self.plugins.specs(PolicyPackSpec).values() if one.file == source.name), None)
