"""Who changes policies, and whether what runs is what the files say: overrides, activations, history, drift."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from omium.activation import Brought, bring_in, permission_for, pinned, ruling, short
from omium.runtime import Runtime
from omium.sources import Taken, file_at, name_in, taken
from omium_core.errors import PolicyError, UsageError
from omium_core.model import events as e
from omium_core.runtime import activating
from omium_core.runtime.activating import PolicyRecord
from omium_core.runtime.stopping import UNFINISHED
from omium_core.runtime.store import FORKS_MAX
from omium_policy.changing import overrides_of
from omium_policy.diagnostics import rendered

__all__ = ["Drift", "Pinned", "activate", "drift", "override", "policy_named", "usable"]

EXECUTIONS_MAX = 2**31
GIT_S = 30.0


@attrs.frozen
class Pinned:
    """How many executions of a workflow pinned a version, and how many of them have not ended."""

    workflow: str
    hash: str
    executions: int
    unfinished: int


@attrs.frozen
class Drift:
    """A policy as its file says it, as it is in force, and as executions pinned it.

    `says` is the hash of the file's version, None where it cannot be read; then `problem` says why. `refused` says why
    the file's version may not come into force now, where that is so.
    """

    name: str
    file: str
    says: str | None
    active: str | None
    pinned: tuple[Pinned, ...] = ()
    problem: str = ""
    refused: str = ""

    @property
    def drifted(self) -> bool:
        """True when something that runs, or would begin now, does not run under what the file says."""
        if self.active is None and not self.pinned:
            return False
        at_work = {one.hash for one in self.pinned if one.unfinished}
        return self.says is None or self.active not in (None, self.says) or bool(at_work - {self.says})


def usable(runtime: Runtime, file: str) -> Taken:
    """Load a policy's file; raise `PolicyError` when it has errors."""
    version = taken(str(Path(file).absolute()) if file.endswith(".omp") else file, runtime.plugins, _project(runtime))
    errors = version.loaded.errors
    if errors:
        raise PolicyError(version.file, len(errors), errors[0].message, tuple(rendered(one) for one in errors))
    return version


def activate(runtime: Runtime, version: Taken, by: str, reason: str) -> Brought:
    """Bring a version into force; raise `UsageError` where the version in force does not let it in now."""
    brought = bring_in(runtime, version, by, reason)
    if brought.why:
        raise UsageError(f"`{version.file}` may not come into force now: {brought.why}")
    return brought


def override(runtime: Runtime, version: Taken, by: str, reason: str) -> tuple[e.PolicyOverridden, str]:
    """Record that one person would let a version in; give that, and what is still missing (empty: nothing).

    Raises `UsageError` where nothing is in force yet, where nobody can override, and for who is not in the role.
    """
    if not by.strip():
        raise UsageError("an override needs to know by whom it is")
    name, hash = str(version.name), version.loaded.hash
    record = ruling(runtime, activating.record_of(runtime.store, name), version.file)
    if record.active is None:
        raise UsageError(f"no version of the policy `{name}` is in force, so `{version.file}` may come in as it is")
    if record.active.hash == hash:
        raise UsageError(f"`{version.file}` is in force as it is")
    role = _role_of(runtime, record, by)

    def decide(_: PolicyRecord, __: float) -> tuple[type[e.PolicyOverridden], Mapping[str, Any], None]:
        return e.PolicyOverridden, {"hash": hash, "by": by.strip(), "role": role, "reason": reason}, None

    record = activating.append(runtime.store, record.name, decide)
    made = next(one for one in record.changes[::-1] if isinstance(one, e.PolicyOverridden))
    return made, permission_for(runtime, record, version, made.at).why


def policy_named(runtime: Runtime, given: str) -> PolicyRecord:
    """Return what is on record of a policy, by its name or its file."""
    known = activating.policies(runtime.store)
    if given in known:
        return activating.record_of(runtime.store, given)
    if given.endswith(".omp"):
        file = file_at(given, _project(runtime))
        records = [activating.record_of(runtime.store, one) for one in known]
        of_file = [one for one in records if any(event.file == file for event in one.activations)]
        if of_file:
            return max(of_file, key=lambda one: one.changes[-1].at)
    listed = ", ".join(f"`{one}`" for one in known) or "none"
    raise UsageError(f"no version of `{given}` was ever in force here; there is {listed}")


def drift(runtime: Runtime, files: Iterable[str] = (), ref: str | None = None) -> list[Drift]:
    """Compare what executions pinned, and what is in force, with what files say now, or said at a git revision.

    Without files, with those that the versions in force came from.
    """
    pins = _pins(runtime)
    read = _at_git(runtime, ref) if ref is not None else lambda file: _as_it_is(runtime, file)
    found: list[Drift] = []
    wanted = [file_at(one, _project(runtime)) for one in files]
    for name in sorted({*activating.policies(runtime.store), *pins}):
        record = activating.record_of(runtime.store, name)
        file = record.active.file if record.active is not None else ""
        if not wanted or file in wanted:
            found.append(_drift_of(runtime, record, file, read, pins.get(name, ())))
    seen = {one.file for one in found}
    return [*found, *(_never_in_force(file, read) for file in wanted if file not in seen)]


def _drift_of(
    runtime: Runtime, record: PolicyRecord, file: str, read: Callable[[str], Taken], pins: tuple[Pinned, ...]
) -> Drift:
    active = record.active.hash if record.active is not None else None
    try:
        version = read(file)
    except UsageError as error:
        return Drift(record.name, file, None, active, pins, str(error))
    errors = version.loaded.errors
    if errors:
        where = errors[0].source.where(errors[0].span)
        return Drift(record.name, file, None, active, pins, f"{where}: {errors[0].message}")
    says = version.loaded.hash
    now = runtime.store.clock.now()
    refused = permission_for(runtime, record, version, now).why if active not in (None, says) else ""
    return Drift(record.name, file, says, active, pins, refused=refused)


def _never_in_force(file: str, read: Callable[[str], Taken]) -> Drift:
    try:
        version = read(file)
    except UsageError as error:
        return Drift("", file, None, None, problem=str(error))
    return Drift(version.name or "", file, version.loaded.hash or None, None)


def _pins(runtime: Runtime) -> dict[str, tuple[Pinned, ...]]:
    """Return what executions pinned, by the policy's name; of each journal only the start is read."""
    counts: dict[tuple[str, str, str], list[int]] = {}
    for row in runtime.store.executions(limit=EXECUTIONS_MAX):
        first = _start(runtime, row.id)
        if isinstance(first, e.ExecutionStarted) and first.policy:
            tally = counts.setdefault((first.policy_name, row.workflow, first.policy), [0, 0])
            tally[0] += 1
            tally[1] += row.status in UNFINISHED
    found: dict[str, tuple[Pinned, ...]] = {}
    for (name, workflow, hash), (executions, unfinished) in sorted(counts.items()):
        found[name] = (*found.get(name, ()), Pinned(workflow, hash, executions, unfinished))
    return found


def _start(runtime: Runtime, execution: str) -> e.Event | None:
    """Return the first event of an execution, of a fork that of what it was forked from."""
    for _ in range(FORKS_MAX):
        first = next(runtime.store.events(execution), None)
        if not isinstance(first, e.Forked):
            return first
        execution = first.source
    return None


def _role_of(runtime: Runtime, record: PolicyRecord, by: str) -> str:
    """Return the role that lets a person override what is in force."""
    assert record.active is not None
    file = pinned(runtime, record.name, record.active.hash).loaded.file
    overrides = overrides_of(file) if file is not None else ()
    if not overrides:
        raise UsageError(
            f"version sha256:{short(record.active.hash)} of the policy `{record.name}` lets nobody override it"
        )
    roles = list(dict.fromkeys(str(one.role.value) for one in overrides))
    for role in roles:
        people = runtime.config.roles.get(role)
        if not people or by.strip() in people:
            return role
    listed = ", ".join(f"`{one}`" for one in roles)
    raise UsageError(f"`{by}` is not in the role {listed}, so this override does not count; see `[tool.omium.roles]`")


def _as_it_is(runtime: Runtime, file: str) -> Taken:
    place = str(_project(runtime) / file) if file.endswith(".omp") else file
    return taken(place, runtime.plugins, _project(runtime))


def _at_git(runtime: Runtime, ref: str) -> Callable[[str], Taken]:
    project = _project(runtime)

    def text(path: Path) -> str | None:
        command = ["git", "-C", str(project), "show", f"{ref}:./{name_in(path, project)}"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=GIT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError(f"git cannot be asked what `{ref}` has: {error}") from error
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None

    def read(file: str) -> Taken:
        if ref.startswith("-"):
            raise UsageError(f"`{ref}` is no revision of git")
        place = str(project / file) if file.endswith(".omp") else file
        return taken(place, runtime.plugins, project, text)

    return read


def _project(runtime: Runtime) -> Path:
    return runtime.config.project
