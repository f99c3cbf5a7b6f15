"""A program that suffers faults: `python faulted.py STORE WORLD FAULT`, where FAULT is code such as `kill(3)`.

The world is a file with one line for each thing that happened. It prints the status and the result, if it lives.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import omium
from omium.testing import Faults, VirtualClock, opened

STORE, WORLD, FAULT = sys.argv[1], Path(sys.argv[2]), sys.argv[3]


def happens(what: str) -> str:
    with WORLD.open("a") as file:
        file.write(f"{what}\n")
    return what


def happened(key: str) -> object:
    """Say what was done under a key."""
    lines = WORLD.read_text().splitlines() if WORLD.exists() else []
    return next((line for line in lines if line.endswith(key)), omium.NOT_DONE)


@omium.effect(irreversible=True, check=happened)
def mail(number: int) -> str:
    return happens(f"mail {number} {omium.current().key}")


@omium.checkpoint("part")
def part(number: int) -> dict[str, object]:
    # Noise of 300 kB, which no compression makes smaller, goes to the blob store.
    return {"sent": mail(number), "large": random.Random(number).randbytes(300_000)}


@omium.workflow(store=STORE)
def flow() -> list[str]:
    return [str(part(number)["sent"]) for number in range(3)]


def main() -> None:
    faults = eval(f"Faults().{FAULT}" if FAULT else "Faults()", {"Faults": Faults})
    with opened(STORE, clock=VirtualClock(), faults=faults) as store:
        known = [one.id for one in store.executions()]
        execution = flow.resume("one") if known else flow.start(execution_id="one")
        print(execution.status, omium.verify(store=STORE).ok, faults.writes(), faults.writes("blobs"))


if __name__ == "__main__":
    main()
