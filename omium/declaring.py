"""What decorators are given, checked before anything is declared: one sentence says what cannot be and what can."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from omium_core.errors import UsageError
from omium_core.model.failure import KINDS
from omium_core.recovery.breakers import Breaker
from omium_core.runtime.declarations import Arguments, Rule, StepDeclaration

__all__ = [
    "check_arguments",
    "check_breaker",
    "check_callables",
    "check_channels",
    "check_function",
    "check_kinds",
    "check_limits",
    "check_parentheses",
    "exceptions_of",
    "lost_assertion",
    "name_for",
    "names_of",
    "rules_of",
]


def check_function(decorator: str, fn: Any) -> None:
    """Refuse what a call of cannot be recorded: no function at all, a generator, a method that is bound already."""
    if isinstance(fn, classmethod | staticmethod):
        raise UsageError(f"put `@{decorator}` below `@{type(fn).__name__}`, next to the function")
    if not callable(fn):
        raise UsageError(f"`@{decorator}` goes on a function, not on `{fn!r}`")
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        name = getattr(fn, "__name__", repr(fn))
        raise UsageError(
            f"`@{decorator}` cannot go on `{name}`, which yields; return a list, its value is recorded whole"
        )


def check_parentheses(decorator: str, name: Any) -> None:
    """Refuse a decorator that was put on a function without the name that it takes."""
    if callable(name):
        own = getattr(name, "__name__", "name")
        raise UsageError(f'`@{decorator}` takes a name; write `@{decorator}("{own}")`')


def name_for(decorator: str, fn: Any, name: str | None) -> str:
    """Return the name that was given, else the function's own."""
    own = name if name is not None else getattr(fn, "__name__", None)
    if own is None:
        raise UsageError(f"`{fn!r}` has no name of its own; give `@{decorator}` one, or put it on a `def`")
    return str(own)


def check_callables(what: str, **given: Any) -> None:
    """Refuse an option that is called later and cannot be."""
    for option, value in given.items():
        if value is not None and not callable(value):
            raise UsageError(f"`{option}=` of {what} takes a function, not `{value!r}`")


def names_of(given: Iterable[str]) -> tuple[str, ...]:
    """Return names of arguments; a text is one name, not its letters."""
    return (given,) if isinstance(given, str) else tuple(given)


def check_arguments(what: str, option: str, names: tuple[str, ...], arguments: Arguments) -> None:
    """Refuse names that no argument can have."""
    parameters = arguments.signature.parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    for name in names:
        if name not in parameters:
            known = ", ".join(f"`{one}`" for one in parameters) or "none"
            raise UsageError(f"`{option}=` of {what} names `{name}`, which is not an argument of it; it has {known}")


def exceptions_of(what: str, option: str, given: Any) -> tuple[type[BaseException], ...]:
    """Return exception classes; one alone is one."""
    classes = (given,) if isinstance(given, type) else tuple(given)
    for one in classes:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise UsageError(f"`{option}=` of {what} takes exception classes, not `{one!r}`")
    return classes


def rules_of(what: str, ensures: Rule | Iterable[Rule]) -> tuple[Rule, ...]:
    """Return what says what must hold of an outcome: functions, and names of plugins' detectors; one alone is one."""
    rules: tuple[Rule, ...] = (ensures,) if isinstance(ensures, str) or callable(ensures) else tuple(ensures)
    for rule in rules:
        if not isinstance(rule, str):
            check_callables(what, ensures=rule)
        elif not rule:
            raise UsageError(f"`ensures=` of {what} is empty; name a plugin's detector, or give a function")
    return rules


def check_breaker(what: str, breaker: Any, schema: Any) -> None:
    """Refuse what is no breaker, and what is no JSON schema."""
    if breaker is not None and not isinstance(breaker, Breaker):
        raise UsageError(f'`breaker=` of {what} takes a breaker such as `Breaker(5, "1m", "30s")`, not `{breaker!r}`')
    if schema is not None and not isinstance(schema, Mapping):
        raise UsageError(f"`schema=` of {what} takes a JSON schema as a mapping, not `{schema!r}`")


def check_limits(**given: Any) -> None:
    """Refuse a limit that is no number of times."""
    for name, value in given.items():
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise UsageError(f"`{name}` cannot be `{value!r}`; it is a whole number, 1 or more, or None for no limit")


def check_channels(given: Any) -> None:
    """Refuse channels that lead nowhere."""
    if given is not None and not (
        isinstance(given, Mapping) and all(isinstance(one, str) and one for pair in given.items() for one in pair)
    ):
        raise UsageError(f'`channels` takes names and where they lead, such as `{{"#ops": "log"}}`, not `{given!r}`')


def check_kinds(kinds: tuple[str, ...]) -> None:
    """Refuse a failure kind that is a known one misspelt; any other may be a plugin's."""
    for kind in kinds:
        if kind not in KINDS:
            import difflib  # Only what is unknown has to be compared.

            near = difflib.get_close_matches(kind, KINDS, n=1, cutoff=0.8)
            if near:
                raise UsageError(f"there is no failure kind `{kind}`; did you mean `{near[0]}`?")


def lost_assertion(step: StepDeclaration) -> str | None:
    """Say that a step relies on `assert`, which `python -O` removes: it must not run as if it had held."""
    for fn in (step.fn, *(rule for rule in step.ensures if not isinstance(rule, str))):
        try:
            code = ast.parse(textwrap.dedent(inspect.getsource(fn)))
        except (OSError, TypeError, SyntaxError):  # There is no source, or it is a lambda, which cannot assert.
            continue
        if any(isinstance(node, ast.Assert) for node in ast.walk(code)):
            return (
                f"step `{step.name}` relies on `assert`, which `python -O` removes; "
                f"use `omium.require(condition, message)`"
            )
    return None
