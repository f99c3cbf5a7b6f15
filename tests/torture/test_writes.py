"""Every write of a workflow fails, once and for good, in the journal, among the blobs and in the files below them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import mixed_work
import pytest
from mixed_work import STORE, sell

import omium
from omium.stores import OpenStore
from omium.testing import Faults, VirtualClock, opened

SEED = 5
WRITES = (8, 1_000)
LIMITS = (4, 60)
# From less than an empty store to more than one with everything in its WAL.
LIMIT_BYTES = (20_000, 600_000)
ROUNDS_MAX = 5
RUN_S = 120.0
Place = Literal["journal", "blobs"]
PLANS: dict[str, Callable[[Faults, int, Place], Faults]] = {
    "once": lambda faults, write, to: faults.fail(write, to=to),
    "once, and all of it is stored": lambda faults, write, to: faults.fail(write, after=True, to=to),
    "for good": lambda faults, write, to: faults.fail_from(write, to=to),
}
# What the world sees of an effect that nobody can be asked about.
LINES = {
    "mixed_charge": "charge {amount} for {item}",
    "mixed_send": "send {item}",
    # It is an effect itself for as long as nothing inside of it is intended.
    "both": "charge 1.0 for wrapping of a map",
}
LIMITED = """
import resource, signal, sys
sys.path.insert(0, sys.argv[1])
import mixed_work, omium
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    mixed_work.sell.start("a map", execution_id="one")
except omium.StoreError as error:
    sys.exit(f"{error}")
"""


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a world and a configuration of its own."""
    monkeypatch.chdir(tmp_path)
    # A relative path: every folder that a test works in has a store of its own.
    monkeypatch.setenv("OMIUM_STORE", STORE)


def world() -> Counter[str]:
    """Return what the world saw, and how often."""
    file = Path(mixed_work.WORLD)
    return Counter(file.read_text(encoding="utf-8").splitlines() if file.exists() else ())


def undisturbed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Counter[str], dict[Place, int]]:
    """Run the workflow with every write succeeding; return the state, what the world saw, and how many writes."""
    folder.mkdir()
    with monkeypatch.context() as within:
        within.chdir(folder)
        faults = Faults()
        with opened(folder / STORE, clock=VirtualClock(), faults=faults) as store:
            sell.start("a map", execution_id="one")
            writes: dict[Place, int] = {"journal": faults.writes(), "blobs": faults.writes("blobs")}
            return store.load("one"), world(), writes


def go_on(store: OpenStore) -> None:
    """Bring the execution to its end, as a person does who looks at what really happened when that is asked."""
    for _ in range(ROUNDS_MAX):
        try:
            store.execution("one")
        except omium.UnknownExecution:
            sell.start("a map", execution_id="one")
        execution = sell.resume("one")
        if execution.status != "paused":
            break
        asked = omium.runtime_for(store.url).store.load("one").state.review
        assert asked is not None and asked.request.kind == "effect_unresolved", execution
        _answer(store, asked.request.effect)
    assert store.execution("one").status == "completed"


def _answer(store: OpenStore, effect: str) -> None:
    state = omium.runtime_for(store.url).store.load("one").state
    record = state.effects[effect]
    arguments = omium.runtime_for(store.url).store.view("one", record.seq)["arguments"]
    line = LINES[record.name].format(**arguments)
    happened = line in world()
    answer = {"choice": 0, "value": f"did {line}"} if happened else {"choice": 1}
    omium.review("one", **answer, by="ann", reason="it is on the statement", store=store.url)


def check(store: OpenStore, state: dict[str, Any], seen: Counter[str]) -> None:
    """The state is that of the undisturbed run, the world saw the same, and everything verifies."""
    assert store.load("one") == state
    # What is sent again with its key is one effect to whoever knows keys.
    keyed = {line for line in seen if line.startswith("reserve")}
    assert {line: 1 if line in keyed else count for line, count in world().items()} == dict(seen)
    assert omium.verify(store=store.url).ok


def check_intents(store: OpenStore) -> None:
    """Nothing was done in the world that the journal does not at least know of."""
    intended: Counter[str] = Counter()
    with suppress(omium.UnknownExecution):
        for event in store.journal("one"):
            intended[getattr(event, "name", "") if type(event).__name__ == "EffectIntended" else ""] += 1
    done = Counter(f"mixed_{line.split()[0]}" for line in world().elements())
    assert all(count <= intended[name] for name, count in done.items()), (done, intended)


@pytest.mark.parametrize("how", list(PLANS))
@pytest.mark.parametrize("to", ["journal", "blobs"])
def test_a_write_fails(
    how: str, to: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pressed: Callable[[int, int], int]
) -> None:
    """The failure is told, nothing is lost or doubled, and what is gone on with ends as if it had never failed."""
    state, seen, writes = undisturbed(tmp_path / "calm", monkeypatch)
    every = range(1, writes[to] + 1)
    assert every
    for write in sorted(random.Random(SEED).sample(every, min(len(every), pressed(*WRITES)))):
        folder = tmp_path / str(write)
        folder.mkdir()
        monkeypatch.chdir(folder)
        faults = PLANS[how](Faults(), write, to)
        told = ""
        try:
            with opened(folder / STORE, clock=VirtualClock(), faults=faults) as store:
                sell.start("a map", execution_id="one")
        except omium.StoreError as error:
            told = str(error)
        # A large blob may be put twice, by who waits for it and by the thread that writes, or only once.
        assert told or how != "for good" or faults.writes(to) < write, f"write {write} failed, and nobody was told"
        assert "\n" not in told
        with opened(folder / STORE, clock=VirtualClock()) as store:
            check_intents(store)
            assert omium.verify(store=store.url).ok
            go_on(store)
            check(store, state, seen)


def test_files_cannot_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pressed: Callable[[int, int], int]) -> None:
    """Where the system refuses to write any file beyond some length, that is told, and nothing is lost or doubled."""
    state, seen, _ = undisturbed(tmp_path / "calm", monkeypatch)
    count = pressed(*LIMITS)
    low, high = LIMIT_BYTES
    ends: Counter[str] = Counter()
    for number in range(count):
        folder = tmp_path / f"limit{number}"
        folder.mkdir()
        limit = low + (high - low) * number // max(1, count - 1)
        command = [sys.executable, "-c", LIMITED, str(Path(mixed_work.__file__).parent), str(limit)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=RUN_S)
        ends[f"{done.returncode} {done.stderr.strip()[-60:]}"] += 1
        assert done.returncode in (0, 1), done.stderr
        assert done.returncode == 0 or (done.stderr.count("\n") == 1 and "Traceback" not in done.stderr), done.stderr
        monkeypatch.chdir(folder)
        with opened(folder / STORE, clock=VirtualClock()) as store:
            check_intents(store)
            assert omium.verify(store=store.url).ok
            go_on(store)
            check(store, state, seen)
    print(dict(ends))
    assert len(ends) > 1, ends
