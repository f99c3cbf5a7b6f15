"""Row 6: from `resume` to the first new step of an execution whose process was killed after 1,000 steps."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from measuring import Row, main, opened
from texts import Texts

import omium

KILLED = 7
STEPS = 1_000
VALUES = 50
SECONDS_MAX = 0.3


def measure(folder: Path) -> list[Row]:
    """Give row 6: each execution is killed in its own process and resumed in another, which has never seen it."""
    took = [_resumed(folder / f"{number}") for number in range(KILLED)]
    what = f"resume of {STEPS:,} steps of 10 KB after `kill -9`, to the first new step, process start excluded"
    middle, most = statistics.median(took), max(took)
    measured = f"p50 {middle:.2f} s, most {most:.2f} s of {KILLED}"
    return [Row(6, what, measured, f"<= {SECONDS_MAX} s", middle <= SECONDS_MAX)]


def _resumed(folder: Path) -> float:
    with subprocess.Popen([sys.executable, __file__, "run", str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        # The line is written inside the step after the last that is recorded; the process waits there for its end.
        execution = process.stdout.readline().strip()
        process.kill()
    done = subprocess.run(
        [sys.executable, __file__, "resume", str(folder), execution], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(json.loads(done.stdout))


def _perform(task: str, folder: Path, execution: str = "") -> None:
    texts = Texts(6)
    values = [texts.result(index) for index in range(VALUES)]

    @omium.checkpoint("research")
    def research(index: int) -> dict[str, Any]:
        if index == STEPS:
            entered = perf_counter()
            print(omium.current().execution if task == "run" else entered - began, flush=True)
            if task == "run":
                signal.pause()
            os._exit(0)
        return values[index % VALUES]

    began = perf_counter()
    with opened(folder) as runtime:

        @omium.workflow(store=runtime.store.url)
        def flow() -> None:
            for index in range(STEPS + 1):
                research(index)

        if task == "run":
            flow()
        omium.resume(execution, store=runtime.store.url)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        _perform(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
    else:
        main(measure)
