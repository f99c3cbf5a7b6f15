"""An empty project with a store and a clock of its own, and policies written where a test needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import omium
from omium.runtime import Parts, open_runtime
from omium.testing import VirtualClock

PACKS = """omium 1
{uses}
policy test.rules version "1.0.0" {{
{body}
}}
"""


@pytest.fixture(autouse=True)
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualClock]:
    """The clock of the project's store, in which waiting costs nothing."""
    monkeypatch.chdir(tmp_path)
    channels = '[channels]\n"#ops" = "file:ops.jsonl"\n"officer" = "file:officer.jsonl"\n"approvers" = "log"\n'
    (tmp_path / "omium.toml").write_text('durability = "process"\n' + channels)
    clock = VirtualClock()
    runtime = open_runtime(f"sqlite:///{tmp_path}/.omium/omium.db", Parts(clock=clock))
    yield clock
    omium.runtime_for().close()
    assert runtime is not None


@pytest.fixture
def policy(tmp_path: Path) -> Callable[..., str]:
    """Write a policy with these items and return its path."""

    def write(body: str, *uses: str) -> str:
        path = tmp_path / "rules.omp"
        path.write_text(PACKS.format(body=body, uses="\n".join(f"use {one}" for one in uses)))
        return str(path)

    return write


@pytest.fixture
def another_process(tmp_path: Path, clock: VirtualClock) -> Callable[[], None]:
    """Let go of the runtime as a process does that dies, and be another one over the same store."""

    def begin() -> None:
        omium.runtime_for().abandon()
        open_runtime(f"sqlite:///{tmp_path}/.omium/omium.db", Parts(clock=clock))

    return begin


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
