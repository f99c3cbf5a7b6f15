"""The hooks of this plugin. Omium imports this module to see what there is, so it imports nothing heavy."""

from __future__ import annotations

import click

from omium_core.hookspecs import hookimpl
from omium_core.specs import BlobStoreSpec, DetectorSpec, NotifierSpec, StrategySpec


@hookimpl
def register_detectors() -> list[DetectorSpec]:
    """`ensures="yours"` on a step, or `detectors = ["yours"]` in the configuration for all of them."""
    return [DetectorSpec("yours", "omium_yours.detector:find_placeholders")]


@hookimpl
def register_strategies() -> list[StrategySpec]:
    """`Apply("yours")` in a ladder."""
    return [StrategySpec("yours", "omium_yours.strategy:wait_longer")]


@hookimpl
def register_notifiers() -> list[NotifierSpec]:
    """`yours:NAME` for a channel in the configuration; leave out `instant` for whatever goes over a network."""
    return [NotifierSpec("yours", "omium_yours.notifier:print_it", instant=True)]


@hookimpl
def register_blob_stores() -> list[BlobStoreSpec]:
    """`blobs = "yours:///folder"` in the configuration."""
    return [BlobStoreSpec("yours", "omium_yours.blobs:YoursBlobStore")]


@hookimpl
def register_commands(group: click.Group) -> None:
    """`omium yours`."""
    from omium_yours.commands import look

    group.add_command(look)
