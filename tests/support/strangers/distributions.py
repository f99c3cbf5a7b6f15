"""Distributions that strangers might write: one that fails whenever it is used, and some that cannot be used at all."""

from __future__ import annotations

from pathlib import Path

from strangers.environment import written

__all__ = ["UNUSABLE", "moody", "unusable"]

HEAD = "from omium_core.hookspecs import hookimpl\nfrom omium_core.specs import *\n"

MOODY_PLUGIN = """
import click
from omium_core.hookspecs import hookimpl
from omium_core.specs import BlobStoreSpec, DetectorSpec, Finding, NotifierSpec, StrategySpec

DETECTORS = ("raising", "leaving", "rubbish", "late", "absent", "endless", "textless", "unstorable", "unspeakable")
STRATEGIES = ("raising", "rubbish", "nowhere", "greedy", "unknown", "unspeakable", "dying")


@hookimpl
def register_detectors():
    return [DetectorSpec(f"moody.{name}", f"omium_moody_parts:detect_{name}") for name in DETECTORS]


@hookimpl
def register_strategies():
    return [StrategySpec(f"moody.{name}", f"omium_moody_parts:decide_{name}") for name in STRATEGIES]


@hookimpl
def register_notifiers():
    return [NotifierSpec("moody", "omium_moody_parts:tell", instant=True)]


@hookimpl
def register_blob_stores():
    return [BlobStoreSpec("moody", "omium_moody_parts:Blobs"), BlobStoreSpec("gone", "omium_moody_parts:gone")]


@hookimpl
def register_commands(group):
    @group.command("show")
    def show():
        click.echo("this is not what you asked for")

    @group.command("moody")
    def moody():
        raise LookupError("not today")


@hookimpl
def diagnose(store):
    return ["not a finding", Finding("moody", "ok", "in the mood")]


@hookimpl
def startup(runtime):
    raise RuntimeError("not in the mood")
"""

MOODY_PARTS = """
import os
import signal
import sys
import time

from omium_core.interfaces.recovery import Decision
from omium_core.model.failure import Violation


def detect_raising(produced):
    raise LookupError("no\\nmodel today")


def detect_leaving(produced):
    sys.exit(3)


def detect_rubbish(produced):
    return "all wrong"


def detect_late(produced):
    yield Violation("late", "this much is wrong")
    raise OSError("and then the disk was full")


def detect_endless(produced):
    while True:
        yield Violation("endless", "and another thing")


def detect_textless(produced):
    return [Violation("textless", b"wrong")]


def detect_unstorable(produced):
    return [Violation("unstorable", "wrong", values={"where": [open]})]


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("do not ask")


def detect_unspeakable(produced):
    raise Unspeakable


def decide_unspeakable(case):
    return Decision("retry", reason="not \\ud800 Unicode")


def decide_raising(case):
    return 1 / 0


def decide_rubbish(case):
    return "retry"


def decide_nowhere(case):
    return Decision("rollback", "a checkpoint that there is not")


def decide_unknown(case):
    return Decision("give up", reason="there is no such decision")


def decide_dying(case):
    open("asked", "w").close()
    while os.path.exists("wait") and not os.path.exists("beside"):
        time.sleep(0.001)
    if os.path.exists("alive"):
        os.remove("alive")
        os.kill(os.getpid(), signal.SIGKILL)
    return Decision("retry", reason="alive again")


def decide_greedy(case):
    return Decision("retry", reason=f"use {case.use} of {case.times}")


def tell(target, subject, message):
    raise ConnectionError("the line is dead")


class Blobs:
    def __init__(self, url):
        self.kept = {}

    def put(self, digest, data):
        if os.path.exists("moody"):
            raise LookupError("no room for blobs today")
        with open(digest, "wb") as file:
            file.write(data)

    def get(self, digest):
        if os.path.exists("moody"):
            raise LookupError("no blobs today")
        try:
            with open(digest, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def close(self):
        raise LookupError("not even this")


def gone(url):
    raise ConnectionError("nobody answers")
"""

UNUSABLE = {
    "absent": ("import not_there_at_all\n", "it cannot be imported: ModuleNotFoundError: No module named"),
    "misspelt": (HEAD + "@hookimpl\ndef register_detector(): return []\n", "did you mean `register_detectors`?"),
    "argument": (
        HEAD + "@hookimpl\ndef register_strategies(strategies): return []\n",
        "it wants the argument `strategies` in the hook `register_strategies`, which takes none",
    ),
    "sqlite": (HEAD + "@hookimpl\ndef startup(runtime): pass\n", "it has a name that is already taken by `omium`"),
    "schemes": (
        HEAD + "@hookimpl\ndef register_journals(): return [JournalSpec('sqlite', 'thief:Journal')]\n",
        "it registers `sqlite`, which is already taken by `sqlite` of `omium`",
    ),
    "names": (
        HEAD + "@hookimpl\ndef register_detectors(): return [DetectorSpec('moody.raising', 'thief:detect')]\n",
        "it registers `moody.raising`, which is already taken by `moody` of `omium-moody`",
    ),
    "ending": ("import sys\nsys.exit(3)\n", "it ends the process when it is imported"),
}
"""Plugins by name: the source of the module with their hooks, and what is said of them."""


def moody(into: Path) -> Path:
    """Write the wheel of a plugin that loads and then fails whenever it is used."""
    modules = {"omium_moody_plugin": MOODY_PLUGIN, "omium_moody_parts": MOODY_PARTS}
    return written(into, "omium-moody", modules, {"moody": "omium_moody_plugin"})


def unusable(into: Path) -> list[Path]:
    """Write the wheel of a distribution for each plugin that cannot be used."""
    return [
        written(into, f"omium-x-{name}", {f"omium_x_{name}": source}, {name: f"omium_x_{name}"})
        for name, (source, _) in UNUSABLE.items()
    ]
