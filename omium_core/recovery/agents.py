"""An agent's configuration: what happens when its steps fail, on the class or on one instance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import attrs

from omium_core.errors import UsageError
from omium_core.recovery.ladders import (
    Apply,
    Backoff,
    Fallback,
    Halt,
    Ladder,
    Notify,
    Pause,
    Recovery,
    Retry,
    Rollback,
    Rung,
    Skip,
)

__all__ = ["AgentConfig", "ConfigAttribute", "config_of", "ladder_of"]

RETRIES_DEFAULT = 3
ON_FAILURE = (
    "retry",
    "rollback",
    "pause",
    "pause_and_notify",
    "notify",
    "skip",
    "halt",
    "fallback:STEP",
    "apply:STRATEGY",
)
_OWN = "_omium_config"


def _names(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())


def _check_retries(_: Any, field: Any, given: Any) -> None:
    if given is not None and (not isinstance(given, int) or isinstance(given, bool) or given < 0):
        raise UsageError(f"`max_retries` cannot be `{given}`; it is how many further attempts there are, from 0")


def _check_on_failure(_: Any, field: Any, given: Any) -> None:
    if given is not None:
        _after(given)


def _check_backoff(_: Any, field: Any, given: Any) -> None:
    if given is not None and not isinstance(given, Backoff):
        Backoff.parse(str(given))


@attrs.define
class AgentConfig:
    """What happens when an agent's step fails, once `max_retries` further attempts are spent.

    `on_failure` is one of `retry`, `rollback`, `pause`, `pause_and_notify`, `notify`, `skip`, `halt`, `fallback:STEP`,
    and `apply:STRATEGY` for one of a plugin. `retry_backoff` is written like `exponential(1s, 10s)`. `state` names
    attributes of the instance that are saved with each checkpoint and put back before every attempt. None means: as the
    class says, else the default.
    """

    max_retries: int | None = attrs.field(default=None, validator=_check_retries)
    on_failure: str | None = attrs.field(default=None, validator=_check_on_failure)
    retry_backoff: str | None = attrs.field(default=None, validator=_check_backoff)
    state: tuple[str, ...] = attrs.field(default=(), converter=_names)
    base: AgentConfig | None = attrs.field(default=None, repr=False, eq=False)

    @classmethod
    def given(cls, config: Any, base: AgentConfig | None = None) -> AgentConfig:
        """Read a configuration that a user wrote as this class, a mapping, or a class with attributes."""
        if isinstance(config, AgentConfig):
            return attrs.evolve(config, base=config.base or base)
        fields = dict(config) if isinstance(config, Mapping) else _public(config)
        unknown = sorted(set(fields) - {"max_retries", "on_failure", "retry_backoff", "state"})
        if unknown:
            raise UsageError(
                f"an agent's `config` has no `{unknown[0]}`; it has max_retries, on_failure, retry_backoff, state"
            )
        return cls(**fields, base=base)

    def value(self, name: str) -> Any:
        """Return a field as it is in force: the instance's own, else the class's."""
        own = getattr(self, name)
        return own if own is not None or self.base is None else self.base.value(name)

    def saved(self) -> tuple[str, ...]:
        """Return the attributes that are saved with each checkpoint."""
        return self.state or (self.base.saved() if self.base is not None else ())


class ConfigAttribute:
    """The `config` of an agent class: one for the class, and one for each instance that sets its own."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config

    @classmethod
    def of(cls, agent: type) -> ConfigAttribute:
        """Read a class's own `config` over those of its bases, whose fields count where it says nothing."""
        config: AgentConfig | None = None
        for one in reversed(agent.__mro__[1:]):
            given = vars(one).get("config")
            if isinstance(given, ConfigAttribute):
                # As a rule the very object, so that what is set on the base later counts as well.
                own = given.config
                config = own if own.base is not None or config is None else AgentConfig.given(own, config)
            elif isinstance(given, Mapping | AgentConfig | type):
                # What else a base calls `config`, a property or a method, is its own affair.
                config = AgentConfig.given(given, config)
        return cls(AgentConfig.given(vars(agent).get("config", {}), config))

    def __get__(self, instance: Any, owner: type | None = None) -> AgentConfig:
        if instance is None or not hasattr(instance, "__dict__"):
            return self.config
        own: AgentConfig = instance.__dict__.setdefault(_OWN, AgentConfig(base=self.config))
        return own

    def __set__(self, instance: Any, config: Any) -> None:
        instance.__dict__[_OWN] = AgentConfig.given(config, self.config)


def config_of(instance: Any) -> AgentConfig | None:
    """Return an agent's configuration, however it was written."""
    config = getattr(instance, "config", None)
    if config is None or isinstance(config, AgentConfig):
        return config
    return AgentConfig.given(config) if hasattr(type(instance), "__omium_agent__") else None


def ladder_of(config: AgentConfig, agent: str) -> Ladder | None:
    """Return the ladder that a configuration means; None when it says nothing about failures."""
    return _ladder(config.value("max_retries"), config.value("on_failure"), config.value("retry_backoff"), agent)


@lru_cache(maxsize=1024)
def _ladder(max_retries: int | None, on_failure: str | None, backoff: str | None, agent: str) -> Ladder | None:
    if max_retries is None and on_failure is None:
        return None
    retries = max_retries if max_retries is not None else (RETRIES_DEFAULT if on_failure == "retry" else 0)
    rungs: list[Rung] = [Retry(retries, backoff=backoff)] if retries else []
    values = {"max_retries": max_retries, "on_failure": on_failure, "retry_backoff": backoff}
    given = {name: value for name, value in values.items() if value is not None}
    return Ladder(Recovery(*rungs, *_after(on_failure)), f"{agent}.config", values=given)


def _after(on_failure: str | None) -> tuple[Rung, ...]:
    match str(on_failure or "halt").split(":", 1):
        case ["retry" | "halt"]:
            return (Halt(),)
        case ["rollback"]:
            return Rollback(), Pause(), Halt()
        case ["pause"]:
            return Pause(), Halt()
        case ["pause_and_notify"]:
            return Notify(), Pause(), Halt()
        case ["notify"]:
            return Notify(), Halt()
        case ["skip"]:
            return (Skip(),)
        case ["fallback", step] if step:
            return Fallback(step), Halt()
        case ["apply", strategy] if strategy:
            return Apply(strategy), Halt()
    raise UsageError(f"`on_failure` cannot be `{on_failure}`; it is one of {', '.join(ON_FAILURE)}")


def _public(config: Any) -> dict[str, Any]:
    return {name: getattr(config, name) for name in dir(config) if not name.startswith("_")}
