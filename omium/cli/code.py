"""The user's code: from `FILE[:NAME]` or a module's name to what it declares."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from omium import running
from omium.cli.hints import SHIPPED
from omium.config import load_config
from omium.runtime import Runtime
from omium_core.errors import OmiumError, UsageError
from omium_core.recovery.detectors import where_of
from omium_core.runtime.declarations import StepDeclaration, WorkflowDeclaration

__all__ = ["CodeFailed", "code_of", "declared", "loaded", "workflow_of"]

_SPEC = re.compile(r"(?P<code>.+?)(?::(?P<name>[^/\\:]+))?\Z")


@attrs.define
class CodeFailed(OmiumError):
    """The user's code raised while it was imported."""

    code = "code-failed"
    message: str

    def __str__(self) -> str:
        return self.message


def declared(spec: str) -> WorkflowDeclaration:
    """Return the workflow that `FILE[:NAME]` means: NAME, or the only one that the file declares."""
    module, name = loaded(spec)
    found = _workflows(module)
    if name is None:
        if len(found) == 1:
            return next(iter(found.values()))
        listed = ", ".join(f"`{spec}:{one}`" for one in sorted(found))
        what = f"declares {len(found)} workflows; name one: {listed}" if found else "declares no workflow"
        raise UsageError(f"`{spec}` {what}{'' if found else '; put `@workflow` on the function that runs the steps'}")
    one = found.get(name) or workflow_of(getattr(module, name, None))
    if one is None:
        known = ", ".join(f"`{one}`" for one in sorted(found)) or "none"
        raise UsageError(f"`{module.__name__}` declares no workflow `{name}`; it declares {known}")
    return one


def code_of(runtime: Runtime, execution: str, workflow: str, spec: str | None, command: str) -> WorkflowDeclaration:
    """Load the code that an execution needs and return its workflow.

    It comes from `spec`, else from the configured `workflows`; nothing recorded is ever imported. Raises `UsageError`
    that names what is missing.
    """
    configured = load_config().workflows
    if spec is not None:
        _, name = loaded(spec)
        if name is not None and declared(spec).name != workflow:
            raise UsageError(f"`{execution}` is an execution of `{workflow}`, not of `{declared(spec).name}`")
    elif configured:
        for one in configured:
            loaded(one)
    elif workflow not in SHIPPED:
        raise UsageError(
            f"the code of workflow `{workflow}` is missing; name the file that declares it "
            f"(`omium {command} ... --code FILE`), or set `workflows` in [tool.omium]"
        )
    if spec is None and workflow in SHIPPED and runtime.registry.find(WorkflowDeclaration, workflow) is None:
        # A project's own workflow of that name comes first.
        loaded(SHIPPED[workflow])
    return running.workflow_named(runtime, workflow)


def loaded(spec: str) -> tuple[ModuleType, str | None]:
    """Import `FILE[:NAME]` or `package.module[:NAME]`; give the module and the name."""
    match = _SPEC.match(spec)
    code, name = (match["code"], match["name"]) if match is not None else (spec, None)
    path = Path(code)
    is_file = path.suffix == ".py" or path.is_file()
    if is_file and not path.is_file():
        raise UsageError(f"there is no file `{code}`")
    if is_file and path.suffix != ".py":
        raise UsageError(f"`{code}` is not a Python file; name one that ends in `.py`, or a module")
    try:
        return (_import_file(path.resolve()) if is_file else _import_module(code)), name
    except OmiumError:
        raise
    except (Exception, SystemExit) as error:  # User code may raise anything while it is imported.
        # A syntax error says by itself where it is; its traceback ends in the import system.
        where = "" if isinstance(error, SyntaxError) else where_of(error)
        text = f"{type(error).__name__}: {error}".rstrip(": ") + (f" ({where})" if where else "")
        raise CodeFailed(f"`{code}` cannot be imported: {text}") from error


def _import_file(path: Path) -> ModuleType:
    """Import a file under its own name, so that its classes are recorded under the same tags however it is run."""
    name = path.stem
    there = sys.modules.get(name)
    if there is not None:
        if Path(getattr(there, "__file__", None) or "/").resolve() == path:
            return there
        raise UsageError(f"`{path.name}` has the name of the module `{name}`, which is loaded already; rename the file")
    _put_first(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"`{path}` is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import_module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"there is no file and no module `{name}`")
    _put_first(str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(f"there is no file and no module `{name}`") from error
        raise


def _put_first(folder: str) -> None:
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)


def _workflows(module: ModuleType) -> dict[str, WorkflowDeclaration]:
    """Return the workflows that a module declares; where it declares none, those that it imports."""
    there = [one for one in vars(module).values() if isinstance(_mark(one), WorkflowDeclaration)]
    own = [one for one in there if one.__module__ == module.__name__]
    return {_mark(one).name: _mark(one) for one in own or there}


def workflow_of(given: Any) -> WorkflowDeclaration | None:
    """Return what a function declares; a step that is called by itself is a workflow of one step."""
    found = _mark(given)
    if isinstance(found, StepDeclaration) and not found.arguments.method:
        return running.single_step(found)
    return found if isinstance(found, WorkflowDeclaration) else None


def _mark(given: Any) -> Any:
    return getattr(given, "__omium__", None)
