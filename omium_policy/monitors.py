"""Sequence rules as small automata: each keeps a few numbers, whatever happened before.

An event is peeked BEFORE it happens and counted only when it did: a refused e-mail must not use up `at most 1`. The
state is plain data and belongs into checkpoints; after a rollback, events that cannot be undone are counted again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import attrs

from omium_core.recovery.policy import Happening, Memory
from omium_policy import syntax
from omium_policy.evaluator import evaluate
from omium_policy.program import Finding, Program, RuleProgram
from omium_policy.resolved import Resolved
from omium_policy.resolving import Resolver
from omium_policy.scope import roots

__all__ = ["Monitors", "monitors_of"]

TIMES_KEPT_MAX = 10_000


@attrs.frozen
class _Pattern:
    """An event of the policy, ready to be compared with what happens."""

    kind: str
    name: str
    phase: str
    condition: Resolved | None

    @property
    def exact(self) -> bool:
        return "*" not in self.name

    def names(self, kind: str, name: str, phase: str) -> bool:
        """True when it is this event, whatever its condition says."""
        return kind == self.kind and phase == self.phase and (name == self.name or fnmatchcase(name, self.name))

    def fits(self, happening: Happening) -> bool:
        """True when it is this event; an unclear condition is one that holds, so that nothing slips by."""
        if not self.names(happening.kind, happening.name, happening.phase):
            return False
        if self.condition is None:
            return True
        try:
            return bool(evaluate(self.condition, happening.given))
        except Exception:
            return True


@attrs.frozen
class _Monitor:
    """One sentence of one rule: which events it listens to, and what they do to its state."""

    key: str
    rule: RuleProgram
    listens: tuple[_Pattern, ...]
    breaks: Callable[[Any, Happening], str | None]
    after: Callable[[Any, Happening], Any]
    overdue: Callable[[Any, float], str | None] = lambda state, now_s: None
    at_end: Callable[[Any], str | None] = lambda state: None
    told: Callable[[Any], Any] | None = None


@attrs.frozen(eq=False)
class Monitors:
    """All sequence rules of a policy. It keeps no state itself: it is given one and returns another."""

    _all: tuple[_Monitor, ...]
    _listening: Mapping[tuple[str, str, str], tuple[_Monitor, ...]]
    _wild: tuple[_Monitor, ...]

    def hears(self, kind: str, name: str, phase: str) -> bool:
        """Say whether a rule listens to this, whatever its condition says."""
        if (kind, name, phase) in self._listening:
            return True
        return any(pattern.names(kind, name, phase) for one in self._wild for pattern in one.listens)

    def rules_hearing(self, happening: Happening) -> tuple[str, ...]:
        """Return the rules that this means something to, each once."""
        return tuple(dict.fromkeys(one.rule.name for one in self._hearing(happening)))

    def rules_expecting(self) -> tuple[str, ...]:
        """Return the rules that say what must have happened before the end."""
        return tuple(dict.fromkeys(one.rule.name for one in self._all if one.told is not None))

    def peek(self, state: Memory, happening: Happening) -> tuple[Finding, ...]:
        """Return what would break if this happened; nothing is counted."""
        findings = []
        for monitor in self._hearing(happening):
            said = monitor.breaks(state.get(monitor.key), happening)
            if said is not None:
                findings.append(_finding(monitor, happening.given, said))
        return tuple(findings)

    def count(self, state: Memory, happening: Happening) -> Memory:
        """Return the state after this happened."""
        changed: dict[str, Any] | None = None
        for monitor in self._hearing(happening):
            before = state.get(monitor.key)
            after = monitor.after(before, happening)
            if after is not before:
                # Most events change nothing of most rules, and the state of all of them is not copied for that.
                changed = dict(state) if changed is None else changed
                changed[monitor.key] = after
        return state if changed is None else changed

    def told(self, state: Memory, name: str) -> Memory:
        """Return the state after it was said what a sentence expected: what is late, or missing, is so once."""
        for one in self._all:
            if one.key == name and one.told is not None:
                state = {**state, one.key: one.told(state.get(one.key))}
        return state

    def overdue(self, state: Memory, now_s: float) -> tuple[Finding, ...]:
        """Return what should have happened by now."""
        said = ((monitor, monitor.overdue(state.get(monitor.key), now_s)) for monitor in self._all)
        return tuple(_missing(monitor, text) for monitor, text in said if text is not None)

    def at_end(self, state: Memory) -> tuple[Finding, ...]:
        """Return what should have happened before the end."""
        said = ((monitor, monitor.at_end(state.get(monitor.key))) for monitor in self._all)
        return tuple(_missing(monitor, text) for monitor, text in said if text is not None)

    def _hearing(self, happening: Happening) -> tuple[_Monitor, ...]:
        heard = self._listening.get((happening.kind, happening.name, happening.phase), ())
        if not self._wild:
            return heard
        return (*heard, *(one for one in self._wild if any(pattern.fits(happening) for pattern in one.listens)))


def monitors_of(program: Program) -> Monitors:
    """Return the monitors of a policy."""
    made = [
        _monitor(program, rule, index, sequence)
        for rule in program.rules
        for index, sequence in enumerate(rule.sequences)
    ]
    listening: dict[tuple[str, str, str], tuple[_Monitor, ...]] = {}
    for monitor in made:
        if all(pattern.exact for pattern in monitor.listens):
            for pattern in dict.fromkeys((one.kind, one.name, one.phase) for one in monitor.listens):
                listening[pattern] = (*listening.get(pattern, ()), monitor)
    wild = tuple(one for one in made if not all(pattern.exact for pattern in one.listens))
    return Monitors(tuple(made), listening, wild)


def _finding(monitor: _Monitor, given: Mapping[str, Any], said: str) -> Finding:
    return monitor.rule.finding("breaks", given, said)


def _missing(monitor: _Monitor, said: str) -> Finding:
    return attrs.evolve(_finding(monitor, {}, said), told=monitor.key)


def _monitor(program: Program, rule: RuleProgram, index: int, sequence: syntax.Sequence) -> _Monitor:
    resolver = Resolver(program.scope, roots(program.scope, None))

    def pattern(event: syntax.Event) -> _Pattern:
        return _pattern(event, resolver)

    key = f"{program.policy.name.text}/{rule.name}" + (f"/{index}" if index else "")
    match sequence:
        case syntax.Never(event):
            return _never(key, rule, pattern(event))
        case syntax.NeverBefore(event, before):
            return _never_before(key, rule, pattern(event), pattern(before))
        case syntax.NeverAfter(event, after, until):
            return _never_after(key, rule, pattern(event), pattern(after), pattern(until) if until else None)
        case syntax.Response(within, after, expected):
            return _response(key, rule, float(within.value), pattern(after), pattern(expected))
        case syntax.Bounded(most, event, per):
            return _bounded(key, rule, most, pattern(event), float(per.value) if per else None)
        case syntax.ByEnd(expected):
            return _by_end(key, rule, pattern(expected))


def _never(key: str, rule: RuleProgram, event: _Pattern) -> _Monitor:
    def breaks(state: Any, happening: Happening) -> str | None:
        return f"{said(event)} must never happen" if event.fits(happening) else None

    return _Monitor(key, rule, (event,), breaks, lambda state, happening: state)


def _never_before(key: str, rule: RuleProgram, event: _Pattern, before: _Pattern) -> _Monitor:
    def breaks(seen: Any, happening: Happening) -> str | None:
        if seen or not event.fits(happening):
            return None
        return f"{said(event)} must not happen before {said(before)}"

    return _Monitor(key, rule, (event, before), breaks, lambda seen, happening: bool(seen) or before.fits(happening))


def _never_after(key: str, rule: RuleProgram, event: _Pattern, after: _Pattern, until: _Pattern | None) -> _Monitor:
    def breaks(armed: Any, happening: Happening) -> str | None:
        if not armed or not event.fits(happening):
            return None
        return f"{said(event)} must not happen after {said(after)}"

    def next_(armed: Any, happening: Happening) -> bool:
        if until is not None and until.fits(happening):
            return False
        return bool(armed) or after.fits(happening)

    listens = (event, after) if until is None else (event, after, until)
    return _Monitor(key, rule, listens, breaks, next_)


def _bounded(key: str, rule: RuleProgram, most: int, event: _Pattern, per_s: float | None) -> _Monitor:
    def recent(times: Any, now_s: float) -> list[float]:
        return [time for time in times or () if per_s is None or time > now_s - per_s]

    def breaks(times: Any, happening: Happening) -> str | None:
        if not event.fits(happening):
            return None
        count = times or 0 if per_s is None else len(recent(times, happening.at_s))
        return None if count < most else f"{said(event)} may happen at most {most} times"

    def next_(times: Any, happening: Happening) -> Any:
        if not event.fits(happening):
            return times
        if per_s is None:
            return (times or 0) + 1
        return [*recent(times, happening.at_s), happening.at_s][-TIMES_KEPT_MAX:]

    return _Monitor(key, rule, (event,), breaks, next_)


def _response(key: str, rule: RuleProgram, within_s: float, after: _Pattern, expected: _Pattern) -> _Monitor:
    """The state is the time by which it must have happened."""

    def next_(deadline: Any, happening: Happening) -> float | None:
        if expected.fits(happening):
            return None
        if deadline is None and after.fits(happening):
            return happening.at_s + within_s
        return None if deadline is None else float(deadline)

    def overdue(deadline: Any, now_s: float) -> str | None:
        if deadline is None or now_s <= deadline:
            return None
        return f"{said(expected)} did not follow {said(after)} in time"

    def at_end(deadline: Any) -> str | None:
        return None if deadline is None else f"{said(expected)} did not follow {said(after)}"

    def breaks(deadline: Any, happening: Happening) -> str | None:
        return overdue(deadline, happening.at_s)

    return _Monitor(key, rule, (after, expected), breaks, next_, overdue, at_end, told=lambda deadline: None)


def _by_end(key: str, rule: RuleProgram, expected: _Pattern) -> _Monitor:
    def at_end(seen: Any) -> str | None:
        return None if seen else f"{said(expected)} never happened"

    return _Monitor(
        key,
        rule,
        (expected,),
        lambda seen, happening: None,
        lambda seen, happening: bool(seen) or expected.fits(happening),
        at_end=at_end,
        told=lambda seen: True,
    )


def said(event: _Pattern) -> str:
    """Return an event as it is written."""
    return " ".join(word for word in (event.kind, f"`{event.name}`", event.phase) if word)


def _pattern(event: syntax.Event, resolver: Resolver) -> _Pattern:
    match event:
        case syntax.ToolEvent(tool, condition):
            return _Pattern("tool", tool.text, "", resolver.resolve(condition) if condition else None)
        case syntax.StepEvent(step, phase):
            return _Pattern("step", step.text, phase, None)
        case syntax.HandoffEvent(source, target, outcome):
            return _Pattern("handoff", f"{source.text} -> {target.text}", outcome, None)
        case syntax.CustomEvent(name, condition):
            return _Pattern("event", name.text, "", resolver.resolve(condition) if condition else None)
