"""The runtime: performs the engine's commands against real stores, clocks and user code."""
