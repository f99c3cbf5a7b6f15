"""How a process ends that Python does not let end in the ordinary way."""

from __future__ import annotations

import sys
from collections.abc import Callable

__all__ = ["at_end_of_child"]


def at_end_of_child(drain: Callable[[], None]) -> None:
    """Call `drain` at the end of this process, if `multiprocessing` made it: such a one ends without `atexit`."""
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, drain, exitpriority=0)
