"""What applies to a step, shown behind its decorator: its recovery, how many retries that has, and the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import attrs

from omium.config import Config
from omium.editing.ladders import LadderSaid
from omium.editing.reading import PythonFile, Step, WorkflowFound
from omium.editing.surroundings import PolicyFound, Surroundings
from omium_policy import syntax

__all__ = ["Hint", "hints"]


@attrs.frozen
class Hint:
    """A line to show at an offset, and what it says in full, as Markdown."""

    offset: int
    text: str
    more: str


def hints(file: PythonFile, around: Surroundings) -> Iterator[Hint]:
    """Give each step's hint."""
    for step in file.steps:
        workflows = _workflows(file, step)
        ladders = list(_ladders(step, workflows, around))
        main = next((one for one in ladders if not one.only), None)
        store, origin = _store(workflows, around.config)
        shown = main if main is not None else next(iter(ladders), None)
        retries = "?" if shown is not None and shown.retries is None else str(shown.retries if shown is not None else 0)
        parts = [f"recovery: {_in_short(ladders, main)}", f"retries: {retries}"]
        if store is not None:
            parts.append(f"store: {store}")
        yield Hint(step.decorator.end, " · ".join(parts), _in_full(ladders, store, origin))


def _workflows(file: PythonFile, step: Step) -> tuple[WorkflowFound, ...]:
    """Return the workflows that call a step; all of the file where it does not show which do."""
    calling = tuple(one for one in file.workflows if step.function in one.calls)
    return calling or file.workflows


def _ladders(step: Step, workflows: tuple[WorkflowFound, ...], around: Surroundings) -> Iterator[LadderSaid]:
    """Give the ladders in the order in which a failure is offered to them; what a policy says comes first."""
    for policy in around.policies:
        if step.name is not None:
            yield from _of_policy(policy, step.name)
    yield from step.ladders
    outer = [one.ladder for one in workflows if one.ladder is not None]
    yield from outer[:1]


def _of_policy(found: PolicyFound, step: str) -> Iterator[LadderSaid]:
    """Give what a policy does when its rules after a step break, and on errors of the steps that it names."""
    told: set[str] = set()
    for rule, policy in found.rules_after(step):
        for statement in rule.statements:
            if isinstance(statement, syntax.OnFail):
                said = _handled(statement.handler, policy, f"`{found.name}`, rule `{rule.name.text}`")
                if said.words not in told:
                    told.add(said.words)
                    yield said
    for policy in found.document.policies:
        steps = {name.text for flow in policy.of(syntax.Workflow) for name in flow.steps}
        for one in policy.of(syntax.OnError) if step in steps else ():
            kinds = ", ".join(kind.text for kind in one.kinds)
            yield attrs.evolve(_handled(one.recover, policy, f"`{found.name}`, `on error`"), only=kinds or "any error")


def _handled(handler: syntax.Handler, policy: syntax.Policy, source: str) -> LadderSaid:
    if not isinstance(handler, syntax.Recover):
        return LadderSaid(source, _action(handler), handler.times if isinstance(handler, syntax.Retry) else 0)
    ladder = next((one for one in policy.of(syntax.Recovery) if one.name.text == handler.ladder.text), None)
    if ladder is None:
        return LadderSaid(source, handler.ladder.text, None)
    retries = sum(rung.action.times for rung in ladder.rungs if isinstance(rung.action, syntax.Retry))
    rungs = ", ".join(_action(rung.action) for rung in ladder.rungs)
    return LadderSaid(source, f"{ladder.name.text} ({rungs})", retries)


def _action(node: syntax.Action) -> str:
    match node:
        case syntax.Retry(times):
            return f"retry {times}x"
        case syntax.Rollback(to):
            return f"rollback to {to.text}"
        case syntax.Fallback(to):
            return f"fallback to {to.text}"
        case syntax.Pause(role):
            return f"pause for {role.text}"
        case syntax.Compensate(step):
            return f"compensate with {step.text}"
        case syntax.Notify(channel):
            return f"notify {channel.text}"
        case syntax.PluginAction(name):
            return name.text
    return type(node).__name__.lower()


def _store(workflows: tuple[WorkflowFound, ...], config: Config | None) -> tuple[str | None, str]:
    for one in workflows:
        if one.store is not None:
            return _shown(one.store, None), f"the workflow `{one.name}`"
    if config is None:
        return None, ""
    origin = config.origins.get("store", "default")
    return _shown(config.store, config.project), "the default" if origin == "default" else f"`{origin}`"


def _shown(url: str, project: Path | None) -> str:
    """Return a store's URL without the password in it; a database in the project by its path there."""
    scheme, _, path = url.partition(":///")
    if scheme == "sqlite" and project is not None:
        try:
            return Path(path).relative_to(project).as_posix()
        except ValueError:
            return path
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return url.partition(":")[0]
    return urlunsplit((parts.scheme, host, parts.path, "", "")) if parts.scheme else url


def _in_short(ladders: list[LadderSaid], main: LadderSaid | None) -> str:
    """Return the ladder that takes any failure and, before it, the first of those that take some of them."""
    before = ladders[: ladders.index(main)] if main is not None else ladders
    parts = [f"on {one.only}: {one.words}" for one in before][:1]
    if main is not None:
        parts.append(f"else: {main.words}" if parts else main.words)
    return "; ".join(parts) or "none"


def _in_full(ladders: list[LadderSaid], store: str | None, origin: str) -> str:
    lines = [f"* {_taken(one)}: {one.words} ({one.source})" for one in ladders]
    if not any(not one.only for one in ladders):
        lines.append("* any other failure: no ladder; a broken rule halts the execution, an error leaves the step")
    if store is not None:
        lines.append(f"* store: `{store}` (from {origin})")
    return "\n".join(lines)


def _taken(ladder: LadderSaid) -> str:
    return f"on {ladder.only}" if ladder.only else "recovery"
