"""Reviews, rollbacks and forks from other processes, with and without a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

READ_S = 30.0


@pytest.fixture
def asking(tmp_path: Path, project: Any, asked: Any) -> Any:
    """A project with the execution `q`, which waits for a person."""
    shutil.copytree(asked.folder, tmp_path, dirs_exist_ok=True)
    return project


@pytest.fixture
def finished(tmp_path: Path, project: Any, recovered: Any) -> Any:
    """A project with the execution `loan-1`, which recovered, to be changed."""
    shutil.copytree(recovered.folder, tmp_path, dirs_exist_ok=True)
    return project


def test_a_review_is_answered_from_another_process(asking: Any) -> None:
    """The answer is recorded with who and why; `resume` goes on, and the story tells all of it."""
    head = asking.inside("checkpoints", "q", "--json").data["head"]
    answer = ("--edit", "stay in the band", "--by", "ann", "--reason", "obvious", "--expected-head", head)

    assert asking.inside("review", "q", *answer).status == 0
    assert asking.omium("resume", "q", "flows.py").status == 0

    shown = asking.inside("show", "q").out
    assert "ann: edit  obvious   edit: stay in the band" in shown
    assert "told by a person  stay in the band" in shown
    assert "draft   attempt 3, told what was wrong" in shown


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (("--set", "draft.output.apr=4.5"), 0),
        (("--set", "draft.output.apr=0.5"), 4),
        (("--skip",), 1),
        (("--reject",), 3),
        (("--approve",), 3),
        (("--choice", "0"), 3),
        (("--choice", "4"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_every_answer_leads_on(asking: Any, answer: tuple[str, ...], status: int) -> None:
    """Each kind of answer is taken, and the execution ends as that answer means."""
    assert asking.inside("review", "--execution-id", "q", *answer, "--by", "ann").status == 0

    assert asking.omium("resume", "q", "flows.py").status == status


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (("--approve",), 2, "missing option '--by'"),
        (("--by", "ann"), 2, "give an answer"),
        (("--skip", "--reject", "--by", "ann"), 2, "`--skip` and `--reject` are different answers"),
        (("--approve", "--skip", "--by", "ann"), 2, "`--approve` and `--skip` are different answers"),
        (("--choice", "9", "--by", "ann"), 1, "there is no choice 9"),
        (("--set", "apr", "--by", "ann"), 2, "is not of the form `PATH=VALUE`"),
        (("--approve", "--by", "ann", "--expected-head", "ckpt_0000"), 1, "it changed since you looked"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_answer_that_does_not_fit_changes_nothing(
    asking: Any, answer: tuple[str, ...], status: int, said: str
) -> None:
    """A refused answer says why, and the question stays open."""
    done = asking.inside("review", "q", *answer)

    assert (done.status, said in done.err) == (status, True), done.err
    assert asking.inside("list", "--json").data["executions"][0]["status"] == "paused"


def test_recover_without_a_terminal_names_review(asking: Any) -> None:
    """Nobody is asked where nobody is."""
    done = asking.inside("recover", "q", "flows.py")

    assert done.status == 2
    assert "`omium review q --approve --by WHO`" in done.err


def test_recover_asks_a_person_and_goes_on(asking: Any) -> None:
    """On a terminal: what went wrong, numbered choices, who and why, and the execution ends."""
    answers = ["1", "stay in the band", "n", "ann", "obvious", "y"]
    status, shown = at_terminal(asking, "recover", "q", "flows.py", answers=answers)

    assert status == 0, shown
    assert "1 edit    try once more with your advice" in shown
    assert "Recovered in" in shown
    assert "ann: edit  obvious" in asking.inside("show", "q").out


def test_rollback_shows_its_plan_and_asks(finished: Any) -> None:
    """The plan names what is dropped, undone and left; without a terminal the flag is named and nothing happens."""
    looked = finished.omium("rollback", "loan-1", "credit", "--dry-run")
    assert looked.status == 0
    assert "dropped and done again: offer, email" in looked.out
    assert "undone: reserve of offer (compensable)" in looked.out
    assert "stands, not done again: send_email of email (irreversible)" in looked.out

    refused = finished.omium("rollback", "--execution-id", "loan-1", "--to-checkpoint", "credit", "--code", "flows.py")
    assert (refused.status, "`--yes`" in refused.err) == (2, True)
    assert finished.inside("list", "--json").data["executions"][0]["status"] == "completed"

    status, shown = at_terminal(finished, "rollback", "loan-1", "credit", "flows.py", answers=["n"])
    assert status == 130, shown


@pytest.mark.parametrize(
    "args",
    [
        ("loan-1", "credit", "flows.py"),
        ("--execution-id", "loan-1", "--to-checkpoint", "credit", "--code", "flows.py"),
        ("loan-1", "--to-checkpoint", "credit", "flows.py"),
    ],
    ids=" ".join,
)
def test_rollback_undoes_and_resume_does_not_repeat(finished: Any, args: tuple[str, ...]) -> None:
    """Compensable effects are undone and done again, the irreversible one stands and is not."""
    done = finished.omium("rollback", *args, "--yes", "--by", "ann", "--reason", "wrong income")
    assert done.status == 0, done.err
    assert "↩ rollback to credit  by ann   wrong income" in done.out
    assert "send_email  stands" in done.out

    assert finished.omium("resume", "loan-1", "flows.py").status == 0
    assert finished.world().count("email apr 5.0") == 1
    assert finished.world().count("reserve 200") == finished.world().count("release 200") + 1


def test_fork_starts_a_new_execution(finished: Any) -> None:
    """The source stays as it is; the fork's id is the only thing on stdout."""
    made = finished.omium("fork", "loan-1", "flows.py", "--at", "credit", "--new-id", "k2")
    assert made.out == "k2\n"
    done = finished.omium("resume", "k2", "flows.py")

    assert done.status == 0, done.err
    assert "forked from loan-1  at credit" in done.out
    assert finished.inside("verify").status == 0


def at_terminal(project: Any, *args: str, answers: list[str]) -> tuple[int, str]:
    """Run a command at a terminal, answering each prompt in turn; give its status and what was shown."""
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        project.command(*args),
        cwd=project.folder,
        env=project.environment({"TERM": "dumb"}),
        stdin=inner,
        stdout=inner,
        stderr=inner,
    )
    os.close(inner)
    shown, left = "", list(answers)
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
    os.close(outer)
    return process.wait(timeout=READ_S), shown
