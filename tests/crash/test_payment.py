"""A payment that calls its provider directly, inside `@transaction`, is killed at every point: it charges at most once.

Nothing is guessed. Where nobody can know whether the customer was charged, a person is asked; with `check=` the
provider is; with `key=` the request is sent again under the key that the provider knows it by.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import pytest

# `conftest.py` has the type of the children; test modules cannot import it.
Children = Any
ORDERS = ("shop", "shop_checked", "shop_keyed")


@attrs.define
class Provider:
    """A payment provider. It knows keys: a charge under a key that it has seen is the charge that it made.

    `kills` says of orders when the client is killed in the middle of its call: `received`, or `charged`. `fails` are
    orders that are charged and answered with an error.
    """

    charges: list[dict[str, Any]] = attrs.field(factory=list)
    requests: list[dict[str, Any]] = attrs.field(factory=list)
    kills: dict[str, str] = attrs.field(factory=dict)
    fails: set[str] = attrs.field(factory=set)
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def charge(self, fields: dict[str, Any], client: int) -> tuple[int, dict[str, Any]]:
        order = fields["order"]
        kill = self.kills.pop(order, None)
        if kill == "received":
            os.kill(client, signal.SIGKILL)
        with self.lock:
            self.requests.append(fields)
            known = [one for one in self.charges if fields["key"] and one["key"] == fields["key"]]
            made = known[0] if known else {**fields, "receipt": f"receipt-{order}"}
            if not known and kill != "received":
                self.charges.append(made)
        if kill == "charged":
            os.kill(client, signal.SIGKILL)
        return (500 if order in self.fails else 200), {"receipt": made["receipt"]}

    def find(self, fields: dict[str, Any], _: int) -> tuple[int, dict[str, Any]]:
        receipts = [one["receipt"] for one in self.charges if one["key"] == fields["key"]]
        return 200, {"receipt": receipts[0] if receipts else None}

    def of(self, order: str) -> list[dict[str, Any]]:
        return [one for one in self.charges if one["order"] == order]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        act = self.server.provider.charge if self.path == "/charge" else self.server.provider.find
        status, answer = act(fields, int(self.headers["User-Agent"].split("/")[1]))
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        super().__init__(("127.0.0.1", 0), Handler)

    def server_bind(self) -> None:
        # The one of `HTTPServer` looks up the host's name, which can ask the network.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed does not read its answer."""


@attrs.frozen
class Shop:
    """An order of its own for each case, at one provider."""

    children: Children
    provider: Provider
    url: str
    folder: Path

    def order(self, workflow: str, name: str, kill: int | None = None) -> Any:
        return self._process(name, ["start", "payments", workflow, {"order": name}, name], kill=kill)

    def resume(self, name: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
        told, seen = self._process(name, ["cli", "resume", name], ["look", name]).answers
        return told, seen

    def review(self, name: str, answer: dict[str, Any]) -> None:
        assert self._process(name, ["review", name, answer]).error is None

    def points(self, workflow: str) -> list[str]:
        """Return the points of an undisturbed order."""
        ended = self.order(workflow, f"{workflow}-count")
        assert ended.answers == ["completed"]
        return list(ended.points)

    def _process(self, name: str, *do: list[Any], kill: int | None = None) -> Any:
        environment = {"PROVIDER": self.url, "OMIUM_WORKFLOWS": "payments"}
        options = {"modules": ["payments"], "calls": ["payments:charge"], "environment": environment}
        return self.children.run(self.folder / name, *do, kill=kill, **options)


@pytest.fixture
def shop(children: Children, tmp_path: Path) -> Iterator[Shop]:
    """A provider that listens, and nothing ordered yet."""
    provider = Provider()
    server = Server(provider)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Shop(children, provider, f"http://127.0.0.1:{server.server_address[1]}", tmp_path)
    server.shutdown()
    server.server_close()


def test_unknown_charge_is_a_question(shop: Shop) -> None:
    """Killed between intent and outcome, the payment is never run again: a person says what happened."""
    points = shop.points("shop")
    intended = next(number for number, one in enumerate(points) if one.startswith("after") and "EffectIntended" in one)
    done = next(number for number, one in enumerate(points) if one.startswith("after") and "EffectDone" in one)
    assert points.index("before `charge`") > intended
    assert points.index("after `charge`") < done

    def survive(number: int) -> list[str]:
        name, where = f"order-{number}", f"kill {number}, {points[number]}"
        assert shop.order("shop", name, kill=number).killed
        charged = len(shop.provider.of(name))
        told, seen = shop.resume(name)
        if seen is None:
            return _differences(where, (told["status"], charged), (2, 0))
        if not intended <= number < done:
            return _differences(where, *_completed(shop, name, told, seen))
        asked = (told["status"], seen["status"], seen["asked"], seen["effects"], len(shop.provider.of(name)))
        wrong = _differences(where, asked, (4, "paused", "effect_unresolved", ["pay intended"], charged))
        told, seen = shop.resume(name)
        wrong += _differences(where, (told["status"], len(shop.provider.of(name))), (4, charged))
        shop.review(name, {"choice": 0, "value": f"receipt-{name}"} if charged else {"choice": 1})
        told, seen = shop.resume(name)
        return wrong + _differences(where, *_completed(shop, name, told, seen))

    assert shop.children.each(survive, range(len(points))) == []


@pytest.mark.parametrize("workflow", ["shop_checked", "shop_keyed"])
def test_provider_that_can_be_asked_or_knows_keys(shop: Shop, workflow: str) -> None:
    """With `check=` or `key=` an order that was killed anywhere is completed by itself, with one charge."""
    points = shop.points(workflow)

    def survive(number: int) -> list[str]:
        name, where = f"order-{number}", f"kill {number}, {points[number]}"
        assert shop.order(workflow, name, kill=number).killed
        told, seen = shop.resume(name)
        if seen is None:
            return _differences(where, (told["status"], len(shop.provider.of(name))), (2, 0))
        return _differences(where, *_completed(shop, name, told, seen))

    assert shop.children.each(survive, range(len(points))) == []


@pytest.mark.parametrize("moment", ["received", "charged"])
@pytest.mark.parametrize("workflow", ORDERS)
def test_killed_in_the_middle_of_the_call(shop: Shop, workflow: str, moment: str) -> None:
    """The provider has the request and the client dies: who can know resolves it, and nobody guesses."""
    shop.provider.kills["one"] = moment
    assert shop.order(workflow, "one").killed

    told, seen = shop.resume("one")
    if workflow == "shop":
        assert (told["status"], seen["asked"]) == (4, "effect_unresolved")
        shop.review("one", {"choice": 0, "value": "receipt-one"} if moment == "charged" else {"choice": 1})
        told, seen = shop.resume("one")

    found, wanted = _completed(shop, "one", told, seen)
    assert found == wanted


def test_request_that_is_sent_again_has_the_same_key(shop: Shop) -> None:
    """The provider sees the user's own key in both requests, and makes one charge of them."""
    shop.provider.kills["one"] = "charged"
    assert shop.order("shop_keyed", "one").killed
    shop.resume("one")

    assert [one["key"] for one in shop.provider.requests] == ["order-one", "order-one"]
    assert len(shop.provider.charges) == 1


def test_refused_charge_is_sent_again_only_when_a_person_says_so(shop: Shop) -> None:
    """An answer of `not` performs it, in a new incarnation; the answer is in the journal."""
    shop.provider.kills["one"] = "received"
    assert shop.order("shop", "one").killed
    assert shop.resume("one")[0]["status"] == 4
    shop.review("one", {"choice": 1})

    told, seen = shop.resume("one")

    assert seen is not None
    assert seen["effects"] == ["pay failed", "pay done"]
    assert told["status"] == 0
    assert len(shop.provider.charges) == 1


def test_exception_is_no_proof_that_nothing_happened(shop: Shop) -> None:
    """A provider that charges and answers with an error is not called again by a retry: a person is asked."""
    shop.provider.fails.add("one")

    ended = shop.order("shop_retried", "one")

    assert ended.answers == ["paused"]
    assert len(shop.provider.charges) == len(shop.provider.requests) == 1
    told, seen = shop.resume("one")
    assert seen is not None
    assert (told["status"], seen["asked"]) == (4, "effect_unresolved")
    shop.review("one", {"choice": 0, "value": "receipt-one"})
    assert _completed(shop, "one", *shop.resume("one"))[0][1] == "completed"
    assert len(shop.provider.requests) == 1


def _completed(shop: Shop, name: str, told: dict[str, Any], seen: dict[str, Any] | None) -> tuple[Any, Any]:
    """Return how an order ended, and how it has to."""
    assert seen is not None
    result = repr(f"{name} shipped against receipt-{name}")
    found = (told["status"], seen["status"], seen["result"], seen["problems"], len(shop.provider.of(name)))
    return found, (0, "completed", result, [], 1)


def _differences(where: str, found: object, wanted: object) -> list[str]:
    return [] if found == wanted else [f"{where}: {found}, expected {wanted}"]
