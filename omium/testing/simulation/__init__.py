"""The simulator: random workflows through crashes, lost replies and people's answers, over the real engine and store.

    python -m omium.testing.simulation --seeds 1000

A seed stands for one program and for everything that happens to it. What concepts.md promises is checked each time
that the execution rests, against a record of the world outside that Omium has no part in.
"""

from __future__ import annotations

from omium.testing.simulation.simulating import simulate

__all__ = ["simulate"]
