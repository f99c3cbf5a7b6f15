"""Values as agents have them: English of people, in messages and results. The same seed gives the same values."""

from __future__ import annotations

import ast
import random
import sysconfig
from pathlib import Path
from typing import Any

__all__ = ["Texts"]

# Modules whose documentation is prose; every Python has them.
MODULES = (
    "argparse", "ast", "asyncio/base_events", "asyncio/events", "asyncio/streams", "bdb", "calendar", "cgi", "cmd",
    "codecs", "collections/__init__", "concurrent/futures/_base", "configparser", "contextlib", "csv", "dataclasses",
    "datetime", "decimal", "difflib", "doctest", "email/message", "enum", "fractions", "functools", "gettext",
    "http/client", "http/cookiejar", "imaplib", "inspect", "ipaddress", "json/__init__", "locale", "logging/__init__",
    "logging/handlers", "mailbox", "multiprocessing/connection", "optparse", "os", "pathlib", "pdb", "pickle",
    "pickletools", "platform", "plistlib", "posixpath", "pprint", "pydoc", "random", "sched", "selectors", "shutil",
    "smtplib", "socket", "socketserver", "ssl", "statistics", "string", "subprocess", "tarfile", "tempfile",
    "textwrap", "threading", "timeit", "tokenize", "trace", "traceback", "typing", "unittest/case", "unittest/mock",
    "urllib/parse", "urllib/request", "uuid", "warnings", "weakref", "zipfile",
)  # fmt: skip
PARAGRAPH_CHARS_MIN = 60
ROLES = ("user", "planner", "researcher", "writer", "reviewer")


class Texts:
    """Paragraphs from the standard library's documentation, drawn in an order that the seed decides."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._paragraphs = _paragraphs()
        self._left: list[str] = []

    def text(self, chars: int) -> str:
        """Give prose of that length; no paragraph comes twice before all have come once."""
        parts: list[str] = []
        length = 0
        while length < chars:
            if not self._left:
                self._left = self._random.sample(self._paragraphs, len(self._paragraphs))
            parts.append(self._left.pop())
            length += len(parts[-1]) + 2
        return "\n\n".join(parts)[:chars]

    def message(self, index: int, chars: int = 1_400) -> dict[str, Any]:
        """Give one message of a conversation; its length varies by a quarter around `chars`."""
        length = self._random.randint(chars * 3 // 4, chars * 5 // 4)
        return {
            "id": f"msg_{self._random.getrandbits(64):016x}",
            "role": self._random.choice(ROLES),
            "content": self.text(length),
            "tokens": length // 4,
            "at": 1_763_660_000.25 + 7.5 * index,
        }

    def result(self, index: int, chars: int = 9_600) -> dict[str, Any]:
        """Give what a research step returns: a summary, findings with their sources, and a few numbers."""
        return {
            "topic": self.text(80),
            "summary": self.text(chars // 5),
            "findings": [
                {"claim": self.text(160), "evidence": self.text(chars // 10), "source": self.text(60), "score": 0.5}
                for _ in range(6)
            ],
            "draft": self.text(chars // 10 - 80),
            "index": index,
            "tokens": chars // 4,
            "final": False,
        }


def _paragraphs() -> list[str]:
    library = Path(sysconfig.get_paths()["stdlib"])
    found: dict[str, None] = {}
    for name in MODULES:
        path = library / f"{name}.py"
        if path.is_file():
            for text in _docstrings(path.read_text(encoding="utf-8")):
                found.update(dict.fromkeys(_split(text)))
    return list(found)


def _docstrings(source: str) -> list[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    return [text for text in map(ast.get_docstring, nodes) if text]


def _split(text: str) -> list[str]:
    paragraphs = (" ".join(one.split()) for one in text.split("\n\n"))
    return [one for one in paragraphs if len(one) >= PARAGRAPH_CHARS_MIN]
