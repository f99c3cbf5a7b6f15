"""What a host has to bind for a policy, and what a program lacks of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from omium import runtime
from omium.binding import host_of
from omium.cli.code import declared, loaded
from omium.config import load_config
from omium_policy.binding import Host, bound
from omium_policy.diagnostics import Diagnostic
from omium_policy.loaded import Loaded
from omium_policy.needs import needs_of

__all__ = ["lacking", "needs_facts", "needs_text", "with_binding"]

_IN_WORDS = {
    "step": "steps",
    "fallback": "steps to fall back to",
    "compensation": "compensations",
    "tool": "effects",
    "channel": "channels",
    "role": "roles",
    "approvers": "people of",
    "voter": "voters",
    "action": "actions of plugins",
    "failure": "failures of plugins",
}


def with_binding(policies: Iterable[Loaded], program: str) -> list[Loaded]:
    """Load a program and return the policies with what it lacks for them among their diagnostics."""
    host = _host(program)
    return [one.with_found(bound(one, host)) for one in policies]


def lacking(policy: Loaded, program: str) -> list[Diagnostic]:
    """Load a program and return what keeps it from carrying a policy out."""
    return [one for one in bound(policy, _host(program)) if one.severity == "error"]


def needs_text(policy: Loaded) -> Iterator[str]:
    """Give the lines that say what a host has to bind."""
    needs = needs_of(policy)
    if needs.names:
        yield "a host has to bind:"
    for kind, words in _IN_WORDS.items():
        named = needs.of(kind)
        if named:
            yield f"  {words} {', '.join(f'`{one.name}`' for one in named)}"
    if needs.fields:
        fields = dict.fromkeys(f"`{one.step}` {one.dotted}" for one in needs.fields)
        yield f"  fields {', '.join(fields)}"


def needs_facts(policy: Loaded) -> dict[str, Any]:
    """Return the same as data."""
    needs = needs_of(policy)
    fields = [{"step": one.step, "field": one.dotted, **_place(one)} for one in needs.fields]
    return {"names": [{"kind": one.kind, "name": one.name, **_place(one)} for one in needs.names], "fields": fields}


def _host(program: str) -> Host:
    _, name = loaded(program)
    if name is not None:
        declared(program)
    return host_of(runtime.registry(), runtime.plugins(), load_config())


def _place(need: Any) -> dict[str, Any]:
    line, column = need.source.position(need.span.start)
    return {"file": need.source.name, "line": line, "column": column}
