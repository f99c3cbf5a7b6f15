"""A Python file as its syntax tree says it: which steps and workflows it declares, and what they say of recovery."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import TypeAlias

import attrs

from omium.editing.ladders import LadderSaid, agent_ladder, recovery_ladder, rollback_ladder
from omium.editing.naming import Names
from omium_policy.source import Span

__all__ = ["Function", "Offsets", "PythonFile", "Step", "WorkflowFound", "read_python"]

REPAIRS_MAX = 8
_STEP_DECORATORS = ("checkpoint", "transaction", "rollback_on", "agent")
_LINE_END = re.compile(r"\r\n|\r|\n")
_INDENT = re.compile(r"[ \t]*")

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@attrs.frozen
class Step:
    """A function that is a step. `call` is the decorator's, where `recovery=` goes; `head` is all before its body.

    `name` is None where it is not written down as a text. `checks` says whether there is a condition in its body.
    """

    name: str | None
    function: str
    decorator: Span
    head: Span
    call: ast.Call | None
    ensures: bool
    checks: bool
    recovers: bool
    ladders: tuple[LadderSaid, ...]


@attrs.frozen
class WorkflowFound:
    """A function that is a workflow: what it calls by name, and the options that are written down."""

    name: str
    calls: frozenset[str]
    policy: str | None
    store: str | None
    ladder: LadderSaid | None


@attrs.frozen
class PythonFile:
    """What is found in a Python file. `whole` is false when lines were left out because they do not parse."""

    text: str
    names: Names
    steps: tuple[Step, ...] = ()
    workflows: tuple[WorkflowFound, ...] = ()
    whole: bool = True


@attrs.frozen
class Offsets:
    """Where the tree's lines and columns are in the text; its columns count the bytes of UTF-8."""

    text: str
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Offsets:
        """Return the offsets of a text."""
        return cls(text, (0, *(match.end() for match in _LINE_END.finditer(text))))

    def at(self, line: int, column: int) -> int:
        """Return the offset of a line, from 1, and a column."""
        start = self.starts[min(line, len(self.starts)) - 1]
        following = self.starts[line] if line < len(self.starts) else len(self.text)
        written = self.text[start:following]
        if written.isascii():
            return start + column
        return start + len(written.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore"))

    def span(self, node: ast.expr | ast.stmt | ast.alias) -> Span:
        """Return where a node stands."""
        start = self.at(node.lineno, node.col_offset)
        return Span(start, self.at(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset))


def read_python(text: str) -> PythonFile:
    """Return what a Python file declares, as far as it can be read; lines that do not parse are passed over."""
    tree, whole = _tree(text)
    if tree is None:
        return PythonFile(text, Names({}, ()), whole=False)
    names = Names.of(tree)
    if not names:
        return PythonFile(text, names, whole=whole)
    offsets, constants = Offsets.of(text), _constants(tree)
    steps: list[Step] = []
    workflows: list[WorkflowFound] = []
    for function, agent in _functions(tree):
        found = _Decorated.of(function, names)
        if "workflow" in found.calls:
            workflows.append(_workflow(function, found, constants, names))
        elif any(one in found.calls for one in _STEP_DECORATORS):
            steps.append(_step(function, agent, found, offsets, constants, names))
    return PythonFile(text, names, tuple(steps), tuple(workflows), whole)


def _tree(text: str) -> tuple[ast.Module | None, bool]:
    """Parse, with `pass` in the place of a line that does not; most of a file that is being edited can be read so."""
    lines = _LINE_END.split(text)
    tried: set[int] = set()
    for _ in range(REPAIRS_MAX):
        try:
            with warnings.catch_warnings():
                # What Python thinks of a file's escape sequences is not ours to say.
                warnings.simplefilter("ignore")
                return ast.parse("\n".join(lines)), not tried
        except SyntaxError as problem:
            number = min(problem.lineno or 0, len(lines))
            if number < 1 or number in tried:
                return None, False
            tried.add(number)
            indent = _INDENT.match(lines[number - 1])
            lines[number - 1] = f"{indent[0] if indent is not None else ''}pass"
        except (ValueError, RecursionError, MemoryError):
            return None, False
    return None, False


def _functions(tree: ast.Module) -> Iterator[tuple[Function, ast.ClassDef | None]]:
    """Give every function, and the class whose method it is."""
    left: list[tuple[ast.AST, ast.ClassDef | None]] = [(tree, None)]
    while left:
        node, inside = left.pop()
        if isinstance(node, Function):
            yield node, inside
        within = node if isinstance(node, ast.ClassDef) else None
        # Those that come first in the file are taken from the stack first.
        left.extend((child, within) for child in reversed(list(ast.iter_child_nodes(node))))


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Return what the file's own names stand for where they are given once, at its top level."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found[node.target.id] = node.value
    return found


@attrs.frozen
class _Decorated:
    """Omium's decorators on a function: each with its expression."""

    calls: dict[str, ast.expr]

    @classmethod
    def of(cls, function: Function | ast.ClassDef, names: Names) -> _Decorated:
        found: dict[str, ast.expr] = {}
        for one in function.decorator_list:
            name = names.of_omium(one.func if isinstance(one, ast.Call) else one)
            if name is not None:
                found.setdefault(name, one)
        return cls(found)

    def option(self, name: str, *decorators: str) -> ast.expr | None:
        for one in decorators:
            call = self.calls.get(one)
            for keyword in call.keywords if isinstance(call, ast.Call) else ():
                if keyword.arg == name:
                    return keyword.value
        return None


def _step(
    function: Function,
    agent: ast.ClassDef | None,
    found: _Decorated,
    offsets: Offsets,
    constants: dict[str, ast.expr],
    names: Names,
) -> Step:
    kind = next(one for one in _STEP_DECORATORS if one in found.calls)
    decorator = found.calls[kind]
    call = decorator if isinstance(decorator, ast.Call) and kind in ("checkpoint", "transaction") else None
    recovery = found.option("recovery", "checkpoint", "transaction")
    name = _name(call, function) if call is not None else function.name
    ladders = [rollback_ladder(found.calls["rollback_on"])] if "rollback_on" in found.calls else []
    if recovery is not None and not _is_none(recovery):
        ladders.append(recovery_ladder(recovery, f"`recovery=` of `{name or function.name}`", constants, names))
    if agent is not None and "agent" in _Decorated.of(agent, names).calls:
        configured = agent_ladder(agent, constants)
        ladders += [configured] if configured is not None else []
    ensures = found.option("ensures", "checkpoint", "transaction")
    start = offsets.span(decorator)
    return Step(
        name,
        function.name,
        start,
        Span(offsets.at(function.decorator_list[0].lineno, 0), offsets.span(function.body[0]).start),
        call,
        ensures is not None and not _is_empty(ensures),
        any(_is_condition(node, names) for node in _own(function)),
        recovery is not None,
        tuple(ladders),
    )


def _name(call: ast.Call, function: Function) -> str | None:
    given = call.args[0] if call.args else next((one.value for one in call.keywords if one.arg == "name"), None)
    if given is None:
        return function.name
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def _workflow(function: Function, found: _Decorated, constants: dict[str, ast.expr], names: Names) -> WorkflowFound:
    called = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    calls = frozenset(one.id if isinstance(one, ast.Name) else getattr(one, "attr", "") for one in called)
    name = _text(found.option("name", "workflow")) or function.name
    recovery = found.option("recovery", "workflow")
    ladder = None
    if recovery is not None and not _is_none(recovery):
        ladder = recovery_ladder(recovery, f"the workflow `{name}`", constants, names)
    policy, store = (_text(found.option(one, "workflow"), constants) for one in ("policy", "store"))
    return WorkflowFound(name, calls, policy, store, ladder)


def _own(function: Function) -> Iterator[ast.AST]:
    """Give the nodes of a function's body, but not of functions and classes in it, which are called or not."""
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            left.extend(ast.iter_child_nodes(node))


def _is_condition(node: ast.AST, names: Names) -> bool:
    return isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and names.of_omium(node.func) == "require")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Tuple | ast.List) and not node.elts


def _text(node: ast.expr | None, constants: dict[str, ast.expr] | None = None) -> str | None:
    if isinstance(node, ast.Name) and constants is not None:
        node = constants.get(node.id)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
