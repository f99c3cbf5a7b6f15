"""What `omium doctor` looks at; it makes and changes nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from importlib import metadata
from typing import Any, Final

import attrs

from omium import runtime
from omium.cli.extending import plugin_commands
from omium.cli.group import LazyGroup
from omium.cli.opening import store_file
from omium.config import Config, load_config
from omium_core.errors import OmiumError, UsageError
from omium_core.specs import Finding

__all__ = ["BROKEN", "OK", "WARNING", "as_data", "diagnose", "own_commands"]

OK: Final = "ok"
WARNING: Final = "warning"
BROKEN: Final = "broken"
PYTHON_MIN = (3, 10)
# No clock that is right shows a time before this version was written: 2026-01-01.
EARLIEST_S = 1_767_225_600.0


def diagnose() -> list[Finding]:
    """Return everything that was found, in the order in which it is shown."""
    try:
        config = load_config()
    except OmiumError as error:
        return [_python(), Finding("configuration", BROKEN, str(error)), *_distributions()]
    found = [_python(), *_plugins(), *_distributions(), *_from_plugins(config)]
    return [*found, *_store(config), *_configuration(config)]


def as_data(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain data."""
    return attrs.asdict(finding)


def _python() -> Finding:
    text = f"Python {sys.version.split()[0]}"
    if sys.version_info[:2] < PYTHON_MIN:
        return Finding("python", BROKEN, f"{text}; Omium needs {'.'.join(map(str, PYTHON_MIN))} or newer")
    return Finding("python", OK, text)


def _plugins() -> Iterator[Finding]:
    found = runtime.plugins()
    yield Finding("plugins", OK, f"{len(found.loaded)} loaded: {', '.join(one.name for one in found.loaded)}")
    for one in found.failed:
        own = one.distribution == "omium"
        yield Finding(
            "plugins", BROKEN if own else WARNING, f"`{one.name}` of `{one.distribution}` is not in force: {one.reason}"
        )
    for left_out in plugin_commands(own_commands()).left_out:
        yield Finding("plugins", WARNING, f"`{left_out.plugin}`: {left_out.reason}")


def own_commands() -> frozenset[str]:
    """Return the names of Omium's own commands, which a plugin cannot take."""
    from omium.cli import cli  # The command line imports this module.

    assert isinstance(cli, LazyGroup)
    return frozenset(cli.commands_at)


def _distributions() -> Iterator[Finding]:
    """Find two distributions that write into one package: whichever was installed last has won, file by file."""
    owners = sorted({one.name for one in metadata.distributions() if _writes_into_omium(one)})
    if len(owners) > 1:
        listed = ", ".join(f"`{one}`" for one in owners)
        yield Finding("distributions", BROKEN, f"{listed} all provide the package `omium`; uninstall all but one")
    else:
        yield Finding("distributions", OK, f"omium {metadata.version('omium')}")


def _writes_into_omium(distribution: metadata.Distribution) -> bool:
    """Return whether files of a distribution are in the package `omium`, or an editable install says so."""
    if distribution.name == "omium":
        return True
    return any(file.parts[0] == "omium" for file in distribution.files or ())


def _from_plugins(config: Config) -> Iterator[Finding]:
    for one in runtime.plugins().manager.hook.diagnose.get_hookimpls():
        try:
            arguments = {"store": config.store, "channels": config.channels}
            given: Any = one.function(**{name: arguments[name] for name in one.argnames})
            findings = list(given or ())
        except (Exception, SystemExit) as error:  # A plugin may raise anything.
            yield Finding(f"plugin {one.plugin_name}", WARNING, f"failed in `diagnose`: {error}")
            continue
        for finding in findings:
            if isinstance(finding, Finding):
                yield finding
            else:
                yield Finding(f"plugin {one.plugin_name}", WARNING, f"said `{finding!r}`, which is not a finding")


def _store(config: Config) -> Iterator[Finding]:
    path = store_file(config.store)
    if path is not None and not path.exists():
        yield Finding("store", OK, f"there is none at `{path}` yet")
        yield from _clock(0.0)
        return
    try:
        journal = runtime.runtime_for().store.journal
        wrong = journal.check()
        rows = journal.executions(limit=1)
    except OmiumError as error:
        yield Finding("store", BROKEN, str(error))
        yield from _clock(0.0)
        return
    for one in wrong:
        yield Finding("store", BROKEN, one)
    if not wrong:
        yield Finding("store", OK, f"`{config.store}` is whole below its chains; `omium verify` checks those")
    yield from _clock(rows[0].started if rows else 0.0)


def _clock(newest: float) -> Iterator[Finding]:
    now = time.time()
    if now < EARLIEST_S:
        yield Finding("clock", BROKEN, "the clock is years behind; leases and deadlines depend on it")
    elif now < newest:
        yield Finding("clock", WARNING, f"the newest execution began {newest - now:.0f} s in the future; set the clock")
    else:
        yield Finding("clock", OK, "it goes forward")


def _configuration(config: Config) -> Iterator[Finding]:
    for warning in config.warnings:
        yield Finding("configuration", WARNING, warning)
    yield from _named_plugins(config)
    if not config.warnings:
        yield Finding("configuration", OK, f"project `{config.project}`")


def _named_plugins(config: Config) -> Iterator[Finding]:
    """Find detectors and notifiers that the configuration names and no plugin has."""
    found = runtime.plugins()
    for name in config.detectors:
        try:
            found.detector(name)
        except UsageError as error:
            yield Finding("detectors", BROKEN, f"every outcome is refused: {error}")
    for channel, bound in config.channels.items():
        try:
            found.notifier(bound.partition(":")[0])
        except UsageError as error:
            yield Finding(f"channel {channel}", BROKEN, str(error))
