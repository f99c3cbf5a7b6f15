"""Whether a policy may change now: the windows, freezes and overrides of the version that is in force."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable

import attrs

from omium_policy import syntax
from omium_policy.wording import seconds_in_words

__all__ = ["Consent", "Permission", "overrides_of", "permission"]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
OVERRIDE_LASTS_S = 24 * 3600.0


@attrs.frozen
class Consent:
    """One person of a role would let a version in, since `at`: seconds since the epoch, UTC."""

    by: str
    role: str
    at: float


@attrs.frozen
class Permission:
    """Whether a version may come into force; `why` says why not, `overridden` who let it in against the windows."""

    given: bool
    why: str = ""
    overridden: tuple[str, ...] = ()


def overrides_of(file: syntax.File) -> tuple[syntax.Override, ...]:
    """Return who may override the windows and freezes of a file's policies."""
    return tuple(one for change in _changes(file) for one in change.statements if isinstance(one, syntax.Override))


def permission(file: syntax.File, at: float, consents: Iterable[Consent]) -> Permission:
    """Return whether the version that is in force lets another one in at a time, with these people's consent.

    Every policy of the file has its say. A version without windows changes at any time outside its freezes.
    """
    consents, overridden = tuple(consents), list[str]()
    for change in _changes(file):
        closed = _closed(change, at)
        if closed is None:
            continue
        people = _let_in(change, at, consents)
        if people is None:
            return Permission(False, "; ".join((closed, *_remedies(change, at, consents))))
        overridden += people
    return Permission(True, overridden=tuple(dict.fromkeys(overridden)))


def _changes(file: syntax.File) -> list[syntax.Change]:
    return [change for policy in file.policies for change in policy.of(syntax.Change)]


def _closed(change: syntax.Change, at: float) -> str | None:
    """Say why a policy does not change at a time; None where it may."""
    windows = [one for one in change.statements if isinstance(one, syntax.Window)]
    freezes = [one for one in change.statements if isinstance(one, syntax.Freeze)]
    if not windows:
        # A freeze names days; without a window there is no zone but everybody's to say when they begin.
        return _frozen(freezes, _moment(at, datetime.timezone.utc))
    problems = []
    for window in windows:
        try:
            zone = zoneinfo.ZoneInfo(str(window.zone.value))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            problems.append(f"this machine does not know the time zone `{window.zone.value}`; run: pip install tzdata")
            continue
        moment = _moment(at, zone)
        problem = _frozen(freezes, moment) or _outside(window, moment)
        if problem is None:
            return None
        problems.append(problem)
    return "; ".join(dict.fromkeys(problems))


def _moment(at: float, zone: datetime.tzinfo) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).astimezone(zone)


def _frozen(freezes: Iterable[syntax.Freeze], moment: datetime.datetime) -> str | None:
    today = moment.date()
    for freeze in freezes:
        if datetime.date.fromisoformat(freeze.first) <= today <= datetime.date.fromisoformat(freeze.last):
            return f"{today} is in the freeze {freeze.first}..{freeze.last}"
    return None


def _outside(window: syntax.Window, moment: datetime.datetime) -> str | None:
    """A window holds from its opening, up to its closing; its days may go over the week's end."""
    first, last, today = DAYS.index(window.first_day), DAYS.index(window.last_day), moment.weekday()
    on_its_days = first <= today <= last if first <= last else today >= first or today <= last
    opens, closes = (datetime.time.fromisoformat(one) for one in (window.opens, window.closes))
    if on_its_days and opens <= moment.time() < closes:
        return None
    days = window.first_day if first == last else f"{window.first_day}..{window.last_day}"
    allowed = f"{days} {window.opens}..{window.closes}"
    return f"it is {DAYS[today]} {moment:%H:%M} in {window.zone.value}, and it may change {allowed}"


def _let_in(change: syntax.Change, at: float, consents: tuple[Consent, ...]) -> tuple[str, ...] | None:
    """Return the people whose consent is enough; None where it is not."""
    for override in change.statements:
        if isinstance(override, syntax.Override):
            people = _people(override, at, consents)
            if len(people) >= override.people:
                return people
    return None


def _people(override: syntax.Override, at: float, consents: tuple[Consent, ...]) -> tuple[str, ...]:
    """Return the people of the role whose consent still holds, each once."""
    lasts_s = _lasts_s(override)
    there: dict[str, str] = {}
    for one in consents:
        if one.role == override.role.value and one.at <= at <= one.at + lasts_s:
            there.setdefault(one.by.strip().casefold(), one.by)
    return tuple(there.values())


def _lasts_s(override: syntax.Override) -> float:
    return float(str(override.lasts.value)) if override.lasts is not None else OVERRIDE_LASTS_S


def _remedies(change: syntax.Change, at: float, consents: tuple[Consent, ...]) -> list[str]:
    return [
        f"{override.people} people from `{override.role.value}` can let it in for "
        f"{seconds_in_words(_lasts_s(override))}, and {len(_people(override, at, consents))} did"
        for override in change.statements
        if isinstance(override, syntax.Override)
    ]
