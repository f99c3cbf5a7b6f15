"""How hard the torture tests press: a short seeded slice by default, everything with `--torture`. And a database."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from postgres_server import Postgres


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--torture`, which `nox -s torture` gives."""
    parser.addoption("--torture", action="store_true", help="run the torture tests in full: hours, not minutes")


def pytest_configure() -> None:
    """Let Ctrl-C reach the processes that tests start, also where a shell began this one in its background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def pressed(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """Choose how often: `pressed(5, 300)` is 5 in the slice that every run makes and 300 with `--torture`."""
    full = bool(request.config.getoption("--torture"))
    return lambda slice_, whole: whole if full else slice_


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of the tests' own; it begins with the first test that needs it."""
    from postgres_server import Postgres  # Most runs of few tests need none.

    server = Postgres.start()
    yield server
    server.stop()
