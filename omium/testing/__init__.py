"""What tests of agents need: scenarios, a model that answers from a script, virtual time, stores with faults.

`omium.testing.journals` and `omium.testing.blob_stores` are for those who write plugins.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omium.testing.bench import Killed
    from omium.testing.clock import VirtualClock
    from omium.testing.faults import Fault, Faults
    from omium.testing.model_server import ModelServer, Reply, Request, ToolCall
    from omium.testing.opening import opened
    from omium.testing.scenarios import Scenario, scenarios_in
    from omium.testing.scenarios.script import ScriptedFailure
    from omium.testing.scenarios.stage import Stage
else:
    # pytest imports this package with the plugin in every run, also in those that have nothing to do with Omium.
    _HOMES = {
        "Fault": "faults",
        "Faults": "faults",
        "Killed": "bench",
        "ModelServer": "model_server",
        "Reply": "model_server",
        "Request": "model_server",
        "Scenario": "scenarios",
        "ScriptedFailure": "scenarios.script",
        "Stage": "scenarios.stage",
        "ToolCall": "model_server",
        "VirtualClock": "clock",
        "opened": "opening",
        "scenarios_in": "scenarios",
    }

    def __getattr__(name: str) -> Any:
        """Give a name from the module that has it, which is imported then."""
        if name not in _HOMES:
            raise AttributeError(f"module `omium.testing` has no attribute `{name}`")
        return getattr(importlib.import_module(f"omium.testing.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "Fault",
    "Faults",
    "Killed",
    "ModelServer",
    "Reply",
    "Request",
    "Scenario",
    "ScriptedFailure",
    "Stage",
    "ToolCall",
    "VirtualClock",
    "opened",
    "scenarios_in",
]
