"""Row 3: whether a step costs more the longer its execution is."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from measuring import Limit, Row, main, opened, timed
from texts import Texts

import omium

EXECUTIONS = 7
STEPS = 1_000
EARLY = slice(10, 110)
LATE = slice(STEPS - 100, STEPS)
VALUES = 200
GROWTH_MAX = 1.2


def measure(folder: Path) -> list[Row]:
    """Give row 3: late steps over early ones, each as multiples of the limit in the same moments."""
    texts = Texts(3)
    values = [texts.result(index) for index in range(VALUES)]
    limit = Limit(folder)
    steps: list[int] = []
    limits: list[int] = []

    @omium.checkpoint("research")
    def research(index: int) -> dict[str, Any]:
        return values[index % VALUES]

    early: list[float] = []
    late: list[float] = []
    with opened(folder / "ours") as runtime:
        # A clock has no place in a workflow; this one is never gone through a second time.
        @omium.workflow(store=runtime.store.url)
        def flow() -> None:
            for index in range(STEPS):
                limits.append(timed(limit.write))
                steps.append(timed(research, index))

        for number in range(EXECUTIONS + 1):
            steps.clear()
            limits.clear()
            flow()
            # The first execution warms the process up.
            if number:
                early.append(_multiple(steps, limits, EARLY))
                late.append(_multiple(steps, limits, LATE))
    growth = statistics.median(after / before for before, after in zip(early, late, strict=True))
    measured = f"{growth:.2f}x (p50 {statistics.median(early):.2f}x the limit, then {statistics.median(late):.2f}x)"
    what = f"cost per step as the execution grows from 10 to {STEPS:,} steps"
    return [Row(3, what, measured, f"<= {GROWTH_MAX}x", growth <= GROWTH_MAX)]


def _multiple(steps: list[int], limits: list[int], part: slice) -> float:
    return statistics.median(steps[part]) / statistics.median(limits[part])


if __name__ == "__main__":
    main(measure)
