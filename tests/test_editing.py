"""What an editor is told about a Python file: read as text, never imported, half written or not."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from omium.config import load_config
from omium.editing import PythonFix, hints, python_fixes, read_python, surroundings_of, warnings_of
from omium.policies import read_file
from omium_policy.source import Span

LOANS = """import omium
from omium import Halt, Pause, Recovery, Retry, agent, checkpoint, effect, require, workflow

raise SystemExit("nothing of this file is ever run")
LADDER = Recovery(Retry(2), Pause("credit-officer"), Halt())


@checkpoint("offer", ensures=in_band, recovery=LADDER)
def offer(applicant: str) -> float:
    return ask(applicant)


@checkpoint("kyc")
def kyc(applicant: str) -> bool:
    require(bool(applicant), "there is nobody")
    return True


@agent
class Writer:
    config = {"max_retries": 4, "on_failure": "pause", "retry_backoff": "exponential(1s, 10s)"}

    @checkpoint("outline")
    async def outline(self, topic: str) -> list[str]:
        def checked(): assert topic
        return [topic]

    @omium.rollback_on(hallucination_detected=True, to="outline")
    @checkpoint("draft", recovery=Recovery(Retry(), *MORE))
    async def draft(self, topic: str) -> str:
        assert topic
        return topic


@workflow(recovery=Recovery(Retry(1), Halt(), kinds=("timeout",)), store="postgres://ann:secret@db/omium?x=1")
def write(topic: str) -> str:
    return Writer().draft(Writer().outline(topic))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with nothing in it but its configuration."""
    for name in ("OMIUM_STORE", "OMIUM_POLICY", "OMIUM_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "omium.toml").write_text("")
    return tmp_path


def told(project: Path, text: str) -> tuple[dict[str, str], list[str]]:
    """Return a file's hints by the line where each stands, and the steps that are warned of."""
    file = read_python(text)
    around = surroundings_of(project / "loans.py", file, read_file)
    shown = {text[: one.offset].rpartition("\n")[2].strip(): one.text for one in hints(file, around)}
    return shown, [one.message.split("`")[1] for one in warnings_of(file, around)]


def test_a_step_shows_what_applies_to_it(project: Path) -> None:
    """The ladder in words, its retries, the store: from the decorator, the agent's `config`, the workflow."""
    shown, warned = told(project, LOANS)

    assert shown == {
        '@checkpoint("offer", ensures=in_band, recovery=LADDER)': (
            "recovery: retry 2x, pause for credit-officer, halt · retries: 2 · store: postgres://db/omium"
        ),
        '@checkpoint("kyc")': "recovery: on timeout: retry 1x, halt · retries: 1 · store: postgres://db/omium",
        '@checkpoint("outline")': "recovery: retry 4x, pause, halt · retries: 4 · store: postgres://db/omium",
        '@checkpoint("draft", recovery=Recovery(Retry(), *MORE))': (
            "recovery: on hallucination: rollback to outline, pause, halt; else: Recovery(Retry(), *MORE)"
            " · retries: ? · store: postgres://db/omium"
        ),
    }
    assert warned == ["outline"]


def test_all_ladders_are_told_in_full(project: Path) -> None:
    """The whole of it names each ladder, the failures it is for and where it is written; passwords are left out."""
    file = read_python(LOANS)
    found = {one.more for one in hints(file, surroundings_of(project / "loans.py", file, read_file))}
    [draft] = [one for one in found if "rollback to outline" in one]

    assert draft.splitlines() == [
        "* on hallucination: rollback to outline, pause, halt (`@rollback_on`)",
        "* recovery: Recovery(Retry(), *MORE) (`recovery=` of `draft`)",
        "* recovery: retry 4x, pause, halt (`Writer.config`)",
        "* on timeout: retry 1x, halt (the workflow `write`)",
        "* store: `postgres://db/omium` (from the workflow `write`)",
    ]
    assert "secret" not in "".join(found)


POLICY = """omium 1
policy loans {
  workflow kyc -> offer
  rule priced after offer {
    require output > 1
    on fail recover repair
  }
  recovery repair {
    first retry 3 times with feedback
    then pause for "ann"
  }
}
"""
BARE = """from omium import checkpoint, workflow


@checkpoint("offer")
def offer(): ...


@checkpoint("email")
def email(): ...


@workflow
def flow():
    return offer(), email()
"""


@pytest.mark.parametrize("how", ["beside", "configured", "named"])
def test_a_policy_applies_to_its_steps(project: Path, how: str) -> None:
    """A rule after a step is its post-condition, and its ladder comes first, wherever the policy is named."""
    folder = project if how == "beside" else project / "policies"
    folder.mkdir(exist_ok=True)
    (folder / "loans.omp").write_text(POLICY)
    if how == "configured":
        (project / "omium.toml").write_text('policy = "policies/loans.omp"\nstore = "here.db"\n')
    text = BARE.replace("@workflow", '@workflow(policy="policies/loans.omp")') if how == "named" else BARE
    shown, warned = told(project, text)

    store = "here.db" if how == "configured" else ".omium/omium.db"
    assert shown['@checkpoint("offer")'] == (
        f"recovery: repair (retry 3x, pause for ann) · retries: 3 · store: {store}"
    )
    assert shown['@checkpoint("email")'] == f"recovery: none · retries: 0 · store: {store}"
    assert warned == ["email"]


def test_a_packs_rule_is_a_post_condition(project: Path) -> None:
    """`omium.baseline` looks at any step's outcome."""
    (project / "p.omp").write_text('omium 1\nuse "omium.baseline" as base\npolicy p { }\n')

    assert told(project, BARE)[1] == []


def test_what_is_not_saved_counts(project: Path) -> None:
    """A policy is read as the editor has it."""
    file = read_python(BARE)
    (project / "loans.omp").write_text("omium 1")
    around = surroundings_of(project / "loans.py", file, lambda path: POLICY)

    assert [one.message.split("`")[1] for one in warnings_of(file, around)] == ["email"]


def test_a_broken_project_leaves_the_rest(project: Path) -> None:
    """Configuration that cannot be read costs the store, not the hints; a policy that is no policy costs itself."""
    (project / "omium.toml").write_text("store = [")
    (project / "loans.omp").write_bytes(b"\xff\xfe")

    assert told(project, BARE)[0]['@checkpoint("offer")'] == "recovery: none · retries: 0"


def offered(text: str, at: str) -> dict[str, PythonFix]:
    """Return the fixes at the beginning of a piece of text."""
    offset = text.index(at)
    return {one.title: one for one in python_fixes(read_python(text), Span(offset, offset))}


def applied(text: str, fix: PythonFix) -> str:
    """Return a text with a fix."""
    for edit in sorted(fix.edits, key=lambda one: -one.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


ADDED = [
    (
        'from omium import checkpoint, require\n\n@checkpoint("a")\ndef a(): ...\n',
        "from omium import Halt, Pause, Recovery, Retry, checkpoint, require\n\n"
        '@checkpoint("a", recovery=Recovery(Retry(3), Pause(), Halt()))\ndef a(): ...\n',
    ),
    (
        'import omium as o\n\n@o.checkpoint("é", ensures=(rule),)\ndef a(): ...\n',
        "import omium as o\n\n"
        '@o.checkpoint("é", ensures=(rule), recovery=o.Recovery(o.Retry(3), o.Pause(), o.Halt()),)\ndef a(): ...\n',
    ),
    (
        "from omium import (\n    Retry as Again,\n    checkpoint as step,\n)\n\n"
        '@step(\n    "a",  # why\n)\ndef a(): ...\n',
        "from omium import (\n    Halt, Pause, Recovery, Retry as Again,\n    checkpoint as step,\n)\n\n"
        '@step(\n    "a", recovery=Recovery(Again(3), Pause(), Halt()),  # why\n)\ndef a(): ...\n',
    ),
    (
        "from __future__ import annotations\nfrom omium.decorators import checkpoint\n\n"
        '@checkpoint("a")\ndef a(): ...\n',
        "from __future__ import annotations\nfrom omium import Halt, Pause, Recovery, Retry\n"
        "from omium.decorators import checkpoint\n\n"
        '@checkpoint("a", recovery=Recovery(Retry(3), Pause(), Halt()))\ndef a(): ...\n',
    ),
]


@pytest.mark.parametrize(("before", "after"), ADDED)
def test_a_step_gets_a_ladder(before: str, after: str) -> None:
    """`recovery=` is put in as the file writes its calls, with what must be imported for it, and then it stands."""
    [fix] = offered(before, "@").values()

    assert applied(before, fix) == after
    assert read_python(after).steps[0].ladders[0].words == "retry 3x, pause, halt"
    assert offered(after, "@") == {}


def test_configuration_is_that_of_the_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server runs anywhere; what counts is the folder of the file."""
    monkeypatch.chdir("/")
    (project / "below").mkdir()

    assert load_config(start=project / "below").project == project


def test_a_file_that_does_not_parse_keeps_its_hints() -> None:
    """A line that is being written costs itself; nothing is warned of where it could be what is written."""
    file = read_python(BARE.replace("def offer(): ...", "def offer():\n    require(\n    return 1"))

    assert [one.name for one in file.steps] == ["offer", "email"]
    assert not file.whole


def test_nothing_that_is_written_breaks_an_editor(project: Path, pressed: Callable[[int, int], int]) -> None:
    """Anything put anywhere, anything cut out: there is always an answer."""
    chance = random.Random(3)
    junk = ["", "(", ")", '"', "\n", ":", "@", "é", "🎉", "\t", "\\", "\x00", "\f", "\r", "def ", "'''"]
    for _ in range(pressed(100, 5000)):
        at = chance.randrange(len(LOANS))
        text = LOANS[:at] + chance.choice(junk) + LOANS[at + chance.choice([0, 1, 30]) :]
        file = read_python(text)
        around = surroundings_of(project / "loans.py", file, read_file)
        assert all(0 <= one.offset <= len(text) for one in hints(file, around))
        list(warnings_of(file, around))
        list(python_fixes(file, Span(0, len(text))))
