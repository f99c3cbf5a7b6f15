"""Watch and stats: what happens and what happened, from any process, without touching the executions."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from typing import Any

import omium
from omium import Halt, Pause, Recovery, Retry, checkpoint, workflow


def test_one_execution_is_watched_to_its_end(site: Any) -> None:
    """Each event is a line as it happens, in another process; the watch ends with the execution, as its status says."""
    runner = site.start("run", "flows.py:line", "--input", "2", "--execution-id", "x", GATES="wire1")
    site.reached("wire1")
    watcher = site.start("watch", "x")
    first = [watcher.stdout.readline() for _ in range(3)]

    site.open("wire1")
    rest, told = watcher.stdout.read(), watcher.stderr.read()

    assert watcher.wait(timeout=60) == 0
    assert site.end(runner).status == 0
    assert "execution started" in first[0]
    lines = [*first, *rest.splitlines()]
    assert sum("step completed: step=pay" in line for line in lines) == 2
    assert "execution completed" in lines[-1]
    assert len(lines) == len(list(omium.open_store().journal("x")))
    assert "Next: omium show x" in told


def test_json_is_one_object_a_line(site: Any) -> None:
    """With `--json` each line is an object with a schema version; the last one says how it ended."""
    site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "x")

    done = site.omium("watch", "x", "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]

    assert {one["schema_version"] for one in lines} == {1}
    assert [one["seq"] for one in lines[:-1]] == list(range(1, len(lines)))
    assert lines[0]["type"] == "ExecutionStarted"
    assert lines[-1]["ended"]["status"] == "completed"


def test_what_has_stopped_ends_the_watch(site: Any) -> None:
    """Paused, halted and interrupted executions end the watch with a status of their own."""
    runner = site.start("run", "flows.py:line", "--input", "2", "--execution-id", "x", GATES="wire0")
    site.reached("wire0")
    runner.kill()
    runner.wait()

    assert site.omium("watch", "x").status == 1
    site.omium("pause", "x")
    assert site.omium("watch", "x").status == 4
    site.omium("halt", "x", "--by", "ann", "--reason", "y")
    assert site.omium("watch", "x").status == 3


def test_a_store_is_watched_until_it_is_interrupted(site: Any) -> None:
    """Without an ID new executions are seen from their first event, until Ctrl-C, which is exit status 130."""
    site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "before")
    watcher = site.start("watch")
    assert "watching the store" in watcher.stderr.readline()
    site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "after")
    lines = [watcher.stdout.readline()]
    while "execution completed" not in lines[-1]:
        lines.append(watcher.stdout.readline())
    watcher.send_signal(signal.SIGINT)

    told = watcher.stderr.read()

    assert watcher.wait(timeout=60) == 130
    assert all("after" in line for line in lines)
    assert "Traceback" not in told


def test_a_terminal_shows_the_tree(site: Any) -> None:
    """On a terminal the tree of the execution is drawn, and it is the last thing that stays there."""
    site.omium("run", "flows.py:line", "--input", "2", "--execution-id", "x")
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))

    done = subprocess.run(
        [sys.executable, "-m", "omium", "watch", "x"], stdout=follower, stderr=subprocess.PIPE, timeout=60
    )
    os.close(follower)
    shown = b""
    while data := read(leader):
        shown += data

    assert done.returncode == 0, done.stderr
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert "line  x" in text
    assert text.count("wire done once") >= 2


def read(leader: int) -> bytes:
    """Give what the terminal shows; nothing once its other end is closed."""
    try:
        return os.read(leader, 65_536)
    except OSError:
        return b""


def test_stats_of_nothing_say_so(site: Any) -> None:
    """Where there is nothing to sum up there are no rates and no zeros that look like results."""
    assert site.omium("stats").status == 2
    site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "x")

    empty = site.omium("stats", "--since", "0s", "--json")
    data = site.omium("stats", "--json").data

    assert empty.data["executions"] == 0
    assert empty.data["success_rate"] is None
    assert empty.data["mean_time_to_recovery_s"] is None
    assert (data["executions"], data["success_rate"], data["recovered_by_itself_rate"]) == (1, 1.0, None)
    assert data["cost"] is None
    assert "there are no executions in that time" in site.omium("stats", "--since", "0s").err
    assert site.omium("stats", "--since", "yesterday").status == 2


def test_stats_count_what_the_events_say(site: Any) -> None:
    """Success, recovery by itself and with help, failures by kind, agent and workflow."""
    asked = {"n": 0}

    @checkpoint("flaky-one", recovery=Recovery(Retry(2), Halt()))
    def flaky_one() -> int:
        asked["n"] += 1
        if asked["n"] == 1:
            raise ValueError("first time")
        return 1

    @checkpoint("hopeless", recovery=Recovery(Retry(1), Halt()))
    def hopeless() -> int:
        raise KeyError("never")

    @checkpoint("helped", recovery=Recovery(Pause("officer"), Halt()))
    def helped() -> int:
        if omium.current().attempt == 1:
            raise ValueError("ask")
        return 1

    @workflow(name="recovers")
    def recovers() -> int:
        return flaky_one()

    @workflow(name="gives-up")
    def gives_up() -> int:
        return hopeless()

    @workflow(name="with-help")
    def with_help() -> int:
        return helped()

    recovers.start(execution_id="a")
    gives_up.start(execution_id="b")
    with_help.start(execution_id="c")
    omium.review("c", approve=True, by="ann")
    with_help.resume("c")

    data = site.omium("stats", "--json").data
    kinds = site.omium("stats", "--by", "kind", "--json").data["groups"]
    flows = {one["workflow"]: one for one in site.omium("stats", "--by", "workflow", "--json").data["groups"]}

    assert (data["executions"], data["completed"], data["halted"]) == (3, 2, 1)
    assert (data["failures"], data["recoveries"], data["recovered_by_itself"]) == (4, 2, 1)
    assert data["recovered_by_itself_rate"] == round(1 / 3, 4)
    assert data["checkpoint_success_rate"] == round(2 / 6, 4)
    assert [(one["kind"], one["failures"], one["recoveries"]) for one in kinds] == [("error", 4, 2)]
    assert (flows["recovers"]["recovered_by_itself"], flows["with-help"]["recovered_by_itself"]) == (1, 0)
    told = site.omium("stats").out
    assert "67 % of those that ended" in told
    assert "not known" in told
    for by in ("agent", "workflow", "kind"):
        assert site.omium("stats", "--by", by).status == 0
