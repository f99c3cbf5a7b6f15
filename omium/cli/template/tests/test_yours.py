"""The plugin does what it says, alone and in real executions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import omium
from omium import Apply, Halt, Notify, Pause, Recovery, checkpoint, workflow
from omium.testing import blob_stores
from omium_core.interfaces.recovery import Case, Produced
from omium_yours.blobs import YoursBlobStore
from omium_yours.detector import find_placeholders
from omium_yours.strategy import wait_longer


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in a project of its own, whose store is there and nowhere else."""
    (tmp_path / "omium.toml").write_text('[channels]\nops = "yours:on-call"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def produced(value: Any) -> Produced:
    """An outcome as a detector is given it."""
    return Produced("mails", "exe_1", "mail", None, 1, 1, value)


def case(kind: str, use: int = 1, **options: Any) -> Case:
    """A failure as a strategy is given it."""
    return Case("mails", "exe_1", "mail", None, use, kind, "too fast", (), None, use, 3, options)


def test_placeholders_are_found_wherever_they_are() -> None:
    """Each text of an outcome is looked at, and the violation says where it is."""
    found = list(find_placeholders(produced({"to": "ann", "parts": ["Dear [customer name],", "Bye [1]"]})))

    assert [one.message for one in found] == ["`[customer name]` at `$.parts[0]` was not filled in"]
    assert {one.kind for one in found} == {"unfilled"}
    assert not list(find_placeholders(produced([None, 3, "all is well"])))


def test_waits_get_longer() -> None:
    """The wait doubles with each use; a failure that waiting does not cure is left to the ladder."""
    decisions = [wait_longer(case("rate_limited", use, first_s=0.5)) for use in (1, 2, 3)]

    assert [one.wait_s for one in decisions if one is not None] == [0.5, 1.0, 2.0]
    assert wait_longer(case("hallucination")) is None


@pytest.mark.parametrize("check", blob_stores.CHECKS)
def test_blob_store(check: Callable[..., None], tmp_path: Path) -> None:
    """The blob store keeps what Omium relies on."""
    check(YoursBlobStore, f"yours://{tmp_path}/blobs")


def test_in_an_execution(capsys: pytest.CaptureFixture[str]) -> None:
    """The detector refuses an outcome, the strategy waits for a service, the notifier tells who is on call."""
    answers = iter(["Dear [customer name]", "Dear Ann"])
    limits = iter([True, False])

    @checkpoint("mail", ensures="yours", recovery=Recovery(Notify("ops"), Pause(), kinds=("unfilled",)))
    def mail() -> str:
        return next(answers)

    @checkpoint("send", recovery=Recovery(Apply("yours", times=3, options={"first_s": 0.001}), Halt()))
    def send(text: str) -> str:
        if next(limits):
            raise RateLimitError("slow down")
        return f"sent {text}"

    @workflow
    def mails() -> str:
        return send(mail())

    paused = mails.start(execution_id="mail-1")
    assert paused.status == "paused"
    assert [one.rule for one in paused.violations] == ["yours"]
    assert "for on-call: mails: mail: `[customer name]`" in capsys.readouterr().err

    omium.review("mail-1", approve=True, by="ann", reason="try again")
    assert mails.resume("mail-1").result == "sent Dear Ann"
    assert [one.strategy for one in omium.execution_of("mail-1").recoveries][-1] == "retry"


class RateLimitError(Exception):
    """What a client raises when a service asks to be left alone for a while."""
