"""A whole policy, section by section."""

from __future__ import annotations

from collections.abc import Iterator

from omium_policy import syntax
from omium_policy.checking.rules import mode_of
from omium_policy.explaining.actions import duration, handler, ladder, sequence
from omium_policy.explaining.expressions import condition, listed, value

__all__ = ["explained", "rule_in_words"]

_MODES = {
    "monitoring": "This is only watched: it is recorded and never stops anything.",
    "advisory": "The agent is told; nothing is stopped.",
}
_DAYS = {
    "Mon": "Monday",
    "Tue": "Tuesday",
    "Wed": "Wednesday",
    "Thu": "Thursday",
    "Fri": "Friday",
    "Sat": "Saturday",
    "Sun": "Sunday",
}


def explained(file: syntax.File, rule: str | None = None) -> str:
    """Return a file's policies in plain English, or one of its rules."""
    if rule is not None:
        return "\n".join(
            line
            for policy in file.policies
            for one in policy.of(syntax.Rule)
            if one.name.text == rule
            for line in rule_in_words(one, policy)
        )
    return "\n".join(line for policy in file.policies for line in _policy(file, policy))


def _policy(file: syntax.File, policy: syntax.Policy) -> Iterator[str]:
    title = policy.of(syntax.Title)
    version = f", version {policy.version.value}" if policy.version is not None else ""
    yield f"{title[0].text.value if title else policy.name.text}"
    yield f"This is the policy `{policy.name.text}`{version}{_owned(policy)}."
    for use in file.uses:
        wanted = f" in version {use.version.value}" if use.version is not None else ""
        yield f"It uses the pack `{use.pack.value}`{wanted}."
    for flow in policy.of(syntax.Workflow):
        yield f"The steps are {listed([f'`{step.text}`' for step in flow.steps], 'and then')}, in this order."
    yield from _section(
        "What must hold", [line for one in policy.of(syntax.Rule) for line in rule_in_words(one, policy)]
    )
    yield from _section("Limits", [line for one in policy.of(syntax.Budget) for line in _budget(one)])
    yield from _section("What happens on failure", list(_recoveries(policy)))
    yield from _section("What must be agreed", [line for one in policy.of(syntax.Handoff) for line in _handoff(one)])
    yield from _section(
        "Who may change this, and when", [line for one in policy.of(syntax.Change) for line in _change(one)]
    )


def _owned(policy: syntax.Policy) -> str:
    owner = policy.of(syntax.Owner)
    return f", owned by {owner[0].text.value}" if owner else ""


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield "-" * len(title)
        yield from lines


def rule_in_words(rule: syntax.Rule, policy: syntax.Policy) -> Iterator[str]:
    """Give a rule's lines, the first as a list's item."""
    yield f"* {rule.name.text.replace('_', ' ')}: {_when(rule)}{' '.join(_requirements(rule))}"
    for statement in rule.statements:
        match statement:
            case syntax.Message(text):
                yield f'    The message is: "{text.value}"'
            case syntax.Cite(text):
                yield f"    It rests on {text.value}."
            case syntax.Severity(level):
                yield f"    Its severity is {level}."
            case syntax.Suggest(path, suggested):
                yield f"    The suggested fix: {value(path)} becomes {value(suggested)}."
            case syntax.OnFail(what):
                yield f"    If not, {handler(what)}."
    mode = mode_of(rule, policy)
    if mode in _MODES:
        yield f"    {_MODES[mode]}"
    elif not any(isinstance(one, syntax.OnFail) for one in rule.statements):
        yield "    If not, halt the execution."


def _when(rule: syntax.Rule) -> str:
    anchor = rule.anchor
    if anchor is None:
        return ""
    step = f"`{anchor.step.text}`" if anchor.step is not None else "any step"
    guards = [condition(one.condition) for one in rule.statements if isinstance(one, syntax.When)]
    guarded = f"when {listed(guards, 'and')}, " if guards else ""
    return f"{anchor.when} {step}, {guarded}"


def _requirements(rule: syntax.Rule) -> Iterator[str]:
    for statement in rule.statements:
        match statement:
            case syntax.Require(what):
                yield f"it must be that {condition(what)}."
            case syntax.Allow(tools):
                yield f"only the tools {listed([f'`{tool.text}`' for tool in tools], 'and')} may be used."
            case syntax.Deny(tools):
                yield f"the tools {listed([f'`{tool.text}`' for tool in tools], 'and')} must not be used."
            case syntax.Must(what):
                yield f"{sequence(what)}."


def _budget(budget: syntax.Budget) -> Iterator[str]:
    of = f"the step `{budget.step.text}`" if budget.step is not None else "an execution"
    for statement in budget.statements:
        match statement:
            case syntax.Meter(meter, most):
                yield f"* {meter.text.replace('_', ' ').capitalize()} of {of}: {value(most)} at most."
            case syntax.WarnAt(share):
                yield f"    A warning comes at {value(share)} of a limit."
            case syntax.OnExceed(what):
                yield f"    Above a limit, {handler(what)}."


def _recoveries(policy: syntax.Policy) -> Iterator[str]:
    for recovery in policy.of(syntax.Recovery):
        yield f"* The recovery `{recovery.name.text}`:"
        yield from (f"    {line}" for line in ladder(recovery))
    for handled in policy.of(syntax.OnError):
        kinds = listed([f"`{kind.text}`" for kind in handled.kinds], "or") or "any other kind"
        yield f"* After a failure of {kinds}, {handler(handled.recover)}."


def _handoff(handoff: syntax.Handoff) -> Iterator[str]:
    yield f"* What `{handoff.source.text}` hands to `{handoff.target.text}`:"
    for statement in handoff.statements:
        match statement:
            case syntax.Quorum(byzantine, count, voters, within):
                names = listed([f"`{voter.text}`" for voter in voters], "and")
                agree = f"all but {count} that may lie" if byzantine else f"{count} of {len(voters)}"
                yield f"    {agree} must agree within {duration(within)}: {names}."
            case syntax.OnDisagree(what):
                yield f"    If they disagree, {handler(what)}."
            case syntax.OnTimeout(what):
                yield f"    If they do not answer in time, {handler(what)}."


def _change(change: syntax.Change) -> Iterator[str]:
    for statement in change.statements:
        match statement:
            case syntax.Window(first, last, opens, closes, zone):
                days = _DAYS[first] if first == last else f"{_DAYS[first]} to {_DAYS[last]}"
                yield f"* It may change {days}, {opens} to {closes} ({zone.value})."
            case syntax.Freeze(first, last):
                yield f"* It must not change from {first} to {last}."
            case syntax.Override(people, role, lasts):
                span = f", for {duration(lasts)}" if lasts is not None else ""
                many = "person" if people == 1 else "people"
                yield f"* A rule may be overridden by {people} {many} of `{role.value}` together{span}."
