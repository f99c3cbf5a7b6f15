"""Ladders end, every rung can be reached, and budgets, handoffs and changes can be kept."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from omium_policy import syntax, types
from omium_policy.checking.names import BUILT_IN_METERS
from omium_policy.checking.report import Report
from omium_policy.scope import Scope

__all__ = ["check_ladders", "terminal", "worst_wait_s"]

TIMES_MAX = 1_000
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_METERED = {"cost": types.money("USD"), "tokens": types.INTEGER, "elapsed": types.DURATION}


def terminal(action: syntax.Action, scope: Scope) -> bool:
    """True when nothing comes after the action: a ladder may, and must, end with it."""
    if isinstance(action, syntax.PluginAction):
        spec = scope.registry.actions.get(scope.full(action.name.text))
        return spec is not None and spec.terminal
    return isinstance(action, syntax.Pause | syntax.Halt | syntax.Skip)


def worst_wait_s(recovery: syntax.Recovery) -> Decimal:
    """Return how long a ladder's backoffs and timeouts can take in all, in seconds."""
    total = Decimal(0)
    for rung in recovery.rungs:
        if isinstance(rung.action, syntax.Retry):
            total += _retry_wait_s(rung.action)
        elif isinstance(rung.action, syntax.Pause) and rung.action.timeout is not None:
            total += Decimal(rung.action.timeout.value)
    return total


def _retry_wait_s(retry: syntax.Retry) -> Decimal:
    if retry.backoff is None:
        return Decimal(0)
    first = Decimal(retry.backoff.first.value)
    most = Decimal(retry.backoff.most.value) if retry.backoff.most is not None else first
    factor = retry.backoff.factor or Decimal(2)
    total, wait = Decimal(0), first
    for index in range(retry.times):
        if wait >= most:
            return total + (retry.times - index) * most
        total += wait
        wait = wait * factor if retry.backoff.shape == "exponential" else wait + first
    return total


def check_ladders(scope: Scope, report: Report) -> None:
    """Check ladders, and what budgets, failures, handoffs and changes say."""
    for recovery in scope.policy.of(syntax.Recovery):
        _check_rungs(scope, report, recovery)
    for node in scope.nodes:
        match node:
            case syntax.Retry():
                _check_retry(report, node)
            case syntax.Quorum():
                _check_quorum(report, node)
            case syntax.Window() | syntax.Freeze() | syntax.Override():
                _check_change(report, node)
            case syntax.Budget():
                _check_budget(scope, report, node)
            case syntax.Pause(suggestion=True) if not any(scope.policy.of(syntax.Rule)):
                report.warning("no-suggestion", "no rule of this policy suggests anything", node)
    _check_errors(report, scope.policy.of(syntax.OnError))


def _check_rungs(scope: Scope, report: Report, recovery: syntax.Recovery) -> None:
    name = recovery.name.text
    for rung, following in zip(recovery.rungs, recovery.rungs[1:], strict=False):
        # A person may not answer in time; what comes after a pause with a timeout is what happens then.
        waits = isinstance(rung.action, syntax.Pause) and rung.action.timeout is not None
        if terminal(rung.action, scope) and not waits:
            report.error("dead-rung", "this can never be reached: the one before it ends the ladder", following)
            break
    last = recovery.rungs[-1]
    if not terminal(last.action, scope):
        report.error("endless-ladder", f"the recovery `{name}` has no end", last, "add `finally halt`")
    for limit in recovery.limits:
        if not terminal(limit.otherwise, scope):
            report.error(
                "endless-ladder", "what happens at the limit must end the recovery", limit, "write `else halt`"
            )
        if limit.most == 0:
            report.error("never", "a limit of 0 recoveries leaves no recovery at all", limit)


def _check_retry(report: Report, retry: syntax.Retry) -> None:
    if not 1 <= retry.times <= TIMES_MAX:
        report.error("never" if retry.times < 1 else "too-often", f"a retry is done 1 to {TIMES_MAX} times", retry)
    backoff = retry.backoff
    if backoff is not None and backoff.most is not None and _amount(backoff.most) < _amount(backoff.first):
        report.error("impossible", "the longest wait is shorter than the first", backoff)
    if backoff is not None and backoff.factor is not None and backoff.factor < 1:
        report.error("impossible", "a factor below 1 makes waits shorter each time", backoff)


def _amount(literal: syntax.Literal) -> Decimal:
    value: Any = literal.value
    return Decimal(value)


def _check_quorum(report: Report, quorum: syntax.Quorum) -> None:
    voters = [voter.text for voter in quorum.voters]
    for index, voter in enumerate(quorum.voters):
        if voter.text in voters[:index]:
            report.error("declared-twice", f"the voter `{voter.text}` would vote twice", voter)
    count = len(voters)
    if quorum.byzantine:
        needed = 3 * quorum.count + 1
        if count < needed:
            said = f"{quorum.count} that may lie need {needed} voters, and here are {count}"
            report.error("quorum-too-large", said, quorum)
    elif not 1 <= quorum.count <= count:
        report.error("quorum-too-large", f"{quorum.count} of {count} voters can never agree", quorum)
    elif quorum.count * 2 <= count:
        said = f"{quorum.count} of {count} is no majority: two groups that disagree can both pass"
        report.warning("minority", said, quorum)


def _check_change(report: Report, node: syntax.ChangeStatement) -> None:
    match node:
        case syntax.Window():
            _check_zone(report, node.zone)
            opens, closes = _time(node.opens), _time(node.closes)
            if opens is None or closes is None or opens >= closes:
                report.error("impossible", f"{node.opens}..{node.closes} is no time of a day", node)
        case syntax.Freeze():
            first, last = _date(node.first), _date(node.last)
            if first is None or last is None or first > last:
                report.error("impossible", f"{node.first}..{node.last} are no days in their order", node)
        case syntax.Override(people=0):
            report.error("never", "an override by nobody is no control", node)


def _check_zone(report: Report, zone: syntax.Literal) -> None:
    import zoneinfo

    name = str(zone.value)
    try:
        zoneinfo.ZoneInfo(name)
    except (LookupError, OSError, ValueError):  # a name like `../x` is no key
        # Listing all zones reads the whole database, which only a mistake is worth.
        known = zoneinfo.available_timezones()
        if known:
            report.unknown("unknown-zone", "time zone", zone, name, known)
        else:
            help = "this machine has no time zones; run: pip install tzdata"
            report.error("unknown-zone", f"the time zone `{name}` cannot be looked up", zone, help)


def _time(text: str) -> datetime.time | None:
    try:
        return datetime.time.fromisoformat(text)
    except ValueError:
        return None


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


def _check_budget(scope: Scope, report: Report, budget: syntax.Budget) -> None:
    for statement in budget.statements:
        if not isinstance(statement, syntax.Meter):
            continue
        name = statement.meter.text
        expected = _METERED.get(name) or scope.registry.meters.get(scope.full(name))
        given = types.of_literal(statement.most)
        if expected is not None and not types.comparable(expected, given):
            report.error("type-mismatch", f"`{name}` is {expected}, and this is {given}", statement.most)
    if not any(isinstance(one, syntax.Meter) for one in budget.statements):
        report.error("nothing-metered", "this budget limits nothing", budget, f"limit {', '.join(BUILT_IN_METERS)}")
    if not any(isinstance(one, syntax.OnExceed) for one in budget.statements):
        report.warning("no-action", "nothing happens when this budget is exceeded", budget, "add `on exceed halt`")


def _check_errors(report: Report, handlers: tuple[syntax.OnError, ...]) -> None:
    taken: set[str] = set()
    for index, handler in enumerate(handlers):
        if not handler.kinds and index < len(handlers) - 1:
            report.error("dead-rung", "nothing after `on error any` is ever reached", handlers[index + 1])
            return
        for kind in handler.kinds:
            if kind.text in taken:
                report.error("declared-twice", f"failures of kind `{kind.text}` are taken already", kind)
            taken.add(kind.text)
