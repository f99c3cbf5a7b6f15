"""The pytest plugin, in pytest runs of its own: what a user's project gets, and what it does not get."""

from __future__ import annotations

import pytest

pytest_plugins = ("pytester",)

FLOWS = """
import omium
from omium import Halt, Pause, Recovery, Retry, checkpoint, effect, workflow

sent = []

@effect(irreversible=True, check=lambda key: sent[-1] if sent else omium.NOT_DONE)
def send(to):
    sent.append(to)
    return to

@checkpoint("send_it", recovery=Recovery(Retry(2, backoff="exponential(600s, 3600s)"), Halt(), kinds=("timeout",)))
def send_it(to):
    if to == "late" and omium.current().attempt < 3:
        raise TimeoutError("nobody answers")
    return send(to)

@workflow
def mailing(to):
    return send_it(to)
"""

STORY = """\
# One letter.

workflow flows.py:mailing
input "ann"

run
----
completed: ann

performed
----
send(to=ann)
"""


@pytest.fixture(autouse=True)
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A user's project with a workflow; nothing of this run's own settings reaches it."""
    monkeypatch.delenv("OMIUM_STORE", raising=False)
    pytester.makeini("[pytest]\naddopts = -p no:asyncio\n")
    pytester.makepyfile(flows=FLOWS)
    pytester.syspathinsert()
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest as a user does, in a process of its own."""
    return pytester.runpytest_subprocess("-q", *arguments)


def test_each_test_has_a_fresh_store(pytester: pytest.Pytester) -> None:
    """`omium_store` is empty, is where everything runs by default, and is gone after the test."""
    pytester.makepyfile(
        """
        import os
        import omium, pytest
        from flows import mailing

        @pytest.mark.parametrize("turn", range(2))
        def test_store(omium_store, turn):
            assert omium_store.executions() == []
            mailing.start("ann", execution_id="mail-1")
            assert omium_store.execution("mail-1").result == "ann"
            assert omium.execution_of("mail-1").status == "completed"
            assert omium.runtime_for().store.url == omium_store.url == os.environ["OMIUM_STORE"]

        def test_without(tmp_path):
            assert "OMIUM_STORE" not in os.environ
        """
    )

    run(pytester).assert_outcomes(passed=3)

    assert not (pytester.path / ".omium").exists()


def test_the_clock_does_not_wait(pytester: pytest.Pytester) -> None:
    """With `omium_clock` backoffs of minutes pass at once, and the test sees how long they were."""
    pytester.makepyfile(
        """
        from flows import mailing

        def test_clock(omium_clock):
            execution = mailing.start("late")
            assert execution.status == "completed"
            assert sum(omium_clock.slept) > 60
            assert execution.started.timestamp() > 1_800_000_000
        """
    )

    run(pytester).assert_outcomes(passed=1)


def test_faults_and_a_new_process(pytester: pytest.Pytester) -> None:
    """`omium_faults` fails writes and kills the process that is played; `omium_restart` is the next one."""
    pytester.makepyfile(
        """
        import omium, pytest
        from omium.testing import Killed
        from flows import mailing, sent

        def test_fail(omium_store, omium_faults):
            omium_faults.fail(1)
            with pytest.raises(omium.StoreError):
                mailing.start("ann")
            assert mailing.start("bo").status == "completed"

        @pytest.mark.parametrize("write", range(1, 9))
        def test_kill(omium_faults, omium_restart, write):
            sent.clear()
            omium_faults.kill(write)
            try:
                mailing.start("ann", execution_id="mail-1")
            except Killed:
                store = omium_restart()
                if store.executions():
                    assert mailing.resume("mail-1").status == "completed"
                else:
                    mailing.start("ann", execution_id="mail-1")
            assert sent == ["ann"]
        """
    )

    run(pytester).assert_outcomes(passed=9)


def test_text_scenarios_are_tests(pytester: pytest.Pytester) -> None:
    """A file `*.scenario` is a test; a difference is shown as one, and not as a traceback."""
    pytester.maketxtfile(other=STORY)
    (pytester.path / "good.scenario").write_text(STORY)
    (pytester.path / "bad.scenario").write_text(STORY.replace("completed: ann", "completed: bo"))
    (pytester.path / "wrong.scenario").write_text(STORY.replace("performed", "perfromed"))

    result = run(pytester)

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["-completed: bo", "+completed: ann"])
    result.stdout.fnmatch_lines(["*wrong.scenario:10: there is no command `perfromed`; did you mean `performed`?"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_rewrite(pytester: pytest.Pytester) -> None:
    """`--rewrite` makes the files say what came, and only the expected output; after that they pass."""
    story = pytester.path / "mail.scenario"
    story.write_text(STORY.replace("completed: ann", "completed: bo").replace("send(to=ann)\n", ""))

    run(pytester).assert_outcomes(failed=1)
    run(pytester, "--rewrite").assert_outcomes(passed=1)

    assert story.read_text() == STORY
    run(pytester).assert_outcomes(passed=1)


def test_a_program_that_starts_another_shares_the_store(pytester: pytest.Pytester) -> None:
    """Commands that a test starts work on the test's store."""
    pytester.makepyfile(
        """
        import subprocess, sys
        from flows import mailing

        def test_command(omium_store):
            mailing.start("ann", execution_id="mail-1")
            command = [sys.executable, "-m", "omium", "list", "--json"]
            assert "mail-1" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
        """
    )

    run(pytester).assert_outcomes(passed=1)


def test_strangers_notice_nothing(pytester: pytest.Pytester) -> None:
    """A project that has nothing to do with Omium imports no engine, and keeps its own `--rewrite`."""
    pytester.makeconftest(
        """
        import pytest

        def pytest_addoption(parser):
            parser.getgroup("theirs").addoption("--rewrite", action="store", default="no")

        @pytest.fixture
        def rewrite(request):
            return request.config.getoption("--rewrite")
        """
    )
    pytester.makepyfile(
        """
        import sys

        def test_theirs(rewrite):
            assert rewrite == "yes"

        def test_nothing_is_imported():
            own = {one for one in sys.modules if one.partition(".")[0] in ("omium", "omium_core", "omium_sqlite")}
            assert own == {"omium", "omium.testing", "omium.testing.pytest_plugin"}
        """
    )

    run(pytester, "--rewrite=yes").assert_outcomes(passed=2)


def test_the_plugin_can_be_left_out(pytester: pytest.Pytester) -> None:
    """With `-p no:omium` scenario files are nobody's, and there are no fixtures."""
    (pytester.path / "mail.scenario").write_text(STORY)
    pytester.makepyfile("def test_one(omium_store): pass")

    run(pytester, "-p", "no:omium").assert_outcomes(errors=1)
