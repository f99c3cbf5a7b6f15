"""What commands print: trees, tables and JSON, on every kind of output."""

from __future__ import annotations

import re
from typing import Any

import pytest

LOOKING = (
    (),
    ("list",),
    ("show", "loan-1"),
    ("checkpoints", "loan-1"),
    ("verify",),
    ("doctor",),
    ("plugins",),
    ("config", "show"),
    ("config", "show", "--origin"),
    ("rollback", "loan-1", "credit", "--dry-run"),
)
ANSI = re.compile(r"\x1b\[")


@pytest.mark.parametrize("args", LOOKING, ids=" ".join)
def test_json_is_one_object_with_a_schema_version(recovered: Any, args: tuple[str, ...]) -> None:
    """`--json` prints one object, and nothing else, on stdout."""
    done = recovered.inside(*args, "--json")

    assert done.status == 0, done.err
    assert done.data["schema_version"] == 1
    assert "Next:" not in done.err


@pytest.mark.parametrize("args", [("show",), ("checkpoints",), ("doctor",)], ids=" ".join)
def test_plain_output_is_readable_everywhere(recovered: Any, args: tuple[str, ...]) -> None:
    """In a pipe, in ASCII and in 40 columns there is text without escapes and without a traceback."""
    for env in (
        {},
        {"NO_COLOR": "1", "FORCE_COLOR": "1"},
        {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    ):
        done = recovered.omium(*args, COLUMNS="40", **env)
        assert done.status == 0, done.err
        assert not ANSI.search(done.out + done.err)
        assert "Traceback" not in done.err
        assert done.out.isascii() or "PYTHONIOENCODING" not in env


def test_ascii_output_has_ascii_glyphs(recovered: Any) -> None:
    """A terminal that is not UTF-8 gets marks that it can show, not question marks."""
    shown = recovered.omium("show", "loan-1", PYTHONUTF8="0", PYTHONIOENCODING="ascii").out

    assert "+ credit" in shown
    assert "x offer" in shown
    assert "< rollback to credit" in shown
    assert "?" not in shown


def test_lines_are_not_folded_in_a_pipe(recovered: Any) -> None:
    """Whoever greps gets whole lines."""
    (line,) = [one for one in recovered.inside("show", "loan-1").out.splitlines() if "✘ offer" in one]

    assert "flows.py:" in line


@pytest.mark.parametrize(
    "args",
    [
        ("checkpoints", "loan-1"),
        ("checkpoints", "--execution-id", "loan-1"),
        ("checkpoints", "--execution-id", "loan-1", "--list"),
        ("checkpoints", "@last"),
        ("checkpoints",),
        ("checkpoints", "loa"),
    ],
    ids=" ".join,
)
def test_an_execution_is_named_in_every_form(recovered: Any, args: tuple[str, ...]) -> None:
    """By place, by option, by prefix, as the last one, or not at all."""
    points = recovered.inside(*args, "--json").data["checkpoints"]

    assert [one["name"] for one in points] == ["start", "credit", "offer", "email"]


def test_data_goes_to_stdout_and_messages_to_stderr(recovered: Any) -> None:
    """The next command is a message; the table is data."""
    done = recovered.inside("list")

    assert "loan-1" in done.out
    assert "Next:" not in done.out
    assert done.err.splitlines()[0] == "Next: omium show loan-1"


def test_user_code_cannot_spoil_the_json(project: Any) -> None:
    """What a workflow prints goes to stderr where stdout is to hold one object."""
    done = project.omium("run", "flows.py:loan", "--input", "100", "--json")

    assert done.data["execution"]["result"] == "sent"
    assert done.data["counts"]["repeated"] == 0
    assert "from the workflow" in done.err


def test_errors_are_one_object_too(project: Any) -> None:
    """A script that asked for JSON gets the error's stable code."""
    for args, code, status in ((("show",), "usage", 2), (("review", "x", "--approve"), "usage", 2)):
        done = project.inside(*args, "--json")
        assert done.status == status
        assert done.data["error"]["code"] == code
        assert done.data["error"]["exit_status"] == status


def test_looking_makes_no_store(project: Any) -> None:
    """Commands that only look leave the folder as it was."""
    before = sorted(project.folder.iterdir())

    assert project.inside().status == 0
    assert project.inside("list").status == 2
    assert project.inside("doctor").status == 0
    assert sorted(project.folder.iterdir()) == before


def test_home_names_what_waits_for_a_person(asked: Any) -> None:
    """`omium` alone shows the last executions, the open questions, and what to type."""
    home = asked.inside()

    assert "waits for a person: q `draft` failed: APR 11.9%" in home.out
    assert "Next: omium recover q" in home.err


def test_lines_are_not_coloured_on_request_even_at_a_terminal(recovered: Any) -> None:
    """`FORCE_COLOR` colours a pipe; `--no-color` and `NO_COLOR` stop it."""
    assert ANSI.search(recovered.omium("show", FORCE_COLOR="1", TERM="xterm").out)
    assert not ANSI.search(recovered.omium("show", "--no-color", FORCE_COLOR="1", TERM="xterm").out)
