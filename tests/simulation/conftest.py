"""The simulator, what it consists of, and the engines that it has to catch."""

from __future__ import annotations

import sys
from pathlib import Path

# The table of mutants is a module beside the tests; `--import-mode=importlib` puts no folder on the path by itself.
sys.path.insert(0, str(Path(__file__).parent))
