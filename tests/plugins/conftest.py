"""One clean environment for all tests of strangers' plugins: it is made and filled once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from strangers.distributions import moody, unusable
from strangers.environment import ROOT, Environment, built


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with Omium's own wheel, what `omium plugins new tide` wrote, and plugins that misbehave."""
    folder = tmp_path_factory.mktemp("strangers")
    environment = Environment.made(folder / "venv")
    environment.install([built(ROOT, folder)])
    done = environment.omium("plugins", "new", "tide", folder / "tide", cwd=folder)
    assert done.status == 0, done.err
    environment.install([built(folder / "tide", folder), moody(folder), *unusable(folder)])
    return environment


@pytest.fixture(scope="session")
def tide(strangers: Environment) -> Path:
    """The folder that `omium plugins new tide` wrote."""
    return strangers.folder.parent / "tide"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "omium.toml").write_text("")
    assert not os.environ.get("OMIUM_STORE")
    return tmp_path
