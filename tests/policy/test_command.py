"""`omium policy`, and the packs that come with Omium."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

import omium
import omium_packs
from omium.cli import cli
from omium.policies import read_policy
from omium_policy.testing import run_tests

PACKS = sorted(Path(omium_packs.__file__).parent.glob("*.omp"))


def run(*arguments: str | Path) -> Result:
    """Run `omium policy` with these arguments."""
    return CliRunner().invoke(cli, ["policy", *map(str, arguments)])


@pytest.fixture
def file(model: str, tmp_path: Path) -> Path:
    """The model policy in a file of its own."""
    path = tmp_path / "onboarding.omp"
    path.write_text(model)
    return path


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.stem)
def test_packs_pass_their_checks_and_tests(path: Path) -> None:
    """No error, no warning, no rule without a test; their tests pass and they are laid out as `fmt` would."""
    found = read_policy(path)

    assert [one.message for one in found.diagnostics] == []
    assert [one.test for program in found.own for one in run_tests(found.source, program) if not one.passed] == []
    assert run("fmt", "--check", path).exit_code == 0


def test_a_pack_judges_the_steps_of_the_policy_that_uses_it(tmp_path: Path) -> None:
    """The rules of `omium.baseline` hold for any step, under the alias of the pack."""
    path = tmp_path / "p.omp"
    path.write_text('omium 1\nuse "omium.baseline" version "^1.0" as base\npolicy p { workflow a -> b }\n')
    given = {"output": "key sk-abcdefghijklmnopqrstuvwx", "step": {"conforms": True, "elapsed": 1}, "run": {"steps": 1}}
    [finding] = omium.load_policy(path).judge("after", "a", given)

    assert finding.rule == "base.no_secrets"
    assert finding.handling is not None
    assert finding.handling.ladder == "base.told_then_a_person"


def test_check_says_what_is_wrong_and_how_long_ladders_wait(file: Path) -> None:
    """Text, JSON and SARIF say the same, and the exit status says whether the policy can be used."""
    good = run("check", file)
    assert (good.exit_code, "`repair_offer` 4h 7s" in good.output) == (0, True)
    file.write_text(file.read_text().replace("after offer {", "after ofer {", 1))

    text, data, sarif = run("check", file), run("check", file, "--json"), run("check", file, "--sarif")
    assert [text.exit_code, data.exit_code, sarif.exit_code] == [1, 1, 1]
    assert "did you mean `offer`?" in text.output
    assert [(one["code"], one["line"]) for one in json.loads(data.stdout)["diagnostics"]] == [("unknown-step", 29)]
    [result] = json.loads(sarif.stdout)["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("unknown-step", "error")


def test_check_says_what_rules_cost(file: Path) -> None:
    """The sum for each moment of a step, and the statement that is the most of it."""
    said = "after `offer`: at most 38 operations, 16 of them `fair_wording`: require not output.rationale matches"
    assert said in run("check", file).output
    [costs] = [one["costs"] for one in json.loads(run("check", file, "--json").stdout)["policies"]]

    assert [(one["when"], one["step"], one["cost"], one["most"]["rule"]) for one in costs] == [
        ("after", "offer", 38, "fair_wording")
    ]


def test_bench_says_what_rules_take(file: Path, tmp_path: Path) -> None:
    """Microseconds beside those of a bare call and the cost that is known without running, for policies and packs."""
    text = run("bench", file)
    assert (text.exit_code, "after `offer`: " in text.output) == (0, True)
    found = json.loads(run("bench", file, "--json").stdout)
    assert [(one["when"], one["step"], one["rules"], one["cost"], one["holds"]) for one in found["moments"]] == [
        ("after", "offer", 5, 38, True)
    ]
    assert 0 < found["call_us"] < found["moments"][0]["us"]

    baseline = next(path for path in PACKS if path.stem == "baseline")
    assert "after `any step`: " in run("bench", baseline).output
    file.write_text("omium 1 policy p { let a = b }")
    assert run("bench", file).exit_code == 2


def test_a_policy_with_errors_is_refused_with_all_of_them(file: Path) -> None:
    """`load_policy` raises one error that has every diagnostic."""
    file.write_text(file.read_text().replace("8.5%\n", "8.5\n", 1).replace("quorum 2", "quorum 9"))

    with pytest.raises(omium.PolicyError) as refused:
        omium.load_policy(file)
    assert refused.value.errors == len(refused.value.diagnostics) == 2
    assert "omium policy check" in str(refused.value)


def test_tests_run_and_are_written_for_ci_servers(file: Path, tmp_path: Path) -> None:
    """A failing test is told with its place, and in JUnit's XML; the exit status is 1."""
    assert run("test", file).exit_code == 0
    file.write_text(file.read_text().replace("2.49% breaks", "2.49% holds"))
    report = tmp_path / "report.xml"
    done = run("test", file, "--junit-xml", report)

    assert done.exit_code == 1
    assert "`apr_in_band` breaks, and holds was expected" in done.output
    suite = ElementTree.parse(report).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("10", "1")
    assert [case["passed"] for case in json.loads(run("test", file, "--json").stdout)["tests"]].count(False) == 1


def test_formatting_writes_the_file_only_when_it_changes(file: Path) -> None:
    """`--check` changes nothing, `fmt` changes once, what does not parse is left alone."""
    before = file.read_text()
    assert run("fmt", "--check", file).exit_code == 1
    assert file.read_text() == before
    assert run("fmt", file).exit_code == 0
    assert run("fmt", "--check", file).exit_code == 0
    hashes = {run("hash", file).stdout.split()[0]}
    file.write_text(before)
    hashes.add(run("hash", file).stdout.split()[0])
    assert len(hashes) == 1
    file.write_text("omium 1 policy {")
    assert run("fmt", file).exit_code == 1
    assert file.read_text() == "omium 1 policy {"


def test_one_rule_can_be_explained(file: Path) -> None:
    """A rule by its name; a name that is none is a usage error."""
    assert "between 2.5% and 8.5%" in run("explain", file, "apr_in_band").output
    assert run("explain", file, "apr_in_bnad").exit_code == 2


@pytest.mark.parametrize("command", ["check", "fmt", "test", "explain", "hash", "bench"])
def test_files_that_are_not_there_or_no_text(command: str, tmp_path: Path) -> None:
    """One sentence and exit status 2."""
    binary = tmp_path / "b.omp"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing.omp", binary, tmp_path):
        done = run(command, path)
        assert done.exit_code == 2, done.output
        assert len(done.stderr.strip().splitlines()) <= 2
