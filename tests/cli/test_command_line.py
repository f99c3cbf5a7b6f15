"""The command line itself: its cost, its help, plugins' commands, damage and the machine."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import omium
from omium import exports
from omium.cli import cli
from omium.cli.hints import code_argument, command
from omium.cli.wording import steps_text

PLUGIN = """
import click
from omium_core.hookspecs import hookimpl

@hookimpl
def register_commands(group):
    @group.command("greet")
    def greet():
        click.echo("hello")

    @group.command("show")
    def show():
        click.echo("stolen")
"""


def test_version_is_cheap() -> None:
    """`omium --version` loads neither rich nor plugins; what it costs is row 12 of the benchmarks."""
    code = "import sys; from omium.cli import cli; cli.main(['--version'], 'omium', standalone_mode=False)"
    show = [sys.executable, "-c", f"{code}; print(sorted(sys.modules))"]
    loaded = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert "omium 0." in loaded
    assert not re.search(r"'(rich|pluggy|omium_sqlite|omium\.runtime|omium\.exports)'", loaded)


def test_names_come_when_they_are_asked_for() -> None:
    """Every public name is there, in `dir`, by import and by attribute, and none hides a submodule."""
    public = {name for name in vars(exports) if not name.startswith(("_", "@"))} - {"annotations"}

    assert public == set(omium.__all__)
    assert set(omium.__all__) <= set(dir(omium))
    assert all(getattr(omium, name) is getattr(exports, name) for name in omium.__all__)
    assert not {path.stem for path in Path(omium.__file__).parent.iterdir()} & set(omium.__all__)
    with pytest.raises(AttributeError, match="no attribute `nothing`"):
        omium.nothing  # type: ignore[attr-defined]  # noqa: B018  # that is the point


def test_every_command_has_help_and_common_options(project: Any) -> None:
    """Each command says in one sentence what it does, and takes `--json` and `--no-color`."""
    for name in cli.commands_at:
        done = project.inside(name, "--help")
        assert done.status == 0
        if name not in ("completion", "policy"):
            assert "--json" in done.out
            assert "--no-color" in done.out


def test_the_list_of_commands_fits_a_terminal() -> None:
    """In 80 columns the list of commands says of each the whole of its first sentence."""
    env = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-m", "omium", "--help"], capture_output=True, text=True, env=env, check=True
    )

    listed = done.stdout.split("Commands:\n")[1].splitlines()
    assert len(listed) >= len(cli.commands_at)
    assert [line for line in listed if line.endswith("...")] == []


def test_hints_can_be_typed(project: Any) -> None:
    """A command that is named as next is quoted for a shell, and names the code only where somebody has to."""
    assert command("show", "a b") == "omium show 'a b'"
    assert command("resume", "loan-1", None) == "omium resume loan-1"
    assert (code_argument("loan-onboarding"), code_argument("lend", "my flows.py")) == (None, "my flows.py")


def test_steps_are_named_as_people_know_them() -> None:
    """The digest of a lane says nothing to a person; steps that differ by it alone are one, and counted."""
    paths = ("[ask~7e576a26]ask", "[ask~d5730bd4]ask", "plan", "[left]check")

    assert steps_text(*paths) == "ask (in 2 lanes), plan, [left]check"


def test_unknown_command_is_usage(project: Any) -> None:
    """What does not exist exits 2."""
    done = project.inside("rolback")

    assert done.status == 2
    assert "no such command 'rolback'" in done.err.lower()


def test_a_missing_shell_is_one_line(project: Any) -> None:
    """What may stand in its place is a part of the sentence."""
    done = project.inside("completion")

    assert "'{bash|zsh|fish}'. Choose from: bash, zsh, fish; see `omium completion --help`\n" in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(project: Any, shell: str) -> None:
    """The code for the shell is on stdout, how to load it on stderr."""
    done = project.inside("completion", shell)

    assert "_OMIUM_COMPLETE" in done.out
    assert "omium completion" in done.err


def test_completion_knows_commands_and_executions(recovered: Any) -> None:
    """The shell's question is answered with commands, and with ids where one is wanted."""
    asked = {"_OMIUM_COMPLETE": "bash_complete"}

    assert "plain,rollback" in recovered.omium(COMP_WORDS="omium rol", COMP_CWORD="1", **asked).out
    assert "plain,loan-1" in recovered.omium(COMP_WORDS="omium show lo", COMP_CWORD="2", **asked).out


def test_plugins_add_commands_and_replace_none(recovered: Any, tmp_path: Path) -> None:
    """A plugin's command is there; one under the name of Omium's own is left out, and said so."""
    site = tmp_path / "site"
    info = site / "greeter-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "greeter.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[omium]\ngreeter = greeter\n")
    env = {"PYTHONPATH": str(site)}

    greeted = recovered.omium("greet", **env)
    assert greeted.out == "hello\n"
    assert "plugin `greeter`: the command `show` is one of Omium's own, so it is left out" in greeted.err
    assert "loan" in recovered.omium("show", "loan-1", **env).out


def test_verify_names_what_is_broken(project: Any, recovered: Any) -> None:
    """A changed byte and a missing head are exit status 6, each named."""
    head = recovered.inside("verify", "loan-1", "--json").data["heads"]["loan-1"]
    assert recovered.inside("verify", "--head", head).status == 0
    assert recovered.inside("verify", "--head", "0" * 64).status == 6

    assert project.omium("run", "flows.py:lanes", "--execution-id", "x").status == 0
    with sqlite3.connect(project.folder / ".omium" / "omium.db") as connection:
        connection.execute("UPDATE append SET headers = replace(headers, '\"part\"', '\"pare\"')")
    connection.close()

    done = project.omium("verify")
    assert done.status == 6
    assert "broken: the chain of `x` is broken" in done.out
    assert project.omium("show", "x").status in (0, 6)
    assert project.omium("resume", "x", "flows.py").status == 6


def test_doctor_exits_1_when_something_is_broken(project: Any) -> None:
    """What cannot work is named, with the reason."""
    (project.folder / "omium.toml").write_text('store = "sqlite:///flows.py"\nworkflos = []\n')

    done = project.inside("doctor", "--json")

    found = {(one["name"], one["status"]) for one in done.data["findings"]}
    assert done.status == 1
    assert {("store", "broken"), ("configuration", "warning"), ("python", "ok"), ("sqlite", "ok")} <= found


def test_store_option_wins(recovered: Any, project: Any) -> None:
    """`--store` is where a command looks, whatever the project says."""
    url = f"sqlite:///{recovered.folder / '.omium' / 'omium.db'}"

    assert project.omium("list", "--store", url, "--json").data["executions"][0]["id"] == "loan-1"


def test_origins_are_shown(project: Any) -> None:
    """`config show --origin` says where each value comes from."""
    done = project.omium("config", "show", "--origin", "--json", OMIUM_DURABILITY="process")

    assert done.data["config"]["durability"] == "process"
    assert done.data["origins"]["durability"] == "OMIUM_DURABILITY"
    assert json.loads(done.out)["origins"]["store"] == "default"
