"""A fix is approved and applied while the process is killed at a write: given once, counted once, nothing is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from omium.testing import VirtualClock

RUN_S = 120.0
# The writes of a run without a kill; a kill at a later one kills nothing.
WRITES = 14
PROGRAM = '''
import os
import sys
import omium
from omium import Fallback, Halt, Pause, Recovery, Rollback, checkpoint, effect, require, workflow
from omium.testing import Faults, opened

kind, write = sys.argv[1], int(sys.argv[2])

@effect(name="mail", irreversible=True, check=lambda key: omium.NOT_DONE if not sent(key) else "sent")
def mail(text):
    with open("mails.txt", "a") as file:
        file.write(f"{omium.current().key} {text}\\n")
    return "sent"

def sent(key):
    return os.path.exists("mails.txt") and key in open("mails.txt").read()

@checkpoint("first")
def first():
    return 7

@checkpoint("other")
def other(number):
    return 5.0

@checkpoint("offer", ensures=lambda apr: require(apr > 2, f"APR {apr:g} is not above 2", suggest=4.0),
            recovery=Recovery(Rollback("first"), Pause(), Fallback("other"), Halt()))
def offer(number):
    return 3.0 if omium.current().fixes else 0.5

@checkpoint("send")
def send(apr):
    return mail(f"apr {apr}")

@workflow(name="lending")
def lending():
    return send(offer(first()))

def approve():
    """Approve the fix of this kind, if that is what is waited for."""
    state = omium.runtime_for().store.load("x").state
    if state.review is None or state.review.answer is not None:
        return
    made = [omium.runtime_for().store.view("x", seq)["kind"] for _, seq in sorted(state.review.suggestions.items())]
    always = kind == "prompt"
    if kind in made:
        omium.review("x", fix=1 + made.index(kind), always=always, by="ann")
    else:
        omium.review("x", approve=True, by="ann")

faults = Faults().kill(write) if write else Faults()
with opened("sqlite:///" + os.path.abspath(".omium/omium.db"), faults=faults) as store:
    if omium.runtime_for().store.journal.execution("x") is None:
        lending.start(execution_id="x")
    for _ in range(4):
        if omium.execution_of("x").status == "completed":
            break
        approve()
        lending.resume("x")
    events = list(store.journal("x"))
    applied = [one for one in events if type(one).__name__ == "FixApplied"]
    fresh = lending.start()
    made = [one for one in store.journal(fresh.id) if type(one).__name__ == "SuggestionMade" and one.kind == kind]
    known = [(one.worked, one.tried) for one in made[:1]]
    print(omium.execution_of("x").status, len(applied), known, len(omium.fixes()), omium.verify().ok)
'''
EXPECTED = {
    # Once advice stands for always, the next execution needs none, so nothing is suggested to it.
    "prompt": ("apr 3.0", "completed 1 [] 1 True"),
    "value": ("apr 4.0", "completed 1 [(1, 1)] 0 True"),
    "fallback": ("apr 5.0", "completed 1 [(1, 1)] 0 True"),
    # Going back further helps nobody here: the step fails again and the ladder goes on to the fallback.
    "rollback": ("apr 5.0", "completed 1 [(0, 1)] 0 True"),
}


@pytest.fixture(autouse=True)
def clock() -> VirtualClock | None:
    """The processes have stores of their own."""
    return None


@pytest.mark.parametrize("kind", EXPECTED)
def test_killed_at_a_write(kind: str, tmp_path: Path, pressed: Callable[[int, int], int]) -> None:
    """Whichever write the process dies in: the same end, one mail, one fix on record, and the catalog knows it once."""
    (tmp_path / "omium.toml").touch()
    writes = random.Random(f"{kind} 1").sample(range(1, WRITES + 1), pressed(2, WRITES))
    for write in [0, *writes]:
        folder = tmp_path / str(write)
        folder.mkdir()
        (folder / "program.py").write_text(PROGRAM)
        (folder / "omium.toml").touch()
        first = process(folder, kind, write)
        last = first if first.returncode == 0 else process(folder, kind, 0)

        assert first.returncode in ((0,) if write == 0 else (0, -signal.SIGKILL)), first.stderr
        assert last.returncode == 0, f"killed at write {write}: {last.stderr}"
        mail, said = EXPECTED[kind]
        mails = [line.partition(" ")[2] for line in (folder / "mails.txt").read_text().splitlines()]
        assert last.stdout.strip() == said, f"killed at write {write}"
        assert mails[0] == mail
        assert len(mails) == (2 if kind == "prompt" else 1), f"killed at write {write}"


def process(folder: Path, kind: str, write: int) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, or to the write that it dies in."""
    program = [sys.executable, "program.py", kind, str(write)]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=RUN_S)
