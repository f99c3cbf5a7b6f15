"""Which policy is in force: files that change, versions that may not come in, executions that keep what they pinned."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import omium
from omium.activation import bring_in, in_force, pinned
from omium.governing import override, policy_named, usable
from omium.operating import verify
from omium.runtime import Parts, Runtime, open_runtime
from omium.testing.clock import VirtualClock
from omium_core.errors import PolicyError, UsageError
from omium_core.model import events as e
from omium_core.runtime.declarations import Arguments, StepDeclaration, WorkflowDeclaration
from omium_core.runtime.pruning import Choice, plan, prune
from omium_policy.in_force import in_force as in_force_of

MONDAY_NOON = 1_780_315_200.0
"""2026-06-01 12:00 UTC."""
DAY_S = 86_400.0
CONFIGURATION = """
durability = "process"
[channels]
operators = "log"
[roles]
risk = ["ann", "bob", "cy"]
"""
OFFICE = 'allow Mon..Thu 09:00..17:00 in "UTC"'


def text(limit: int, change: str = "", name: str = "acme.loans", more: str = "") -> str:
    """Return a policy that a program with the step `quote` can carry out."""
    return f"""
omium 1
policy {name} version "1.{limit}.0" {{
  rule low after quote {{ require output.rate < {limit} on fail halt }}
  {more}
  change {{ {change} }}
}}
"""


def quote(score: int) -> dict[str, int]:
    return {"rate": score}


def other(terms: object) -> None: ...


def loan() -> None: ...


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "omium.toml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture
def clock() -> VirtualClock:
    """Noon on a Monday."""
    return VirtualClock(MONDAY_NOON)


@pytest.fixture
def opened(project: Path, clock: VirtualClock) -> Iterator[Callable[[], Runtime]]:
    """Open the project's store as a process does that begins: nothing is known but what the store has."""
    runtimes: list[Runtime] = []

    def make() -> Runtime:
        for one in runtimes:
            one.close()
        runtimes[:] = [open_runtime(f"sqlite:///{project}/omium.db", Parts(clock))]
        runtimes[0].registry = type(runtimes[0].registry)()
        runtimes[0].registry.add(StepDeclaration("quote", quote, Arguments.of(quote)))
        return runtimes[0]

    yield make
    for one in runtimes:
        one.close()


@pytest.fixture
def runtime(opened: Callable[[], Runtime]) -> Runtime:
    """The project's store."""
    return opened()


def write(folder: Path, content: str, name: str = "loans.omp") -> None:
    """Change a file, at a time that tells it from what it was."""
    path = folder / name
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(content)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def declaration(policy: str | None = "loans.omp") -> WorkflowDeclaration:
    """Return a workflow that asks for a policy."""
    return WorkflowDeclaration("loan", loan, Arguments.of(loan), options={"policy": policy})


def now(runtime: Runtime) -> Any:
    """Return what a new execution would run under."""
    found = in_force(runtime, declaration())
    assert found is not None
    return found


def activations(runtime: Runtime, name: str = "acme.loans") -> list[str]:
    """Return the versions that came into force, oldest first."""
    return [one.version for one in policy_named(runtime, name).activations]


def test_a_workflow_without_a_policy_has_none(runtime: Runtime) -> None:
    """Nothing is asked for, so nothing is loaded or recorded."""
    assert in_force(runtime, declaration(None)) is None
    assert runtime.store.journal.executions() == []


def test_the_first_version_comes_into_force_at_any_time(runtime: Runtime, project: Path, clock: VirtualClock) -> None:
    """Also in a freeze: there is nothing before it whose say it would be."""
    clock.advance(5 * DAY_S)
    write(project, text(9, OFFICE))

    active = now(runtime)
    assert (active.name, active.version, active.hash) == ("acme.loans", "1.9.0", active.loaded.hash)
    assert active.loaded.judge("after", "quote", {"output": {"rate": 10}})
    assert now(runtime) is active
    [event] = policy_named(runtime, "loans.omp").changes
    assert isinstance(event, e.PolicyActivated)
    assert (event.hash, event.file, event.at > MONDAY_NOON) == (active.hash, "loans.omp", True)


def test_a_changed_file_holds_for_new_executions(runtime: Runtime, project: Path) -> None:
    """What runs keeps what it pinned, also after the file is gone; formatting alone changes nothing."""
    write(project, text(9))
    first = now(runtime)
    write(project, text(9).replace("\n", "\n\n"))
    assert now(runtime).hash == first.hash
    write(project, text(8))
    second = now(runtime)

    assert (second.version, activations(runtime)) == ("1.8.0", ["1.9.0", "1.8.0"])
    (project / "loans.omp").unlink()
    assert pinned(runtime, "acme.loans", first.hash).loaded.judge("after", "quote", {"output": {"rate": 8.5}}) == ()
    assert pinned(runtime, "acme.loans", second.hash).loaded.judge("after", "quote", {"output": {"rate": 8.5}})


def test_another_process_goes_on_under_what_was_pinned(opened: Callable[[], Runtime], project: Path) -> None:
    """A version comes back from what was recorded, with the packs that it had then, whatever they say now."""
    pack = "omium 1 policy fees { rule fee after quote { require output.fee < 5 on fail halt } }"
    write(project, pack, "fees.omp")
    write(project, text(9).replace("policy", 'use "fees.omp" as fees\npolicy', 1))
    hash = now(opened()).hash
    write(project, pack.replace("5", "99"), "fees.omp")
    (project / "loans.omp").unlink()

    found = pinned(opened(), "acme.loans", hash)
    assert [one.rule for one in found.loaded.judge("after", "quote", {"output": {"rate": 1, "fee": 6}})] == ["fees.fee"]
    with pytest.raises(UsageError, match=r"no record of version sha256:0123456789ab .*it has sha256:.*activate FILE"):
        pinned(opened(), "acme.loans", "0123456789abcdef")


def test_a_pack_beside_it_is_watched_too(runtime: Runtime, project: Path) -> None:
    """A pack that changes is a change of the policy."""
    pack = "omium 1 policy fees { rule fee after quote { require output.fee < 5 on fail halt } }"
    write(project, pack, "fees.omp")
    write(project, text(9).replace("policy", 'use "fees.omp" as fees\npolicy', 1))
    first = now(runtime)
    write(project, pack.replace("5", "4"), "fees.omp")

    assert now(runtime).hash != first.hash


def schema(most: int) -> str:
    """Return what a quote may be."""
    rate = {"type": "number", "maximum": most}
    return json.dumps({"type": "object", "properties": {"rate": rate}, "required": ["rate"]})


def test_a_schema_is_watched_and_recorded_with_the_policy(opened: Callable[[], Runtime], project: Path) -> None:
    """One that means something else is another version; what was pinned keeps the schema that it had then."""
    declared = 'data Quote from "quote.json" step quote gives Quote rule right after quote { require step.conforms }'
    write(project, schema(9), "quote.json")
    write(project, text(99, more=declared))
    runtime = opened()
    first = now(runtime)
    write(project, schema(9).replace(",", ",\n"), "quote.json")
    assert now(runtime).hash == first.hash
    write(project, schema(5), "quote.json")
    second = now(runtime)
    assert second.hash != first.hash
    (project / "quote.json").unlink()
    assert now(runtime).hash == second.hash

    runtime = opened()
    for version, limit in ((first, 9), (second, 5)):
        asked = in_force_of(pinned(runtime, "acme.loans", version.hash).loaded)
        broken = [
            [one.rule for one in asked.judge("after", "quote", {"output": {"rate": rate}, "step": {"conforms": True}})]
            for rate in (limit, limit + 1)
        ]
        assert broken == [[], ["right"]]


def test_a_path_is_beside_the_code_that_names_it(runtime: Runtime, project: Path) -> None:
    """Then in the working directory; a pack's name is a policy as well, and configuration is for all others."""
    folder = project / "flows"
    folder.mkdir()
    scope: dict[str, Any] = {}
    exec(compile("def flow(): ...", str(folder / "flow.py"), "exec"), scope)
    flow = WorkflowDeclaration("flow", scope["flow"], Arguments.of(loan), options={"policy": "loans.omp"})
    write(project, text(7))
    found = in_force(runtime, flow)
    assert found is not None and found.version == "1.7.0"
    write(folder, text(6))
    found = in_force(runtime, flow)
    assert found is not None and found.version == "1.6.0"

    pack = in_force(runtime, declaration("omium.baseline"))
    assert pack is not None and pack.name == "omium.baseline"
    with pytest.raises(UsageError, match="there is no pack `nothing`"):
        in_force(runtime, declaration("nothing"))
    with pytest.raises(UsageError, match=r"there is no file `.*absent\.omp`"):
        in_force(runtime, declaration("absent.omp"))


def test_configuration_names_a_policy_for_workflows_that_name_none(
    project: Path, opened: Callable[[], Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`OMIUM_POLICY` is in force where the workflow says nothing."""
    write(project, text(9))
    monkeypatch.setenv("OMIUM_POLICY", "loans.omp")
    found = in_force(opened(), declaration(None))
    assert found is not None and found.name == "acme.loans"


def test_a_version_outside_the_windows_stays_out(
    runtime: Runtime, project: Path, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The last version stays in force and a warning says why, once; in the next window the file comes in by itself."""
    write(project, text(9, OFFICE))
    first = now(runtime)
    clock.advance(5 * DAY_S)
    write(project, text(8))
    with caplog.at_level(logging.WARNING, "omium"):
        assert [now(runtime).hash for _ in range(3)] == [first.hash] * 3

    [said] = [one.getMessage() for one in caplog.records]
    assert "`loans.omp` says sha256:" in said
    assert "it is Sat 12:00 in UTC, and it may change Mon..Thu 09:00..17:00" in said
    assert f"version sha256:{first.hash[:12]} of the policy `acme.loans` stays in force" in said
    assert activations(runtime) == ["1.9.0"]
    clock.advance(2 * DAY_S)
    assert (now(runtime).version, activations(runtime)) == ("1.8.0", ["1.9.0", "1.8.0"])


def test_a_new_process_cannot_bring_it_in_either(
    opened: Callable[[], Runtime], project: Path, clock: VirtualClock
) -> None:
    """Change control is the store's, not the process's; and a new name is a change as well."""
    write(project, text(9, OFFICE))
    first = now(opened())
    clock.advance(5 * DAY_S)
    write(project, text(8))
    assert now(opened()).hash == first.hash
    write(project, text(8, name="acme.other"))
    runtime = opened()
    assert now(runtime).hash == first.hash
    with pytest.raises(UsageError, match=r"no version of `acme.other` was ever in force"):
        policy_named(runtime, "acme.other")


def test_two_people_let_a_version_in(runtime: Runtime, project: Path, clock: VirtualClock) -> None:
    """They do so for the file as it is; who is not in the role cannot, and once used it is used up."""
    needs_two = f'{OFFICE} override needs 2 people from "risk"'
    write(project, text(9, needs_two))
    first = now(runtime)
    clock.advance(5 * DAY_S)
    write(project, text(8, needs_two))
    assert now(runtime).hash == first.hash
    version = usable(runtime, "loans.omp")
    with pytest.raises(UsageError, match="`eve` is not in the role `risk`"):
        override(runtime, version, "eve", "please")
    with pytest.raises(UsageError, match="needs to know by whom"):
        override(runtime, version, " ", "please")
    made, missing = override(runtime, version, "ann", "the regulator asked")
    assert (made.by, made.role, made.hash) == ("ann", "risk", version.loaded.hash)
    assert missing.endswith("and 1 did")
    assert "and 1 did" in override(runtime, version, "ann", "really")[1]
    assert now(runtime).hash == first.hash
    write(project, text(7, needs_two))
    assert "and 1 did" in override(runtime, usable(runtime, "loans.omp"), "bob", "another file")[1]
    write(project, text(8, needs_two))
    assert override(runtime, usable(runtime, "loans.omp"), "bob", "agreed")[1] == ""

    assert now(runtime).version == "1.8.0"
    assert policy_named(runtime, "acme.loans").activations[-1].overridden == ("ann", "bob")
    write(project, text(9, needs_two))
    assert now(runtime).version == "1.8.0"
    write(project, text(8, needs_two))
    with pytest.raises(UsageError, match="is in force as it is"):
        override(runtime, usable(runtime, "loans.omp"), "ann", "again")


def test_what_cannot_be_overridden_says_so(runtime: Runtime, project: Path) -> None:
    """There is nothing in force yet, or the version in force names nobody who could."""
    write(project, text(9))
    with pytest.raises(UsageError, match=r"so `loans\.omp` may come in as it is"):
        override(runtime, usable(runtime, "loans.omp"), "ann", "x")
    now(runtime)
    write(project, text(8))
    with pytest.raises(UsageError, match="lets nobody override it"):
        override(runtime, usable(runtime, "loans.omp"), "ann", "x")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (text(8).replace("quote {", "quote [", 1), "loans.omp:4: `[` is not expected here"),
        (text(8).replace("halt", "recover nothing", 1), "there is no recovery `nothing`"),
        (text(8, more="rule r after gone { require input.x > 1 on fail halt }"), "the program has no step `gone`"),
        ("", "the file ends too early"),
    ],
)
def test_a_file_that_cannot_be_used_keeps_the_last_good_version(
    opened: Callable[[], Runtime], project: Path, caplog: pytest.LogCaptureFixture, broken: str, why: str
) -> None:
    """In the process that had it, and in one that begins; with none to fall back to, everything wrong is raised."""
    write(project, broken)
    with pytest.raises(PolicyError) as refused:
        now(opened())
    assert why.rpartition(": ")[2] in refused.value.diagnostics[0]

    write(project, text(9))
    runtime = opened()
    good = now(runtime)
    write(project, broken)
    for begin in (lambda: runtime, lambda: runtime, opened):
        caplog.clear()
        assert now(begin()).hash == good.hash
    assert why in caplog.text
    assert "stays in force" in caplog.text
    write(project, text(7))
    assert now(opened()).version == "1.7.0"


def test_a_file_that_is_gone_keeps_the_last_good_version(opened: Callable[[], Runtime], project: Path) -> None:
    """A process that begins knows it from the activations."""
    write(project, text(9))
    good = now(opened())
    (project / "loans.omp").unlink()

    assert now(opened()).hash == good.hash


def test_what_binds_later_is_used_then(runtime: Runtime, project: Path) -> None:
    """Declarations become more while a program is imported; a policy that did not bind is asked again."""
    write(project, text(9, more="rule r after later { require input.x > 1 on fail halt }"))
    with pytest.raises(PolicyError, match="the program has no step `later`"):
        now(runtime)
    runtime.registry.add(StepDeclaration("later", other, Arguments.of(other)))

    assert now(runtime).version == "1.9.0"


def test_what_another_process_brought_in_holds_here_too(runtime: Runtime, project: Path) -> None:
    """A file that did not change does not take its version back, so two deployments do not fight."""
    write(project, text(9))
    now(runtime)
    write(project, text(8), "elsewhere.omp")
    bring_in(runtime, usable(runtime, "elsewhere.omp"), "ann", "")

    assert [now(runtime).version for _ in range(3)] == ["1.8.0"] * 3
    write(project, text(7, more="rule r after gone { require input.x > 1 on fail halt }"), "elsewhere.omp")
    bring_in(runtime, usable(runtime, "elsewhere.omp"), "ann", "")
    assert now(runtime).version == "1.9.0"
    assert activations(runtime) == ["1.9.0", "1.8.0", "1.7.0"]


def test_threads_that_begin_at_once_get_one_version(runtime: Runtime, project: Path) -> None:
    """A file that changed is loaded and activated once, and nobody gets half of it."""
    write(project, text(9))
    now(runtime)
    write(project, text(8))
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: now(runtime), range(40)))

    assert [one.version for one in found] == ["1.8.0"]
    assert activations(runtime) == ["1.9.0", "1.8.0"]


def test_activations_are_in_a_journal_that_is_no_execution(runtime: Runtime, project: Path) -> None:
    """It verifies with the others, and nothing that acts on executions sees it."""
    write(project, text(9))
    now(runtime)
    write(project, text(8))
    now(runtime)
    result = verify(store=runtime.store.url)

    assert (result.ok, result.executions, result.policies, result.events) == (True, 0, 1, 4)
    assert list(result.heads) == ["@policy:acme.loans"]
    assert runtime.store.executions() == []
    with pytest.raises(omium.UnknownExecution):
        runtime.store.find("@last")
    with pytest.raises(omium.UnknownExecution):
        runtime.store.find("@pol")
    assert omium.halt(all=True, by="ann", store=runtime.store.url) == []
    with pytest.raises(UsageError, match="cannot be an execution's id"):
        omium.execution("x", execution_id="@policy:x", store=runtime.store.url).__enter__()


def test_pruning_leaves_what_executions_pin(runtime: Runtime, project: Path) -> None:
    """The texts of policies are no values of executions that ended."""
    write(project, text(9, more=f'title "{"long " * 4000}"'))
    first = now(runtime)
    removed = prune(runtime.store, plan(runtime.store, Choice(MONDAY_NOON * 2)), "ann")
    assert removed.executions == ()
    runtime.policies.versions.clear()

    assert pinned(runtime, "acme.loans", first.hash).loaded.judge("after", "quote", {"output": {"rate": 10}})


def test_listing_looks_past_journals_that_are_no_executions(runtime: Runtime, project: Path) -> None:
    """However many there are among the newest, as many executions are given as were asked for."""
    for number in range(3):
        with omium.execution("work", execution_id=f"exe-{number}", store=runtime.store.url):
            pass
    for number in range(9):
        write(project, text(9, name=f"p{number}"), f"p{number}.omp")
        in_force(runtime, declaration(f"p{number}.omp"))

    listed = [[row.id for row in runtime.store.executions(limit=limit)] for limit in (0, 1, 3, 100)]
    assert listed == [[], ["exe-2"], ["exe-2", "exe-1", "exe-0"], ["exe-2", "exe-1", "exe-0"]]


WORKER = """
import sys
from pathlib import Path
from omium.runtime import runtime_for
from omium.activation import bring_in
from omium.governing import usable

number, folder = sys.argv[1], Path(sys.argv[2])
runtime = runtime_for(f"sqlite:///{folder}/omium.db")
version = usable(runtime, f"loans-{number}.omp")
print("ready", flush=True)
sys.stdin.readline()
brought = bring_in(runtime, version, number, "")
print(brought.new, brought.record.of(version.loaded.hash).version)
"""


def test_processes_that_activate_at_once_all_end_well(project: Path, opened: Callable[[], Runtime]) -> None:
    """Each sees what the others did: every version is on record once, in a chain that verifies."""
    numbers = range(1, 4)
    for number in numbers:
        (project / f"loans-{number}.omp").write_text(text(number))
    (project / "worker.py").write_text(WORKER)
    workers = [
        subprocess.Popen(
            [sys.executable, "worker.py", str(number), str(project)],
            cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in numbers
    ]  # fmt: skip
    try:
        ready = [one.stdout.readline() for one in workers if one.stdout is not None]
        for one in workers:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        ended = [one.communicate(timeout=60) for one in workers]
    finally:
        for one in workers:
            one.kill()

    assert ready == ["ready\n"] * len(workers), ended
    assert [out.split() for out, _ in ended] == [["True", f"1.{number}.0"] for number in numbers], ended
    runtime = opened()
    assert sorted(activations(runtime)) == [f"1.{number}.0" for number in numbers]
    assert verify(store=runtime.store.url).ok
