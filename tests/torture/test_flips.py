"""Thousands of single bits of a store that are other ones than were written: no reader gives a wrong answer for it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
from flipped_store import Answer, Answers, Flip, Original, contents_of, facts, flips, gone_on, inside, listed, verified

SEED = 33
FLIPS = (60, 2_000)
SHOWN = 120
REPORT_EVERY = 500
# Rows that say nothing of an execution: which processes may be running, and when and by what the file was made.
BESIDE = ("runner", "meta")
# What each noticer says; the first that says something counts.
NOTICERS = {
    "wal": ("of its WAL",),
    "sqlite": ("SQLite finds", "is damaged", "malformed", "could not be read", "cannot be opened", "not a database"),
    "hashes": ("blob", "body of"),
    "chain": ("chain of", "cannot be read", "does not fit", "headers", "event"),
    "tables": ("table says", "is not the one", "index of topics", "appends of", "no appends", "journal of"),
}


@attrs.define
class Undamaged:
    """What every reader answers for the store as it was written."""

    facts: Answers
    listed: Answers
    gone_on: Answers
    contents: dict[str, list[object]]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    """A store with everything in it."""
    return Original.make(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def undamaged(original: Original, tmp_path_factory: pytest.TempPathFactory) -> Undamaged:
    """What is answered for a copy of it."""
    folder = tmp_path_factory.mktemp("copies") / "undamaged"
    original.copy(folder)
    contents = contents_of(folder)
    with inside(folder):
        found = Undamaged(facts(), listed(), {}, contents)
        assert verified() == Answer("ok")
        found.gone_on = gone_on()
    wrong = [one for part in (found.facts, found.listed, found.gone_on) for one in part.values() if one.error]
    assert not wrong, wrong
    return found


def test_no_flipped_bit_gives_a_wrong_answer(
    original: Original, undamaged: Undamaged, tmp_path: Path, pressed: Callable[[int, int], int]
) -> None:
    """Whatever bit is another one, every reader gives the right answer or an error, and `omium verify` names it."""
    found: Counter[str] = Counter()
    wrong: list[str] = []
    for number, flip in enumerate(flips(original, SEED, pressed(*FLIPS))):
        noticed, faults = tried(original, undamaged, flip, tmp_path / "copy")
        found[f"{flip.kind}: {noticed}"] += 1
        if (number + 1) % REPORT_EVERY == 0:
            print(number + 1, dict(sorted(found.items())), flush=True)
        wrong += [f"flip {number} of seed {SEED}, {flip}: {fault}" for fault in faults]
    print(dict(sorted(found.items())))
    assert not wrong, "\n".join(wrong)


def tried(original: Original, undamaged: Undamaged, flip: Flip, folder: Path) -> tuple[str, list[str]]:
    """Change one bit of a copy; return who noticed it, and what was answered wrongly."""
    original.copy(folder)
    flip.do(folder)
    with inside(folder):
        told, tables, said = facts(), listed(), verified()
    faults = different(told, undamaged.facts)
    # The tables are there to look things up fast. They can be wrong, but not unless verification says so.
    faults += different(tables, undamaged.listed) if not said.error else crashes(tables)
    if not said.is_omium:
        faults.append(f"omium verify: {said.message}")
    noticed = noticer(said) if said.error else "nobody, because it means nothing"
    if not said.error:
        noticed = silent(undamaged, folder, faults)
    original.copy(folder)
    flip.do(folder)
    with inside(folder):
        went = gone_on()
    world = went.pop("world")
    expected = undamaged.gone_on["world"]
    stopped = any(one.error for one in went.values())
    seen = Counter(world.value.splitlines()), Counter(expected.value.splitlines())
    if (seen[0] - seen[1]) if stopped else seen[0] != seen[1]:
        faults.append(f"the world saw {seen[0] - seen[1]} too much and {seen[1] - seen[0]} too little; {went}")
    return noticed, faults + different(went, undamaged.gone_on)


def different(told: Answers, right: Answers) -> list[str]:
    """Return the answers that are neither right nor a clear error."""
    wrong = [
        f"{name}: {beside(answer.value, right[name].value)}"
        for name, answer in told.items()
        if not answer.error and answer != right[name]
    ]
    return wrong + crashes(told)


def beside(told: str, right: str) -> str:
    """Return the two answers from a little before where they begin to differ."""
    same = next((at for at, (one, other) in enumerate(zip(told, right, strict=False)) if one != other), 0)
    at = max(0, same - SHOWN // 2)
    return f"{told[at : at + SHOWN]!r} instead of {right[at : at + SHOWN]!r}"


def crashes(told: Answers) -> list[str]:
    """Return the errors that are not Omium's own."""
    return [f"{name}: {one.error}: {one.message}" for name, one in told.items() if one.error and not one.is_omium]


def noticer(said: Answer) -> str:
    """Say who noticed the change, by what verification says."""
    for name, texts in NOTICERS.items():
        if any(text in said.message for text in texts):
            return name
    return f"unknown: {said.message[:200]}"


def silent(undamaged: Undamaged, folder: Path, faults: list[str]) -> str:
    """Say why verification was silent: because the database has the same contents, or because none of them matter."""
    contents: dict[str, list[object]] = {}
    with suppress(sqlite3.Error):
        contents = contents_of(folder)
    changed = {name for name, rows in undamaged.contents.items() if contents.get(name) != rows}
    if changed - set(BESIDE):
        faults.append(f"omium verify says nothing of what was changed in {changed}")
    return "harmless, nothing says what it was: leases and origin" if changed else "harmless, no content"
