"""The model policy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import omium.demo

# The helpers stand beside the tests; `--import-mode=importlib` puts no folder on the path by itself.
sys.path.insert(0, str(Path(__file__).parent))

MODEL = Path(omium.demo.__file__).with_name("onboarding.omp")


@pytest.fixture
def model() -> str:
    """The model policy's text."""
    return MODEL.read_text(encoding="utf-8")
