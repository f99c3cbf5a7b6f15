"""`omium lsp`, as an editor meets it: a process that speaks JSON-RPC over standard input and output."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsp_client import Editor, editor

from omium.lsp.positions import Positions
from omium_policy.source import Span

LOANS = """omium 1

policy loans {
  workflow credit -> offer

  data Terms { apr: percent }
  step offer gives Terms

  # Ein Kommentar, ganz ohne Ärger: 🎉
  rule in_band after offer {
    require output.apr between 2.5% and 8.5%
    message "🎉 {output.apr}"
    on fail recover repair
  }
  recovery repair {
    first retry 3 times with feedback
    finally halt
  }
  test in_band "the band" {
    case output.apr = 2.5% holds
    case output.apr = 9% breaks
  }
}
"""
STEPS = """from omium import checkpoint, workflow


@checkpoint("offer")
def offer(name: str) -> float:
    return 4.5


@checkpoint("Prüfung 🎉")
def check(name: str) -> bool:
    return True


@workflow
def onboard(name: str) -> float:
    return offer(name)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that is a project."""
    (tmp_path / "omium.toml").write_text("")
    return tmp_path


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """One editor, as on a desk where files of many projects are open at once."""
    with editor(tmp_path_factory.mktemp("desk")) as opened:
        yield opened


def place(text: str, at: str) -> tuple[int, int]:
    """Return line and character of the `|` in a piece of a text, in UTF-16."""
    before, after = at.split("|")
    return Positions.of(text).position(text.index(before + after) + len(before))


def test_it_says_what_it_can(one: Editor) -> None:
    """Every feature is announced; texts are sent whole."""
    capabilities = one.greeted["capabilities"]

    assert capabilities["textDocumentSync"]["change"] == 1
    assert capabilities["positionEncoding"] == "utf-16"
    for name in (
        "completion",
        "hover",
        "definition",
        "documentFormatting",
        "codeAction",
        "inlayHint",
        "documentSymbol",
    ):
        assert capabilities[f"{name}Provider"]


def test_mistakes_come_with_place_help_and_page(one: Editor, project: Path) -> None:
    """What is wrong is told when a file is opened and taken back when it is put right; positions are UTF-16."""
    path = project / "loans.omp"
    wrong = LOANS.replace("recover repair", "recover repiar").replace('"🎉 {', '"🎉🎉 {', 1)
    [unknown, unused] = one.opened(path, wrong, "omp")

    assert (unknown["code"], unknown["severity"], unknown["source"]) == ("unknown-ladder", 1, "omium")
    assert unknown["message"] == "there is no recovery `repiar`\nhelp: did you mean `repair`?"
    assert unknown["range"] == {"start": {"line": 12, "character": 20}, "end": {"line": 12, "character": 26}}
    page, _, line = unknown["codeDescription"]["href"].removeprefix("file://").partition("#L")
    assert Path(page).read_text(encoding="utf-8").splitlines()[int(line) - 1] == "## `unknown-ladder`"
    assert (unused["code"], unused["severity"], unused["tags"]) == ("unused", 2, [1])

    document = {"uri": path.as_uri(), "version": 2}
    one.tell("textDocument/didChange", textDocument=document, contentChanges=[{"text": LOANS}])
    assert one.diagnostics(path) == []
    one.tell("textDocument/didClose", textDocument={"uri": path.as_uri()})
    assert one.diagnostics(path) == []


def test_a_packs_mistake_is_told_where_the_pack_is_named(one: Editor, project: Path) -> None:
    """A pack that is open and not saved is read as it is on the screen."""
    pack, path = project / "pack.omp", project / "loans.omp"
    pack.write_text("omium 1 policy pack { }")
    one.opened(
        pack, "omium 1\npolicy pack { rule r after any step { require nothing.at_all == 1 on fail halt } }", "omp"
    )
    [found] = one.opened(path, LOANS.replace("omium 1\n", 'omium 1\nuse "pack.omp" as own\n', 1), "omp")

    assert (found["code"], found["range"]["start"]) == ("unknown-name", {"line": 1, "character": 4})
    assert found["message"].startswith(f"{pack}:2: there is no name `nothing`")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-32"])
def test_questions_about_a_policy(project: Path, encoding: str) -> None:
    """Completion, hover, definition, outline and formatting, behind characters of any width, in any encoding."""
    path = project / "loans.omp"
    text = LOANS.replace("workflow credit -> offer", "workflow   credit->offer")
    with editor(project, [encoding]) as one:
        one.opened(path, text, "omp")
        positions = Positions.of(text, encoding)
        inside = positions.position(text.index("🎉 {output.") + len("🎉 {output."))

        [apr] = one.ask("textDocument/completion", **one.at(path, *inside))["items"]
        assert (apr["label"], apr["detail"]) == ("apr", "a percentage")
        assert apr["textEdit"]["range"]["start"] == {"line": inside[0], "character": inside[1]}

        hovered = one.ask("textDocument/hover", **one.at(path, *inside))
        assert hovered["contents"] == {
            "kind": "markdown",
            "value": "**`output.apr`**: a percentage\n\nA field of `Terms`.",
        }
        assert hovered["range"]["start"]["character"] == inside[1]

        [declared] = one.ask("textDocument/definition", **one.at(path, *inside))
        assert (declared["uri"], declared["range"]["start"]) == (path.as_uri(), {"line": 5, "character": 15})

        [outline] = one.ask("textDocument/documentSymbol", textDocument={"uri": path.as_uri()})
        assert [part["name"] for part in outline["children"]] == ["Terms", "offer", "in_band", "repair", "the band"]

        formatting = {"textDocument": {"uri": path.as_uri()}, "options": {"tabSize": 2, "insertSpaces": True}}
        [edit] = one.ask("textDocument/formatting", **formatting)
        assert edit["newText"] == LOANS
        assert edit["range"]["end"] == {"line": 23, "character": 0}


def test_a_half_written_policy_is_helped(one: Editor, project: Path) -> None:
    """In a file with errors the rest is known; one that cannot be parsed is not formatted."""
    path = project / "loans.omp"
    text = LOANS.replace("on fail recover repair", "on fail recover ").replace("between 2.5%", "betwen 2.5%")
    assert {each["code"] for each in one.opened(path, text, "omp")} == {"syntax"}

    found = one.ask("textDocument/completion", **one.at(path, *place(text, "on fail recover |\n")))
    assert [item["label"] for item in found["items"]] == ["repair"]
    said = one.ask("textDocument/hover", **one.at(path, *place(text, "recovery rep|air {")))
    assert "First, try the step again" in said["contents"]["value"]
    assert (
        one.ask(
            "textDocument/formatting", textDocument={"uri": path.as_uri()}, options={"tabSize": 2, "insertSpaces": True}
        )
        is None
    )


def test_a_pack_leads_to_its_file(one: Editor, project: Path) -> None:
    """The definition of an installed pack is a file that exists."""
    path = project / "p.omp"
    text = 'omium 1\nuse "omium.baseline" as base\npolicy p { }\n'
    one.opened(path, text, "omp")
    [found] = one.ask("textDocument/definition", **one.at(path, *place(text, "omium.base|line")))

    assert found["uri"].endswith("/omium_packs/baseline.omp")
    assert Path(found["uri"].removeprefix("file://")).is_file()


def test_a_rule_is_offered_a_ladder(one: Editor, project: Path) -> None:
    """The warning of a rule without `on fail` comes with its fixes."""
    path = project / "loans.omp"
    found = one.opened(path, LOANS.replace("    on fail recover repair\n", ""), "omp")
    [missing] = [each for each in found if each["code"] == "no-action"]
    actions = one.ask(
        "textDocument/codeAction",
        textDocument={"uri": path.as_uri()},
        range=missing["range"],
        context={"diagnostics": [missing]},
    )

    assert [action["title"] for action in actions] == [
        "On fail, recover `repair`",
        "Add a recovery ladder `repair_2` for `in_band`",
    ]
    assert [action["kind"] for action in actions] == ["quickfix", "quickfix"]
    [edit] = actions[0]["edit"]["changes"][path.as_uri()]
    assert (edit["newText"], edit["range"]["start"]) == ("    on fail recover repair\n", {"line": 12, "character": 0})


def test_python_steps_are_told_of(one: Editor, project: Path) -> None:
    """A step shows what applies to it, is warned of where nobody checks it, and is offered a ladder."""
    path, policy = project / "loans.py", project / "loans.omp"
    policy.write_text("omium 1 policy p { workflow offer -> b }")
    warned = one.opened(path, STEPS, "python")
    assert [each["code"] for each in warned] == ["no-post-condition"] * 2
    assert warned[1]["range"]["start"] == {"line": 8, "character": 1}

    whole = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}
    document = {"uri": path.as_uri()}
    shown = one.ask("textDocument/inlayHint", textDocument=document, range=whole)
    assert [(hint["label"], hint["position"]) for hint in shown] == [
        ("recovery: none · retries: 0 · store: .omium/omium.db", {"line": 3, "character": 20}),
        ("recovery: none · retries: 0 · store: .omium/omium.db", {"line": 8, "character": 25}),
    ]
    begin = {"line": 3, "character": 3}
    actions = one.ask(
        "textDocument/codeAction",
        textDocument=document,
        range={"start": begin, "end": begin},
        context={"diagnostics": warned},
    )
    assert [action["title"] for action in actions] == ["Add a recovery ladder to `offer`"]
    edits = actions[0]["edit"]["changes"][path.as_uri()]
    assert sorted(edit["newText"] for edit in edits) == [
        ", recovery=Recovery(Retry(3), Pause(), Halt())",
        "Halt, Pause, Recovery, Retry, ",
    ]

    # The policy is written and saved: its rule is a post-condition now, and its ladder is what applies.
    policy.write_text(LOANS)
    one.tell("workspace/didChangeWatchedFiles", changes=[{"uri": policy.as_uri(), "type": 2}])
    assert [each["range"]["start"]["line"] for each in one.diagnostics(path)] == [8]
    one.told("workspace/inlayHint/refresh")
    [first, _] = one.ask("textDocument/inlayHint", textDocument=document, range=whole)
    assert first["label"] == "recovery: repair (retry 3x, halt) · retries: 3 · store: .omium/omium.db"


def test_warnings_can_be_turned_off(project: Path) -> None:
    """Who does not want the warnings does not get them."""
    with editor(project, warnings=False) as one:
        assert one.opened(project / "loans.py", STEPS, "python") == []


def test_rubbish_does_not_end_it(one: Editor, project: Path) -> None:
    """Places that are not there, files that were never opened, texts that are none: it goes on answering."""
    path = project / "p.omp"
    for text in ("", "\x00", "(" * 1000, "omium 1\r\npolicy p {\r\n", "\ufeffomium 1", "🎉" * 50):
        one.opened(path, text, "omp")
        for line, character in ((0, 0), (0, 10_000), (10_000, 0)):
            for method in ("completion", "hover", "definition"):
                one.ask(f"textDocument/{method}", **one.at(path, line, character))
    assert one.ask("textDocument/hover", **one.at(project / "never.omp", 0, 0)) is None
    assert one.opened(path, LOANS, "omp") == []


def test_without_its_extra_it_says_what_to_install(project: Path) -> None:
    """The base install has no server, and says in one sentence how to get it."""
    code = "import sys; sys.modules['pygls'] = None; sys.argv = ['omium', 'lsp']; from omium.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )

    assert done.returncode != 0
    assert "run: pip install 'omium[lsp]'" in done.stderr


POSITIONS: list[tuple[str, str, list[tuple[int, tuple[int, int]]]]] = [
    ("a🎉b\nc", "utf-16", [(0, (0, 0)), (1, (0, 1)), (2, (0, 3)), (3, (0, 4)), (4, (1, 0)), (5, (1, 1))]),
    ("a🎉b\nc", "utf-8", [(2, (0, 5)), (3, (0, 6)), (4, (1, 0))]),
    ("a🎉b\nc", "utf-32", [(2, (0, 2)), (3, (0, 3)), (4, (1, 0))]),
    ("ä\r\nb\rc\u2028d\x0ce", "utf-16", [(1, (0, 1)), (3, (1, 0)), (5, (2, 0)), (7, (2, 2)), (9, (2, 4))]),
]


@pytest.mark.parametrize(("text", "encoding", "known"), POSITIONS)
def test_positions_go_both_ways(text: str, encoding: str, known: list[Any]) -> None:
    """Lines end as the protocol says, not as Python splits; characters count in the encoding's units."""
    positions = Positions.of(text, encoding)

    for offset, position in known:
        assert positions.position(offset) == position
        assert positions.offset(*position) == offset
    assert positions.offset(0, 10_000) == len(text.splitlines()[0])
    assert positions.offset(99, 0) == len(text)
    assert positions.range(Span(0, 1)) == ((0, 0), positions.position(1))


def test_a_position_inside_a_character_is_at_its_start() -> None:
    """Half of a surrogate pair is no place of its own."""
    assert Positions.of("🎉b").offset(0, 1) == 0
