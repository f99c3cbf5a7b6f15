"""Circuit breakers: shared by all executions of a store, on the runtime's clock."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omium import Backoff, Breaker, CircuitOpen, Halt, Recovery, Retry, UsageError, checkpoint, effect, workflow
from omium.testing import VirtualClock
from omium_core.model import events as e
from omium_core.recovery.breakers import circuit, first_trial


class Provider:
    """A service that is down as long as `down`."""

    def __init__(self, **options: Any) -> None:
        self.down, self.calls = True, 0

        @effect(name="provider", breaker=Breaker(3, "1m", "30s"), **options)
        def call(number: int) -> int:
            self.calls += 1
            if self.down:
                raise ConnectionRefusedError("the provider is down")
            return number

        @checkpoint("ask")
        def ask(number: int) -> int:
            return int(call(number))

        @workflow(name="asks")
        def asks(number: int) -> int:
            return ask(number)

        self.call: Callable[[int], int] = call
        self.run: Callable[[int], Any] = asks.start


@pytest.mark.parametrize("options", [{"read": True}, {"irreversible": True}, {"key": str}], ids=str)
def test_breaker_opens_refuses_tries_and_closes(
    clock: VirtualClock, events: Any, body: Any, options: dict[str, Any]
) -> None:
    """After n failures, in whatever executions, calls are refused unperformed; after the cooldown one tries it."""
    provider = Provider(**options)
    for number in range(3):
        provider.run(number)
    assert provider.calls == 3

    refused = provider.run(3)
    assert provider.calls == 3
    (failed,) = events(refused.id, e.StepFailed)
    assert failed.kind == "circuit_open"
    assert "`provider` failed 3 times and is left alone until" in body(refused.id, failed)["message"]

    clock.sleep(31)
    provider.run(4)
    assert provider.calls == 4, "one call tries it"
    provider.run(5)
    assert provider.calls == 4, "the trial failed, so it is open again"

    clock.sleep(31)
    provider.down = False
    assert provider.run(6).result == 6
    assert provider.run(7).result == 7
    assert provider.calls == 6


def test_changes_are_journaled_and_shown(clock: VirtualClock, events: Any) -> None:
    """Each change of the circuit is an event of the execution that made it."""
    provider = Provider(read=True)
    executions = [provider.run(number) for number in range(3)]
    clock.sleep(31)
    provider.down = False
    closing = provider.run(3)

    changes = [[one.state for one in events(each.id, e.CircuitChanged)] for each in (*executions, closing)]
    assert changes == [[], [], ["open"], ["half_open", "closed"]]


def test_a_counted_failure_is_raised_as_itself(clock: VirtualClock) -> None:
    """Code that catches what the effect raises catches it also where a breaker counts it."""
    provider = Provider(read=True)
    caught: list[str] = []

    @checkpoint("catches")
    def catches(number: int) -> None:
        try:
            provider.call(number)
        except (ConnectionRefusedError, CircuitOpen) as error:
            caught.append(type(error).__name__)

    @workflow(name="catching")
    def catching() -> None:
        for number in range(4):
            catches(number)

    assert catching.start().status == "completed"
    assert caught == ["ConnectionRefusedError"] * 3 + ["CircuitOpen"]


def test_failures_outside_of_the_window_do_not_count(clock: VirtualClock) -> None:
    """Two failures now and then never open it."""
    provider = Provider(read=True)
    for number in range(8):
        provider.run(number)
        clock.sleep(35)
    assert provider.calls == 8


def test_a_ladder_waits_until_the_circuit_closes(clock: VirtualClock) -> None:
    """An open circuit is a failure like others: a retry with backoff gets through once it may be tried."""
    provider = Provider(read=True)
    for number in range(3):
        provider.run(number)
    provider.down = False

    @checkpoint("patient", recovery=Recovery(Retry(3, backoff=Backoff("constant", 20, 20, jitter=False)), Halt()))
    def patient() -> int:
        return provider.call(5)

    @workflow(name="patiently")
    def patiently() -> int:
        return patient()

    assert patiently.start().result == 5


def test_code_that_catches_the_refusal_goes_the_same_way_again(clock: VirtualClock) -> None:
    """A refusal that was caught is on record: a resume within the attempt meets it again, whatever holds by then."""
    provider = Provider(read=True)
    for number in range(3):
        provider.run(number)
    ways = []
    fails = [True]

    @effect(name="die", read=True)
    def die() -> None:
        if fails.pop() if fails else False:
            raise KeyboardInterrupt

    @checkpoint("either")
    def either() -> str:
        try:
            provider.call(1)
        except CircuitOpen:
            ways.append("other")
            die()
            return "other"
        ways.append("first")
        return "first"

    @workflow(name="ways")
    def both() -> str:
        return either()

    with pytest.raises(KeyboardInterrupt):
        both.start(execution_id="w")
    provider.down = False
    clock.sleep(100)
    assert both.resume("w").result == "other"
    assert ways == ["other", "other"]


PROGRAM = """
import os, signal, sys
import omium
from omium import Breaker, checkpoint, effect, workflow

@effect(name="provider", read=True, breaker=Breaker(3, "1h", "1h"))
def call():
    with open("calls.txt", "a") as file:
        file.write("call\\n")
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise TimeoutError("no answer")

@checkpoint("ask")
def ask():
    return call()

@workflow
def asks():
    return ask()

execution = asks.start()
print([type(one).__name__ for one in omium.open_store().journal(execution.id)][-2:], execution.status)
"""


def test_processes_share_the_circuit_and_a_kill_loses_no_failure(tmp_path: Path) -> None:
    """What other processes met counts here; a process that is killed in a call leaves the circuit as it was."""
    (tmp_path / "program.py").write_text(PROGRAM)

    def process(how: str) -> int:
        program = [sys.executable, "program.py", how]
        return subprocess.run(program, cwd=tmp_path, capture_output=True, timeout=60).returncode

    assert [process("fails"), process("killed"), process("fails")] == [0, -signal.SIGKILL, 0]
    assert process("fails") == 0
    calls = tmp_path / "calls.txt"
    assert calls.read_text().count("call") == 4
    assert process("fails") == 0
    assert calls.read_text().count("call") == 4, "three failures are known, so the fifth process is refused"


TRYING = """
import os, signal, sys
from omium import Breaker, checkpoint, effect, workflow
from omium.runtime import Parts, open_runtime
from omium.testing import VirtualClock

how, at = sys.argv[1], float(sys.argv[2])
open_runtime("sqlite:///" + os.path.abspath(".omium/omium.db"), Parts(clock=VirtualClock(time=1_900_000_000.0 + at)))

@effect(name="provider", irreversible=True, breaker=Breaker(1, "1h", "100s"))
def call():
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "fails":
        raise ConnectionRefusedError("nobody is there")
    return "called"

@checkpoint("ask")
def ask():
    return call()

@workflow
def asks():
    return ask()

execution = asks.start()
print(execution.result or execution.reason)
"""


def test_killed_while_it_tries(tmp_path: Path) -> None:
    """A process that dies in its trial holds the others off for another cooldown; then one of them tries."""
    (tmp_path / "trying.py").write_text(TRYING)

    def process(how: str, at: int) -> str:
        program = [sys.executable, "trying.py", how, str(at)]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        return "killed" if done.returncode == -signal.SIGKILL else done.stdout.strip() + done.stderr

    assert process("fails", 0) == "nobody is there"
    assert "is left alone" in process("works", 50)
    assert process("killed", 150) == "killed"
    assert "is left alone" in process("works", 200)
    assert process("works", 300) == "called"
    assert process("works", 301) == "called"


def test_of_two_trials_at_once_the_first_committed_one_goes_on() -> None:
    """Two processes that begin to try in the same moment agree on who does."""
    breaker = Breaker(1, "1m", "10s")
    failed = e.EffectFailed(effect="", name="x", step="s", attempt=1, kind="read", definite=True, at=0.0)
    opened = e.CircuitChanged(name="x", state="open", step="s", attempt=1, at=0.0)
    first = e.CircuitChanged(name="x", state="half_open", step="s", attempt=1, seq=7, at=11.0)
    second = e.CircuitChanged(name="x", state="half_open", step="s", attempt=1, seq=9, at=11.0)
    known: list[tuple[str, e.Event]] = [("b", second), ("a", first), ("a", opened), ("a", failed)]

    assert first_trial(breaker, known, 11.0) == ("a", 7)
    assert circuit(breaker, [one for _, one in known], 11.0).state == "open"
    assert circuit(breaker, [one for _, one in known], 21.5).state == "half_open", "whoever tried it has died"


def test_a_clock_that_was_set_back_holds_it_open_for_no_longer_than_a_cooldown() -> None:
    """Failures from the future do not keep a circuit open for a year."""
    breaker = Breaker(1, "1m", "10s")
    opened = e.CircuitChanged(name="x", state="open", step="s", attempt=1, at=1e9)

    assert circuit(breaker, [opened], 5.0).until == 15.0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Breaker(0), "it is a whole number, 1 to 50"),
        (lambda: Breaker(True), "it is a whole number, 1 to 50"),
        (lambda: Breaker(1, "soon"), "is not a duration"),
        (lambda: Breaker(1, 0), "`window` of a breaker cannot be"),
        (lambda: effect(breaker=5)(len), "takes a breaker such as"),
        (lambda: effect(schema="text")(len), "takes a JSON schema as a mapping"),
    ],
)
def test_what_is_no_breaker_is_refused_where_it_is_written(make: Callable[[], Any], said: str) -> None:
    """A mistake shows at once, in one sentence."""
    with pytest.raises(UsageError, match=said):
        make()
