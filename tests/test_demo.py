"""`omium demo` as a user meets it: in processes of its own, and every command that it prints does what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest

import omium.demo

Ended: TypeAlias = subprocess.CompletedProcess[str]
OMIUM = [sys.executable, "-c", "from omium.cli import main; main()"]
PATH = Path(omium.demo.__file__).with_name("onboarding.omp")
POLICY = PATH.read_text(encoding="utf-8")
RULE = 1 + next(number for number, line in enumerate(POLICY.splitlines()) if "rule apr_in_band" in line)

ONCE = rf"""
loan-onboarding  exe_[0-9A-Z]+
├── ✔ kyc +KycAgent +◆ ckpt
├── ✔ credit +CreditAgent +◆ ckpt
├── ✘ offer +OfferAgent +APR 0% is outside our licensed band of 2\.5% to 8\.5%\. +onboarding\.omp:{RULE}
├── ✔ offer +attempt 2, told what was wrong +◆ ckpt
├── ✔ handoff +offer -> email agreed by 2 of 3
└── ✔ email +EmailAgent +(send_email )?sent once +◆ ckpt
Recovered in [^:]+: 1 violation, 1 step redone, 2 reused, 0 effects repeated
""".strip()

# A program that connects to, or asks for, anything but this machine ends at once, with a status of its own.
ALONE = """
import os, sys
def hook(event, args):
    host = args[1][0] if event == "socket.connect" and isinstance(args[1], tuple) else None
    host = args[0] if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr") else host
    if host not in (None, "127.0.0.1"):
        os.write(2, f"{event} {args}".encode())
        os._exit(99)
sys.addaudithook(hook)
from omium.cli import main
main()
"""


def run(
    folder: Path, *arguments: str, program: list[str] = OMIUM, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a project of its own."""
    (folder / "omium.toml").touch()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMIUM_", "COLUMNS"))}
    whole = {**inherited, "PYTHONUTF8": "1", **environment}
    return subprocess.run(
        [*program, *arguments], cwd=folder, env=whole, capture_output=True, encoding="utf-8", timeout=60, check=False
    )


def typed(folder: Path, line: str) -> Ended:
    """Type a line that the demo printed."""
    words = shlex.split(line.removeprefix("Next:"))
    assert words[0] == "omium"
    return run(folder, *words[1:])


def emails(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / ".omium" / "demo-outbox.db")) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM message")]


def test_story_of_a_model_that_learns(tmp_path: Path) -> None:
    """The demo prints the story of the documentation, ends well, sends one e-mail and names a command that works."""
    demo = run(tmp_path, "demo")

    assert re.fullmatch(ONCE, demo.stdout.strip()), demo.stdout
    assert demo.returncode == 0
    assert emails(tmp_path) == ["$15,000 at 4.5% a year, $675 in the first. A fair rate for a medium risk."]
    (line,) = demo.stderr.splitlines()
    shown = typed(tmp_path, line)
    assert shown.returncode == 0
    assert "APR 0% is outside" in shown.stdout


@pytest.mark.parametrize("answer", ["--edit", "--set"])
def test_story_that_needs_a_person(tmp_path: Path, answer: str) -> None:
    """It pauses with status 4; each of the answers that it prints, typed as it stands, leads to one e-mail."""
    demo = run(tmp_path, "demo", "--fail", "hard")

    assert demo.returncode == 4
    assert demo.stdout.count("APR 0% is outside our licensed band of 2.5% to 8.5%.") >= 2
    assert demo.stdout.count("↩ rollback to credit") == 1
    assert re.search(r"^Paused[^:]*: 5 violations, 1 rollback, 1 step redone", demo.stdout, re.MULTILINE)
    assert re.search(r"set offer\.output\.apr to 2\.5 .*no history yet", demo.stdout)
    assert not (tmp_path / ".omium" / "demo-outbox.db").exists()
    _, *answers, after = demo.stderr.splitlines()
    (chosen,) = [line for line in answers if f" {answer} " in line]
    reviewed = typed(tmp_path, chosen)
    assert reviewed.returncode == 0, reviewed.stderr
    resumed = typed(tmp_path, after)
    assert resumed.returncode == 0, resumed.stderr
    assert "apr=4.5" in resumed.stdout
    assert [body.split(" a year")[0] for body in emails(tmp_path)] == ["$15,000 at 4.5%"]
    again = typed(tmp_path, after)
    assert again.returncode == 0
    assert len(emails(tmp_path)) == 1


def test_resume_before_an_answer_waits(tmp_path: Path) -> None:
    """Without an answer nothing goes on, however often it is resumed."""
    after = run(tmp_path, "demo", "--fail", "hard").stderr.splitlines()[-1]

    assert typed(tmp_path, after).returncode == 4
    assert typed(tmp_path, after).returncode == 4
    assert not (tmp_path / ".omium" / "demo-outbox.db").exists()


@pytest.mark.parametrize(("fail", "status"), [("once", "completed"), ("hard", "paused")])
def test_json_is_one_object(tmp_path: Path, fail: str, status: str) -> None:
    """With `--json` the whole output is one object that a program can read, and the exit status is the same."""
    demo = run(tmp_path, "demo", "--fail", fail, "--json")

    told = json.loads(demo.stdout)
    assert told["schema_version"] == 1
    assert told["exit_status"] == demo.returncode == (0 if status == "completed" else 4)
    assert (told["workflow"], told["status"]) == ("loan-onboarding", status)
    assert told["execution"].startswith(told["short"])
    assert told["counts"]["rollbacks"] == (0 if status == "completed" else 1)
    assert next(node["where"] for node in told["nodes"] if node["where"]) == f"onboarding.omp:{RULE}"


def test_refused_offer_is_a_hallucination(tmp_path: Path) -> None:
    """The rule is broken by what a model said, so the failure is a `hallucination`; the policy's ladder takes it."""
    run(tmp_path, "demo")
    with closing(sqlite3.connect(tmp_path / ".omium" / "omium.db")) as connection:
        rows = connection.execute("SELECT headers FROM append ORDER BY id").fetchall()
    events = [event for (headers,) in rows for event in json.loads(headers)]

    (failed,) = [one for one in events if one["type"] == "StepFailed"]
    (decided,) = [one for one in events if one["type"] == "RecoveryDecided"]
    assert failed["kind"] == "hallucination"
    assert failed["where"] == f"onboarding.omp:{RULE}"
    assert (decided["source"], decided["strategy"]) == ("repair_offer", "retry")
    (started,) = [one for one in events if one["type"] == "ExecutionStarted" and one["workflow"] == "loan-onboarding"]
    assert (started["policy_name"], started["policy"]) == ("fintech.onboarding", omium.load_policy(PATH).hash)


def test_plain_terminal_gets_plain_text(tmp_path: Path) -> None:
    """Without UTF-8 and without color the story is readable: ASCII only, no escape sequences, no traceback."""
    plain = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "NO_COLOR": "1"}

    demo = run(tmp_path, "demo", **plain)

    assert demo.returncode == 0
    assert demo.stdout.isascii()
    assert "\x1b" not in demo.stdout
    assert "+-- x offer" in demo.stdout
    assert "Traceback" not in demo.stderr


def test_nothing_leaves_the_machine(tmp_path: Path) -> None:
    """The demo asks nobody but this machine, and a proxy in the environment is not used."""
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"), "http://192.0.2.1:9")

    demo = run(tmp_path, "demo", program=[sys.executable, "-c", ALONE], **proxy)

    assert demo.returncode == 0, demo.stderr


def test_project_with_workflows_of_its_own(tmp_path: Path) -> None:
    """A project's `workflows` do not keep the command line from finding the demo's code."""
    (tmp_path / "mine.py").write_text("import omium\n\n@omium.workflow\ndef mine() -> int:\n    return 1\n")
    (tmp_path / "omium.toml").write_text('workflows = ["mine.py"]\n')

    after = run(tmp_path, "demo", "--fail", "hard").stderr.splitlines()[-1]

    assert typed(tmp_path, after).returncode == 4


@pytest.mark.parametrize("framework", ["langgraph", "crewai", "autogen"])
def test_framework_without_its_adapter(tmp_path: Path, framework: str) -> None:
    """A framework whose adapter is not there is a usage error that names the extra; nothing is run."""
    demo = run(tmp_path, "demo", "--framework", framework)

    assert demo.returncode == 2
    assert f"omium[{framework}]" in demo.stderr
    assert not (tmp_path / ".omium").exists()
