"""Configuration comes from four places in order, says which, and stays out of the home directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from omium import config
from omium.config import Config, blobs_beside, load_config, project_folder
from omium_core.errors import UsageError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project below an empty home directory; the working directory is the project's."""
    for name in [name for name in os.environ if name.startswith("OMIUM_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    folder = home / "project"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(folder)
    return folder


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def test_defaults_lie_in_the_project(project: Path) -> None:
    """Without any source the store lies in `.omium` beside the project, and every field says `default`."""
    write(project / "pyproject.toml", "")

    config = load_config()

    assert config == Config(
        project=project,
        home=project / ".omium",
        store=f"sqlite:///{project}/.omium/omium.db",
        blobs=f"file://{project}/.omium/blobs",
        workflows=(),
        channels={},
        roles={},
        detectors=(),
        durability="power",
        policy=None,
        origins=dict.fromkeys(
            ["store", "blobs", "workflows", "channels", "roles", "detectors", "durability", "policy", "home"],
            "default",
        ),
    )


def test_nothing_is_written(project: Path) -> None:
    """Reading the configuration creates nothing anywhere."""
    before = sorted(project.parent.rglob("*"))

    load_config()

    assert sorted(project.parent.rglob("*")) == before


@pytest.mark.parametrize("marker", ["pyproject.toml", "omium.toml", ".git"])
def test_project_is_found_from_below(project: Path, monkeypatch: pytest.MonkeyPatch, marker: str) -> None:
    """A command in a folder of the project uses the project's store, whichever mark the project has."""
    write(project / marker, "")
    below = project / "src" / "app"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert load_config().home == project / ".omium"


def test_nearest_project_wins(project: Path) -> None:
    """A project inside a project has its own store."""
    inner = project / "inner"
    inner.mkdir()
    write(project / "pyproject.toml", "")
    write(inner / "pyproject.toml", "")

    assert project_folder(inner) == inner


def test_home_directory_is_no_project(project: Path) -> None:
    """A home directory under version control, with a configuration in it, is neither read nor written."""
    write(project.parent / "omium.toml", 'store = "sqlite:///home.db"\n')
    (project.parent / ".git").mkdir()

    config = load_config()

    assert config.project == project
    assert config.origins["store"] == "default"


def test_home_directory_behind_a_link_is_no_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home directory is known under the name that the working directory has for it, too."""
    link = project.parent.parent / "link"
    link.symlink_to(project.parent, target_is_directory=True)
    monkeypatch.setenv("HOME", str(link))
    monkeypatch.setenv("USERPROFILE", str(link))
    write(project.parent / "omium.toml", "")

    assert load_config().project == project


def test_sources_in_order(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument goes before the environment, that before the file, that before the default; field by field."""
    write(
        project / "pyproject.toml",
        '[tool.omium]\nstore = "sqlite:///file.db"\nblobs = "memory://file"\npolicy = "file"\n',
    )
    monkeypatch.setenv("OMIUM_STORE", "sqlite:///variable.db")
    monkeypatch.setenv("OMIUM_BLOBS", "memory://variable")

    config = load_config(store="sqlite:////argument.db")

    assert (config.store, config.blobs, config.policy) == ("sqlite:////argument.db", "memory://variable", "file")
    assert config.origins == {
        "store": "argument",
        "blobs": "OMIUM_BLOBS",
        "workflows": "default",
        "channels": "default",
        "roles": "default",
        "detectors": "default",
        "durability": "default",
        "policy": "pyproject.toml [tool.omium]",
        "home": "default",
    }


def test_every_field_from_a_file(project: Path) -> None:
    """`omium.toml` sets every field; relative paths start from the folder that it lies in."""
    write(
        project / "omium.toml",
        'store = "data/a.db"\nblobs = "data/blobs"\nworkflows = ["app.flows", "flows.py:onboard"]\n'
        'durability = "process"\npolicy = "onboarding.omp"\ndetectors = ["pii"]\n[channels]\non_call = "log"\n',
    )

    config = load_config()

    assert config.store == f"sqlite:///{project}/data/a.db"
    assert config.blobs == f"file://{project}/data/blobs"
    assert config.workflows == ("app.flows", f"{project}/flows.py:onboard")
    assert config.durability == "process"
    assert config.policy == f"{project}/onboarding.omp"
    assert config.channels == {"on_call": "log"}
    assert config.detectors == ("pii",)
    assert set(config.origins.values()) == {"omium.toml", "default"}
    assert config.warnings == ()


def test_every_variable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables set what they are named for; relative paths start from the working directory."""
    below = project / "below"
    below.mkdir()
    write(project / "omium.toml", "")
    monkeypatch.chdir(below)
    monkeypatch.setenv("OMIUM_HOME", "../data")
    monkeypatch.setenv("OMIUM_WORKFLOWS", "app.flows, flows.py ,")
    monkeypatch.setenv("OMIUM_DURABILITY", "process")
    monkeypatch.setenv("OMIUM_POLICY", "baseline")

    config = load_config()

    assert config.store == f"sqlite:///{project}/data/omium.db"
    assert config.blobs == f"file://{project}/data/blobs"
    assert config.workflows == ("app.flows", f"{below}/flows.py")
    assert (config.durability, config.policy) == ("process", "baseline")
    assert config.origins["home"] == "OMIUM_HOME"


def test_empty_variable_is_no_variable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set to nothing counts as not set, as in a shell script that passes it on."""
    monkeypatch.setenv("OMIUM_STORE", "")

    assert load_config().origins["store"] == "default"


def test_paths_as_arguments(project: Path) -> None:
    """A path is as good as text."""
    config = load_config(store=project / "a.db", policy=Path("x.omp"))

    assert config.store == f"sqlite:///{project}/a.db"
    assert config.policy == f"{project}/x.omp"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("sqlite:///a.db?durability=process", "sqlite:///{project}/a.db?durability=process"),
        ("sqlite:////data/a.db", "sqlite:////data/a.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://db.example/omium", "postgresql://db.example/omium"),
    ],
)
def test_store_url(project: Path, given: str, stored: str) -> None:
    """A SQLite URL's path becomes absolute; what is not a local file stays as it is written."""
    assert load_config(store=given).store == stored.format(project=project)


@pytest.mark.parametrize(
    ("store", "blobs"),
    [
        ("sqlite:////p/.omium/omium.db", "file:///p/.omium/blobs"),
        ("sqlite:////data/loans.db?x=1", "file:///data/loans.blobs"),
        ("postgresql://db.example/omium", None),
    ],
)
def test_blobs_lie_beside_their_store(store: str, blobs: str | None) -> None:
    """Where blobs are follows from the store's URL, and two databases in one folder do not share theirs."""
    assert blobs_beside(store) == blobs


def test_own_file_goes_before_the_shared_one(project: Path) -> None:
    """Of two files only `omium.toml` counts, and the other's section is not ignored silently."""
    write(project / "omium.toml", 'policy = "own"\n')
    write(project / "pyproject.toml", '[tool.omium]\npolicy = "shared"\n')

    config = load_config()

    assert config.policy == "own"
    assert config.warnings == ("`pyproject.toml [tool.omium]` is not used, because `omium.toml` stands beside it",)


def test_every_change_of_a_file_is_seen(project: Path) -> None:
    """A file that is written again is read again, also when its length stays and the clock has hardly moved."""
    for name in ("one", "two", "six"):
        write(project / "omium.toml", f'policy = "{name}"\n')

        assert load_config().policy == name


def test_a_file_that_stays_is_read_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every workflow that starts asks for the configuration, so a file is parsed again only when it has changed."""
    read: list[Path] = []
    parse = config._parse
    monkeypatch.setattr(config, "_parse", lambda text, path: read.append(path) or parse(text, path))
    file = project / "omium.toml"
    for seconds, name in ((1_000, "one"), (2_000, "two")):
        write(file, f'policy = "{name}"\nstor = 1\n')
        os.utime(file, (seconds, seconds))

        first, second = load_config(), load_config()

        assert first == second
        assert (first.policy, len(first.warnings)) == (name, 1)
    assert read == [file, file]


def test_unknown_key_is_a_warning(project: Path) -> None:
    """A key of a later Omium, or a misspelt one, is said with its line and stops nothing."""
    write(
        project / "pyproject.toml", '[tool.other]\nstor = 1\n\n[tool.omium]\nstor = "x"\n\n[tool.omium.extra]\na = 1\n'
    )

    assert load_config().warnings == (
        "the key `stor` in pyproject.toml [tool.omium] line 5 is not known; did you mean `store`?",
        "the key `extra` in pyproject.toml [tool.omium] line 7 is not known",
    )


def test_misspelt_variable_is_a_warning(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A near miss is said; other tools' variables with the same beginning are not."""
    monkeypatch.setenv("OMIUM_STOER", "x")
    monkeypatch.setenv("OMIUM_SEED", "1")

    assert load_config().warnings == ("the variable `OMIUM_STOER` is not known; did you mean `OMIUM_STORE`?",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store = 3\n", "`store` in omium.toml line 1 is `3`, expected text"),
        ('policy = ""\n', "`policy` in omium.toml line 1 is empty, expected text"),
        (
            '\nworkflows = "a"\n',
            '`workflows` in omium.toml line 2 is `a`, expected a list of text, such as `["app.flows"]`',
        ),
        ("workflows = [true]\n", "an entry of `workflows` in omium.toml line 1 is `true`, expected text"),
        ("[channels]\na = []\n", "`a` of `channels` in omium.toml line 1 is a list, expected text"),
        (
            'detectors = "pii"\n',
            '`detectors` in omium.toml line 1 is `pii`, expected a list of text, such as `["pii"]`',
        ),
        ("channels = []\n", "`channels` in omium.toml line 1 is a list, expected a table"),
        (
            'durability = "powr"\n',
            "`durability` in omium.toml line 1 is `powr`, expected `power` or `process`; did you mean `power`?",
        ),
        ("a = 1\nstore =\n", "omium.toml` cannot be read as TOML at line 2: "),
        ('store = "', "omium.toml` cannot be read as TOML at "),
        ("\ud800", "omium.toml` cannot be read: it is not UTF-8"),
    ],
)
def test_rubbish_is_one_sentence(project: Path, text: str, message: str) -> None:
    """A value that cannot be meant raises an error that names the file, the line and what was expected."""
    (project / "omium.toml").write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(UsageError) as raised:
        load_config()

    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_section_that_is_no_table(project: Path) -> None:
    """`omium` under `[tool]` that is not a table is said as such."""
    write(project / "pyproject.toml", "[tool]\nomium = 3\n")

    with pytest.raises(UsageError, match="must be a table"):
        load_config()


def test_rubbish_in_the_environment_names_the_variable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever set a wrong value finds it where it was set."""
    monkeypatch.setenv("OMIUM_DURABILITY", "forever")

    with pytest.raises(UsageError, match="the variable `OMIUM_DURABILITY` is `forever`, expected `power` or `process`"):
        load_config()
