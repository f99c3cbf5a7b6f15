"""`omium policy activate`, `override`, `history` and `drift`, as their users type them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from omium.cli import cli
from omium.runtime import Runtime, runtime_for
from omium_core.engine.machine import Machine
from omium_core.engine.state import ExecutionState
from omium_core.journal.wire import GENESIS
from omium_core.model import events as e
from omium_core.runtime.recorder import Recorder

# No such day comes while these tests are run.
NEVER = "freeze 1970-01-01..9998-12-31"
NEEDS_TWO = f'{NEVER} override needs 2 people from "risk"'


def run(*arguments: str) -> Result:
    """Run `omium policy` with these arguments."""
    return CliRunner().invoke(cli, ["policy", *arguments])


def data(*arguments: str) -> Any:
    """Run it and give what it printed as JSON."""
    return json.loads(run(*arguments, "--json").stdout)


def write(limit: int, change: str = "", file: str = "loans.omp") -> None:
    """Write a version of the policy."""
    body = f"rule low after quote {{ require output.rate < {limit} on fail halt }} change {{ {change} }}"
    Path(file).write_text(f'omium 1\npolicy acme.loans version "1.{limit}.0" {{ {body} }}\n')


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with people in a role."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "omium.toml").write_text('durability = "process"\n[roles]\nrisk = ["ann", "bob"]\n')
    yield tmp_path
    runtime_for().close()


def begin(runtime: Runtime, id: str, hash: str, *, ended: bool) -> None:
    """Record an execution that pinned a version."""
    machine = Machine(ExecutionState(), runtime.store.codec.seal)
    machine.raise_epoch()
    started = {"execution": id, "workflow": "loan", "policy": hash, "policy_name": "acme.loans"}
    machine.event(e.ExecutionStarted, machine.seal({"arguments": {}}), **started)
    if ended:
        machine.event(e.ExecutionCompleted, machine.seal(None))
    recorder = Recorder(runtime.store.journal, id, GENESIS, 0, runtime.store.codec.stored)
    recorder.append(machine.take(), machine.state).wait()


def hash_of(file: str = "loans.omp") -> str:
    """Return a file's hash."""
    digest: str = data("hash", file)["hashes"][file]
    return digest


def test_a_change_goes_through_its_people() -> None:
    """Activated, refused, overridden by two, activated: each is in the history, with who and why."""
    write(9, NEEDS_TWO)
    first = run("activate", "loans.omp", "--by", "ann", "--reason", "begin")
    assert (first.exit_code, "of `acme.loans` is in force" in first.output) == (0, True)
    assert "was in force already" in run("activate", "loans.omp", "--by", "ann").output
    write(8, NEEDS_TWO)
    refused = run("activate", "loans.omp", "--by", "ann")
    assert refused.exit_code != 0
    assert "is in the freeze 1970-01-01..9998-12-31; 2 people from `risk` can let it in" in refused.output
    assert "is not in the role `risk`" in run("override", "loans.omp", "--by", "eve", "--reason", "x").output
    assert "and 1 did" in run("override", "loans.omp", "--by", "ann", "--reason", "urgent").output
    assert data("override", "loans.omp", "--by", "bob", "--reason", "agreed")["allowed"] is True
    assert "overridden by ann, bob" in run("activate", "loans.omp", "--by", "bob").output

    changes = data("history", "loans.omp")["changes"]
    assert [(one["what"], one["by"], one["reason"]) for one in changes] == [
        ("activated", "ann", "begin"),
        ("overridden", "ann", "urgent"),
        ("overridden", "bob", "agreed"),
        ("activated", "bob", ""),
    ]
    assert data("history", "acme.loans")["changes"] == changes
    table = run("history", "acme.loans").output
    assert [line.split()[3] for line in table.splitlines()[1:5]] == [
        "activated",
        "overridden",
        "overridden",
        "activated",
    ]


def test_by_whom_has_to_be_said() -> None:
    """An override without a name or a reason is none."""
    write(9)
    assert run("activate", "loans.omp").exit_code == 2
    assert run("override", "loans.omp", "--by", "ann").exit_code == 2
    assert run("override", "loans.omp", "--by", "ann", "--reason", "x").exit_code != 0


def test_a_policy_that_cannot_be_used_is_not_activated(project: Path) -> None:
    """It has errors, or the program lacks what it names."""
    (project / "loans.omp").write_text("omium 1 policy p { rule r after a { require input.x > 1 on fail recover z } }")
    assert "there is no recovery `z`" in run("activate", "loans.omp", "--by", "ann").output
    write(9)
    (project / "governed_app.py").write_text("from omium import checkpoint\n@checkpoint('quoted')\ndef quoted(): ...\n")
    lacks = run("activate", "loans.omp", "--by", "ann", "--program", "governed_app.py")
    assert "the program has no step `quote`" in lacks.output
    assert "no version of `loans.omp` was ever in force here" in run("history", "loans.omp").output


def test_drift_is_what_runs_under_another_version() -> None:
    """An execution that has not ended, or a new one, drifts; what ended is only counted."""
    write(9)
    run("activate", "loans.omp", "--by", "ann")
    runtime, old = runtime_for(), hash_of()
    begin(runtime, "one", old, ended=True)
    begin(runtime, "two", old, ended=False)
    begin(runtime, "three", old, ended=True)
    same = run("drift")
    assert (same.exit_code, "DRIFT" in same.output) == (0, False)
    assert f"  loan pinned sha256:{old[:12]}: 3 executions, 1 not ended" in same.output

    write(8)
    changed = run("drift", "loans.omp")
    assert (changed.exit_code, f"says sha256:{hash_of()[:12]}: DRIFT" in changed.output) == (1, True)
    run("activate", "loans.omp", "--by", "ann")
    [found] = data("drift")["policies"]
    assert (found["drifted"], found["says"] == found["active"]) == (True, True)
    assert found["pinned"] == [{"workflow": "loan", "hash": old, "executions": 3, "unfinished": 1}]
    Path("loans.omp").unlink()
    gone = run("drift")
    assert (gone.exit_code, "there is no file `loans.omp`" in gone.output) == (1, True)


def test_a_version_that_may_not_come_in_is_drift_with_its_reason() -> None:
    """The file says one thing and another is in force, because it is frozen."""
    write(9, NEVER)
    run("activate", "loans.omp", "--by", "ann")
    write(8)
    [found] = data("drift")["policies"]

    assert found["drifted"]
    assert "is in the freeze" in found["refused"]


def test_what_ended_under_an_older_version_is_no_drift() -> None:
    """History is not wrong because there is a newer version."""
    write(9)
    run("activate", "loans.omp", "--by", "ann")
    begin(runtime_for(), "one", hash_of(), ended=True)
    write(8)
    run("activate", "loans.omp", "--by", "ann")
    found = run("drift")

    assert (found.exit_code, "1 execution, 0 not ended, another version" in found.output) == (0, True)


def test_drift_from_a_revision(project: Path) -> None:
    """What runs is compared with what a branch says, packs beside it included."""
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(project))
    pack = "omium 1 policy fees { rule f after quote { require output.fee < 1 on fail halt } }"
    (project / "fees.omp").write_text(pack)
    write(9)
    Path("loans.omp").write_text(Path("loans.omp").read_text().replace("policy", 'use "fees.omp" as fees policy', 1))
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    run("activate", "loans.omp", "--by", "ann")
    assert run("drift", "--git", "HEAD").exit_code == 0
    (project / "fees.omp").write_text(pack.replace("< 1", "< 2"))
    assert run("drift").exit_code == 1
    assert run("drift", "--git", "HEAD").exit_code == 0
    subprocess.run([*git, "commit", "-q", "-a", "-m", "second"], check=True, capture_output=True)
    assert run("drift", "--git", "HEAD").exit_code == 1
    assert run("drift", "--git", "HEAD~1").exit_code == 0
    assert run("drift", "--git", "nowhere").exit_code == 1


def test_drift_by_a_schema(project: Path) -> None:
    """A schema that means something else drifts, one that is only laid out otherwise does not; git has it as well."""
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(project))
    schema = '{"properties": {"rate": {"type": "number"}}}'
    (project / "schemas").mkdir()
    (project / "schemas" / "quote.json").write_text(schema)
    write(9)
    declared = 'data Quote from "schemas/quote.json" step quote gives Quote rule'
    Path("loans.omp").write_text(Path("loans.omp").read_text().replace("rule", declared, 1))
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    run("activate", "loans.omp", "--by", "ann")
    (project / "schemas" / "quote.json").write_text(schema.replace("{", "{\n"))
    assert run("drift").exit_code == 0
    (project / "schemas" / "quote.json").write_text(schema.replace("number", "integer"))
    assert run("drift").exit_code == 1
    assert run("drift", "--git", "HEAD").exit_code == 0
    (project / "schemas" / "quote.json").unlink()
    assert "schemas/quote.json" in run("drift").output


def test_what_was_never_in_force_has_not_drifted() -> None:
    """There is nothing to compare a new file with."""
    write(9)
    run("activate", "loans.omp", "--by", "ann")
    Path("new.omp").write_text("omium 1 policy new { }")
    found = run("drift", "new.omp")

    assert (found.exit_code, "in force: no version yet" in found.output) == (0, True)
    assert "acme.loans" not in found.output


def test_executions_commands_do_not_see_policies() -> None:
    """`list` and `stats` count executions; `verify` and `show` tell of the journal to who asks for it."""
    write(9)
    run("activate", "loans.omp", "--by", "ann")
    runner = CliRunner()

    assert json.loads(runner.invoke(cli, ["list", "--json"]).stdout)["executions"] == []
    assert "there are no executions" in runner.invoke(cli, ["stats"]).output
    assert "ok: 0 executions, 1 policy journal, 3 events" in runner.invoke(cli, ["verify"]).output
    shown = runner.invoke(cli, ["show", "@policy:acme.loans"]).output
    assert f"in force  sha256:{hash_of()[:12]}   1.9.0   by ann" in shown
    for arguments in (["checkpoints", "@policy:acme.loans"], ["export", "@policy:acme.loans"]):
        assert runner.invoke(cli, arguments).exit_code == 0
    for arguments in (["rollback", "@policy:acme.loans", "start"], ["resume", "@policy:acme.loans"]):
        assert runner.invoke(cli, arguments).exit_code == 2
    assert "it stays as it is" in runner.invoke(cli, ["pause", "@policy:acme.loans"]).output
    assert "ok: 0 executions, 1 policy journal, 3 events" in runner.invoke(cli, ["verify"]).output
