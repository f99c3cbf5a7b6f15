"""`omium run` and `resume`: whole stories in real processes, killed and taken up again."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

LOOKS_MAX = 600


def test_a_recovered_run_shows_its_tree_its_summary_and_its_result(recovered: Any) -> None:
    """The tree has the layout of the contract, and says at its end what recovery cost."""
    shown = recovered.inside("show", "loan-1").out

    assert "✔ credit" in shown
    assert "✘ offer" in shown
    assert "APR 0.0% is outside the band of 2.5% to 8.5%.   flows.py:" in shown
    assert "↩ rollback to credit  by @rollback_on" in shown
    assert "✔ offer   attempt 2, told what was wrong" in shown
    assert "send_email sent once" in shown
    assert "1 violation, 1 rollback, 1 step redone, 1 reused, 0 effects repeated" in shown


@pytest.mark.parametrize("place", ["email", "email apr 5.0"])
def test_a_killed_run_goes_on_from_the_command_line(project: Any, place: str) -> None:
    """After `kill -9` the run ends as if nothing had been; inside an effect, once a person said whether it happened."""
    killed = project.omium("run", "flows.py:loan", "--input", "100", "--execution-id", "k", KILL=place)
    assert killed.status == -signal.SIGKILL
    assert project.inside("list", "--json").data["executions"][0]["status"] == "interrupted"

    resumed = project.omium("resume", "k", "flows.py")
    if place == "email apr 5.0":
        assert resumed.status == 4
        assert "did `send_email` happen?" in resumed.out
        answer = ("--approve", "--value", '"sent"', "--by", "ann", "--reason", "it is in the outbox")
        assert project.inside("review", "k", *answer).status == 0
        resumed = project.omium("resume", "k", "flows.py")

    assert resumed.status == 0, resumed.err
    assert "1 crash, 1 violation, 1 rollback" in resumed.out
    assert "0 effects repeated" in resumed.out
    assert project.world().count("email apr 5.0") == 1
    assert project.inside("verify").status == 0


@pytest.mark.parametrize("workflow", ["waits", "awaits"])
def test_an_interrupt_exits_130_and_names_how_to_go_on(
    project: Any, spawn: Callable[..., subprocess.Popen[str]], workflow: str
) -> None:
    """Control-C loses nothing: the execution is taken up again by the command that is named."""
    process = spawn("run", f"flows.py:{workflow}", "--execution-id", "w", WAIT="1")
    for _ in range(LOOKS_MAX):
        if (project.folder / "begun").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "Next: omium resume w flows.py" in err
    assert "Traceback" not in err
    assert project.omium("resume", "w", "flows.py").status == 0


@pytest.mark.parametrize(
    ("workflow", "status", "said"),
    [("halts", 3, "halted: APR 0.0%"), ("raises", 1, "no such thing (flows.py:"), ("lanes", 0, "")],
)
def test_exit_status_says_how_it_ended(project: Any, workflow: str, status: int, said: str) -> None:
    """Halted by a ladder is 3, a failure of the workflow itself 1; neither prints a traceback."""
    done = project.omium("run", f"flows.py:{workflow}")

    assert done.status == status
    assert said in done.err
    assert "Traceback" not in done.err


def test_traceback_is_printed_on_request(project: Any) -> None:
    """`--traceback` shows the user's own exception with its lines."""
    done = project.omium("run", "flows.py:raises", "--traceback")

    assert "Traceback" in done.err
    assert 'raise ValueError("no such thing")' in done.err


def test_changed_code_diverges(project: Any) -> None:
    """A step that has another name than the record is exit status 5, and nothing is done."""
    project.omium("run", "flows.py:loan", "--input", "100", "--execution-id", "d", KILL="email")
    code = project.folder / "flows.py"
    code.write_text(code.read_text().replace('@checkpoint("credit")', '@checkpoint("scoring")'))

    done = project.omium("resume", "d", "flows.py")

    assert done.status == 5
    assert "at `scoring` the record has `credit`" in done.err


def test_input_reaches_the_workflow_as_its_types(project: Any) -> None:
    """A file of JSON becomes the annotated class; what does not fit is one line, and nothing is run."""
    (project.folder / "input.json").write_text('{"application": {"applicant": "Ann", "income": "10.50"}, "times": 2}')
    assert "Result: Ann 21.00" in project.omium("run", "flows.py:typed", "--input", "@input.json").out

    done = project.omium("run", "flows.py:typed", "--input", '{"application": {"applicant": "Ann"}}')

    assert (done.status, done.out) == (2, "")
    assert done.err == "error: `$.application.income` of the input is missing\n"


def test_what_is_missing_is_named(project: Any) -> None:
    """Files, names and code that are not there exit 2 in one line."""
    project.omium("run", "flows.py:loan", "--input", "100", "--execution-id", "k", KILL="email")
    for args, said in (
        (("run", "nowhere.py"), "there is no file `nowhere.py`"),
        (("run", "no.module"), "there is no file and no module `no.module`"),
        (("resume", "k"), "the code of workflow `loan` is missing"),
        (("recover", "k"), "the code of workflow `loan` is missing"),
        (("fork", "k", "--at", "credit"), "the code of workflow `loan` is missing"),
        (("rollback", "k", "credit", "--yes"), "the code of workflow `loan` is missing"),
        (("resume", "zzz", "flows.py"), "there is no execution `zzz`"),
        (("rollback", "k", "nowhere", "flows.py"), "there is no checkpoint `nowhere`"),
        (("resume",), "ID (or `--execution-id ID`) is missing"),
        (("resume", "k", "flows.py", "more"), "there is nothing that `more` could be"),
    ):
        done = project.inside(*args)
        assert (done.status, said in done.err) == (2, True), (args, done.err)


def test_code_that_does_not_fit_is_named(project: Any) -> None:
    """A file with several workflows, one without the name, one that fails, and one of another workflow."""
    project.omium("run", "flows.py:loan", "--input", "100", "--execution-id", "k", KILL="email")
    (project.folder / "broken.py").write_text("import nothing_like_it\n")
    for args, status, said in (
        (("run", "flows.py"), 2, "name one: `flows.py:asks`"),
        (("run", "flows.py:nope"), 2, "declares no workflow `nope`; it declares"),
        (("run", "broken.py"), 1, "`broken.py` cannot be imported: ModuleNotFoundError"),
        (("resume", "k", "flows.py:halts"), 2, "is an execution of `loan`, not of `halts`"),
    ):
        done = project.omium(*args)
        assert (done.status, said in done.err) == (status, True), (args, done.err)


def test_code_comes_from_the_configuration(project: Any) -> None:
    """`workflows` in omium.toml stands for FILE; a module is found from the working directory."""
    project.omium("run", "flows:loan", "--input", "100", "--execution-id", "k", KILL="email")
    (project.folder / "omium.toml").write_text('workflows = ["flows.py"]\n')

    assert project.omium("resume", "k").status == 0
