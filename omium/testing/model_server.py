"""A model on loopback that speaks OpenAI's chat protocol and answers from a script.

The script is a function of the request alone. So the same request has the same answer in every process, and a workflow
that was killed and resumed meets the model that it knew.

    def script(request):
        return "4.5" if "refused" in request.text else "0"

    with ModelServer(script) as server:
        client = OpenAI(base_url=server.url, api_key="none")

The protocol: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import hashlib
import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, TypeAlias

import attrs

__all__ = ["ModelServer", "Reply", "Request", "Script", "ToolCall"]

BODY_BYTES_MAX = 16 * 1024 * 1024
# `shutdown` waits this long at most.
POLL_S = 0.02
# A client that keeps its connection open and says nothing is let go.
IDLE_S = 60.0
MODELS = ("scripted",)


@attrs.frozen
class Request:
    """A chat completion as it was asked for; `body` is all of it."""

    body: Mapping[str, Any]

    @property
    def model(self) -> str:
        """The model that was asked."""
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        """The messages, oldest first."""
        return list(self.body["messages"])

    @property
    def text(self) -> str:
        """Everything that the messages say, one message after the other."""
        return "\n".join(_text_of(message) for message in self.messages)

    @property
    def digest(self) -> str:
        """What names this request: equal requests have equal digests."""
        canonical = json.dumps(self.body, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@attrs.frozen
class ToolCall:
    """A tool that the model wants to be called."""

    name: str
    arguments: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Reply:
    """What the model says: text, tool calls, or with a `status` other than 200 an error of the provider."""

    text: str | None = None
    tools: tuple[ToolCall, ...] = ()
    status: int = 200


Script: TypeAlias = Callable[[Request], "Reply | str"]


class ModelServer:
    """The server; it listens from the moment it is made until `close`, or until its `with` block ends.

    `url` is what clients take as `base_url`. `requests` are those that the script was asked for, in order of arrival.
    A script that raises is an answer with status 500, so a test sees its client fail and not hang.
    """

    def __init__(self, script: Script, *, models: tuple[str, ...] = MODELS) -> None:
        self.requests: list[Request] = []
        self.models = models
        self._script = script
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        serve = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="omium-model", daemon=True)
        serve.start()

    @property
    def count(self) -> int:
        """How many chat completions were asked for."""
        return len(self.requests)

    def answer(self, request: Request) -> Reply:
        """Return the script's reply, and count the request."""
        self.requests.append(request)
        reply = self._script(request)
        return Reply(reply) if isinstance(reply, str) else reply

    def close(self) -> None:
        """Stop listening; a second call does nothing."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> ModelServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, model: ModelServer) -> None:
        self.model = model
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # The one of `HTTPServer` looks up the host's name, which can ask the network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    # An answer is written in two parts, and the second must not wait until the client has acknowledged the first.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what was asked is in `ModelServer.requests`."""

    def do_GET(self) -> None:
        if self._path() != "/v1/models":
            return self._refuse(404, f"there is no `{self._path()}` here")
        facts = {"object": "model", "created": 0, "owned_by": "omium"}
        listed = [{"id": name, **facts} for name in self.server.model.models]
        return self._send(200, {"object": "list", "data": listed})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_BYTES_MAX:
            self.close_connection = True
            return self._refuse(413, f"a request has at most {BODY_BYTES_MAX} bytes")
        data = self.rfile.read(length)
        if self._path() != "/v1/chat/completions":
            return self._refuse(404, f"there is no `{self._path()}` here")
        request = _request(data)
        if request is None:
            return self._refuse(400, "the body is not a JSON object with a list of `messages`")
        try:
            reply = self.server.model.answer(request)
        except Exception as error:  # A script may raise anything, and its client must hear of it.
            return self._refuse(500, f"the script failed: {error!r}")
        if reply.status != 200:
            return self._refuse(reply.status, reply.text or "the provider has failed")
        if request.body.get("stream"):
            return self._stream(request, reply)
        return self._send(200, _completion(request, reply))

    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _refuse(self, status: int, message: str) -> None:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        self._send(status, {"error": {"message": message, "type": kind, "param": None, "code": None}})

    def _send(self, status: int, content: Mapping[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, request: Request, reply: Reply) -> None:
        """Send server-sent events; the stream ends with the connection, because nothing says its length."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in _chunks(request, reply):
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")


def _request(data: bytes) -> Request | None:
    try:
        body = json.loads(data)
    except ValueError:
        return None
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return None
    return Request(body)


def _text_of(message: Mapping[str, Any]) -> str:
    """Return what a message says; its content is text, or a list of parts of which some are."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)


def _completion(request: Request, reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.tools:
        message["tool_calls"] = _tool_calls(request, reply)
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply), "logprobs": None}
    return {**_head(request, "chat.completion"), "choices": [choice], "usage": _usage(request, reply)}


def _chunks(request: Request, reply: Reply) -> Iterator[dict[str, Any]]:
    head = _head(request, "chat.completion.chunk")

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]}

    yield chunk({"role": "assistant", "content": ""})
    for word in re.findall(r"\s*\S+\s*", reply.text or ""):
        yield chunk({"content": word})
    for index, call in enumerate(_tool_calls(request, reply)):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    yield chunk({}, _finish(reply))
    if (request.body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": _usage(request, reply)}


def _head(request: Request, kind: str) -> dict[str, Any]:
    # Its id and its time are the request's too, so that equal requests have equal answers to the byte.
    return {"id": f"chatcmpl-{request.digest[:24]}", "object": kind, "created": 0, "model": request.model}


def _tool_calls(request: Request, reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{request.digest[:20]}_{index}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
        }
        for index, call in enumerate(reply.tools)
    ]


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.tools else "stop"


def _usage(request: Request, reply: Reply) -> dict[str, int]:
    """Count words for tokens: it is a script, and nobody pays for it."""
    asked, said = len(request.text.split()), len((reply.text or "").split())
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
