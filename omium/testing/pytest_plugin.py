"""The pytest plugin: fixtures with a store, a clock and faults for one test, and text scenarios as tests.

pytest imports this in every run, so it imports nothing of Omium until a fixture or a scenario is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from omium.stores import OpenStore
    from omium.testing.bench import Bench
    from omium.testing.clock import VirtualClock
    from omium.testing.faults import Faults

SUFFIX = ".scenario"
REWRITE = "--rewrite"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(parser: pytest.Parser) -> Iterator[None]:
    """Add `--rewrite`, after every `conftest.py` had its turn: an option of that name which is theirs stays theirs."""
    result = yield
    if _is_free(parser, REWRITE):
        parser.getgroup("omium").addoption(
            REWRITE, action="store_true", dest="omium_rewrite", help="let text scenarios expect what comes of them"
        )
    return result


def _is_free(parser: pytest.Parser, option: str) -> bool:
    try:
        return option in parser.parse_known_and_unknown_args([option])[1]
    except pytest.UsageError:
        # It is known, and wants a value.
        return False


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take files whose name ends with `.scenario`."""
    return ScenarioFile.from_parent(parent, path=file_path) if file_path.suffix == SUFFIX else None


class ScenarioFile(pytest.File):
    """A text scenario, which is one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give its test, under the file's own name."""
        yield ScenarioItem.from_parent(self, name=self.path.stem)


class ScenarioItem(pytest.Item):
    """Plays a text scenario; with `--rewrite` its file is made to say what came of it."""

    def runtest(self) -> None:
        """Play it; raise `Unexpected` with the difference."""
        from omium.testing.scenarios.playing import play_file

        rewrite = bool(self.config.getoption("omium_rewrite", default=False))
        played = play_file(self.path, rewrite=rewrite)
        if played.problem:
            raise Unexpected(played.problem)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the difference, and not where in Omium it was found."""
        if isinstance(excinfo.value, Unexpected):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Say where it stands."""
        return self.path, None, self.name


class Unexpected(Exception):
    """Something else came of a scenario than its file expects."""


@pytest.fixture
def omium_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The bench that the other fixtures are parts of; `restart()` on it is a new process over the same store."""
    from omium.testing.bench import Bench

    bench = Bench(f"sqlite:///{tmp_path}/omium-store/omium.db")
    # Also the programs that a test starts use its store.
    monkeypatch.setenv("OMIUM_STORE", bench.url)
    try:
        yield bench
    finally:
        bench.close()


@pytest.fixture
def omium_store(omium_bench: Bench) -> OpenStore:
    """A fresh store for this test, in which everything runs that does not name another one."""
    return omium_bench.store


@pytest.fixture
def omium_clock(omium_bench: Bench) -> VirtualClock:
    """The clock of this test's store: backoffs and deadlines pass without waiting."""
    return omium_bench.clock


@pytest.fixture
def omium_faults(omium_bench: Bench) -> Faults:
    """What goes wrong with the writes of this test's store; a kill raises `omium.testing.Killed`."""
    return omium_bench.faults


@pytest.fixture
def omium_restart(omium_bench: Bench) -> Callable[[], OpenStore]:
    """A function that opens this test's store as the next process does, without what was left of the faults."""
    return omium_bench.restart
