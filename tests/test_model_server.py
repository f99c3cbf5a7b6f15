"""The scripted model server speaks the chat protocol, and equal requests have equal answers."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from omium.testing import ModelServer, Reply, ToolCall
from omium.testing import Request as Asked

HELLO = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}


def script(request: Asked) -> Reply | str:
    if "weather" in request.text:
        return Reply(tools=(ToolCall("forecast", {"city": "Rome", "days": 2}), ToolCall("clock")))
    if "limit" in request.text:
        return Reply("slow down", status=429)
    if "break" in request.text:
        raise ValueError("unscripted")
    return f"You said: {request.text}"


def send(server: ModelServer, body: Any, path: str = "/chat/completions") -> bytes:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = Request(server.url + path, data, {"Content-Type": "application/json"})
    with build_opener(ProxyHandler({})).open(request, timeout=10) as reply:
        answer: bytes = reply.read()
        return answer


def ask(server: ModelServer, content: Any, **options: Any) -> Any:
    return json.loads(
        send(server, {"model": "scripted", "messages": [{"role": "user", "content": content}], **options})
    )


def events(stream: bytes) -> list[Any]:
    lines = [line.removeprefix(b"data: ") for line in stream.split(b"\n\n") if line]
    assert lines.pop() == b"[DONE]"
    return [json.loads(line) for line in lines]


def test_answer_is_a_chat_completion() -> None:
    """A client finds the text, the finish reason, the model it asked and the usage where the protocol has them."""
    with ModelServer(script) as server:
        answer = ask(server, "hello there")

    assert answer["object"] == "chat.completion"
    assert answer["model"] == "scripted"
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "You said: hello there", "refusal": None}
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}


def test_tool_calls_carry_their_arguments_as_text() -> None:
    """Tool calls end the turn, have ids of their own, and their arguments are JSON in a string."""
    with ModelServer(script) as server:
        choice = ask(server, "weather?")["choices"][0]

    first, second = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert first["type"] == "function"
    assert first["function"]["name"] == "forecast"
    assert json.loads(first["function"]["arguments"]) == {"city": "Rome", "days": 2}
    assert first["id"] != second["id"]


def test_stream_adds_up_to_the_answer() -> None:
    """The deltas of a stream are the text of the plain answer, and the usage comes when it was asked for."""
    with ModelServer(script) as server:
        body = {**HELLO, "stream": True, "stream_options": {"include_usage": True}}
        chunks = events(send(server, body))

    text = "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks if one["choices"])
    assert text == "You said: hello"
    assert {one["object"] for one in chunks} == {"chat.completion.chunk"}
    assert [one["choices"][0]["finish_reason"] for one in chunks if one["choices"]][-1] == "stop"
    assert chunks[-1]["usage"]["total_tokens"] == 4


def test_stream_has_tool_calls_with_their_index() -> None:
    """A client that streams puts tool calls together by their index."""
    with ModelServer(script) as server:
        body = {"model": "m", "messages": [{"role": "user", "content": "weather"}], "stream": True}
        chunks = events(send(server, body))

    calls = [call for one in chunks for call in one["choices"][0]["delta"].get("tool_calls", [])]
    assert [(call["index"], call["function"]["name"]) for call in calls] == [(0, "forecast"), (1, "clock")]
    assert "usage" not in chunks[-1]


def test_equal_requests_have_equal_answers_in_every_server() -> None:
    """An answer depends on the request alone, to the byte, so another process's server gives the same one."""
    with ModelServer(script) as one, ModelServer(script) as other:
        assert send(one, HELLO) == send(one, HELLO) == send(other, HELLO)
        assert send(one, HELLO) != send(one, {**HELLO, "temperature": 0})


def test_requests_are_counted_and_kept() -> None:
    """A test can say how often the model was asked, and what; messages in parts are text too."""
    with ModelServer(script) as server:
        assert server.count == 0
        ask(server, [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {"url": "x"}}])
        ask(server, "two", temperature=0)

        assert server.count == 2
        assert [one.text for one in server.requests] == ["one", "two"]
        assert server.requests[1].body["temperature"] == 0


def test_models_are_listed() -> None:
    """A client that looks for its model finds it."""
    with ModelServer(script, models=("a", "b")) as server:
        listed = json.loads(send(server, None, "/models"))

    assert [one["id"] for one in listed["data"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "path", "status", "message"),
    [
        ({"messages": [{"role": "user", "content": "limit"}]}, "/chat/completions", 429, "slow down"),
        ({"messages": [{"role": "user", "content": "break"}]}, "/chat/completions", 500, "unscripted"),
        (b"{", "/chat/completions", 400, "messages"),
        ({"messages": "hello"}, "/chat/completions", 400, "messages"),
        (HELLO, "/embeddings", 404, "/v1/embeddings"),
        (None, "/files", 404, "/v1/files"),
    ],
)
def test_errors_have_the_providers_form(body: Any, path: str, status: int, message: str) -> None:
    """A refused request, an error of the script's choice and a broken script all reach the client as errors."""
    with ModelServer(script) as server, pytest.raises(HTTPError) as caught:
        send(server, body, path)

    assert caught.value.code == status
    assert message in json.loads(caught.value.read())["error"]["message"]


def test_closed_server_listens_no_more() -> None:
    """After `close` nothing answers, and closing once more does nothing."""
    server = ModelServer(script)
    server.close()
    server.close()

    with pytest.raises(OSError, match=r"refused|reset"):
        send(server, HELLO)
