"""What `omium plugins new` writes is a plugin that works, under any name that a plugin can have."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from strangers.environment import Environment

from omium.cli import cli


def new(*arguments: str) -> tuple[int, str, str]:
    """Run `omium plugins new`; return its exit status, what it printed and what it said."""
    done = CliRunner().invoke(cli, ["plugins", "new", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_its_own_tests_pass(strangers: Environment, tide: Path) -> None:
    """The tests that it writes pass where it is installed; they run the shipped conformance suite among others."""
    done = strangers.python("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tide)

    assert done.status == 0, done.out + done.err
    passed = re.search(r"(\d+) passed", done.out)
    assert passed is not None and int(passed[1]) > 10
    assert "failed" not in done.out


def test_it_is_listed_with_all_its_hooks(strangers: Environment, tide: Path) -> None:
    """It is in force where it is installed, with everything that it adds."""
    listed = strangers.omium("plugins", "--json", cwd=tide).data()["loaded"]

    (found,) = [one for one in listed if one["name"] == "tide"]
    assert (found["distribution"], found["version"]) == ("omium-tide", "0.1.0")
    assert found["hooks"] == [
        "register_blob_stores",
        "register_commands",
        "register_detectors",
        "register_notifiers",
        "register_strategies",
    ]


def test_its_name_is_everywhere(project: Path) -> None:
    """Nothing of the template's own name is left; Python's names have `_` where the plugin's has `-`."""
    status, out, _ = new("omium-acme-tools", "--json")

    assert status == 0
    made = json.loads(out)
    assert (made["name"], made["folder"]) == ("acme-tools", "omium-acme-tools")
    texts = {one: (project / "omium-acme-tools" / one).read_text() for one in made["files"]}
    assert {"pyproject.toml", "README.md", "omium_acme_tools/plugin.py", "tests/test_acme_tools.py"} <= set(texts)
    assert not [one for one, text in texts.items() if "yours" in (one + text).lower()]
    assert 'acme-tools = "omium_acme_tools.plugin"' in texts["pyproject.toml"]
    assert (
        'DetectorSpec("acme-tools", "omium_acme_tools.detector:find_placeholders")'
        in (texts["omium_acme_tools/plugin.py"])
    )
    for name, text in texts.items():
        if name.endswith(".py"):
            compile(text, name, "exec")


def test_it_goes_where_it_is_told(project: Path) -> None:
    """A folder may be named; an empty one may be there; the message names what to type next."""
    (project / "empty").mkdir()

    assert new("tide", "empty")[0] == 0
    status, out, err = new("tide", "deep/down/here")

    assert status == 0
    assert (project / "empty" / "pyproject.toml").is_file()
    assert out == "deep/down/here: 11 files of a plugin that works; keep what you need of it\n"
    assert "Next: pip install -e deep/down/here pytest" in err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Acme Tools", "did you mean `acme-tools`?"),
        ("1st", "and begins with a letter"),
        ("../up", "did you mean `up`?"),
        ("", "and begins with a letter"),
        ("a--b", "did you mean `a-b`?"),
        ("sqlite", "there is a plugin `sqlite` already, of `omium`"),
        ("yours", "the template has that name"),
    ],
)
def test_bad_names_are_refused(project: Path, name: str, said: str) -> None:
    """A name that could not be a distribution's, or that another plugin has, is refused before anything is written."""
    before = sorted(project.iterdir())

    done = CliRunner().invoke(cli, ["plugins", "new", name], standalone_mode=False)

    assert said in str(done.exception)
    assert sorted(project.iterdir()) == before


def test_what_is_there_stays(project: Path) -> None:
    """A folder with anything in it, a file, and a place that cannot be written are refused, and left as they are."""
    (project / "omium-tide").mkdir()
    (project / "omium-tide" / "mine.txt").write_text("mine")
    (project / "file").write_text("mine")

    for folder in (["omium-tide"], ["file"], []):
        done = CliRunner().invoke(cli, ["plugins", "new", "tide", *folder], standalone_mode=False)
        place = (folder or ["omium-tide"])[0]
        assert str(done.exception) == (
            f"`{place}` is there already; name an empty or a new folder: omium plugins new tide FOLDER"
        )
    done = CliRunner().invoke(cli, ["plugins", "new", "tide", "file/below"], standalone_mode=False)
    assert str(done.exception).startswith("`file/below` cannot be written: ")
    assert sorted(one.name for one in project.iterdir()) == ["file", "omium-tide", "omium.toml"]
    assert [one.name for one in (project / "omium-tide").iterdir()] == ["mine.txt"]
