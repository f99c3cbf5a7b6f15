"""All checks of a policy, in one place: what is wrong with it is known before it runs."""

from __future__ import annotations

from omium_policy.checking.costs import check_costs
from omium_policy.checking.coverage import check_tests
from omium_policy.checking.ladders import check_ladders
from omium_policy.checking.names import check_names
from omium_policy.checking.report import Report
from omium_policy.checking.rules import check_rules
from omium_policy.diagnostics import Diagnostic
from omium_policy.scope import Scope
from omium_policy.source import Source

__all__ = ["check"]


def check(source: Source, scope: Scope) -> tuple[Diagnostic, ...]:
    """Return everything there is to say about a policy, in the order of its text."""
    report = Report(source)
    check_names(scope, report)
    check_rules(scope, report)
    check_costs(scope, report)
    check_ladders(scope, report)
    check_tests(scope, report)
    unique = {(one.code, one.span.start, one.message): one for one in report.found}
    return tuple(sorted(unique.values(), key=lambda one: one.span.start))
