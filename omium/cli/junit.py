"""Outcomes of tests as JUnit XML, as CI servers read it."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from omium_policy.diagnostics import rendered
from omium_policy.testing import Outcome

__all__ = ["junit_of"]


def junit_of(suite: str, outcomes: Sequence[Outcome]) -> str:
    """Return one suite with a case for each outcome."""
    failed = sum(not one.passed for one in outcomes)
    root = ElementTree.Element("testsuites")
    top = ElementTree.SubElement(
        root, "testsuite", name=suite, tests=str(len(outcomes)), failures=str(failed), errors="0"
    )
    for one in outcomes:
        case = ElementTree.SubElement(top, "testcase", classname=one.where.rpartition(":")[0], name=one.test)
        for failure in one.failures:
            node = ElementTree.SubElement(case, "failure", message=failure.message)
            node.text = rendered(failure)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
