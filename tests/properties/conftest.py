"""Profiles: the slice that CI runs by default, and `torture` for hours (`--hypothesis-profile=torture`)."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings

# The helpers are a package beside the tests; `--import-mode=importlib` puts no folder on the path by itself.
sys.path.insert(0, str(Path(__file__).parent))

_COMMON = {
    "deadline": timedelta(seconds=60),
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}
settings.register_profile("slice", max_examples=60, database=None, derandomize=True, **_COMMON)
settings.register_profile("torture", max_examples=int(os.environ.get("OMIUM_TORTURE", "5000")), **_COMMON)
settings.load_profile("slice")
