"""An editor, as far as a language server can tell: `omium lsp` as a process of its own, spoken to in JSON-RPC."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

__all__ = ["Editor", "editor"]

ANSWER_S = 60.0


@attrs.define(eq=False)
class Editor:
    """One conversation. Messages that the server sends by itself are kept until they are asked for."""

    process: subprocess.Popen[bytes]
    heard: queue.Queue[Mapping[str, Any] | None] = attrs.field(factory=queue.Queue)
    kept: list[Mapping[str, Any]] = attrs.field(factory=list)
    greeted: Mapping[str, Any] = attrs.field(factory=dict)
    asked: int = 0

    def ask(self, method: str, **params: Any) -> Any:
        """Ask, and return the answer's result."""
        self.asked += 1
        number = self.asked
        self._send({"id": number, "method": method, "params": params or None})
        answer = self._next(lambda one: one.get("id") == number and "method" not in one)
        assert "error" not in answer, answer
        return answer["result"]

    def tell(self, method: str, **params: Any) -> None:
        """Say something that has no answer."""
        self._send({"method": method, "params": params})

    def told(self, method: str) -> Mapping[str, Any]:
        """Return what the server says next under a method."""
        return self._next(lambda one: one.get("method") == method).get("params") or {}  # type: ignore[no-any-return]  # JSON

    def opened(self, path: Path, text: str, language: str) -> list[Mapping[str, Any]]:
        """Open a file with a text, and return what is said to be wrong with it."""
        document = {"uri": path.as_uri(), "languageId": language, "version": 1, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)
        return self.diagnostics(path)

    def diagnostics(self, path: Path) -> list[Mapping[str, Any]]:
        """Return what is said next to be wrong with a file."""
        found = self._next(
            lambda one: one.get("method") == "textDocument/publishDiagnostics" and one["params"]["uri"] == path.as_uri()
        )
        return found["params"]["diagnostics"]  # type: ignore[no-any-return]  # JSON

    def at(self, path: Path, line: int, character: int) -> dict[str, Any]:
        """Return the parameters of a question about a place."""
        return {
            "textDocument": {"uri": path.as_uri()},
            "position": {"line": line, "character": character},
        }

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def _next(self, wanted: Any) -> Mapping[str, Any]:
        for index, one in enumerate(self.kept):
            if wanted(one):
                return self.kept.pop(index)
        while True:
            message = self.heard.get(timeout=ANSWER_S)
            assert message is not None, "the server has ended"
            if "id" in message and "method" in message:
                # An editor agrees to what a server asks of it.
                self._send({"id": message["id"], "result": None})
            if wanted(message):
                return message
            self.kept.append(message)

    def listen(self) -> None:
        """Read what the server says until it ends."""
        assert self.process.stdout is not None
        while header := self.process.stdout.readline():
            length = 0
            while header.strip():
                name, _, value = header.decode("ascii").partition(":")
                length = int(value) if name.lower() == "content-length" else length
                header = self.process.stdout.readline()
            self.heard.put(json.loads(self.process.stdout.read(length)))
        self.heard.put(None)


@contextmanager
def editor(folder: Path, encodings: list[str] | None = None, **options: Any) -> Iterator[Editor]:
    """Start a server in a folder, greet it, and see it off."""
    command = [sys.executable, "-m", "omium", "lsp", "--stdio"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    one = Editor(process)
    threading.Thread(target=one.listen, daemon=True).start()
    try:
        general = {"positionEncodings": encodings} if encodings is not None else {}
        capabilities = {"general": general, "workspace": {"inlayHint": {"refreshSupport": True}}}
        greeted = one.ask(
            "initialize",
            processId=None,
            rootUri=folder.as_uri(),
            capabilities=capabilities,
            initializationOptions=options,
        )
        one.greeted = greeted
        one.tell("initialized")
        yield one
        one.ask("shutdown")
        one.tell("exit")
        assert process.wait(ANSWER_S) == 0
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
