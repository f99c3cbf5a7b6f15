"""Each test has a store of its own in an empty project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import omium


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project as the working directory, with a store that is closed afterwards."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "omium.toml").write_text('durability = "process"\n')
    yield tmp_path
    omium.runtime_for().close()
