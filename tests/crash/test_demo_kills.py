"""The demo is killed with SIGKILL at every write, and resumed by the command line in a new process.

Whatever the moment, the customer has one e-mail, the final state is that of a run that nothing disturbed, no step that
had a checkpoint runs again, and the journal verifies.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

# `conftest.py` has the types of the children and of how they end; test modules cannot import it.
Children = Any
Ended = Any
ID = "loan-1"
REVIEW = ["review", ID, "--approve", "--edit", "The licence asks for 2.5% to 8.5%.", "--by", "ann", "--reason", "rate"]
SAMPLE = 6


@attrs.frozen
class Case:
    """A folder with an execution that was killed, and what was wrong with what came of it."""

    children: Children
    folder: Path
    model: str
    where: str
    wrong: list[str] = attrs.field(factory=list)

    def begin(self, kill: int | None = None, **options: Any) -> Ended:
        return self._process(["onboard", self.model, ID], kill=kill, **options)

    def resume(self, kill: int | None = None) -> Ended:
        return self._process(["cli", "resume", ID], ["look", ID], kill=kill)

    def review(self, kill: int | None = None) -> Ended:
        return self._process(["cli", *REVIEW], ["look", ID], kill=kill)

    def copy(self, name: str) -> Case:
        """Return the same case in a folder of its own."""
        folder = self.folder.with_name(f"{self.folder.name}-{name}")
        shutil.copytree(self.folder, folder)
        return attrs.evolve(self, folder=folder, where=f"{self.where}, then {name}", wrong=[])

    def finish(self) -> dict[str, Any]:
        """Go on by the command line until the execution is completed; answer what it asks."""
        for _ in range(3):
            ended = self.resume()
            told, seen = ended.answers
            if seen is None:
                self._expect(told["status"], 2, "exit status of `resume` where nothing was begun")
                self.begin()
            elif seen["status"] == "paused":
                self._expect(told["status"], 4, "exit status of `resume` while a person is asked")
                self._expect(seen["asked"], "hallucination", "kind of what is asked")
                self._expect(self.review().answers[0]["status"], 0, "exit status of `review`")
            else:
                self._expect(told["status"], 0, "exit status of `resume`")
                return dict(seen)
        self.wrong.append(f"it is not completed after three resumes: {told}")
        return {}

    def check(self, wanted: dict[str, Any]) -> list[str]:
        """Finish the execution; return what differs from the undisturbed run, with the words that reproduce it."""
        seen = self.finish()
        for name in ("status", "outcomes", "result", "problems"):
            self._expect(seen.get(name), wanted[name], name)
        unsure = [one for one in seen.get("effects", ()) if one.split()[1] in ("intended", "unresolved")]
        self._expect(unsure, [], "effects that nobody knows about")
        self._expect(len(emails(self.folder)), 1, "number of e-mails")
        return [f"{self.where}: {one}" for one in self.wrong]

    def _process(self, *do: list[Any], kill: int | None = None, **options: Any) -> Ended:
        """Do this in a new process, in which no step that has a checkpoint by now may run."""
        finished = checkpointed(self.folder)
        ended = self.children.run(self.folder, *do, kill=kill, **options)
        if ended.error is not None:
            self.wrong.append(ended.error)
        again = finished & {step for pid, step in bodies(self.folder) if pid == ended.pid}
        self._expect(again, set(), "steps that ran again although they had a checkpoint")
        return ended

    def _expect(self, found: object, wanted: object, what: str) -> None:
        if found != wanted:
            self.wrong.append(f"{what}: {found}, expected {wanted}")


def checkpointed(folder: Path) -> set[str]:
    """Return the steps that have a checkpoint, read from the database without Omium."""
    return {event["step"] for event in events(folder) if event["type"] == "CheckpointCommitted"}


def events(folder: Path) -> list[dict[str, Any]]:
    """Return what the journal holds, read without Omium."""
    if not (folder / "omium.db").exists():
        return []
    with closing(sqlite3.connect(folder / "omium.db")) as connection:
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'append'").fetchall()
        rows = connection.execute("SELECT headers FROM append ORDER BY id").fetchall() if tables else []
    return [event for (headers,) in rows for event in json.loads(headers)]


def emails(folder: Path) -> list[tuple[str, ...]]:
    """Return what the mail provider of this folder's world has sent."""
    with closing(sqlite3.connect(folder / "demo-outbox.db")) as connection:
        return connection.execute("SELECT key, recipient, subject FROM message").fetchall()


def bodies(folder: Path) -> list[tuple[int, str]]:
    """Return which process ran the body of which step."""
    log = folder / "bodies.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [(int(pid), step) for pid, step in (line.split() for line in lines)]


@pytest.fixture(scope="module")
def undisturbed(children: Children, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """How the demo ends when nothing disturbs it, for a model that learns and for one that needs a person."""
    seen = {}
    for model in ("careless", "stubborn"):
        case = Case(children, tmp_path_factory.mktemp(model) / "calm", model, "undisturbed")
        case.begin()
        seen[model] = case.finish()
        assert not case.wrong
        assert seen[model]["status"] == "completed"
        assert len(emails(case.folder)) == 1
    return seen


@pytest.mark.parametrize("grouped", [False, True], ids=["each append alone", "appends in groups"])
def test_killed_at_every_write(children: Children, tmp_path: Path, undisturbed: Any, grouped: bool) -> None:
    """Killed anywhere in its run, the demo ends as if it had not been."""
    points = Case(children, tmp_path / "count", "careless", "count").begin(grouped=grouped).points
    assert len(points) > 20

    def survive(number: int) -> list[str]:
        case = Case(children, tmp_path / str(number), "careless", f"kill {number}, {points[number]}")
        assert case.begin(kill=number, grouped=grouped).killed
        return case.check(undisturbed["careless"])

    assert children.each(survive, range(len(points))) == []


def test_resumed_by_a_command_of_its_own(children: Children, tmp_path: Path, undisturbed: Any) -> None:
    """What the other tests do in forks holds for `omium resume` as a user starts it, from a sample of kills."""
    points = Case(children, tmp_path / "count", "careless", "count").begin().points
    command = [sys.executable, "-c", "from omium.cli import main; main()", "resume", ID]

    def survive(number: int) -> list[str]:
        case = Case(children, tmp_path / str(number), "careless", f"kill {number}, {points[number]}")
        assert case.begin(kill=number).killed
        home = {"OMIUM_HOME": str(case.folder), "OMIUM_STORE": f"sqlite:///{case.folder}/omium.db"}
        ended = subprocess.run(
            command,
            cwd=case.folder,
            env={**os.environ, **home},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if ended.returncode:
            case.wrong.append(f"`omium resume` left with {ended.returncode}: {ended.stderr}")
        return case.check(undisturbed["careless"])

    # The first ones are from before there is an execution to resume.
    begun = points.index("after the commit of ExecutionStarted+CheckpointCommitted")
    assert children.each(survive, range(begun, len(points), SAMPLE)) == []


def test_killed_again_while_it_recovers(children: Children, tmp_path: Path, undisturbed: Any) -> None:
    """Killed once more anywhere in the resume, after any of a sample of first kills, it still ends the same."""
    points = Case(children, tmp_path / "count", "careless", "count").begin().points

    def survive(number: int) -> list[str]:
        case = Case(children, tmp_path / str(number), "careless", f"kill {number}, {points[number]}")
        assert case.begin(kill=number).killed
        second = case.copy("count").resume().points
        wrong: list[str] = []
        for again in range(len(second)):
            twice = case.copy(f"kill {again}, {second[again]}".replace("/", "-"))
            assert twice.resume(kill=again).killed
            wrong += twice.check(undisturbed["careless"])
        return wrong

    sample = range(4, len(points), max(1, len(points) // SAMPLE))
    assert children.each(survive, sample) == []


def test_killed_while_a_person_is_needed(children: Children, tmp_path: Path, undisturbed: Any) -> None:
    """Killed anywhere on the way to a question, it asks that question and takes its answer, once."""
    points = Case(children, tmp_path / "count", "stubborn", "count").begin().points

    def survive(number: int) -> list[str]:
        case = Case(children, tmp_path / str(number), "stubborn", f"kill {number}, {points[number]}")
        assert case.begin(kill=number).killed
        return case.check(undisturbed["stubborn"])

    assert children.each(survive, range(len(points))) == []


@pytest.mark.parametrize("answering", [True, False], ids=["in the answer", "after the answer"])
def test_killed_around_a_review(children: Children, tmp_path: Path, undisturbed: Any, answering: bool) -> None:
    """Killed while an answer is recorded, it is recorded or asked for again; killed after that, the answer counts."""
    asked = Case(children, tmp_path / "asked", "stubborn", "asked")
    asked.begin()
    if not answering:
        asked.review()
    act = Case.review if answering else Case.resume
    points = act(asked.copy("count")).points

    def survive(number: int) -> list[str]:
        case = asked.copy(f"kill {number}")
        assert act(case, kill=number).killed
        return case.check(undisturbed["stubborn"])

    assert children.each(survive, range(len(points))) == []
