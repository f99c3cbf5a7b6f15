"""What plugins add to the language: names, never grammar."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from omium_policy.functions import Function
from omium_policy.types import ValueType

__all__ = ["ActionSpec", "Registry", "SectionSpec"]


@attrs.frozen
class ActionSpec:
    """An action by its full name: its parameters, whether a ladder may end with it, whether a replay may repeat it.

    `strategy` is who is asked what to do; by default the strategy of the action's own name.
    """

    name: str
    parameters: Mapping[str, ValueType] = attrs.field(factory=dict, hash=False)
    terminal: bool = False
    replay_safe: bool = False
    strategy: str = ""


@attrs.frozen
class SectionSpec:
    """The shape of an `extend` section by its full name."""

    name: str
    fields: Mapping[str, ValueType] = attrs.field(factory=dict, hash=False)
    labelled: bool = False


@attrs.frozen
class Registry:
    """Everything that is registered, by full name."""

    functions: Mapping[str, Function] = attrs.field(factory=dict)
    actions: Mapping[str, ActionSpec] = attrs.field(factory=dict)
    failures: frozenset[str] = frozenset()
    meters: Mapping[str, ValueType] = attrs.field(factory=dict)
    voters: frozenset[str] = frozenset()
    sections: Mapping[str, SectionSpec] = attrs.field(factory=dict)
