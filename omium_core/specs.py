"""What a plugin hands over: the names it serves, where to import the thing from, and the extra that it needs.

A spec is data. Listing what exists imports nothing; `load()` imports, on first use.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import PurePosixPath
from typing import Any, Literal

import attrs

from omium_core.errors import MissingExtra, PluginError
from omium_core.interfaces.checkpoint import BlobStore, Journal
from omium_core.interfaces.recovery import Detector, Diagnoser, Notifier, Strategy
from omium_core.interfaces.voting import Voter

__all__ = [
    "ANY_SCHEME",
    "BlobStoreSpec",
    "CodecSpec",
    "DetectorSpec",
    "DiagnoserSpec",
    "Finding",
    "JournalSpec",
    "NotifierSpec",
    "PolicyAction",
    "PolicyFunction",
    "PolicyPackSpec",
    "StrategySpec",
    "VoterSpec",
]

ANY_SCHEME = "*"
"""Stands, in a `BlobStoreSpec`, for every URL scheme that no other plugin serves."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")
_SCHEME_OR_ANY = re.compile(rf"{re.escape(ANY_SCHEME)}\Z|{_SCHEME.pattern}")
_NAME = re.compile(r"[a-z][a-z0-9_.-]*\Z")
_PART = re.compile(r"[a-z][a-z0-9_]*\Z")
_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")


def _schemes(given: str | Iterable[str]) -> tuple[str, ...]:
    """Take one scheme as well as several."""
    return (given,) if isinstance(given, str) else tuple(given)


@attrs.frozen
class JournalSpec:
    """Journals under the URL schemes `schemes`; the factory is called with the store's URL and options by name."""

    schemes: tuple[str, ...] = attrs.field(converter=_schemes)
    factory: str
    extra: str = ""

    def __attrs_post_init__(self) -> None:
        _check(self.schemes, _SCHEME, "URL scheme", self.factory)

    @property
    def names(self) -> tuple[str, ...]:
        """What this is looked up by."""
        return self.schemes

    def load(self) -> Callable[..., Journal]:
        """Import the factory; raise `MissingExtra` or `PluginError` when that is not possible."""
        return _load(self.schemes[0], self.factory, self.extra)


@attrs.frozen
class BlobStoreSpec:
    """Blob stores under the URL schemes `schemes`; the factory is called with the URL and options by name."""

    schemes: tuple[str, ...] = attrs.field(converter=_schemes)
    factory: str
    extra: str = ""

    def __attrs_post_init__(self) -> None:
        _check(self.schemes, _SCHEME_OR_ANY, "URL scheme", self.factory)

    @property
    def names(self) -> tuple[str, ...]:
        """What this is looked up by."""
        return self.schemes

    def load(self) -> Callable[..., BlobStore]:
        """Import the factory; raise `MissingExtra` or `PluginError` when that is not possible."""
        return _load(self.schemes[0], self.factory, self.extra)


@attrs.frozen
class NotifierSpec:
    """Who is told where `[tool.omium.channels]` says `name` or `name:target`; the factory is the `Notifier` itself.

    One that is `instant` takes no longer than a line in a local file, and is called in place; any other one is called
    in a thread of its own, again when it fails, and that it was told is journaled.
    """

    name: str
    factory: str
    extra: str = ""
    instant: bool = False

    def __attrs_post_init__(self) -> None:
        _check([self.name], _NAME, "name", self.factory)

    @property
    def names(self) -> tuple[str, ...]:
        """What this is looked up by."""
        return (self.name,)

    def load(self) -> Notifier:
        """Import the notifier; raise `MissingExtra` or `PluginError` when that is not possible."""
        return _load(self.name, self.factory, self.extra)


@attrs.frozen
class DetectorSpec:
    """What looks at outcomes under the name `name`; the factory is the `Detector` itself."""

    name: str
    factory: str
    extra: str = ""

    def __attrs_post_init__(self) -> None:
        _check([self.name], _NAME, "name", self.factory)

    @property
    def names(self) -> tuple[str, ...]:
        """What this is looked up by."""
        return (self.name,)

    def load(self) -> Detector:
        """Import the detector; raise `MissingExtra` or `PluginError` when that is not possible."""
        return _load(self.name, self.factory, self.extra)


@attrs.frozen
class DiagnoserSpec:
    """What looks into failures under the name `name`; the factory is the `Diagnoser` itself."""

    name: str
    factory: str
    extra: str = ""

    def __attrs_post_init__(self) -> None:
        _check([self.name], _NAME, "name", self.factory)

    @property
    def names(self) -> tuple[str, ...]:
        """What this is looked up by."""
        return (self.name,)

    def load(self) -> Diagnoser:
        """Import the diagnoser; raise `MissingExtra` or `PluginError` when that is not possible."""
        return _load(self.name, self.factory, self.extra)


@attrs.frozen
class StrategySpec:
    """What decides about failures where a ladder says `Apply(name)`; the factory is the `Strategy` itself."""

    name: str
    factory: str
    extra: str = ""

    def __attrs_post_init__(self) -> None:
        _check([self.name], _NAME, "name", self.factory)

    @property
    def names(self) -> tuple[str, ...]:
        """What this is looked up by."""
        return (self.name,)

    def load(self) -> Strategy:
        """Import the strategy; raise `MissingExtra` or `PluginError` when that is not possible."""
        return _load(self.name, self.factory, self.extra)


@attrs.frozen
class VoterSpec:
    """Who judges a handoff where a policy's `quorum` names `name`; the factory is the `Voter` itself."""

    name: str
    factory: str
    extra: str = ""

    def __attrs_post_init__(self) -> None:
        _check([self.name], _NAME, "name", self.factory)

    @property
    def names(self) -> tuple[str, ...]:
        """What this is looked up by."""
        return (self.name,)

    def load(self) -> Voter:
        """Import the voter; raise `MissingExtra` or `PluginError` when that is not possible."""
        return _load(self.name, self.factory, self.extra)


@attrs.frozen
class CodecSpec:
    """How values that are stored under the tag `tag` become data and come back.

    The tag is in stored journals, so it MUST stay what it is for as long as they are read.
    """

    tag: str
    factory: str
    extra: str = ""

    def __attrs_post_init__(self) -> None:
        _check([self.tag], _NAME, "tag", self.factory)

    @property
    def names(self) -> tuple[str, ...]:
        """What this is looked up by."""
        return (self.tag,)

    def load(self) -> Callable[..., Any]:
        """Import the factory; raise `MissingExtra` or `PluginError` when that is not possible."""
        return _load(self.tag, self.factory, self.extra)


@attrs.frozen
class PolicyFunction:
    """A function that rules may call, as `fin.monthly_payment(...)` where its pack is used as `fin`.

    `signature` says what it takes and gives, like `(money, percent) -> money`. It MUST be pure.
    """

    name: str
    signature: str
    factory: str
    cost: int = 1

    def __attrs_post_init__(self) -> None:
        _check([self.name], _PART, "name", self.factory)

    def load(self) -> Callable[..., Any]:
        """Import the function; raise `PluginError` when that is not possible."""
        return _load(self.name, self.factory, "")


@attrs.frozen
class PolicyAction:
    """An action that rules and ladders may name; `parameters` gives the kind of each: text, integer, money and so on.

    `strategy` is the strategy that is asked what to do. A `terminal` one may end a ladder.
    """

    name: str
    strategy: str
    parameters: Mapping[str, str] = attrs.field(factory=dict)
    terminal: bool = False


@attrs.frozen
class PolicyPackSpec:
    """A pack that policies may use: its policy's text, `package:file.omp`, and the names that it adds.

    What it adds is named below the pack: the function `monthly_payment` of `omium.finance` is
    `omium.finance.monthly_payment`. `meters` gives the kind of each, `sections` the kind of each of their fields.
    """

    name: str
    version: str
    file: str
    functions: tuple[PolicyFunction, ...] = ()
    actions: tuple[PolicyAction, ...] = ()
    failures: tuple[str, ...] = ()
    meters: Mapping[str, str] = attrs.field(factory=dict)
    sections: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        _check([self.name], _NAME, "name", "package:file")

    @property
    def names(self) -> tuple[str, ...]:
        """What this is looked up by."""
        return (self.name,)

    def text(self) -> str:
        """Read the pack's policy; raise `PluginError` when that is not possible."""
        package, _, file = self.file.partition(":")
        try:
            return resources.files(package).joinpath(file).read_text(encoding="utf-8")
        except (ImportError, OSError, UnicodeDecodeError) as error:
            raise PluginError(self.name, f"cannot be read: `{self.file}`: {error}") from error

    def text_beside(self, path: str) -> str | None:
        """Read a file beside the pack's policy; None for one that cannot be read, or is not in its package."""
        package, _, file = self.file.partition(":")
        place = PurePosixPath(file).parent / path
        if place.is_absolute() or ".." in place.parts:
            return None
        try:
            return resources.files(package).joinpath(str(place)).read_text(encoding="utf-8")
        except (ImportError, OSError, UnicodeDecodeError):
            return None


@attrs.frozen
class Finding:
    """A line of `omium doctor`: what was looked at, whether it is `ok`, a `warning` or `broken`, and what was found."""

    name: str
    status: Literal["ok", "warning", "broken"]
    message: str


def _check(names: Sequence[str], form: re.Pattern[str], what: str, factory: str) -> None:
    """Refuse a spec that could not be looked up or loaded."""
    if not names:
        raise PluginError(factory, f"names no {what}; give at least one")
    for name in names:
        if not form.match(name):
            raise PluginError(name, f"cannot be registered: a {what} is lower-case letters, digits, `.` and `-`")
    if not _FACTORY.match(factory):
        raise PluginError(names[0], f"cannot be registered: `{factory}` is not of the form `package.module:attribute`")


def _load(name: str, factory: str, extra: str) -> Callable[..., Any]:
    """Import `module:attribute`, telling an extra that is not installed from a plugin that is broken."""
    module_name, _, attribute = factory.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        own_package = module_name.partition(".")[0]
        missing = (error.name or "").partition(".")[0]
        if extra and missing != own_package:
            raise MissingExtra(name, extra=extra) from error
        raise PluginError(name, f"cannot be imported: there is no module `{error.name}`") from error
    # A plugin's module may raise anything at all while it is imported.
    except Exception as error:
        raise PluginError(name, f"cannot be imported from `{module_name}`: {error}") from error
    if not hasattr(module, attribute):
        raise PluginError(name, f"cannot be used: `{module_name}` has no `{attribute}`")
    loaded: Callable[..., Any] = getattr(module, attribute)
    return loaded
