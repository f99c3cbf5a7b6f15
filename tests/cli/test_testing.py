"""`omium test`, as it is typed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
STORY = """\
# One sale.

workflow selling.py
input "a map"
answer ask_price 3

run
----
completed: here is a map
"""
FAILING = """

@omium.scenario("too_dear")
def _(s: Stage) -> None:
    s.input("a map")
    s.answer("ask_price", 99)
    s.expect(status="paused", effects={"take_money": 0})
"""


@pytest.fixture
def shop(project: Any) -> Any:
    """The project with a file of scenarios and a folder of text scenarios."""
    shutil.copy(HERE.parent / "testing" / "selling.py", project.folder)
    (project.folder / "stories" / "deep").mkdir(parents=True)
    (project.folder / "stories" / "deep" / "sale.scenario").write_text(STORY.replace(" selling", " ../../selling"))
    return project


def test_a_files_scenarios_are_played(shop: Any) -> None:
    """Each has its line; nothing of it is left in the project."""
    done = shop.omium("test", "selling.py")

    assert (done.status, done.err) == (0, "")
    assert re.fullmatch(r"passed    happy_path  selling\.py:\d+", done.out.splitlines()[0])
    assert done.out.splitlines()[-1] == "6 passed, 0 failed"
    assert not (shop.folder / ".omium").exists()


def test_a_failed_scenario_is_exit_status_1(shop: Any) -> None:
    """It says what is not as expected, one line each."""
    with (shop.folder / "selling.py").open("a") as file:
        file.write(FAILING)

    done = shop.omium("test", "--file", "selling.py", "--scenario", "too_dear")

    assert done.status == 1
    assert re.fullmatch(r"failed    too_dear  selling\.py:\d+", done.out.splitlines()[0])
    assert done.out.splitlines()[1:] == [
        "    the status is `completed`, expected `paused`",
        "    `take_money` is standing 1 times, expected 0",
        "0 passed, 1 failed",
    ]


def test_text_scenarios_and_rewrite(shop: Any) -> None:
    """A file or a folder of text scenarios is played; a difference is shown as one, `--rewrite` takes it over."""
    story = shop.folder / "stories" / "deep" / "sale.scenario"
    assert shop.omium("test", "stories").out == "passed    sale  stories/deep/sale.scenario\n1 passed, 0 failed\n"

    right = story.read_text()
    story.write_text(right.replace("a map\n", "a globe\n"))
    failed = shop.omium("test", "stories/deep/sale.scenario")
    assert failed.status == 1
    assert "    -completed: here is a globe" in failed.out.splitlines()
    assert "    +completed: here is a map" in failed.out.splitlines()

    assert shop.omium("test", "stories", "--rewrite").out.startswith("rewritten sale")
    assert story.read_text() == right


def test_json(shop: Any) -> None:
    """One object with every scenario, whatever the workflows print."""
    with (shop.folder / "selling.py").open("a") as file:
        file.write(FAILING + "\nprint('hello')\n")

    done = shop.omium("test", "selling.py", "--json")

    assert done.status == 1
    assert (done.data["ok"], done.data["passed"], done.data["failed"]) == (False, 6, 1)
    (failed,) = [one for one in done.data["scenarios"] if one["problem"]]
    assert failed["name"] == "too_dear"
    assert failed["problem"].startswith("the status is `completed`")


def test_the_configured_workflows_are_played(shop: Any) -> None:
    """Without a file, the configured `workflows` say what there is to play."""
    (shop.folder / "omium.toml").write_text('workflows = ["selling"]\n')

    assert shop.omium("test", "--scenario", "happy_path").out.endswith("1 passed, 0 failed\n")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "no scenarios are named; give a file or folder, or set `workflows` in [tool.omium]"),
        (["flows.py"], "there is no scenario in `flows.py`"),
        (["nowhere.scenario"], "there is no file `nowhere.scenario`"),
        (["nowhere.py"], "there is no file `nowhere.py`"),
        (["selling.py", "--scenario", "happy_pth"], "there is no scenario `happy_pth` in `selling.py`; did you mean"),
        (["selling.py", "stories"], "there is nothing that `stories` could be"),
    ],
)
def test_nothing_to_play_is_a_mistake(shop: Any, given: list[str], sentence: str) -> None:
    """No scenario at all is exit status 2 and one sentence, never a success."""
    done = shop.omium("test", *given)

    assert done.status == 2
    assert sentence in done.err
    assert done.out == ""
