"""When a policy may change: windows in their zone, freezes with both their days, overrides by enough people."""

from __future__ import annotations

import datetime
import zoneinfo

import attrs
import pytest
from policy_helpers import policy

from omium_policy.changing import Consent, Permission, permission

OFFICE = 'allow Mon..Thu 09:00..17:00 in "Europe/London"'
NIGHTS = 'allow Sat..Mon 22:00..23:59 in "America/New_York"'
WEDNESDAY = 'allow Wed 09:00..10:00 in "UTC"'
ONE_DAY = "freeze 2026-06-01..2026-06-01"
FREEZE = "freeze 2026-12-18..2027-01-04"
OVERRIDE = 'override needs 2 people from "risk"'
HOUR_S = 3600.0


def at(text: str) -> float:
    """Return a moment in UTC, as seconds since the epoch."""
    return datetime.datetime.fromisoformat(f"{text}+00:00").timestamp()


def asked(change: str, moment: str | float, *consents: Consent) -> Permission:
    """Ask a policy with this change control."""
    file = policy(f"change {{ {change} }}").file
    assert file is not None
    return permission(file, at(moment) if isinstance(moment, str) else moment, consents)


def test_a_policy_that_says_nothing_changes_at_any_time() -> None:
    """Without `change`, or with nothing in it, no time is wrong."""
    assert asked("", "2026-12-20T03:00").given
    file = policy('title "x"').file
    assert file is not None
    assert permission(file, 0.0, ()) == Permission(True)


@pytest.mark.parametrize(
    ("change", "moment", "why"),
    [
        # 2026-06-01 is a Monday; London is an hour ahead of UTC in summer, and is UTC in winter.
        (OFFICE, "2026-06-01T08:00", None),
        (OFFICE, "2026-06-01T07:59", "it is Mon 08:59 in Europe/London, and it may change Mon..Thu 09:00..17:00"),
        (OFFICE, "2026-06-04T15:59", None),
        (OFFICE, "2026-06-04T16:00", "it is Thu 17:00 in Europe/London, and it may change Mon..Thu 09:00..17:00"),
        (OFFICE, "2026-06-05T10:00", "it is Fri 11:00 in Europe/London, and it may change Mon..Thu 09:00..17:00"),
        (OFFICE, "2026-01-05T08:30", "it is Mon 08:30 in Europe/London, and it may change Mon..Thu 09:00..17:00"),
        (OFFICE, "2026-01-05T16:30", None),
        # The days go over the end of the week, and are the zone's: in UTC it is Tuesday already.
        (NIGHTS, "2026-06-02T02:30", None),
        (NIGHTS, "2026-06-03T02:30", "it is Tue 22:30 in America/New_York, and it may change Sat..Mon 22:00..23:59"),
        (f"{OFFICE} {NIGHTS}", "2026-06-02T02:30", None),
        (WEDNESDAY, "2026-06-03T09:30", None),
        (WEDNESDAY, "2026-06-02T09:30", "it is Tue 09:30 in UTC, and it may change Wed 09:00..10:00"),
        (FREEZE, "2026-12-17T23:59", None),
        (FREEZE, "2026-12-18T00:00", "2026-12-18 is in the freeze 2026-12-18..2027-01-04"),
        (FREEZE, "2027-01-04T23:59", "2027-01-04 is in the freeze 2026-12-18..2027-01-04"),
        (FREEZE, "2027-01-05T00:00", None),
        (f"{OFFICE} {FREEZE}", "2026-12-21T10:00", "2026-12-21 is in the freeze 2026-12-18..2027-01-04"),
        # A freeze's days are those of the window's zone: New York is still in the day before.
        (f"{NIGHTS} freeze 2026-06-02..2026-06-03", "2026-06-02T02:30", None),
        (f"{NIGHTS} {ONE_DAY}", "2026-06-02T02:30", "2026-06-01 is in the freeze 2026-06-01..2026-06-01"),
    ],
)  # fmt: skip
def test_windows_and_freezes(change: str, moment: str, why: str | None) -> None:
    """A window is open from its first minute, up to its last; a freeze holds on both of its days."""
    assert asked(change, moment) == Permission(why is None, why or "")


def test_enough_people_of_the_role_override() -> None:
    """Two people are two, however often one of them says so; what they say holds for a day, or as long as it says."""
    noon = at("2026-06-06T12:00")
    ann, again, bob = (Consent(one, "risk", noon - HOUR_S) for one in ("ann", "Ann ", "bob"))
    stranger = Consent("eve", "sales", noon - HOUR_S)
    change = f"{OFFICE} {OVERRIDE}"

    refused = asked(change, noon, ann, again, stranger)
    assert not refused.given
    assert refused.why.endswith("; 2 people from `risk` can let it in for 1d, and 1 did")
    assert asked(change, noon, ann, again, bob) == Permission(True, overridden=("ann", "bob"))
    assert asked(change, noon + 23 * HOUR_S, ann, bob).given
    assert not asked(change, noon + 23 * HOUR_S + 1, ann, bob).given
    assert not asked(f"{change} for 2h", noon + HOUR_S + 1, ann, bob).given
    assert not asked(change, noon - 2 * HOUR_S, ann, bob).given


def test_every_policy_of_a_file_has_its_say() -> None:
    """The strictest one decides."""
    first = policy(f"change {{ {OFFICE} }}").file
    second = policy(f"change {{ {FREEZE} }}").file
    assert first is not None and second is not None
    both = attrs.evolve(first, policies=(*first.policies, *second.policies))
    assert permission(both, at("2026-06-01T10:00"), ()).given
    assert not permission(both, at("2026-12-21T10:00"), ()).given
    assert not permission(both, at("2026-06-06T10:00"), ()).given


def test_a_machine_without_time_zones_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown zone is an error at load that names the remedy, and never an open window."""
    file = policy(f"change {{ {OFFICE} }}").file
    assert file is not None
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    monkeypatch.setattr(zoneinfo, "ZoneInfo", _no_zone)
    [found] = policy(f"change {{ {OFFICE} }}").errors
    assert (found.code, found.help) == ("unknown-zone", "this machine has no time zones; run: pip install tzdata")

    assert permission(file, at("2026-06-01T10:00"), ()) == Permission(
        False, "this machine does not know the time zone `Europe/London`; run: pip install tzdata"
    )


def _no_zone(name: str) -> zoneinfo.ZoneInfo:
    raise zoneinfo.ZoneInfoNotFoundError(name)
