"""What an editor offers to change in a Python file: a recovery ladder for a step that has none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import attrs

from omium.editing.reading import Offsets, PythonFile, Step
from omium_policy.editing import Edit
from omium_policy.source import Span

__all__ = ["PythonFix", "python_fixes"]

_BRACKETS = re.compile(r"(?:\s*\))*")
_NAMES = ("Recovery", "Retry", "Pause", "Halt")
_LADDER = "{Recovery}({Retry}(3), {Pause}(), {Halt}())"


@attrs.frozen
class PythonFix:
    """A change under its title."""

    title: str
    edits: tuple[Edit, ...]


def python_fixes(file: PythonFile, span: Span) -> Iterator[PythonFix]:
    """Give the changes that a stretch of a file invites: `recovery=` for its steps, with what must be imported."""
    for step in file.steps:
        touched = step.head.start <= span.end and span.start < step.head.end
        if touched and step.call is not None and not step.recovers:
            yield _with_ladder(file, step, step.call)


def _with_ladder(file: PythonFile, step: Step, call: ast.Call) -> PythonFix:
    offsets = Offsets.of(file.text)
    known = {own: given for given, own in file.names.given.items()}
    missing = [name for name in _NAMES if name not in known]
    if missing and file.names.imported is None and file.names.modules:
        known = {name: f"{file.names.modules[0]}.{name}" for name in _NAMES} | known
        missing = []
    ladder = _LADDER.format(**{name: known.get(name, name) for name in _NAMES})
    edits = (*_imports(file, offsets, missing), _argument(file, offsets, call, f"recovery={ladder}"))
    return PythonFix(f"Add a recovery ladder to `{step.name or step.function}`", edits)


def _argument(file: PythonFile, offsets: Offsets, call: ast.Call, written: str) -> Edit:
    """Put it behind the last argument, where a comma that ends the list still ends it."""
    ends = [offsets.span(one).end for one in (*call.args, *(keyword.value for keyword in call.keywords))]
    end = offsets.span(call).end - 1
    if ends:
        # An argument may stand in brackets of its own, which are not a part of it.
        brackets = _BRACKETS.match(file.text, max(ends), end)
        at = brackets.end() if brackets is not None else max(ends)
        return Edit(Span(at, at), f", {written}")
    return Edit(Span(end, end), written)


def _imports(file: PythonFile, offsets: Offsets, missing: list[str]) -> Iterator[Edit]:
    if not missing:
        return
    node = file.names.imported
    if node is None:
        start = _after_imports(file, offsets)
        yield Edit(Span(start, start), f"from omium import {', '.join(sorted(missing))}\n")
        return
    # Names that go to the same place are one edit, so that no editor has to know their order.
    before: dict[int, list[str]] = {}
    last: list[str] = []
    for name in sorted(missing):
        behind = next((one for one in node.names if _order(one.name) > _order(name)), None)
        (last if behind is None else before.setdefault(offsets.span(behind).start, [])).append(name)
    for at, names in before.items():
        yield Edit(Span(at, at), "".join(f"{name}, " for name in names))
    if last:
        at = offsets.span(node.names[-1]).end
        yield Edit(Span(at, at), "".join(f", {name}" for name in last))


def _order(name: str) -> tuple[int, str]:
    """Sort as import sorters do: constants, then classes, then functions."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def _after_imports(file: PythonFile, offsets: Offsets) -> int:
    """Return where an import can go: before the first one of the file, behind those that must come first."""
    try:
        body = ast.parse(file.text).body
    except (SyntaxError, ValueError):
        return 0
    for node in body:
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if isinstance(node, ast.Import | ast.ImportFrom) and not future:
            return offsets.at(node.lineno, 0)
    return 0
