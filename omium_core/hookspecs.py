"""Every hook that a plugin may implement.

A plugin adds to what Omium knows; only a policy decides what is used. So a hook registers something, wraps a step or
looks on. A hookimpl takes any subset of its hook's arguments, by name. `docs/plugins/hooks.md` describes each hook,
and a test keeps the two together.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pluggy import HookimplMarker, HookspecMarker

if TYPE_CHECKING:
    import click

    from omium_core.model.events import Event
    from omium_core.specs import (
        BlobStoreSpec,
        CodecSpec,
        DetectorSpec,
        DiagnoserSpec,
        Finding,
        JournalSpec,
        NotifierSpec,
        PolicyPackSpec,
        StrategySpec,
        VoterSpec,
    )

__all__ = ["hookimpl", "hookspec"]

hookspec = HookspecMarker("omium")
hookimpl = HookimplMarker("omium")


@hookspec
def register_journals() -> Iterable[JournalSpec] | None:
    """Return the URL schemes under which this plugin keeps journals."""


@hookspec
def register_blob_stores() -> Iterable[BlobStoreSpec] | None:
    """Return the URL schemes under which this plugin keeps blobs."""


@hookspec
def register_notifiers() -> Iterable[NotifierSpec] | None:
    """Return the channels through which this plugin tells people."""


@hookspec
def register_detectors() -> Iterable[DetectorSpec] | None:
    """Return the detectors that this plugin has, which say what is wrong with a step's outcome."""


@hookspec
def register_diagnosers() -> Iterable[DiagnoserSpec] | None:
    """Return the diagnosers that this plugin has, which say where a failure comes from."""


@hookspec
def register_strategies() -> Iterable[StrategySpec] | None:
    """Return the strategies that this plugin has, which decide what is done about a failure."""


@hookspec
def register_voters() -> Iterable[VoterSpec] | None:
    """Return the voters that this plugin has, which judge what one agent hands to another."""


@hookspec
def register_policy_packs() -> Iterable[PolicyPackSpec] | None:
    """Return the packs that this plugin has for policies, with the functions and other names that they add."""


@hookspec
def register_codecs() -> Iterable[CodecSpec] | None:
    """Return the kinds of values that this plugin can store."""


@hookspec
def register_commands(group: click.Group) -> None:
    """Add commands to the command line's group, under names that it does not have yet."""


@hookspec
def diagnose(store: str, channels: Mapping[str, str]) -> Iterable[Finding] | None:
    """Return what `omium doctor` should say of what this plugin needs; change nothing. `store` is the store's URL.

    `channels` says what stands behind each name in `[tool.omium.channels]`.
    """


@hookspec
def startup(runtime: Any) -> None:
    """Be told once that a runtime has its store open, BEFORE its first execution."""


@hookspec
def shutdown(runtime: Any) -> None:
    """Be told once that a runtime has ended its last execution, BEFORE its store is closed."""


@hookspec
def step_wrapper(execution: str, step: str) -> Generator[None, Any, None] | None:
    """Run around one attempt at a step, as a generator that yields exactly once.

    `execution` is the execution's id, `step` the step's path. What comes before the yield runs before the attempt, what
    comes after it afterwards; the yield gives the outcome or raises the attempt's exception. Return None to leave this
    step alone. The wrapper sees the attempt and cannot change it: it is for tracing, not for retries and not for rules.
    """


@hookspec
def track_event(event: Event, execution: str) -> None:
    """Be given each event of an execution after it is in the journal, in order, off the path of the execution.

    At least once while the process lives: an exporter that must miss nothing reads the journal again, by sequence
    number, after a crash. What is raised here is recorded and goes no further.
    """
