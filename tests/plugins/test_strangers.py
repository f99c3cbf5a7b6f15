"""Distributions that are not Omium's, built and installed for real, add to it, are used, and harm nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from strangers import flows
from strangers.distributions import UNUSABLE
from strangers.environment import Environment, written

OWN = ["fsspec", "notify", "packs", "sqlite"]


@pytest.fixture
def project(project: Path) -> Path:
    """A project with the workflows."""
    shutil.copy(flows.__file__, project / "flows.py")
    return project


def said(strangers: Environment, project: Path, *expressions: str) -> list[Any]:
    """Evaluate expressions in one process of the environment, in the project; return what they gave."""
    done = strangers.python("flows.py", *expressions, cwd=project)
    assert done.status == 0, done.err
    given: list[Any] = json.loads(done.out)
    return given


def test_all_are_listed(strangers: Environment, project: Path) -> None:
    """Plugins that are in force, those that are not with the reason, and what is left out of one: nothing is silent."""
    listed = strangers.omium("plugins", "--json", cwd=project).data()

    assert [one["name"] for one in listed["loaded"]] == [*OWN, "moody", "tide"]
    assert {one["name"]: one["distribution"] for one in listed["failed"]} == {
        name: f"omium-x-{name}" for name in UNUSABLE
    }
    for one in listed["failed"]:
        assert UNUSABLE[one["name"]][1] in one["reason"]
    assert listed["left_out"] == [
        {"name": "moody", "reason": "the command `show` is one of Omium's own, so it is left out"}
    ]


def test_the_doctor_says_so_too(strangers: Environment, project: Path) -> None:
    """What cannot be used is a warning: Omium itself is in order. A detector that is not there is not."""
    done = strangers.omium("doctor", "--json", cwd=project)

    findings = done.data()["findings"]
    warned = [one["message"] for one in findings if one["status"] == "warning"]
    assert done.status == 0
    assert all(any(f"`{name}`" in one and UNUSABLE[name][1] in one for one in warned) for name in UNUSABLE)
    assert any("the command `show` is one of Omium's own" in one for one in warned)
    assert any("'not a finding'" in one for one in warned)
    assert {"name": "moody", "status": "ok", "message": "in the mood"} in findings

    (project / "omium.toml").write_text('detectors = ["tied"]\n[channels]\nops = "tidal"\n')
    done = strangers.omium("doctor", "--json", cwd=project)
    broken = [one["message"] for one in done.data()["findings"] if one["status"] == "broken"]
    assert done.status == 1
    assert sorted(broken) == [
        "every outcome is refused: no plugin has the detector `tied`; did you mean `tide`?",
        "no plugin is the notifier `tidal`; did you mean `tide`?",
    ]


def test_a_distribution_inside_of_omium_is_named(strangers: Environment, project: Path) -> None:
    """Whoever installs files into Omium's own package is named; until it is uninstalled, nothing else is the matter."""
    intruder = written(project, "omium-enterprise", {"omium/enterprise": "edition = 1\n"}, {})
    strangers.install([intruder])
    try:
        done = strangers.omium("doctor", "--json", cwd=project)
        listed = strangers.omium("plugins", "--json", cwd=project).data()["loaded"]
    finally:
        strangers.uninstall("omium-enterprise")

    broken = [one["message"] for one in done.data()["findings"] if one["status"] == "broken"]
    assert done.status == 1
    assert broken == ["`omium`, `omium-enterprise` all provide the package `omium`; uninstall all but one"]
    assert [one["name"] for one in listed] == [*OWN, "moody", "tide"]
    assert strangers.omium("doctor", cwd=project).status == 0


def test_a_plugin_does_its_part_in_an_execution(strangers: Environment, project: Path) -> None:
    """The detector refuses an outcome, the notifier tells, the blob store keeps what is large, a person goes on."""
    (project / "omium.toml").write_text(f'blobs = "tide://{project}/kept"\n[channels]\nops = "tide:on-call"\n')

    ran = strangers.omium("run", "flows.py:mails", "--input", '"Ann"', "--execution-id", "m", cwd=project)
    assert ran.status == 4, ran.err
    assert "for on-call: mails: write: `[customer name]` at `$` was not filled in" in ran.err
    assert strangers.omium("show", "m", "--json", cwd=project).out.count("unfilled") >= 1

    approve = ("review", "m", "--approve", "--by", "ann", "--reason", "say who it is")
    assert strangers.omium(*approve, cwd=project).status == 0
    resumed = strangers.omium("resume", "m", "flows.py:mails", cwd=project)
    assert resumed.status == 0, resumed.err
    assert f"Result: {len('Dear Ann, ') + len(flows.LONG)}" in resumed.out
    assert list((project / "kept").iterdir())
    assert strangers.omium("verify", "m", cwd=project).status == 0

    for one in (project / "kept").iterdir():
        one.unlink()
    assert strangers.omium("verify", "m", cwd=project).status == 6


def test_a_detector_for_all_steps(strangers: Environment, project: Path) -> None:
    """`detectors` in the configuration looks at steps that know nothing of it."""
    fine = strangers.omium("run", "flows.py:unruled", "--input", '"Dear Ann"', cwd=project)
    refused = strangers.omium(
        "run", "flows.py:unruled", "--input", '"Dear [customer name]"', cwd=project, OMIUM_DETECTORS="tide"
    )

    assert fine.status == 0, fine.err
    assert refused.status == 3
    assert "`[customer name]` at `$.text` was not filled in" in refused.err


def test_a_strategy_decides(strangers: Environment, project: Path) -> None:
    """A ladder's strategy, and that of an agent's configuration, say what is done; the journal says who said so."""
    (patient,) = said(strangers, project, "patiently()")

    assert patient["result"] == ["fine", "fine"]
    assert patient["recoveries"] == ["retry"] * 3
    assert patient["failed"] == []
    shown = strangers.omium("show", "@last", cwd=project).out
    assert "as the strategy tide decided: rate_limited, so wait 0.002 s" in shown


def test_a_command(strangers: Environment, project: Path) -> None:
    """A plugin's command is one of `omium`; one that has another's name is not; one that raises is one sentence."""
    found = strangers.omium("tide", "Dear [customer name]", cwd=project)
    assert (found.status, found.out) == (1, "[customer name]\n")
    assert "tide " in strangers.omium("--help", cwd=project).out

    shown = strangers.omium("show", "@last", cwd=project)
    assert "this is not what you asked for" not in shown.out
    raising = strangers.omium("moody", cwd=project)
    assert raising.status == 1
    assert [line for line in raising.err.splitlines() if "not today" in line]
    assert "Traceback" not in raising.err


def test_a_detector_that_fails_lets_nothing_pass(strangers: Environment, project: Path) -> None:
    """Whatever a detector does, the outcome that it did not judge is refused, and the failure is in the journal."""
    detectors = (
        "raising", "leaving", "rubbish", "late", "absent", "endless", "textless", "unstorable", "unspeakable", "abset"
    )  # fmt: skip
    told = said(strangers, project, *(f"judged('moody.{name}')" for name in detectors))

    for name, one in zip(detectors, told, strict=True):
        assert (one["status"], one["result"], one["verified"]) == ("completed", None, True), name
        assert one["recoveries"] == ["retry", "skip"], name
        assert [entry[1] for entry in one["failed"]] == [f"detector moody.{name}"] * 2, name
    assert [one["failed"][0][0] for one in told] == ["moody"] * 7 + ["moody.unstorable", "moody", "moody.abset"]
    assert [one["failed"][0][2] for one in told] == [
        "raised LookupError: no model today",
        "raised SystemExit: 3",
        "returned `'all wrong'`, not violations",
        "raised OSError: and then the disk was full",
        "cannot be used: `omium_moody_parts` has no `detect_absent`",
        "returned more than 1000 violations",
        "returned `b'wrong'` where a text belongs",
        "gave a violation that cannot be journaled: `$.values.where[0]` cannot be stored: `builtins."
        "builtin_function_or_method` is not data; keep what it was made from, or install a codec plugin for it",
        "raised Unspeakable: something that cannot be shown (Unspeakable)",
        "is not there: no plugin has the detector `moody.abset`; did you mean `moody.absent`?",
    ]
    shown = strangers.omium("show", "@last", cwd=project).out
    assert "detector `moody.abset` could not judge this outcome" in shown


def test_a_strategy_that_fails_is_passed_over(strangers: Environment, project: Path) -> None:
    """The ladder's next rung is taken; a strategy is asked no more often than the ladder says."""
    strategies = ("raising", "rubbish", "nowhere", "unknown", "unspeakable", "greedy")
    told = said(strangers, project, *(f"decided('moody.{name}')" for name in strategies))

    for name, one in zip(strategies, told, strict=True):
        assert (one["status"], one["result"]) == ("completed", "fine"), name
        assert one["recoveries"] == ["retry"] * 3, name
    # After the first failure the ladder is behind the strategy.
    assert [len(one["failed"]) for one in told] == [1, 1, 1, 1, 1, 0]
    assert [one["failed"][0][2] for one in told[:5]] == [
        "raised ZeroDivisionError: division by zero",
        "returned `'retry'`, not a decision",
        "decided to roll back to `a checkpoint that there is not`, and there is no such checkpoint",
        "raised UsageError: a decision cannot be `give up`; it is one of retry, rollback, fallback, compensate, "
        "notify, pause, skip, halt",
        r"returned `'not \ud800 Unicode'`, which is not Unicode",
    ]


def test_asynchronous_lanes_are_decided_about_each(strangers: Environment, project: Path) -> None:
    """Detectors and strategies take part in asynchronous steps that run beside one another."""
    (beside,) = said(strangers, project, "beside()")

    assert beside["result"] == ["fine 0", "fine 1", None]
    assert sorted(beside["recoveries"]) == ["retry", "retry", "retry", "skip"]
    assert beside["failed"] == [["moody", "detector moody.rubbish", "returned `'all wrong'`, not violations"]]


def test_a_strategy_that_takes_the_process_with_it(strangers: Environment, project: Path) -> None:
    """What it was asked about is not lost: the next process goes on, and asks once more where it has to."""
    (project / "alive").touch()

    died = strangers.omium("run", "flows.py:mortal", "--execution-id", "m", cwd=project)
    assert died.status == -9
    resumed = strangers.omium("resume", "m", "flows.py:mortal", cwd=project)

    assert resumed.status == 0, resumed.err
    assert "Result: lived" in resumed.out
    assert strangers.omium("verify", "m", cwd=project).status == 0


def test_a_failure_that_a_crash_left_undecided_is_decided_about(strangers: Environment, project: Path) -> None:
    """Also where another lane's append has taken the failure into the journal, no attempt begins without a decision."""
    (project / "alive").touch()
    (project / "wait").touch()

    assert strangers.omium("run", "flows.py:mortal_beside", "--execution-id", "m", cwd=project).status == -9
    resumed = strangers.omium("resume", "m", "flows.py:mortal_beside", cwd=project)
    (told,) = said(strangers, project, "told(omium.execution_of('m'))")

    assert resumed.status == 0, resumed.err
    assert told["result"] == "lived beside 3"
    assert told["recoveries"] == ["retry"]


def test_a_notifier_that_fails_keeps_nobody(strangers: Environment, project: Path) -> None:
    """That nobody was told is in the journal, and the ladder goes on."""
    (untold,) = said(strangers, project, "untold()")

    assert (untold["status"], untold["result"]) == ("completed", "fine")
    assert untold["failed"] == [["moody", "channel moody", "raised ConnectionError: the line is dead"]]
    assert "the line is dead" in strangers.omium("show", "@last", cwd=project).out


def test_a_blob_store_that_fails_stops_and_loses_nothing(strangers: Environment, project: Path) -> None:
    """The execution stops where it stands, in one sentence, and goes on when the blobs can be kept again."""
    (project / "omium.toml").write_text('blobs = "moody:///"\n[channels]\nops = "log"\n')
    (project / "moody").touch()
    run = ("run", "flows.py:mails", "--input", '"Ann"', "--execution-id", "m", "--no-color")

    stopped = strangers.omium(*run, cwd=project)
    assert stopped.status == 1
    assert "no room for blobs today" in stopped.err
    assert "Traceback" not in stopped.err

    (project / "moody").unlink()
    assert strangers.omium("resume", "m", "flows.py:mails", cwd=project).status == 4
    (project / "moody").touch()
    unread = strangers.omium("verify", "m", cwd=project)
    assert unread.status != 0
    assert "no blobs today" in unread.out + unread.err
    assert "Traceback" not in unread.err


def test_a_blob_store_that_cannot_be_opened_is_one_sentence(strangers: Environment, project: Path) -> None:
    """Its factory may raise anything."""
    (project / "omium.toml").write_text('blobs = "gone:///"\n')

    done = strangers.omium("run", "flows.py:unruled", "--input", '"a"', cwd=project)

    assert done.status == 1
    assert "`gone:///`" in done.err
    assert "nobody answers" in done.err
    assert "Traceback" not in done.err


def test_without_the_plugin_what_it_took_part_in_is_there(strangers: Environment, project: Path) -> None:
    """An execution that a plugin decided about is shown and verified where the plugin is not installed any more."""
    said(strangers, project, "patiently()")

    shown = strangers.omium("show", "@last", cwd=project, OMIUM_LOAD_PLUGINS="")
    assert shown.status == 0
    assert "as the strategy tide decided" in shown.out
    assert strangers.omium("verify", cwd=project, OMIUM_LOAD_PLUGINS="").status == 0
