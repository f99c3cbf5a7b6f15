"""Actions, ladders and events as a reader says them."""

from __future__ import annotations

from typing_extensions import assert_never

from omium_policy import syntax
from omium_policy.checking.ladders import worst_wait_s
from omium_policy.explaining.expressions import condition, listed, value
from omium_policy.wording import seconds_in_words

__all__ = ["action", "duration", "event", "handler", "ladder", "sequence"]

_TIMES = {1: "once", 2: "twice"}


def duration(literal: syntax.Literal) -> str:
    """Return a duration in words."""
    return seconds_in_words(float(literal.value))


def times(count: int) -> str:
    """Return how often, in words."""
    return _TIMES.get(count, f"{count} times")


def handler(node: syntax.Handler) -> str:
    """Return what is done, as the end of a sentence."""
    return f"follow the recovery `{node.ladder.text}`" if isinstance(node, syntax.Recover) else action(node)


def action(node: syntax.Action) -> str:
    """Return an action as an instruction."""
    match node:
        case syntax.Retry(count, feedback, backoff, _):
            told = ", telling the agent what was wrong" if feedback else ""
            return f"try the step again, {times(count)} at most{told}{_backoff(backoff)}"
        case syntax.Rollback(to):
            return f"go back to the checkpoint of `{to.text}` and undo what was done since"
        case syntax.Fallback(to):
            return f"let `{to.text}` do the step instead"
        case syntax.Pause(role, suggestion, timeout):
            shown = ", showing the suggested fix" if suggestion else ""
            waits = f"; wait {duration(timeout)} for the answer" if timeout is not None else ""
            return f"pause until someone of `{role.text}` decides{shown}{waits}"
        case syntax.Compensate(step):
            return f"make up for it with `{step.text}`"
        case syntax.Notify(channel):
            return f"tell `{channel.text}`"
        case syntax.Skip():
            return "skip it and go on"
        case syntax.Halt():
            return "halt the execution"
        case syntax.PluginAction(name, arguments):
            given = listed([f"{pair.name.text.replace('_', ' ')} {value(pair.value)}" for pair in arguments], "and")
            return f"{name.text.rpartition('.')[2].replace('_', ' ')}{f' ({given})' if given else ''}"
    assert_never(node)


def _backoff(backoff: syntax.Backoff | None) -> str:
    if backoff is None:
        return ""
    first = duration(backoff.first)
    if backoff.shape == "constant" or backoff.most is None:
        return f", waiting {first} each time"
    return f", waiting longer each time, from {first} up to {duration(backoff.most)}"


def ladder(node: syntax.Recovery) -> list[str]:
    """Return a ladder's sentences."""
    words = {"first": "First", "then": "If that does not help", "finally": "In the end"}
    lines = [f"{words[rung.position]}, {action(rung.action)}." for rung in node.rungs]
    for limit in node.limits:
        often = "recovery" if limit.most == 1 else "recoveries"
        lines.append(f"With more than {limit.most} {often} in {duration(limit.per)}, {action(limit.otherwise)}.")
    wait = worst_wait_s(node)
    if wait:
        lines.append(f"All of its waiting together takes {seconds_in_words(wait)} at most.")
    return lines


def event(node: syntax.Event) -> str:
    """Return an event as a clause."""
    match node:
        case syntax.ToolEvent(tool, where, _):
            return f"the tool `{tool.text}` is used{_where(where)}"
        case syntax.StepEvent(step, phase):
            said = {"starts": "starts", "passes": "passes its rules", "fails": "fails", "approved": "is approved"}
            return f"the step `{step.text}` {said[phase]}"
        case syntax.HandoffEvent(source, target, outcome):
            return f"the handoff from `{source.text}` to `{target.text}` is {outcome}"
        case syntax.CustomEvent(name, where):
            return f"`{name.text}` happens{_where(where)}"
    assert_never(node)


def _where(node: syntax.Expression | None) -> str:
    return f" where {condition(node)}" if node is not None else ""


def sequence(node: syntax.Sequence) -> str:
    """Return a sequence rule as a sentence without its end."""
    match node:
        case syntax.Never(what):
            return f"It must never be that {event(what)}"
        case syntax.NeverBefore(what, before):
            return f"It must never be that {event(what)} before {event(before)}"
        case syntax.NeverAfter(what, after, until):
            end = f", until {event(until)}" if until is not None else ""
            return f"After {event(after)}, it must never be that {event(what)}{end}"
        case syntax.Response(within, after, expected):
            return f"Within {duration(within)} after {event(after)}, it must be that {event(expected)}"
        case syntax.Bounded(most, what, per):
            span = f"in {duration(per)}" if per is not None else "in an execution"
            return f"It may be {times(most)} at most {span} that {event(what)}"
        case syntax.ByEnd(expected):
            return f"Before the end, it must be that {event(expected)}"
    assert_never(node)
