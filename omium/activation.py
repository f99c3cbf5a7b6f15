"""Which policy is in force: what its file says, once the host can carry it out and the version before lets it in.

Each version that comes into force is recorded in the policy's own journal, with its texts, so an execution goes on
under the very version that it pinned, whatever has become of the file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from omium.binding import host_of
from omium.keeping import Kept, KeptFile
from omium.runtime import Runtime
from omium.sources import Taken, file_at, places_of, restored, taken
from omium_core.errors import OmiumError, PolicyError, UsageError
from omium_core.model import events as e
from omium_core.runtime import activating
from omium_core.runtime.activating import PolicyRecord
from omium_core.runtime.declarations import WorkflowDeclaration
from omium_policy.binding import bound
from omium_policy.changing import Consent, Permission, permission
from omium_policy.diagnostics import Diagnostic, rendered
from omium_policy.loaded import Loaded

__all__ = ["Active", "Brought", "bring_in", "consents_of", "in_force", "permission_for", "pinned", "ruling", "short"]

_LOG = logging.getLogger("omium")
HASH_SHOWN = 12


@attrs.frozen(eq=False)
class Active:
    """A version of a policy that executions run under."""

    loaded: Loaded
    hash: str
    name: str
    version: str = ""


@attrs.frozen
class Brought:
    """What became of a version that was to come into force: `new` where it did now; `why` it did not, else empty."""

    record: PolicyRecord
    new: bool = False
    why: str = ""
    overridden: tuple[str, ...] = ()


def in_force(runtime: Runtime, declaration: WorkflowDeclaration) -> Active | None:
    """Return the policy that a new execution of a workflow runs under; None where it asks for none.

    A file that changed is loaded again. What its new version cannot do, because it has errors, does not bind to the
    program or may not come into force now, keeps the last good version in force, and a warning says why. Without one
    it raises `PolicyError` with every diagnostic, or `UsageError` where there is no such file.
    """
    places = places_of(declaration, runtime.config.policy)
    if not places:
        return None
    with runtime.policies.lock:
        place = _chosen(runtime, places)
        try:
            file = _kept_file(runtime, place)
        except UsageError as error:
            return _last_good(runtime, place, file_at(place, runtime.config.project), [], error)
        problems = _problems(runtime, file.taken.loaded)
        if problems:
            return _last_good(runtime, place, file.taken.file, problems, None)
        file.active = _offered(runtime, file)
        return file.active


def pinned(runtime: Runtime, name: str, hash: str) -> Active:
    """Return the very version of a policy that an execution pinned; raise `UsageError` where that is impossible."""
    kept = runtime.policies
    with kept.lock:
        found = kept.versions.get((name, hash))
        return found if found is not None else _version_on_record(runtime, _record(runtime, name), hash)


def bring_in(runtime: Runtime, version: Taken, by: str, reason: str) -> Brought:
    """Bring a version of a policy into force, if the one that is in force lets it in at this time."""
    name = _name(version)
    result = Brought(PolicyRecord(name))

    def decide(record: PolicyRecord, now: float) -> tuple[type[e.PolicyActivated], dict[str, Any], Any] | None:
        nonlocal result
        if record.active is not None and record.active.hash == version.loaded.hash:
            result = Brought(record)
            return None
        allowed = permission_for(runtime, record, version, now)
        result = Brought(record, allowed.given, allowed.why, allowed.overridden)
        if not allowed.given:
            return None
        fields = {
            "hash": version.loaded.hash,
            "name": name,
            "version": version.version,
            "file": version.file,
            "by": by,
            "reason": reason,
            "overridden": allowed.overridden,
        }
        return e.PolicyActivated, fields, {"sources": [dict(one) for one in version.sources]}

    record = activating.append(runtime.store, name, decide)
    with runtime.policies.lock:
        runtime.policies.records[name] = record
    return attrs.evolve(result, record=record)


def _version_on_record(runtime: Runtime, record: PolicyRecord, hash: str) -> Active:
    """Return a version from what its activation recorded."""
    event = record.of(hash)
    if event is None:
        known = ", ".join(f"sha256:{short(one.hash)}" for one in record.activations) or "none"
        raise UsageError(
            f"the store has no record of version sha256:{short(hash)} of the policy `{record.name}` (it has {known}); "
            f"restore the file that says so and run `omium policy activate FILE`"
        )
    loaded = restored(_sources(runtime, event), runtime.plugins)
    if loaded.errors:
        raise _refused(f"{loaded.source.name} (sha256:{short(hash)})", loaded.errors)
    if loaded.hash != hash:
        raise UsageError(
            f"version sha256:{short(hash)} of the policy `{record.name}` reads as sha256:{short(loaded.hash)} here; "
            f"use the Omium that activated it"
        )
    active = Active(loaded, hash, record.name, event.version)
    runtime.policies.versions[record.name, hash] = active
    return active


def consents_of(record: PolicyRecord, hash: str) -> tuple[Consent, ...]:
    """Return the people who would let a version in."""
    return tuple(Consent(one.by, one.role, one.at) for one in record.overrides(hash))


def short(hash: str) -> str:
    """Return as much of a hash as people need."""
    return hash[:HASH_SHOWN]


def _chosen(runtime: Runtime, places: tuple[str, ...]) -> str:
    """Return the place where a policy is, else the one where it was before it went."""
    there = next((one for one in places if len(places) == 1 or Path(one).exists()), None)
    if there is not None:
        return there
    project = runtime.config.project
    for one in places:
        if one in runtime.policies.files or _from_file(runtime, file_at(one, project)) is not None:
            return one
    named, beside = file_at(places[-1], project), file_at(str(Path(places[0]).parent), project)
    raise UsageError(f"there is no file `{named}`, neither in the working directory nor in `{beside}`")


def _kept_file(runtime: Runtime, place: str) -> KeptFile:
    """Return a file as it is now; it is loaded again only when it changed, and swapped only once that was done."""
    kept = runtime.policies
    there = kept.files.get(place)
    if there is not None and there.taken.is_current():
        return there
    now = taken(place, runtime.plugins, runtime.config.project)
    if there is None:
        there = kept.files[place] = KeptFile(now)
    there.taken = now
    return there


def _problems(runtime: Runtime, loaded: Loaded) -> list[Diagnostic]:
    """Return what keeps a version from being used by this program; `omium policy check --program` also warns."""
    if loaded.hash in runtime.policies.fitting:
        return []
    if loaded.errors:
        return list(loaded.errors)
    config = attrs.evolve(runtime.config, channels=runtime.hooks.channels)
    found = bound(loaded, host_of(runtime.registry, runtime.plugins, config))
    problems = [one for one in found if one.severity == "error"]
    if not problems:
        runtime.policies.fitting.add(loaded.hash)
    return problems


def _offered(runtime: Runtime, file: KeptFile) -> Active:
    """Return what is in force where a file has a version that could be."""
    version = file.taken
    name, hash = _name(version), version.loaded.hash
    own = runtime.policies.versions.setdefault((name, hash), Active(version.loaded, hash, name, version.version))
    record = _record(runtime, name)
    active = record.active
    if active is not None and active.hash == hash:
        file.accepted.add(hash)
        return own
    if hash not in file.accepted:
        brought = _brought_in(runtime, version, record)
        if not brought.why:
            file.accepted.add(hash)
            return own
        return _in_force_instead(runtime, version, brought)
    assert active is not None
    return _brought_in_elsewhere(runtime, version.file, active.hash, own)


def _brought_in(runtime: Runtime, version: Taken, record: PolicyRecord) -> Brought:
    """Bring a file's version into force; where that may not be, it is known without asking the journal for more."""
    allowed = permission_for(runtime, record, version, runtime.store.clock.now())
    if not allowed.given:
        return Brought(record, why=allowed.why)
    return bring_in(runtime, version, runtime.store.journal.runner(), "")


def _in_force_instead(runtime: Runtime, version: Taken, brought: Brought) -> Active:
    """Return the version that stays in force; raise `PolicyError` where this program cannot carry it out."""
    stays = ruling(runtime, brought.record, version.file).active
    assert stays is not None, "the first version is always let in"
    there = pinned(runtime, stays.name, stays.hash)
    problems = _problems(runtime, there.loaded)
    if problems:
        raise _refused(f"{there.loaded.source.name} (sha256:{short(stays.hash)})", problems)
    why = f"`{version.file}` says sha256:{short(version.loaded.hash)}, which may not come into force: {brought.why}"
    _warn(runtime.policies, f"{why}; version sha256:{short(stays.hash)} of the policy `{stays.name}` stays in force")
    return there


def _brought_in_elsewhere(runtime: Runtime, file: str, hash: str, own: Active) -> Active:
    """This file's version was in force, and another process brought in another since: that one holds here as well."""
    try:
        there = pinned(runtime, own.name, hash)
        problems = _problems(runtime, there.loaded)
        why = problems[0].message if problems else ""
    except OmiumError as error:
        why = str(error)
    said = f"another process brought version sha256:{short(hash)} of the policy `{own.name}` into force"
    if why:
        _warn(runtime.policies, f"{said}, which cannot be used here: {why}; `{file}` stays in force in this process")
        return own
    _warn(runtime.policies, f"{said}; `{file}` says sha256:{short(own.hash)}")
    return there


def _last_good(
    runtime: Runtime, place: str, file: str, problems: Sequence[Diagnostic], error: UsageError | None
) -> Active:
    """Return the version that stays in force where a file cannot be used; raise what is wrong where there is none."""
    kept = runtime.policies.files.get(place)
    own = kept.active if kept is not None else None
    name = own.name if own is not None else kept.taken.name if kept is not None else None
    there = _on_record(runtime, name, file) or own
    if there is None:
        raise error or _refused(file, problems)
    where = problems[0].source.where(problems[0].span) if problems else file
    why = str(error) if error is not None else f"{where}: {problems[0].message}"
    more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    stays = f"version sha256:{short(there.hash)} of the policy `{there.name}` stays in force"
    _warn(runtime.policies, f"the policy `{file}` cannot be used: {why}{more}; {stays}")
    return there


def _on_record(runtime: Runtime, name: str | None, file: str) -> Active | None:
    """Return what another process brought into force from a file, as far as this one can use it."""
    newest = (_record(runtime, name).active if name is not None else None) or _from_file(runtime, file)
    if newest is None:
        return None
    try:
        there = pinned(runtime, newest.name, newest.hash)
    except OmiumError:
        return None
    return None if _problems(runtime, there.loaded) else there


def _from_file(runtime: Runtime, file: str) -> e.PolicyActivated | None:
    """Return the activation, of those in force, that came last from a file."""
    found = [_record(runtime, one).active for one in activating.policies(runtime.store)]
    return max((one for one in found if one is not None and one.file == file), key=lambda one: one.at, default=None)


def ruling(runtime: Runtime, record: PolicyRecord, file: str) -> PolicyRecord:
    """Return the record whose version in force says whether a file's version may come in.

    A policy under a new name is ruled by what its file said before: renaming it is a change as well.
    """
    if record.active is not None:
        return record
    before = _from_file(runtime, file)
    return _record(runtime, before.name) if before is not None else record


def permission_for(runtime: Runtime, record: PolicyRecord, version: Taken, now: float) -> Permission:
    """Ask the version that is in force. The first one is always let in."""
    record = ruling(runtime, record, version.file)
    if record.active is None:
        return Permission(True)
    known = runtime.policies.versions.get((record.name, record.active.hash))
    loaded = known.loaded if known is not None else restored(_sources(runtime, record.active), runtime.plugins)
    if loaded.file is None:
        return Permission(False, "the version that is in force cannot be read here; use the Omium that activated it")
    return permission(loaded.file, now, consents_of(record, version.loaded.hash))


def _sources(runtime: Runtime, event: e.PolicyActivated) -> Any:
    return runtime.store.value(activating.journal_of(event.name), event.seq)["sources"]


def _record(runtime: Runtime, name: str) -> PolicyRecord:
    records = runtime.policies.records
    records[name] = activating.record_of(runtime.store, name, records.get(name))
    return records[name]


def _name(version: Taken) -> str:
    assert version.name is not None, "a version that is offered was parsed"
    return version.name


def _refused(file: str, problems: Iterable[Diagnostic]) -> PolicyError:
    found = list(problems)
    return PolicyError(file, len(found), found[0].message, tuple(rendered(one) for one in found))


def _warn(kept: Kept, text: str) -> None:
    """Say something to whoever runs the program, once."""
    if kept.is_new(text):
        _LOG.warning("%s", text)
