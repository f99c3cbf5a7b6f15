"""Scenarios of both forms, played: what `omium test` and the pytest plugin do."""

from __future__ import annotations

import traceback
from pathlib import Path

import attrs

from omium.testing.scenarios import Scenario, datadriven
from omium.testing.scenarios.commands import Commands
from omium.testing.scenarios.stage import staged
from omium_core.errors import OmiumError
from omium_core.recovery.detectors import where_of

__all__ = ["SUFFIX", "Played", "play", "play_file"]

SUFFIX = ".scenario"
"""What the name of a text scenario ends with."""


@attrs.frozen
class Played:
    """How a scenario went; `problem` says what is not as expected, `rewritten` that its file now says what came."""

    name: str
    where: str
    problem: str = ""
    rewritten: bool = False


def play(scenario: Scenario) -> Played:
    """Play a scenario in Python."""
    try:
        scenario()
    except (AssertionError, OmiumError) as error:
        return Played(scenario.name, where_of(error) or scenario.where, str(error) or _line(error))
    except Exception as error:  # A scenario is user code and may raise anything.
        return Played(scenario.name, where_of(error) or scenario.where, f"{type(error).__name__}: {error}")
    return Played(scenario.name, scenario.where)


def play_file(path: Path, *, rewrite: bool = False) -> Played:
    """Play a text scenario; with `rewrite` its file is made to say what came, unless it cannot be read."""
    try:
        with staged() as stage:
            text, came = datadriven.actual(path, Commands(stage, path.parent).perform)
            unmet = stage.unmet()
    except OmiumError as error:
        return Played(path.stem, str(path), str(error))
    if unmet:
        # With what it expects as well, because one may be the reason of the other.
        difference = datadriven.compare(path, text, came)
        return Played(path.stem, str(path), "\n".join(filter(None, [*unmet, difference])))
    if rewrite and came != text:
        path.write_text(came, encoding="utf-8")
        return Played(path.stem, str(path), rewritten=True)
    return Played(path.stem, str(path), datadriven.compare(path, text, came))


def _line(error: BaseException) -> str:
    """Return the source line of a bare assertion, which has no text of its own."""
    frames = traceback.extract_tb(error.__traceback__)
    return frames[-1].line or type(error).__name__
