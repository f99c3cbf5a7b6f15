"""Where a failure comes from: the record is searched for the values that broke a rule, calls are held to their schemas.

It runs when an attempt has failed, and reads a bounded part of the record. What it cannot find keeps nobody from
recovering.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from omium_core.engine.commands import Diagnose, Diagnosed
from omium_core.errors import PluginError, Unstorable
from omium_core.interfaces.recovery import Case
from omium_core.model.body import Body
from omium_core.model.effect import DONE
from omium_core.recovery.diagnosis import Finding, Source, appearance, offenders
from omium_core.recovery.fingerprints import fingerprint_of
from omium_core.recovery.paths import inside, leaves
from omium_core.recovery.tool_schema import mismatches, schema_of
from omium_core.runtime.declarations import EffectDeclaration
from omium_core.runtime.noting import noted
from omium_core.runtime.suggesting import suggested

if TYPE_CHECKING:
    from omium_core.runtime.run import Run

__all__ = ["diagnosed"]

OUTCOMES_MAX = 200
LEAVES_READ_MAX = 100_000
CALLS_MAX = 200


def diagnosed(run: Run, command: Diagnose) -> Diagnosed:
    """Return the failure with what was found, and with what could be done about it where a person will be asked."""
    failure, path = command.failure, command.scope.path
    try:
        findings, paths = _findings(run, command)
    except Exception as error:  # The values that are compared are the user's; a failure must not become another one.
        findings, paths = [Finding("unknown", f"the record could not be searched: {error}")], ()
    if findings:
        evidence = {**failure.evidence, "diagnosis": [one.as_data() for one in findings]}
        failure = attrs.evolve(failure, evidence=evidence)
    fingerprint = fingerprint_of(run.machine.state.workflow, path, failure, paths)
    if command.fallbacks is None:
        return Diagnosed(failure, fingerprint)
    return Diagnosed(failure, fingerprint, suggested(run, command.scope, failure, fingerprint, command.fallbacks))


def _findings(run: Run, command: Diagnose) -> tuple[list[Finding], tuple[str, ...]]:
    failure, scope = command.failure, command.scope
    found: list[Finding] = []
    paths: tuple[str, ...] = ()
    if failure.violations and "value" in failure.evidence:
        outcome = _view(run, failure.evidence["value"])
        broken = offenders(failure.violations, outcome)
        sources = list(_sources(run, scope.path, scope.attempt, command.call.body)) if broken else []
        found += [appearance(one, f"{command.call.name}.output", sources) for one in broken]
        paths = tuple(one.path for one in broken)
    found += _calls(run, scope.path, scope.attempt, command.error)
    found += _plugins(run, command)
    return found, paths


def _sources(run: Run, path: str, attempt: int, described: Body | None) -> Iterator[Source]:
    """Give what is on record, in its order: the input, outcomes, the step's arguments, what was answered to it."""
    state, store = run.machine.state, run.store
    given = store.view(state.arguments_execution, state.arguments_seq)
    yield Source("input", "the workflow's input", "", given["arguments"])
    entries = [(name, one) for name, one in state.outcomes.items() if one.kind in ("completed", "saved") and one.digest]
    left = LEAVES_READ_MAX
    for name, entry in sorted(entries, key=lambda one: one[1].seq)[:OUTCOMES_MAX]:
        outcome = store.view(entry.execution, entry.seq)
        yield Source("outcome", f"the outcome of step `{name}`", name, outcome)
        left -= sum(1 for _ in leaves(outcome))
        if left < 0:
            break
    if described is not None:
        arguments = _opened(run, described).get("arguments", {})
        yield Source("argument", "the arguments of this step", path, arguments)
    for name, answer in _answers(run, path, attempt):
        yield Source("answer", f"what `{name}` answered to this step", path, inside(answer))


def _answers(run: Run, path: str, attempt: int) -> Iterator[tuple[str, Any]]:
    state, store = run.machine.state, run.store
    for name, execution, seq in _reads(run, path, attempt):
        yield name, store.view(execution, seq).get("value")
    for one in state.of_step(path)[:CALLS_MAX]:
        if one.state == DONE and one.value_seq:
            yield one.name, store.view(state.id, one.value_seq)


def _reads(run: Run, path: str, attempt: int) -> list[tuple[str, str, int]]:
    """Return the reads of an attempt that were answered, in their order."""
    reads = run.machine.state.reads.get((path, attempt), {})
    answers = [
        (name, execution, seq) for (name, _), many in reads.items() for execution, seq, failed in many if not failed
    ]
    return sorted(answers, key=lambda one: one[2])[:CALLS_MAX]


def _calls(run: Run, path: str, attempt: int, error: BaseException | None) -> list[Finding]:
    """Say which calls of effects in the attempt were not as their schemas say."""
    state, store = run.machine.state, run.store
    found: dict[str, Finding] = {}
    for declaration, arguments in noted(error):
        _hold(found, declaration, arguments)
    for name, execution, seq in _reads(run, path, attempt):
        declared = run.registry.find(EffectDeclaration, name)
        if declared is not None:
            _hold(found, declared, store.value(execution, seq).get("arguments", {}))
    for one in state.of_step(path)[:CALLS_MAX]:
        declared = run.registry.find(EffectDeclaration, one.name)
        if declared is not None and one.attempt == attempt:
            _hold(found, declared, store.value(state.id, one.seq).get("arguments", {}))
    return list(found.values())


def _hold(found: dict[str, Finding], declaration: EffectDeclaration, arguments: dict[str, Any]) -> None:
    name = declaration.name
    if name in found:
        return
    schema = declaration.schema
    if schema is None:
        schema = schema_of(declaration.fn, declaration.arguments.signature)
    problems = mismatches(schema, arguments)
    if problems:
        text = f"the call of `{name}` is not what it takes: {'; '.join(problems)}"
        found[name] = Finding("tool_schema", text, {"tool": name, "problems": problems, "schema": dict(schema)})


def _plugins(run: Run, command: Diagnose) -> list[Finding]:
    """Ask the plugins' diagnosers; one that fails is journaled, and the others are asked all the same."""
    diagnosers = run.hooks.diagnosers
    if not diagnosers:
        return []
    state, scope, failure = run.machine.state, command.scope, command.failure
    case = Case(
        state.workflow, run.id, scope.path, command.call.agent, scope.attempt, failure.kind, failure.message,
        failure.violations, failure.evidence.get("value"), 1, 1, {},
    )  # fmt: skip
    found = []
    for name in diagnosers:
        try:
            found += [Finding(name, text) for text in run.hooks.diagnose(name, case)]
        except PluginError as error:
            run.plugin_failed(error.plugin, f"diagnoser {name}", error.message)
    return found


def _view(run: Run, value: Any) -> Any:
    """Return a value as plain data, as a reader without its classes sees it."""
    try:
        body = run.store.codec.seal(value)
    except Unstorable:
        return None
    return _opened(run, body)


def _opened(run: Run, body: Body) -> Any:
    """Return what a body holds that is not in the journal yet."""
    blobs = {one.digest: one.data for one in body.blobs}
    return run.store.codec.view(body.data, lambda digest: blobs.get(digest) or run.store.blob(digest))
