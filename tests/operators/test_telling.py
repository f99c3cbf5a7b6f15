"""Channels: people are told beside the execution, at least once; a channel that fails is in the journal."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

import omium
from omium import Halt, Notify, Pause, Recovery, checkpoint, effect, workflow
from omium_core.model import events as e

KEY = b"a secret of enough bytes"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@attrs.define(eq=False)
class Receiver:
    """A real HTTP server on this machine that checks every signature; `answers` are its next statuses."""

    posts: list[dict[str, Any]] = attrs.field(factory=list)
    answers: list[int] = attrs.field(factory=list)
    held: threading.Event = attrs.field(factory=threading.Event)
    server: Any = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook?token=hidden"

    def take(self, headers: Any, body: bytes) -> int:
        """Check a request as a receiver of Standard Webhooks does; give the status of the answer."""
        self.held.wait(60)
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(headers["webhook-signature"], expected):
            return 401
        status = self.answers.pop(0) if self.answers else 204
        event = json.loads(body)
        self.posts.append({"status": status, "webhook-id": headers["webhook-id"], **event})
        assert headers["content-type"].startswith("application/cloudevents+json")
        return status

    @property
    def taken(self) -> list[dict[str, Any]]:
        """The events that it answered well."""
        return [one for one in self.posts if one["status"] < 300]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver, and its secret in the environment."""
    one = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status = one.take(self.headers, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    one.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.held.set()
    thread = threading.Thread(target=one.server.serve_forever)
    thread.start()
    monkeypatch.setenv("OMIUM_WEBHOOK_SECRET", SECRET)
    yield one
    one.held.set()
    one.server.shutdown()
    one.server.server_close()
    thread.join()


def bind(**channels: str) -> None:
    """Bind channels in the project's file."""
    lines = [f'{name} = "{bound}"' for name, bound in channels.items()]
    Path("omium.toml").write_text("\n".join(['workflows = ["flows.py"]', "[channels]", *lines]) + "\n")


@checkpoint("ask-somebody", recovery=Recovery(Notify("on_call"), Pause("officer"), Halt()))
def ask_somebody() -> None:
    raise ValueError("nobody knows")


@workflow(name="asks-somebody")
def asks_somebody() -> None:
    ask_somebody()


def of(execution: str, kind: type[Any]) -> list[Any]:
    return [one for one in omium.open_store().journal(execution) if isinstance(one, kind)]


def test_everybody_is_told_once_and_signed(site: Any, receiver: Receiver) -> None:
    """A ladder's notice, a question to a role and a halt reach their channels as signed CloudEvents."""
    bind(on_call=f"webhook:{receiver.url}", officer=f"webhook:{receiver.url}", operators=f"webhook:{receiver.url}")

    assert asks_somebody.start(execution_id="x").status == "paused"
    omium.halt("x", by="ann", reason="enough")
    omium.open_store().close()

    assert [one["type"] for one in receiver.taken] == ["omium.notify", "omium.paused", "omium.halted"]
    assert [one["data"]["channel"] for one in receiver.taken] == ["on_call", "officer", "operators"]
    first = receiver.taken[0]
    assert first["specversion"] == "1.0"
    assert first["id"] == first["webhook-id"]
    assert first["source"] == "/omium/executions/x"
    assert "nobody knows" in first["data"]["message"]
    assert "enough (by ann)" in receiver.taken[-1]["data"]["message"]
    assert len({one["id"] for one in receiver.taken}) == 3
    assert [one.channel for one in of("x", e.ChannelTold)] == ["on_call", "officer", "operators"]
    assert omium.verify("x").ok


def test_a_forked_child_tells_its_own(site: Any, receiver: Receiver) -> None:
    """What waits when a process forks is told by the parent alone; the child tells what happens in it."""
    bind(on_call=f"webhook:{receiver.url}")
    receiver.held.clear()
    asks_somebody.start(execution_id="parent's")
    asks_somebody.start(execution_id="parent's, too")
    child = os.fork()
    if child == 0:
        # Nobody else may go on in here: it is the test's own process.
        with contextlib.suppress(BaseException):
            asks_somebody.start(execution_id="child's")
            omium.open_store().close()
        os._exit(0)
    receiver.held.set()
    os.waitpid(child, 0)
    omium.open_store().close()

    told = sorted(one["data"]["execution"] for one in receiver.taken)
    assert told == ["child's", "parent's", "parent's, too"]
    assert [len(of(one, e.ChannelTold)) for one in told] == [1, 1, 1]
    assert omium.verify().ok


def test_a_machine_without_threads_left_stops_no_workflow(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice that nobody can be told is in the journal, and the workflow goes on."""
    bind(on_call="webhook:http://127.0.0.1:9/")

    class Refused(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr("omium.channels.threading", SimpleNamespace(Thread=Refused))

    assert asks_somebody.start(execution_id="x").status == "paused"
    (failed,) = of("x", e.PluginFailed)
    assert (failed.hook, "can't start new thread" in failed.message) == ("channel on_call", True)


def test_a_role_without_a_channel_reaches_the_operators(site: Any, receiver: Receiver) -> None:
    """What has no channel of its own goes to `operators`; where that is not bound, nobody is told and nothing fails."""
    bind(on_call="log", operators=f"webhook:{receiver.url}")
    asks_somebody.start(execution_id="x")
    omium.open_store().close()
    bind(on_call="log")
    asks_somebody.start(execution_id="y")
    omium.open_store().close()

    assert [one["data"]["execution"] for one in receiver.taken] == ["x"]
    assert of("y", e.PluginFailed) == []


def test_effects_that_nobody_knows_about_are_told(site: Any, receiver: Receiver) -> None:
    """An execution that completes with an unresolved effect tells the operators which."""
    bind(operators=f"webhook:{receiver.url}")

    @effect(irreversible=True)
    def wire_money() -> None:
        raise TimeoutError

    @checkpoint("tries")
    def tries() -> str:
        try:
            wire_money()
        except TimeoutError:
            return "who knows"
        return "done"

    @workflow(name="unsure")
    def unsure() -> str:
        return tries()

    assert unsure.start(execution_id="x").status == "completed"
    omium.open_store().close()

    assert [one["type"] for one in receiver.taken] == ["omium.unresolved"]
    assert "wire_money" in receiver.taken[0]["data"]["message"]


def test_a_failing_channel_is_asked_again(site: Any, receiver: Receiver) -> None:
    """What is not answered well comes again under the same id, until it is taken; how often is in the journal."""
    bind(operators=f"webhook:{receiver.url}")
    receiver.answers += [500, 302, 429]

    asks_without_ladder("x")
    omium.open_store().close()

    assert [one["status"] for one in receiver.posts] == [500, 302, 429, 204]
    assert len({one["id"] for one in receiver.posts}) == 1
    assert [one.attempts for one in of("x", e.ChannelTold)] == [4]


def asks_without_ladder(execution: str) -> None:
    """Run an execution that halts."""

    @workflow(name="halts-at-once")
    def halts_at_once() -> None:
        raise ValueError("no")

    assert halts_at_once.start(execution_id=execution).status == "halted"


def test_a_channel_that_stays_dead_is_seen(site: Any, receiver: Receiver) -> None:
    """After a bounded number of attempts the failure is in the journal and in `omium show`; nothing else suffers."""
    bind(operators=f"webhook:{receiver.url}")
    receiver.answers += [503] * 10

    asks_without_ladder("x")
    omium.open_store().close()

    (failed,) = of("x", e.PluginFailed)
    assert len(receiver.posts) == 4
    assert "answered 503" in failed.message
    assert "hidden" not in failed.message
    shown = site.omium("show", "x").out
    assert "channel operators" in shown
    assert "answered 503" in shown


def test_nobody_waits_for_a_channel(site: Any, receiver: Receiver) -> None:
    """While a channel does not answer, the execution goes on to its end and its caller has the answer."""
    bind(on_call=f"webhook:{receiver.url}")
    receiver.held.clear()

    @checkpoint("noted", recovery=Recovery(Notify("on_call"), omium.Skip()))
    def noted() -> None:
        raise ValueError("x")

    @workflow(name="goes-on")
    def goes_on() -> str:
        noted()
        return "done"

    assert goes_on() == "done"
    assert receiver.posts == []
    receiver.held.set()
    omium.open_store().close()
    assert len(receiver.taken) == 1


def test_what_a_killed_process_did_not_tell_is_told(site: Any, receiver: Receiver) -> None:
    """Killed between the decision and the channel: whoever resumes the execution tells it."""
    bind(on_call=f"webhook:{receiver.url}")
    receiver.held.clear()
    runner = site.start("run", "flows.py:asks", "--execution-id", "x", OMIUM_WEBHOOK_SECRET=SECRET)
    site.until(lambda: started("x") and of("x", e.ReviewRequested))
    runner.kill()
    runner.wait()
    assert of("x", e.ChannelTold) == []
    receiver.held.set()

    site.omium("resume", "x", OMIUM_WEBHOOK_SECRET=SECRET)
    site.omium("resume", "x", OMIUM_WEBHOOK_SECRET=SECRET)

    told = of("x", e.ChannelTold)
    assert [one.channel for one in told] == ["on_call"]
    assert {one["id"] for one in receiver.posts} == {f"x/{told[0].about}/on_call"}


def started(execution: str) -> bool:
    """Say whether the execution is in the store."""
    return omium.runtime_for().store.journal.execution(execution) is not None


@pytest.mark.parametrize(
    ("bound", "secret", "message"),
    [
        ("webhook:", SECRET, "needs an address"),
        ("webhook:ftp://x", SECRET, "needs an address"),
        ("webhook:http://example.org/x", SECRET, "must be `https`"),
        ("webhook:https://ann:pw@example.org/x", SECRET, "has a password in its address"),
        ("webhook:https://example.org/x", "", "needs its secret in the variable `OMIUM_WEBHOOK_SECRET`"),
        ("webhook:https://example.org/x#HOOK", SECRET, "needs its secret in the variable `HOOK`"),
        ("webhook:https://example.org/x", "short", "has fewer than 16 bytes"),
        ("webhook:https://example.org/x", "whsec_?", "is not base64"),
        ("file:", SECRET, "needs a path"),
        ("file:missing/folder/x", SECRET, "cannot be written"),
    ],
)
def test_doctor_says_which_channels_cannot_be_told(site: Any, bound: str, secret: str, message: str) -> None:
    """A channel that cannot work is broken in `omium doctor`, with the reason and without the secret."""
    bind(on_call=bound)

    done = site.omium("doctor", **({"OMIUM_WEBHOOK_SECRET": secret} if secret else {}))

    assert done.status == 1
    assert message in done.out
    assert "channel on_call" in done.out
    assert KEY.decode() not in done.out + done.err
    assert SECRET not in done.out + done.err


def test_doctor_warns_of_a_channel_that_reaches_nobody(site: Any) -> None:
    """A channel that is bound to a notifier which nobody has is named."""
    bind(on_call="pigeon:x")

    assert "no plugin is the notifier `pigeon`" in site.omium("doctor").out


def test_doctor_and_config_show_what_is_bound(site: Any) -> None:
    """Bound channels are listed with where they go; an address's own secrets and the key are not."""
    bind(on_call="webhook:https://example.org/x?token=hidden#HOOK", officer="log", operators="file:alerts.jsonl")

    done = site.omium("doctor", HOOK=SECRET)

    assert done.status == 0, done.out
    assert "goes to `example.org`, signed with the secret in `HOOK`" in done.out
    assert "goes to the file `alerts.jsonl`" in done.out
    assert "hidden" not in done.out
    assert "on_call = webhook:https://example.org/x" in site.omium("config", "show").out


def test_importing_omium_imports_no_http_client(site: Any) -> None:
    """Whoever binds no webhook does not pay for one."""
    script = "import sys, omium; omium.workflow; import omium_notify.webhook; print('urllib.request' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
