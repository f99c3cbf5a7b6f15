"""An empty project with a store and a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import omium
from omium.runtime import Parts, open_runtime
from omium.testing import VirtualClock


@pytest.fixture(autouse=True)
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualClock]:
    """The clock of the project's store, in which waiting costs nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "omium.toml").write_text('durability = "process"\n')
    clock = VirtualClock()
    runtime = open_runtime(f"sqlite:///{tmp_path}/.omium/omium.db", Parts(clock=clock))
    yield clock
    runtime.close()


@pytest.fixture
def events() -> Any:
    """Give the events of an execution, of one kind."""

    def of(execution: str, kind: type) -> list[Any]:
        return [one for one in omium.open_store().journal(execution) if isinstance(one, kind)]

    return of


@pytest.fixture
def body() -> Any:
    """Give the body of an event as plain data."""

    def of(execution: str, event: Any) -> Any:
        return omium.runtime_for().store.view(execution, event.seq)

    return of
