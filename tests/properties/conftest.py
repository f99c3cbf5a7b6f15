"""Random programs die in a tenth of a second each: `OMIUM_TORTURE=5000 pytest tests/properties` tells more stories."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The helpers are a package beside the tests; `--import-mode=importlib` puts no folder on the path by itself.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True, scope="module")
def _nowhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Work in an empty folder: no project's configuration is read, which would take longer than most programs."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("nowhere"))
    yield
    os.chdir(before)
