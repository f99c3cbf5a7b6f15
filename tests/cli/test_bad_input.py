"""Bad input: what was put in, what is said, the exit status, and that nothing was lost or made by it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omium import runtime
from omium.cli import cli

CODE = """
import os, random, signal, socket
import omium
from omium import checkpoint, workflow

@checkpoint("gather")
def gather(count: int) -> list:
    return [{"index": one, "text": random.Random(one).randbytes(600).hex()} for one in range(count)]

@checkpoint("image")
def image() -> bytes:
    return random.Random(0).randbytes(300_000)

@checkpoint("last")
def last() -> int:
    if os.environ.get("KILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    return 1

@workflow(name="big")
def big(count: int) -> int:
    return len(gather(count)) + len(image()) + last()

@checkpoint("plug")
def plug() -> dict:
    return {"items": [1, {"socket": socket.socket()}]}

@workflow(name="plugs")
def plugs() -> dict:
    last()
    return plug()
"""
CHANGED = CODE.replace('checkpoint("gather")', 'checkpoint("collect")')

# Each is given to a project that has the executions `big-1` (killed) and `big-2` (completed).
IDS = [
    (("show", "big-3"), "there is no execution `big-3`; did you mean `big-2`, `big-1`?"),
    (("show", "big"), "several executions begin with `big`: `big-2`, `big-1`; give more of the id"),
    (("show", "zzz"), "there is no execution `zzz`; `omium list` shows those that are there"),
    (("show", ""), "ID (or `--execution-id ID`) is empty"),
    (("checkpoints", "bgi-1"), "did you mean `big-1`"),
    (("verify", "zzz"), "there is no execution `zzz`"),
    (("verify", "--head", ""), "`--head` is empty"),
    (("watch", "zzz"), "there is no execution `zzz`"),
    (("export", "zzz", "--output", "journal"), "there is no execution `zzz`"),
    (("pause", "zzz"), "there is no execution `zzz`"),
    (("halt", "zzz", "--by", "ann", "--reason", "r"), "there is no execution `zzz`"),
    (("halt", "", "--by", "ann", "--reason", "r"), "is empty"),
    (("halt", "--workflow", "bigg", "--by", "ann", "--reason", "r"), "of a workflow `bigg` here; did you mean `big`?"),
    (("prune", "--workflow", "bigg", "--yes"), "of a workflow `bigg` here; did you mean `big`?"),
    (("review", "zzz", "--approve", "--by", "ann", "--reason", "r"), "there is no execution `zzz`"),
    (("recover", "zzz"), "there is no execution `zzz`"),
    (("resume", "zzz", "works.py"), "there is no execution `zzz`"),
    (("resume", "", "works.py"), "ID (or `--execution-id ID`) is empty"),
    (("rollback", "zzz", "gather"), "there is no execution `zzz`"),
    (("rollback", "big-2", "gathr"), "there is no checkpoint `gathr` on the path of `big-2`; it has `start`, `gather`"),
    (("rollback", "big-2", ""), "CHECKPOINT (or `--to-checkpoint NAME`) is empty"),
    (("fork", "zzz", "--at", "gather"), "there is no execution `zzz`"),
    (("fork", "big-2", "--at", ""), "`--at` is empty"),
    (("rolback", "big-2"), "no such command 'rolback' (did you mean 'rollback'?)"),
    (("explain", "unknown-exection"), "did you mean `unknown-execution`?"),
]
TYPES = [
    (("list", "--limit", "abc"), "'abc' is not a whole number"),
    (("list", "--limit", "0"), "0 is not in the range"),
    (("list", "--limit", "9" * 30), "is not in the range"),
    (("list", "--status", "nope"), "'nope' is not one of 'running'"),
    (("list", "--store", ""), "invalid value for '--store': it is empty"),
    (("list", "--store", "nonsense://x"), "no plugin keeps journals under the URL scheme `nonsense`"),
    (("stats", "--since", "soon"), "`soon` is not a span of time, such as `7d`"),
    (("prune", "--older-than", "-1d"), "`-1d` is not a span of time"),
    (("prune", "--keep-last", "few"), "'few' is not a whole number"),
    (("checkpoints", "big-1", "--show-al"), "no such option '--show-al' (did you mean '--show-all'?)"),
    (("run",), "missing argument 'FILE[:NAME]'"),
    (("run", "."), "there is no file and no module `.`"),
    (("run", "omium.toml"), "`omium.toml` is not a Python file"),
]
WITH_CODE = [
    (("run", "works.py:big", "--input", "many"), 2, "`--input` is not JSON"),
    (("run", "works.py:big", "--input", '{"cuont": 3}'), 2, "workflow `big` has no parameter `cuont`; it has `count`"),
    (("run", "works.py:big", "--input", '"many"'), 2, "`$.count` of the input is not a whole number"),
    (("run", "works.py:big", "--input", "3", "--execution-id", ""), 2, "cannot be an execution's id"),
    (("run", "works.py:big", "--input", "3", "--execution-id", "big-1"), 2, "there is an execution `big-1` already"),
    (("fork", "big-2", "works.py", "--at", "gathr"), 2, "there is no checkpoint `gathr`"),
    (("resume", "big-1"), 2, "the code of workflow `big` is missing"),
    (("recover", "big-1"), 2, "the code of workflow `big` is missing"),
    (("rollback", "big-2", "gather", "--yes"), 2, "the code of workflow `big` is missing"),
    (("resume", "big-1", "works.py:plugs"), 2, "`big-1` is an execution of `big`, not of `plugs`"),
    (("resume", "big-1", "gone.py"), 2, "there is no file `gone.py`"),
    (("resume", "big-1", "flows.py"), 2, "the code of workflow `big` is not loaded"),
    (("resume", "big-1", "syntax.py"), 1, "`syntax.py` cannot be imported: SyntaxError: invalid syntax"),
]
CONFIGURATIONS = [
    ("omium.toml", "store = ", "omium.toml` cannot be read as TOML at its end"),
    ("omium.toml", "store = 5", "`store` in omium.toml line 1 is `5`, expected text"),
    ("omium.toml", 'store = "."', "is a folder, which cannot be opened as a store"),
    ("omium.toml", 'store = "flows.py"', "flows.py` is not a store of Omium (file is not a database)"),
    ("omium.toml", 'durability = "powr"', "expected `power` or `process`; did you mean `power`?"),
    ("omium.toml", 'workflows = "flows.py"', "expected a list of text"),
    ("omium.toml", "channels = 3", "expected a table of names"),
    ("omium.toml", "\udcff\udcfe", "omium.toml` cannot be read: it is not UTF-8"),
    ("pyproject.toml", "[tool]\nomium = 3", "`tool.omium` in pyproject.toml must be a table"),
    (
        "pyproject.toml",
        "[tool.omium]\nstore = 3",
        "`store` in pyproject.toml [tool.omium] line 2 is `3`, expected text",
    ),
    ("OMIUM_STORE", "x" * 5_000, "there can be no store at"),
    ("OMIUM_STORE", "nonsense://x", "no plugin keeps journals under the URL scheme `nonsense`"),
    ("OMIUM_DURABILITY", "maybe", "the variable `OMIUM_DURABILITY` is `maybe`, expected `power` or `process`"),
]
# These import code, which a process does once, so they have one of their own.
LOADING = ("run", "fork")
READERS = [
    ("list",), ("show",), ("checkpoints",), ("verify",), ("stats",), ("watch", "x"), ("export", "x"), ("fixes",),
    ("resume", "x"), ("recover", "x"), ("rollback", "x", "y"), ("fork", "x", "--at", "y"), ("pause", "x"),
    ("halt", "x", "--by", "ann", "--reason", "r"), ("review", "x", "--approve", "--by", "ann", "--reason", "r"),
    ("prune", "--keep-last", "1"),
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, recovered: Any) -> Any:
    """A project with `big-1`, whose process was killed in its last step, and `big-2`, which completed."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "omium.toml").touch()
    shutil.copy(recovered.folder / "flows.py", folder)
    (folder / "works.py").write_text(CODE)
    (folder / "syntax.py").write_text("def (:\n")
    project = type(recovered)(folder)
    run = ("run", "works.py:big", "--input", "60", "--execution-id")
    assert project.omium(*run, "big-1", KILL="1").status == -9
    assert project.omium(*run, "big-2").status == 0
    return project


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--store` is kept in the environment, for user code; a command in this process must not leave it to the next."""
    monkeypatch.setenv("OMIUM_STORE", "")


@pytest.fixture
def copy(made: Any, tmp_path: Path) -> Any:
    """A copy of that project, to be damaged."""
    shutil.copytree(made.folder, tmp_path / "copy")
    return type(made)(tmp_path / "copy")


def _journals(project: Any) -> list[tuple[Any, ...]]:
    """Give all that is in the journals."""
    connection = sqlite3.connect(f"file:{project.folder}/.omium/omium.db?mode=ro", uri=True)
    rows = connection.execute("SELECT * FROM append ORDER BY id").fetchall()
    connection.close()
    return rows


def _typed(args: tuple[str, ...]) -> str:
    return " ".join(args) or "nothing"


def _one_sentence(done: Any, status: int, said: str) -> None:
    """One line says what is wrong, on stderr, without a traceback; what follows it names a command."""
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert (done.status, len(errors)) == (status, 1), done.err
    assert said in errors[0]
    assert "Traceback" not in done.err
    assert "unexpected" not in done.err


@pytest.mark.parametrize(("args", "said"), [*IDS, *TYPES], ids=[_typed(args) for args, _ in (*IDS, *TYPES)])
def test_wrong_words_exit_2(made: Any, args: tuple[str, ...], said: str) -> None:
    """Ids, names and values that cannot be are named with what was meant; as JSON it is one object."""
    before = _journals(made)

    done = made.inside(*args)
    _one_sentence(done, 2, said)
    assert done.out == ""
    as_json = made.inside(*args, "--json") if args[0] in cli.commands_at else made.inside("--json", *args)
    _one_sentence(as_json, 2, said)
    assert as_json.data["error"]["exit_status"] == 2
    assert said in as_json.data["error"]["message"]

    assert _journals(made) == before


@pytest.mark.parametrize(("args", "status", "said"), WITH_CODE, ids=[_typed(args) for args, _, _ in WITH_CODE])
def test_code_that_is_missing_or_is_given_the_wrong_values(
    made: Any, args: tuple[str, ...], status: int, said: str
) -> None:
    """Nothing is run and nothing is journaled."""
    before = _journals(made)

    loads = args[0] in LOADING or "flows.py" in args or "works.py:plugs" in args
    done = made.omium(*args) if loads else made.inside(*args)

    _one_sentence(done, status, said)
    assert done.out == ""
    assert _journals(made) == before


@pytest.mark.parametrize(("place", "text", "said"), CONFIGURATIONS)
def test_rubbish_in_the_configuration(
    project: Any, monkeypatch: pytest.MonkeyPatch, place: str, text: str, said: str
) -> None:
    """The sentence names the file and line or the variable; nothing is made."""
    if place.startswith("OMIUM_"):
        monkeypatch.setenv(place, text)
    else:
        (project.folder / "omium.toml").unlink()
        (project.folder / place).write_text(text, encoding="utf-8", errors="surrogateescape")
    before = sorted(project.folder.iterdir())

    _one_sentence(project.inside("list"), 2, said)

    assert sorted(project.folder.iterdir()) == before


def test_rubbish_in_the_configuration_runs_nothing(project: Any) -> None:
    """`run` says the same, and makes nothing beside what it was pointed to."""
    done = project.omium("run", "flows.py:lanes", OMIUM_STORE="flows.py")

    _one_sentence(done, 2, "flows.py` is not a store of Omium (file is not a database)")
    done = project.omium("run", "flows.py:lanes", OMIUM_BLOBS="foo://x")
    _one_sentence(done, 2, "`foo://x` is not a place for blobs: protocol not known: foo")
    assert {one.name for one in project.folder.iterdir()} - {"__pycache__"} == {"flows.py", "omium.toml"}


@pytest.mark.parametrize("args", READERS, ids=_typed)
def test_a_command_that_only_looks_makes_no_store(project: Any, args: tuple[str, ...]) -> None:
    """Where there is no store yet, what needs one says so and leaves none."""
    done = project.inside(*args)

    _one_sentence(done, 2, "there is no store at")
    assert not (project.folder / ".omium").exists()


def test_a_misspelt_key_is_said_and_harms_nothing(copy: Any) -> None:
    """A key or variable that is not known would leave something as it is by default, so each command says it."""
    (copy.folder / "omium.toml").write_text('durabilty = "process"\n')

    done = copy.omium("list", OMIUM_STOER="x")

    assert done.status == 0
    assert "warning: the key `durabilty` in omium.toml line 1 is not known; did you mean `durability`?" in done.err
    assert "warning: the variable `OMIUM_STOER` is not known; did you mean `OMIUM_STORE`?" in done.err


def test_a_step_that_returns_a_socket(project: Any) -> None:
    """What cannot be stored is named with its path; what was done before it stays done."""
    (project.folder / "works.py").write_text(CODE)

    done = project.omium("run", "works.py:plugs", "--execution-id", "p")

    _one_sentence(done, 1, "`$.items[1].socket` cannot be stored: `socket.socket` is not data")
    assert project.inside("verify").status == 0
    names = [one["name"] for one in project.inside("checkpoints", "p", "--json").data["checkpoints"]]
    assert names == ["start", "last"]


def test_a_changed_workflow_is_a_divergence_however_often_it_is_tried(copy: Any) -> None:
    """Exit status 5, nothing done; the workflow as it was goes on."""
    (copy.folder / "changed").mkdir()
    (copy.folder / "changed" / "works.py").write_text(CHANGED)

    for _ in range(4):
        done = copy.omium("resume", "big-1", "changed/works.py")
        _one_sentence(done, 5, "at `collect` the record has `gather`, but the code asks for `collect`")

    assert copy.omium("resume", "big-1", "works.py").status == 0
    assert copy.inside("verify").status == 0


@pytest.mark.parametrize("part", ["large", "small"])
@pytest.mark.parametrize("harm", ["truncated", "gone"])
def test_a_blob_that_is_not_whole(copy: Any, part: str, harm: str) -> None:
    """Exit status 6 that names the event, however often it is tried; with the blob back, the execution goes on.

    More tries than the crashes after which an execution is paused: what cannot be read is nobody's crash.
    """
    back = _harmed(copy.folder / ".omium", part, harm)
    was = "was changed" if harm == "truncated" else "is missing"

    for _ in range(4 if (part, harm) == ("large", "truncated") else 1):
        done = copy.omium("resume", "big-1", "works.py")
        _one_sentence(done, 6, "of `big-1`: blob `")
        assert was in done.err
    found = copy.inside("verify")
    assert (found.status, "broken: event" in found.out) == (6, True)
    _one_sentence(copy.omium("rollback", "big-2", "image", "works.py", "--yes"), 1, "nothing was changed: event")
    _close()

    back()
    assert copy.omium("resume", "big-1", "works.py").status == 0
    assert copy.inside("verify").status == 0


@pytest.mark.parametrize("harm", ["append", "execution", "schema", "truncated", "emptied", "header"])
def test_a_damaged_database(copy: Any, harm: str) -> None:
    """Exit status 6 from every command that meets the damage; nothing takes the place of the store."""
    _damaged(copy.folder / ".omium" / "omium.db", harm)
    before = (copy.folder / ".omium" / "omium.db").read_bytes()
    for args in (("show", "big-1"), ("export", "big-1"), ("stats",)):
        _one_sentence(copy.inside(*args), 6, "is damaged: ")
    for args in (("resume", "big-1", "works.py"), ("run", "works.py:big", "--input", "3")):
        _one_sentence(copy.omium(*args), 6, "is damaged: ")
    assert copy.inside("verify").status == 6
    sick = copy.inside("doctor", "--json")
    assert sick.status == 1
    assert [one["name"] for one in sick.data["findings"] if one["status"] == "broken"] == ["store"]
    if harm not in ("append", "execution"):
        # The others can be opened, and whoever does that becomes a runner first.
        assert (copy.folder / ".omium" / "omium.db").read_bytes() == before


def test_a_store_that_was_deleted_is_made_anew(copy: Any) -> None:
    """Who removes the database wants another; it is only an empty file in its place that nobody wanted."""
    for one in (copy.folder / ".omium").glob("omium.db*"):
        if one.is_file():
            one.unlink()

    _one_sentence(copy.inside("list"), 2, "there is no store at")
    assert copy.omium("run", "works.py:big", "--input", "3").status == 0


def _close() -> None:
    """Close the store in this process, which would not hear of what is changed behind its back."""
    for one in list(runtime._PROCESS.runtimes.values()):
        one.close()


def _harmed(home: Path, part: str, harm: str) -> Callable[[], None]:
    """Cut or remove a blob of each value of `big-1` and `big-2`; give what puts it back."""
    if part == "large":
        files = {one: one.read_bytes() for one in (home / "blobs").rglob("*") if one.is_file()}
        for one in files:
            os.truncate(one, 1_000) if harm == "truncated" else one.unlink()
        return lambda: [one.write_bytes(data) for one, data in files.items()] and None
    with sqlite3.connect(home / "omium.db") as connection:
        blobs = connection.execute("SELECT hash, data FROM blob").fetchall()
        if harm == "truncated":
            connection.execute("UPDATE blob SET data = substr(data, 1, length(data) / 2)")
        else:
            connection.execute("DELETE FROM blob")
    connection.close()

    def back() -> None:
        with sqlite3.connect(home / "omium.db") as connection:
            connection.execute("DELETE FROM blob")
            connection.executemany("INSERT INTO blob(hash, data) VALUES (?, ?)", blobs)
        connection.close()

    return back


def _damaged(database: Path, harm: str) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'"))
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    if harm in ("truncated", "emptied"):
        os.truncate(database, 20_000 if harm == "truncated" else 0)
        return
    start, length = {"schema": (100, 3_000), "header": (0, 4)}.get(harm, (0, size))
    with open(database, "r+b") as file:
        file.seek((roots[harm] - 1) * size if harm in roots else start)
        file.write(b"\xa5" * length)


def test_what_is_printed_as_json_is_one_object(made: Any) -> None:
    """Also where something is wrong before the command is known."""
    for args in (("--json", "nope"), ("--json", "show", "zzz"), ("run", "--json")):
        assert json.loads(made.inside(*args).out)["schema_version"] == 1
