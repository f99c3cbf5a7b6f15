"""Whether a host can carry a policy out: everything that the policy names and the host lacks, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from omium_policy.checking.report import Report
from omium_policy.diagnostics import Diagnostic, nearest
from omium_policy.loaded import Loaded
from omium_policy.needs import ELEMENT, FieldNeed, Need, needs_of
from omium_policy.source import Source

__all__ = ["Host", "Shape", "StepShape", "bound"]

START = "start"
"""The checkpoint that every execution begins with, to which any policy may roll back."""


@attrs.frozen
class Shape:
    """What is known of a program's type: the fields that its values can have, or, of a list, the shape of its elements.

    A type of which nothing is known has no shape, which is None wherever a shape may be.
    """

    name: str
    fields: Mapping[str, Shape | None] = attrs.field(factory=dict, hash=False)
    is_list: bool = False
    of: Shape | None = None


@attrs.frozen
class StepShape:
    """What is known of a step's input and outcome.

    The input is the step's only argument, or the record of its arguments by name where it has several, or none.
    """

    takes: Shape | None = None
    gives: Shape | None = None


@attrs.frozen
class Host:
    """What a program, its configuration and its plugins have, as plain data.

    `tools` are the names of effects, `compensations` those of the compensable ones and of the functions that undo them.
    `channels` can be told. `roles` gives the people of each role; one that has only a channel has none. `actions` gives
    the strategy behind each plugin action, `strategies` are those that there are.
    """

    steps: Mapping[str, StepShape] = attrs.field(factory=dict)
    tools: frozenset[str] = frozenset()
    compensations: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    notifiers: frozenset[str] = frozenset()
    roles: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    voters: frozenset[str] = frozenset()
    actions: Mapping[str, str] = attrs.field(factory=dict)
    strategies: frozenset[str] = frozenset()
    failures: frozenset[str] = frozenset()


def bound(loaded: Loaded, host: Host) -> tuple[Diagnostic, ...]:
    """Return everything that a host lacks for a policy; an error keeps the policy from activating there."""
    needs = needs_of(loaded)
    reports: dict[Source, Report] = {}
    for need in needs.names:
        _check(need, host, reports.setdefault(need.source, Report(need.source)))
    for field in needs.fields:
        _check_field(field, host, reports.setdefault(field.source, Report(field.source)))
    return tuple(one for report in reports.values() for one in sorted(report.found, key=lambda found: found.span.start))


def _check(need: Need, host: Host, report: Report) -> None:
    name = need.name
    match need.kind:
        case "step" if name not in host.steps and name != START:
            help = _help(name, host.steps, f'declare it with `@checkpoint("{name}")`')
            report.error("unbound-step", f"the program has no step `{name}`", need, help)
        case "fallback" if name not in host.steps:
            help = _help(name, host.steps, f'declare it with `@checkpoint("{name}")`')
            report.error("unbound-fallback", f"the program has no step `{name}` to fall back to", need, help)
        case "compensation" if name not in host.compensations:
            help = _help(name, host.compensations, "give the effect that it undoes `undo=`")
            report.error("unbound-compensation", f"nothing in the program is undone by `{name}`", need, help)
        case "tool" if name not in host.tools:
            help = _help(name, host.tools, f'declare it with `@effect`, or write `"{name}"` if it need not be there')
            report.error("unbound-tool", f"the program has no effect `{name}`", need, help)
        case "channel" if name not in host.channels and name.partition(":")[0] not in host.notifiers:
            known = {*host.channels, *host.notifiers}
            help = _help(name, known, f'bind it in `[tool.omium.channels]`: `"{name}" = "log"`')
            report.error("unbound-channel", f"nothing stands behind the channel `{name}`", need, help)
        case "role" | "approvers":
            _check_role(need, host, report)
        case "voter" if name not in host.voters:
            help = _help(name, {*host.voters, *need.instead}, "put `@omium.voter` on a function, or name a rule")
            report.error("unbound-voter", f"there is no rule and no voter `{name}`", need, help)
        case "action":
            _check_action(need, host, report)
        case "failure" if name not in host.failures:
            help = _help(name, host.failures, "install the plugin that names it")
            report.error("unbound-failure", f"no plugin of this host names the kind of failure `{name}`", need, help)


def _check_role(need: Need, host: Host, report: Report) -> None:
    """Nobody in a role keeps no policy from activating: a question is then anybody's to answer."""
    name = need.name
    people = host.roles.get(name)
    if people or (people is not None and need.kind == "role"):
        return
    help = _help(name, host.roles, f'bind it in `[tool.omium.roles]`: `"{name}" = ["ann"]`')
    what = "override" if need.kind == "approvers" else "answer"
    report.warning("open-role", f"nobody is bound to the role `{name}`, so anybody may {what}", need, help)


def _check_action(need: Need, host: Host, report: Report) -> None:
    strategy = host.actions.get(need.name)
    if strategy is None:
        help = _help(need.name, host.actions, "install the plugin that adds it")
        report.error("unbound-action", f"no plugin of this host has the action `{need.name}`", need, help)
    elif strategy not in host.strategies:
        help = _help(strategy, host.strategies, "install the plugin that has it")
        report.error("unbound-action", f"`{need.name}` needs the strategy `{strategy}`, which is not here", need, help)


def _check_field(need: FieldNeed, host: Host, report: Report) -> None:
    step = host.steps.get(need.step)
    shape = None if step is None else step.takes if need.root == "input" else step.gives
    said = need.root
    for part in need.path:
        if shape is None or (part == ELEMENT and not shape.is_list):
            return
        if part == ELEMENT:
            shape, said = shape.of, f"{said}[]"
            continue
        if part not in shape.fields:
            what = f"`{said}` of step `{need.step}` is `{shape.name}`, which has no `{part}`"
            known = ", ".join(f"`{one}`" for one in shape.fields)
            report.error("unbound-field", what, need, _help(part, shape.fields, f"it has {known or 'no fields'}"))
            return
        shape, said = shape.fields[part], f"{said}.{part}"


def _help(name: str, known: Iterable[str], otherwise: str) -> str:
    meant = nearest(name, sorted(known))
    return f"did you mean `{meant}`?" if meant is not None and meant != name else otherwise
