"""From `--input` to a workflow's arguments: JSON, structured into the types that its parameters are annotated with."""

from __future__ import annotations

import inspect
import json
import sys
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omium.cli.structuring import fields_of, kind_text, structured
from omium_core.errors import UsageError
from omium_core.runtime.declarations import WorkflowDeclaration

__all__ = ["arguments", "read_json"]

# Of these no object of JSON can be a value, so its keys are the names of parameters.
_PLAIN = (str, int, float, bool)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def arguments(declaration: WorkflowDeclaration, given: str | None) -> dict[str, Any]:
    """Return a workflow's arguments by name; raise `UsageError` that says in one sentence what does not fit."""
    parameters = {
        name: one for name, one in declaration.arguments.signature.parameters.items() if one.kind not in _VARIADIC
    }
    hints = _hints(declaration)
    values = _by_name(declaration.name, parameters, hints, read_json(given, "--input") if given is not None else {})
    missing = [name for name, one in parameters.items() if one.default is one.empty and name not in values]
    if missing:
        listed = " and ".join(f"`{name}`{_kind(hints.get(name))}" for name in missing)
        raise UsageError(
            f"workflow `{declaration.name}` needs {listed}; give it with `--input JSON` or `--input @FILE`"
        )
    return {name: structured(value, hints.get(name, Any), f"${'.' + name}") for name, value in values.items()}


def read_json(given: str, option: str) -> Any:
    """Return what JSON text, or `@FILE`, holds."""
    text = _text(given, option) if given.startswith("@") else given
    try:
        return json.loads(text)
    except ValueError as error:
        where = f"the file `{given[1:]}`" if given.startswith("@") else f"`{option}`"
        raise UsageError(f"{where} is not JSON: {str(error)[:1].lower()}{str(error)[1:]}") from error


def _text(given: str, option: str) -> str:
    try:
        return sys.stdin.read() if given == "@-" else Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"the file `{given[1:]}` of `{option}` cannot be read: {reason}") from error


def _by_name(
    workflow: str, parameters: Mapping[str, inspect.Parameter], hints: Mapping[str, Any], given: Any
) -> dict[str, Any]:
    """Return the given values by parameter; a workflow with one parameter may be given its value alone."""
    if len(parameters) == 1 and given != {}:
        name = next(iter(parameters))
        unknown = [key for key in given if key != name] if isinstance(given, dict) else []
        if unknown and hints.get(name) in _PLAIN:
            raise UsageError(f"workflow `{workflow}` has no parameter `{unknown[0]}`; it has `{name}`")
        keyed = isinstance(given, dict) and set(given) == {name} and name not in fields_of(hints.get(name))
        return dict(given) if keyed else {name: given}
    if not isinstance(given, dict):
        listed = ", ".join(f"`{name}`" for name in parameters) or "none"
        raise UsageError(f"`--input` must be an object with the parameters of workflow `{workflow}`: {listed}")
    unknown = [name for name in given if name not in parameters]
    if unknown:
        listed = ", ".join(f"`{name}`" for name in parameters) or "none"
        raise UsageError(f"workflow `{workflow}` has no parameter `{unknown[0]}`; it has {listed}")
    return dict(given)


def _hints(declaration: WorkflowDeclaration) -> dict[str, Any]:
    try:
        return typing.get_type_hints(inspect.unwrap(declaration.fn))
    except Exception:  # Annotations that cannot be evaluated are no annotations; user code may raise anything.
        return {}


def _kind(hint: Any) -> str:
    text = kind_text(hint)
    return f" ({text})" if text else ""
