"""Every error's code and every failure's kind is explained, in the documentation and by `omium explain`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import omium
import omium_core
import omium_fsspec
import omium_notify
import omium_policy
import omium_sqlite
from omium.cli import cli
from omium.cli.explaining import PAGE, sections
from omium.cli.status import described
from omium_core import errors as e
from omium_core.model.failure import KINDS

ROOT = Path(__file__).parents[2]
PACKAGES = (omium, omium_core, omium_policy, omium_fsspec, omium_notify, omium_sqlite)
# What the command line says of an exception that is nobody's.
UNEXPECTED, _ = described(RuntimeError())
CODE = re.compile(r'^    code(?:: ClassVar\[str\])? = "([^"]+)"', re.MULTILINE)
EXAMPLE = re.compile(r"^```text\n(.*)\n```", re.MULTILINE)


def codes() -> set[str]:
    """Return the codes that classes have, found in the sources: importing all of Omium would declare its demo here."""
    texts = (path.read_text() for package in PACKAGES for path in Path(package.__path__[0]).rglob("*.py"))
    found = {code for text in texts for code in CODE.findall(text)}
    assert {one.code for one in vars(e).values() if isinstance(one, type) and issubclass(one, e.OmiumError)} <= found
    return found - {e.OmiumError.code} | {UNEXPECTED}


EXAMPLES = {
    "step-error": e.StepError("offer", "shop.OutOfStock", "no lamps left"),
    "circuit-open": e.CircuitOpen("charge", 5, 36_000.0),
    "value-pruned": e.ValuePruned("loan-42", 12, "ann"),
    "unstorable": e.Unstorable("$.items[3].socket", "a socket is not data"),
    "unknown-type": e.UnknownType("shop.Offer"),
    "execution-fenced": e.ExecutionFenced("loan-42"),
    "execution-busy": e.ExecutionBusy("loan-42", "host-1:4711"),
    "unknown-execution": e.UnknownExecution("loan-43"),
    "unknown-checkpoint": e.UnknownCheckpoint("loan-42", "credt", ("start", "credit")),
    "diverged": e.Diverged("offer", "step `offer`", "step `quote`"),
    "rollback-refused": e.RollbackRefused(
        "loan-42", "the undo of `charge` is not declared here; name the file that declares it"
    ),
    "review-refused": e.ReviewRefused("loan-42", "it moved on since you looked; look again"),
    "execution-paused": e.ExecutionPaused("loan-42", "APR 0% is outside our band"),
    "execution-halted": e.ExecutionHalted("loan-42", "APR 0% is outside our band"),
    "execution-rolled-back": e.ExecutionRolledBack("loan-42", "credit"),
    "plugin": e.PluginError("redis", "cannot be imported: there is no module `omium_redis.journal`"),
    "missing-extra": e.MissingExtra("redis", extra="redis"),
    UNEXPECTED: ZeroDivisionError("division by zero"),
}


def test_every_code_and_kind_has_its_section() -> None:
    """The page has a section for each code and each kind, and for nothing else; a name that is both has one."""
    found = sections()
    kinds = {name for name, one in found.items() if one.kind == "failure"}
    explained = {name for name, one in found.items() if one.kind == "error"}

    assert kinds == set(KINDS)
    assert explained == codes() - kinds
    headings = re.findall(r"^### (.+)$", PAGE.read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(found), "a heading stands twice"


def test_the_installed_page_is_the_documentation() -> None:
    """What `omium explain` reads is docs/errors.md, wherever it is installed."""
    assert PAGE.read_text() == (ROOT / "docs" / "errors.md").read_text()


@pytest.mark.parametrize("name", sections())
def test_every_section_says_what_to_do(name: str) -> None:
    """A section says what it means, and then what to do."""
    section = sections()[name]
    meaning, _, advice = section.text.partition("**What to do:**")

    assert len(meaning.split()) >= 5
    assert len(advice.split()) >= 3
    assert 3 <= len(section.gist.split()) <= 40


@pytest.mark.parametrize("name", [name for name, one in sections().items() if one.kind == "error"])
def test_examples_are_what_the_code_says(name: str) -> None:
    """Each error's example is its text; where the text is the caller's own, there is one."""
    (example,) = EXAMPLE.findall(sections()[name].text)

    if name in EXAMPLES:
        assert example == described(EXAMPLES[name])[1]
    assert "Error:" not in example or name in (UNEXPECTED, "code-failed")


@pytest.mark.parametrize("name", sections())
def test_explain_prints_the_section(name: str) -> None:
    """`omium explain` prints it, plainly where nobody looks at a terminal, and as JSON."""
    plain = CliRunner().invoke(cli, ["explain", name])
    as_json = CliRunner().invoke(cli, ["explain", name, "--json"])

    assert plain.exit_code == 0
    assert plain.stdout == f"{name}\n\n{sections()[name].text}\n"
    assert json.loads(as_json.stdout)["text"] == sections()[name].text
    assert "](" not in plain.stdout


def test_explain_takes_what_people_type() -> None:
    """A class's name is its code; nothing at all lists everything."""
    spelt = {"ExecutionBusy": "execution-busy", "CORRUPTED": "corrupted", "StepError": "step-error", "Loop": "loop"}
    for given, code in spelt.items():
        assert CliRunner().invoke(cli, ["explain", given]).stdout.startswith(f"{code}\n")
    listed = CliRunner().invoke(cli, ["explain"]).stdout
    assert all(name in listed for name in sections())
    assert {
        one["code"] for one in json.loads(CliRunner().invoke(cli, ["explain", "--json"]).stdout)["explained"]
    } == set(sections())


def test_unknown_codes_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """What there is no section for ends with status 2 and the nearest name."""
    for given, said in (("halucination", "did you mean `hallucination`?"), ("x", "`omium explain` lists")):
        with pytest.raises(SystemExit) as ended:
            cli.main(["explain", given])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err


def test_errors_name_their_explanation(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below an error that has more to it than its sentence stands the command that says more."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "divides_by_zero.py").write_text("1 / 0\n")

    for command, code in ((["run", "divides_by_zero.py"], "code-failed"), (["run", "not_there.py"], None)):
        with pytest.raises(SystemExit):
            cli.main(command)
        said = capsys.readouterr().err.splitlines()
        assert said[0].startswith("error: ")
        assert said[1:] == ([f"Next: omium explain {code}"] if code else [])
