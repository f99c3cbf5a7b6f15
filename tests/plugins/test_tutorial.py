"""The page that teaches how to write a plugin is followed to the letter, in a clean environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import Page, at_a_terminal, environment
from strangers.environment import ROOT, Environment

TUTORIAL = Page.read(ROOT / "docs" / "plugins" / "tutorial.md")
DISTRIBUTION = "omium-secrets"


@pytest.fixture
def reader(strangers: Environment) -> Iterator[dict[str, str]]:
    """What a reader has: Omium, and pip, which here fetches nothing; only the tutorial's plugin is looked at."""
    bare = {name: value for name, value in environment().items() if not name.startswith(("PYTHON", "COV_", "VIRTUAL"))}
    yield {
        **bare,
        "PATH": f"{strangers.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUTF8": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as the value of `--build-isolation`
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "OMIUM_LOAD_PLUGINS": DISTRIBUTION,
    }
    strangers.uninstall(DISTRIBUTION)


def test_it_can_be_followed(reader: dict[str, str], tmp_path: Path) -> None:
    """Its commands do and print what it says, with the files that it tells to save in the places that it names."""
    commands = [one for block in TUTORIAL.running("console") for one in block.commands()]
    begun = next(number for number, one in enumerate(commands) if one.line.startswith("rm ")) + 2

    TUTORIAL.run_commands(tmp_path, commands[:begun], reader)
    project = tmp_path / DISTRIBUTION
    TUTORIAL.write_files(project)
    TUTORIAL.run_commands(project, commands[begun:], reader)

    # The misspelling that the page speaks of, at the end: what it promises is what happens.
    hooks = project / "omium_secrets" / "plugin.py"
    hooks.write_text(hooks.read_text().replace("register_detectors", "register_detector"))
    listed, _ = at_a_terminal("omium plugins", project, reader)
    assert "did you mean `register_detectors`?" in " ".join(listed.split())


def test_its_files_are_those_that_the_template_has() -> None:
    """What it tells its reader to save takes the place of files that `omium plugins new` wrote."""
    template = ROOT / "omium" / "cli" / "template"
    written = {path.relative_to(template).as_posix().replace("yours", "secrets") for path in template.rglob("*.py")}

    assert {one.save_this for one in TUTORIAL.blocks if one.save_this} <= written
