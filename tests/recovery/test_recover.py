"""`omium recover` as a person meets it, at a real terminal, and the commands of fixes; in processes of their own."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from omium.testing import VirtualClock

READ_S = 60.0
FLOWS = """
import json
import os
import omium
from omium import Halt, Pause, Recovery, checkpoint, effect, require, workflow

def in_band(offer):
    require(2.5 <= offer["apr"] <= 8.5, f"APR {offer['apr']:g}% is outside of 2.5% to 8.5%.")

@effect(name="reserve", undo=lambda value: None)
def reserve(amount):
    return amount

@effect(name="mail", irreversible=True, volatile=("text",))
def mail(to, text):
    with open("mails.txt", "a") as file:
        file.write(text + "\\n")
    return "sent"

@checkpoint("score")
def score(income):
    return income * 2

@checkpoint("offer", ensures=in_band, recovery=Recovery(Pause("officer"), Halt()))
def offer(income):
    reserve(income)
    return {"apr": 4.5 if omium.current().fixes else 11.75}

@checkpoint("send")
def send(terms):
    return mail("ann", f"apr {terms['apr']}")

@workflow(name="loans")
def loans(income):
    return send(offer(score(income)))

@checkpoint("broken", ensures=in_band, recovery=Recovery(Halt()))
def broken(income):
    return {"apr": 4.5 if os.path.exists("repaired") else 11.75}

@workflow(name="halts")
def halts(income):
    return send(broken(score(income)))
"""


@pytest.fixture(autouse=True)
def clock() -> VirtualClock | None:
    """The processes have the system's clock."""
    return None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with `flows.py`."""
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "omium.toml").write_text('workflows = ["flows.py"]\n')
    return tmp_path


def omium(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "omium", *args],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=READ_S,
    )


def at_terminal(folder: Path, *args: str, answers: list[str], columns: int = 200) -> tuple[int, str]:
    """Run a command at a terminal, answering each prompt in turn; give its status and what was shown."""
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "omium", *args],
        cwd=folder,
        env={**_environment(), "COLUMNS": str(columns)},
        stdin=inner,
        stdout=inner,
        stderr=inner,
    )
    os.close(inner)
    shown, left = "", list(answers)
    try:
        while True:
            ready, _, _ = select.select([outer], [], [], READ_S)
            assert ready, f"nothing came: {shown}"
            try:
                chunk = os.read(outer, 4096).decode(errors="replace")
            except OSError:
                # Linux says so when the last one at the terminal is gone.
                break
            if not chunk:
                break
            shown += chunk
            if left and re.search(r": $", shown):
                os.write(outer, (left.pop(0) + "\n").encode())
                shown += "\n"
    finally:
        os.close(outer)
        process.kill() if left and process.poll() is None else None
    assert not left, f"was not asked for {left}: {shown}"
    return process.wait(timeout=READ_S), shown.replace("\r\n", "\n")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMIUM_", "COLUMNS", "NO_COLOR"))}
    return {**kept, "PYTHONUTF8": "1", "TERM": "dumb", "COLUMNS": "200"}


def test_the_dialogue_from_what_went_wrong_to_the_end(folder: Path) -> None:
    """Story, diagnosis, choices with what is known of them and what they lead to, preview, reason, and on it goes."""
    assert omium(folder, "run", "flows.py:loans", "--input", "100", "--execution-id", "q").returncode == 4

    status, shown = at_terminal(folder, "recover", "q", answers=["6", "n", "ann", "obvious", "y"])

    assert status == 0, shown
    wrong, rest = shown.split("What went wrong\n")[1].split("What can be done\n")
    assert "`offer` failed: APR 11.75% is outside of 2.5% to 8.5%.; for officer (violation, attempt 1)" in wrong
    assert "`offer.output.apr` = 11.75 first appeared in this step itself" in wrong
    choices, asked = rest.split("Choice", 1)
    lines = choices.splitlines()
    assert lines[0] == "  5 fix     set offer.output.apr to 8.5"
    assert lines[1] == "            no history yet"
    assert "            with 8.5 every rule of `offer` holds" in choices.replace("because ", "")
    assert "  1 edit    try once more with your advice" in lines
    assert "            `offer` is done again, as attempt 2; kept: score" in lines
    assert "            undone unless it is asked for again: reserve" in lines
    assert "This records `fix`: tell it:" in asked
    assert "Recovered in" in asked
    assert (folder / "mails.txt").read_text() == "apr 4.5\n"

    story = omium(folder, "show", "q").stdout
    assert "ann: fix  obvious" in story
    assert "found  `offer.output.apr` = 11.75 first appeared in this step itself" in story


def test_the_dialogue_fits_a_narrow_terminal(folder: Path) -> None:
    """Sentences are folded below where they begin, and what is no number is told in words that people have."""
    assert omium(folder, "run", "flows.py:loans", "--input", "100", "--execution-id", "q").returncode == 4

    status, shown = at_terminal(
        folder, "recover", "q", answers=["six", "2", "offer.output.apr=4.5", "ann", "", "y"], columns=60
    )

    assert status == 0, shown
    told = shown.split("What went wrong\n")[1].split("Choice:")[0]
    assert all(len(line) <= 60 for line in told.splitlines()), told
    assert "8.5%.;\n  for officer (violation, attempt 1)" in told
    assert "'six' is not a valid whole number" in shown


def test_what_is_completed_asks_nothing(folder: Path) -> None:
    """`recover` of an execution that completed says so, and needs neither a terminal nor its code."""
    (folder / "omium.toml").unlink()
    (folder / "repaired").touch()
    assert omium(folder, "run", "flows.py:halts", "--input", "7", "--execution-id", "c 1").returncode == 0

    done = omium(folder, "recover", "c 1")

    assert (done.returncode, done.stdout) == (0, "c 1 is completed; there is nothing to recover\n")
    assert done.stderr == "Next: omium show 'c 1'\n"
    assert json.loads(omium(folder, "recover", "c 1", "--json").stdout)["execution"]["status"] == "completed"


def test_the_second_time_the_dialogue_knows_how_it_went(folder: Path) -> None:
    """Confidence moves with what happened in this store, and what was told for always asks nobody any more."""
    for name, always in (("a", "n"), ("b", "y")):
        omium(folder, "run", "flows.py:loans", "--input", "100", "--execution-id", name)
        choice = "5" if name == "b" else "6"
        status, shown = at_terminal(folder, "recover", name, answers=[choice, always, "ann", "", "y"])
        assert status == 0, shown
    assert "worked 1 of 1 time(s) for this failure, confidence 67%" in shown
    assert "it also reaches later executions" in shown

    assert omium(folder, "run", "flows.py:loans", "--input", "7", "--execution-id", "c").returncode == 0
    (listed,) = json.loads(omium(folder, "fixes", "--json").stdout)["fixes"]
    assert (listed["workflow"], listed["place"], listed["by"]) == ("loans", "offer", "ann")
    table = omium(folder, "fixes")
    assert "offer" in table.stdout
    revoke = table.stderr.strip().removeprefix("Next: omium ").replace("WHO", "bob").split()
    assert omium(folder, *revoke).returncode == 0
    assert omium(folder, "run", "flows.py:loans", "--input", "7").returncode == 4
    assert omium(folder, "verify").returncode == 0


def test_an_answer_can_be_taken_back_before_it_is_recorded(folder: Path) -> None:
    """Nothing is recorded until the person has confirmed it; then the last answer counts."""
    omium(folder, "run", "flows.py:loans", "--input", "100", "--execution-id", "q")

    answers = ["3", "ann", "no offer", "n", "2", "offer.output.apr=6.5", "ann", "by hand", "y"]
    status, shown = at_terminal(folder, "recover", "q", answers=answers)

    assert status == 0, shown
    assert (folder / "mails.txt").read_text() == "apr 6.5\n"
    assert "corrected by a person" in shown


def test_a_halted_execution_goes_back_by_dialogue(folder: Path) -> None:
    """There is nothing to answer, so the checkpoints are offered, with what going back does."""
    assert omium(folder, "run", "flows.py:halts", "--input", "100", "--execution-id", "h").returncode == 3
    (folder / "repaired").touch()

    status, shown = at_terminal(folder, "recover", "h", answers=["0", "ann", "repaired it", "y"])

    assert status == 0, shown
    assert "halted: APR 11.75% is outside of 2.5% to 8.5%." in shown
    assert "`broken.output.apr` = 11.75 first appeared in this step itself" in shown
    assert "0 start: done again: score" in shown
    assert "1 score: nothing is dropped" in shown
    assert (folder / "mails.txt").read_text() == "apr 4.5\n"


def test_saying_no_changes_nothing(folder: Path) -> None:
    """A person who does not confirm a rollback leaves the execution as it was."""
    omium(folder, "run", "flows.py:halts", "--input", "100", "--execution-id", "h")
    status, shown = at_terminal(folder, "recover", "h", answers=["1", "ann", "", "n"])
    assert status == 130, shown
    assert json.loads(omium(folder, "list", "--json").stdout)["executions"][0]["status"] == "halted"


@pytest.mark.parametrize(
    ("workflow", "said"),
    [
        ("loans", "answer with `omium review q --approve --by WHO`, or with `--fix N`"),
        ("halts", "`omium rollback q CHECKPOINT --yes` goes back"),
    ],
)
@pytest.mark.parametrize("json_too", [False, True])
def test_without_a_terminal_the_flags_are_named(folder: Path, workflow: str, said: str, json_too: bool) -> None:
    """Nobody is asked where nobody is, and nothing is changed."""
    omium(folder, "run", f"flows.py:{workflow}", "--input", "100", "--execution-id", "q")
    done = omium(folder, "recover", "q", *(["--json"] if json_too else []))
    assert done.returncode == 2
    assert said in done.stderr + done.stdout


def test_the_code_is_looked_for_before_anybody_is_asked(folder: Path) -> None:
    """Nobody decides and only then learns that the execution cannot go on here."""
    omium(folder, "run", "flows.py:loans", "--input", "100", "--execution-id", "q")
    (folder / "omium.toml").write_text("")
    status, shown = at_terminal(folder, "recover", "q", answers=[])
    assert status == 2
    assert "Choice" not in shown


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("review", "q", "--fix", "9", "--by", "ann"), 1, "there is no fix 9"),
        (("review", "q", "--fix", "0", "--by", "ann"), 2, "0 is not in the range x>=1"),
        (("review", "q", "--fix", "1", "--edit", "x", "--by", "ann"), 2, "different answers"),
        (("review", "q", "--fix", "1", "--always", "--by", "ann"), 1, "only advice can reach later executions"),
        (("fixes", "--revoke", "rev_1"), 2, "missing option `--by`"),
        (("fixes", "--revoke", "rev_1", "--by", "ann"), 2, "names no fix that stands"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_no_answer_is_one_sentence(folder: Path, args: tuple[str, ...], status: int, said: str) -> None:
    """A refused answer says why, and the question stays open."""
    omium(folder, "run", "flows.py:loans", "--input", "100", "--execution-id", "q")
    done = omium(folder, *args)
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr
    assert omium(folder, "review", "q", "--approve", "--fix", "1", "--by", "ann").returncode == 0
    assert omium(folder, "resume", "q").returncode == 0


def test_the_demo_shows_the_confidence_moving(tmp_path: Path) -> None:
    """First nobody knows; after a fix that worked, the next run of the demo says so."""
    folder = tmp_path
    (folder / "omium.toml").touch()
    first = omium(folder, "demo", "--fail", "hard")
    assert first.returncode == 4
    assert first.stdout.count("no history yet") == 3
    (fix,) = [line for line in first.stderr.splitlines() if " --fix 1 " in line]
    approve = ["review", "@last", "--approve", "--fix", "1", "--by", "you", "--reason", "the licence"]
    assert fix.split()[3:6] == approve[2:5]
    assert omium(folder, *approve).returncode == 0
    assert omium(folder, "resume", "@last").returncode == 0

    second = omium(folder, "demo", "--fail", "hard")
    known = "worked 1 of 1 time(s) for this failure, confidence 67%"
    assert f"set offer.output.apr to 2.5   --fix 1   {known}" in second.stdout
    assert second.stdout.count("no history yet") == 2
