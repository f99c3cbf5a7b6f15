"""Row 5: from the command to roll back to the first step that runs again, with a state of 1 MB."""

from __future__ import annotations

import statistics
from pathlib import Path
from time import perf_counter_ns
from typing import Any, TypeAlias

from measuring import Row, main, opened
from texts import Texts

import omium

ROLLBACKS = 200
WARM_UP = 5
STATE_BYTES = 1_000_000
P99_MS_MAX = 10.0

Conversation: TypeAlias = list[dict[str, Any]]


def measure(folder: Path) -> list[Row]:
    """Give row 5: `omium.rollback` and `omium.resume` in one process, until the body of the step is entered."""
    texts = Texts(5)
    messages = [texts.message(index) for index in range(STATE_BYTES // 1_480)]
    entered: list[int] = []

    @omium.checkpoint("gather")
    def gather(number: int) -> Conversation:
        return [*messages, texts.message(number)]

    @omium.checkpoint("draft")
    def draft(number: int) -> str:
        entered.append(perf_counter_ns())
        return str(messages[number]["content"])

    took: list[float] = []
    with opened(folder / "ours") as runtime:
        url = runtime.store.url

        @omium.workflow(store=url)
        def flow(number: int) -> int:
            conversation = gather(number)
            return len(conversation) + len(draft(number))

        for number in range(ROLLBACKS + WARM_UP):
            execution = flow.start(number).id
            began = perf_counter_ns()
            omium.rollback(execution, "gather", store=url)
            omium.resume(execution, store=url)
            took.append((entered[-1] - began) / 1e6)
    took = took[WARM_UP:]
    p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    what = "rollback of a 1 MB state, command to first re-executed step"
    return [Row(5, what, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", f"<= {P99_MS_MAX:.0f} ms p99", p99 <= P99_MS_MAX)]


if __name__ == "__main__":
    main(measure)
