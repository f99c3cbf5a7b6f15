"""A page of documentation as something that runs: its code blocks, by what they are and what they need.

* `python` blocks are one program, in their order. A block under a sentence that ends in "Save this as `NAME`:" is that
  file instead; one that is followed by "Save it as `NAME`" is both.
* `console` blocks are commands (`$ `) with what they print on stdout, where it is shown; `...` stands for anything, and
  `exit status N` in a command's comment for how it ends. `sh` blocks are commands alone. Questions are answered `y`.
* `toml` and `json` blocks parse; a `toml` block that is Omium's configuration is loaded as one. `sql` blocks run on the
  store of the page's commands.
* `text` is no code.

A block under the line "*Not run by the tests: REASON.*" only has to parse.
"""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import shlex
import sqlite3
import subprocess
import sys
import termios
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Block", "Command", "Page", "alike", "at_a_terminal", "environment", "installs"]

RUN_S = 300.0
ANSWERS = 50
LANGUAGES = ("python", "console", "sh", "toml", "json", "sql", "text")
_FENCE = re.compile(r"^```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"\*Not run by the tests: (?P<reason>[^*]+)\.\*\s*\Z")
_SAVE_THIS = re.compile(r"Save\s+this\s+as\s+`(?P<name>[^`]+)`[^`]*:\s*\Z", re.DOTALL)
_SAVE_IT = re.compile(r"[^#]{0,400}?\bSave\s+it\s+as\s+`(?P<name>[^`]+)`", re.DOTALL)
_STATUS = re.compile(r"#.*\bexit status (?P<status>\d+)")
_INSTALLS = re.compile(r"(pip|pip3|nox|pipx|uv|python3? -m (venv|pip))\b")
_MARK = "\x1eomium-docs"
# Settings that a page shows for a plugin's distribution, not for Omium.
_NOT_CONFIGURATION = {"project", "build-system", "dependency-groups"}


@attrs.frozen
class Command:
    """A command as a reader types it, what it should print (None: not shown), and how it should end."""

    line: str
    shown: tuple[str, ...] | None
    status: int


@attrs.frozen
class Block:
    """A block of code: its language, its text, the line it begins on, and what the page says around it."""

    language: str
    text: str
    line: int
    not_run: str | None = None
    save_this: str | None = None
    save_it: str | None = None

    def commands(self) -> Iterator[Command]:
        """Give the commands of a `console` or `sh` block."""
        if self.language == "sh":
            yield from (Command(one, None, _status(one)) for one in self.text.splitlines() if one.strip())
            return
        command, shown = "", []
        for line in [*self.text.splitlines(), "$ "]:
            if line.startswith("$ "):
                if command:
                    yield Command(command, tuple(shown) or None, _status(command))
                command, shown = line[2:], []
            elif command.endswith("\\"):
                command += f"\n{line}"
            else:
                shown.append(line)

    def parsed(self) -> Any:
        """Parse the block by its language; raise what its parser raises."""
        match self.language:
            case "python":
                return ast.parse(self.text)
            case "toml":
                return tomllib.loads(self.text)
            case "json":
                return json.loads(self.text)
        return self.text


@attrs.frozen
class Page:
    """A page and its blocks."""

    path: Path
    blocks: tuple[Block, ...]

    @classmethod
    def read(cls, path: Path) -> Page:
        """Read a page."""
        text = path.read_text(encoding="utf-8")
        return cls(path, tuple(_blocks(text)))

    def running(self, *languages: str) -> Iterator[Block]:
        """Give the blocks in these languages that are to run."""
        return (one for one in self.blocks if one.language in languages and one.not_run is None)

    def commands(self) -> list[Command]:
        """Return the commands of the page in their order, without those that install something."""
        return [one for block in self.running("console", "sh") for one in block.commands() if not installs(one.line)]

    def program(self) -> str:
        """Return the page's Python as one program; an error in it names the line of the page."""
        lines: list[str] = []
        for block in self.running("python"):
            if block.save_this is None:
                lines += [""] * (block.line - len(lines)) + block.text.splitlines()
        return "\n".join(lines) + "\n" if lines else ""

    def write_files(self, folder: Path) -> None:
        """Write the files that the page tells its reader to save."""
        for block in self.blocks:
            for name in (block.save_this, block.save_it):
                if name is not None:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_text(block.text, encoding="utf-8")

    def configurations(self) -> Iterator[tuple[Block, str]]:
        """Give the blocks that are Omium's configuration, with the name of the file that they stand for."""
        for block in self.running("toml"):
            table = block.parsed()
            if "omium" in table.get("tool", {}):
                yield block, "pyproject.toml"
            elif not _NOT_CONFIGURATION & set(table):
                yield block, "omium.toml"

    def run_program(self, folder: Path) -> None:
        """Run the page's Python in a folder."""
        place = folder / f"{self.path.stem}_page.py"
        place.write_text(self.program(), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, place.name], cwd=folder, capture_output=True, text=True, timeout=RUN_S, env=environment()
        )
        assert done.returncode == 0, f"{self.path.name}: {done.stderr}"

    def run_commands(self, folder: Path, commands: Iterable[Command], env: Mapping[str, str]) -> None:
        """Run commands in one shell, in a folder; what they print must be what the page shows."""
        commands = list(commands)
        script = "".join(f"{one.line}\nprintf '%s %s\\n' {shlex.quote(_MARK)} $?\n" for one in commands)
        output, said = at_a_terminal(script, folder, env)
        ends = re.findall(rf"(.*?){_MARK} (\d+)\n", output, re.DOTALL)
        assert len(ends) == len(commands), f"{self.path.name}: the shell ended early: {said}"
        for command, (printed, status) in zip(commands, ends, strict=True):
            where = f"{self.path.name}: $ {command.line}\n{printed}{said}"
            assert int(status) == command.status, where
            assert command.shown is None or alike("\n".join(command.shown), printed), where

    def run_queries(self, store: Path) -> None:
        """Run the page's SQL on a store, which is only read."""
        for block in self.running("sql"):
            connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
            try:
                for statement in filter(str.strip, block.text.split(";")):
                    connection.execute(statement).fetchall()
            finally:
                connection.close()


def alike(shown: str, printed: str) -> bool:
    """Say whether output is what was shown: `...` stands for anything, runs of blanks for one, ids for any id."""
    pattern = ".*?".join(map(re.escape, re.split(r"\.\.\.", _plain(shown))))
    return re.fullmatch(pattern, _plain(printed), re.DOTALL) is not None


def installs(command: str) -> bool:
    """Say whether a command installs something or runs the project's own checks."""
    return _INSTALLS.match(command) is not None


def environment(**variables: str) -> dict[str, str]:
    """Return an environment in which `omium` is the one under test, plain, and configured by nothing outside."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", "")])
    return {**inherited, "PATH": path, "PYTHONUTF8": "1", "COLUMNS": "120", "NO_COLOR": "1", **variables}


def at_a_terminal(script: str, folder: Path, env: Mapping[str, str]) -> tuple[str, str]:
    """Run a script as a reader does who answers `y` to every question; return what it printed, and what it said."""
    master, terminal = pty.openpty()
    # What is typed ahead is not to be seen among what is said.
    modes = termios.tcgetattr(terminal)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
    said: list[bytes] = []

    def listen() -> None:
        # Linux raises where others give nothing once nobody has the terminal open any more.
        with suppress(OSError):
            while text := os.read(master, 65536):
                said.append(text)

    listener = threading.Thread(target=listen, daemon=True)
    try:
        os.write(master, b"y\n" * ANSWERS)
        listener.start()
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
            timeout=RUN_S,
            env=dict(env),
        )
    finally:
        os.close(terminal)
        listener.join(RUN_S)
        os.close(master)
    return done.stdout, b"".join(said).decode(errors="replace")


def _blocks(text: str) -> Iterator[Block]:
    for fence in _FENCE.finditer(text):
        before, after = text[: fence.start()].rstrip(), text[fence.end() :]
        not_run, this = _NOT_RUN.search(before), _SAVE_THIS.search(before)
        it = _SAVE_IT.match(after.partition("```")[0])
        yield Block(
            fence["language"],
            fence["text"],
            text.count("\n", 0, fence.start()) + 1,
            not_run["reason"] if not_run else None,
            this["name"] if this else None,
            it["name"] if it else None,
        )


def _status(command: str) -> int:
    found = _STATUS.search(command)
    return int(found["status"]) if found else 0


def _plain(text: str) -> str:
    text = re.sub(r"\b(exe|ckpt|rev)_\w+", r"\1_", text)
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
