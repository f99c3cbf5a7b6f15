"""A policy that was loaded once is loaded again without its parser; what is kept can say nothing but what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from policy_helpers import FINANCE, SHELF, Shelf, codes

from omium.kept import ENTRIES_MAX, KeptPolicies
from omium_policy import keeping
from omium_policy.loaded import Loaded
from omium_policy.source import Source
from omium_policy.testing import run_tests

GIVEN = {"input": {"risk": "low", "income": 90_000}, "output": {"apr": 0, "amount": 1000}, "step": {"elapsed": 1}}


@attrs.define
class Memory:
    """Keeps in memory, and counts what is asked and put."""

    data: dict[str, bytes] = attrs.field(factory=dict)
    puts: int = 0

    def get(self, key: str) -> bytes | None:
        return self.data.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.puts += 1
        self.data[key] = data


def load(text: str, memory: Memory, names: str = "", shelf: Shelf = SHELF) -> Loaded:
    return keeping.load(Source("test.omp", text), names, lambda: FINANCE, shelf, memory)


def said(found: Loaded) -> tuple[Any, ...]:
    """Return everything that there is to a policy."""
    judged = found.judge("after", "offer", GIVEN)
    passed = [one.passed for program in found.own for one in run_tests(found.source, program)]
    places = [(one.code, one.line, one.column, one.help, one.severity) for one in found.diagnostics]
    packs = [(one.alias, one.name, one.version, one.hash) for one in found.packs]
    return found.hash, judged, passed, places, packs, found.file


def test_what_is_kept_is_what_was_loaded(model: str) -> None:
    """Hash, findings with places and values, tests, diagnostics, packs and tree are the same."""
    text = model.replace("case output.apr = 2.49% breaks", "")
    memory = Memory()
    first, again = load(text, memory), load(text, memory)

    assert said(first) == said(again)
    assert first.hash == load(text, Memory()).hash
    assert memory.puts == 1


def test_packs_of_packs_are_kept(model: str) -> None:
    """Each pack is compared with the one that is there: another text or version, and the policy is loaded anew."""
    packs = {
        **SHELF.texts,
        "outer": (
            "1.0.0",
            'omium 1 use "inner" as i policy outer { rule r before a { require input.x > 1 on fail halt } }',
        ),
        "inner": ("1.0.0", "omium 1 policy inner { rule r before a { require input.y > 1 on fail halt } }"),
    }
    text = 'omium 1 use "outer" as o policy p { }'
    memory = Memory()
    first = load(text, memory, shelf=Shelf(packs))
    again = load(text, memory, shelf=Shelf(packs))
    assert [one.rule for one in first.judge("before", "a", {})] == ["o.r", "i.r"]
    assert [one.rule for one in again.judge("before", "a", {})] == ["o.r", "i.r"]
    assert (memory.puts, again.hash) == (1, first.hash)

    for name, version, words in (("inner", "1.0.0", "y > 2"), ("outer", "1.0.1", "x > 1"), ("inner", "2.0.0", "y > 1")):
        other = {**packs, name: (version, packs[name][1].replace(words[:3] + " 1", words))}
        puts = memory.puts
        load(text, memory, shelf=Shelf(other))
        assert memory.puts == puts + 1
    gone = {name: pack for name, pack in packs.items() if name != "inner"}
    assert codes(load(text, memory, shelf=Shelf(gone))) == ["unknown-pack"]


def test_another_text_or_other_names_are_another_policy(model: str) -> None:
    """A comment moves places, so it counts; so does what plugins add."""
    memory = Memory()
    load(model, memory)
    for text, names in ((model + "\n# x\n", ""), (model.replace("8.5%", "8.6%", 1), ""), (model, "others")):
        puts = memory.puts
        load(text, memory, names)
        assert memory.puts == puts + 1


def test_what_has_errors_is_not_kept() -> None:
    """Only what can be used."""
    memory = Memory()

    assert codes(load("omium 1 policy p { let a = b }", memory)) == ["unused", "unknown-name"] or memory.puts == 0
    assert memory.puts == 0


def forged(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return kept data with something else in it, and a digest that fits."""
    kept = json.loads(data.decode().partition("\n")[2])
    change(kept)
    body = json.dumps(kept)
    return f"{keeping._digest(body)}\n{body}".encode()


def _meaning(text: str) -> Callable[[dict[str, Any]], None]:
    def change(kept: dict[str, Any]) -> None:
        kept["meaning"] = text

    return change


HOSTILE: list[Callable[[bytes], bytes]] = [
    lambda data: b"",
    lambda data: b"\xff\xfe",
    lambda data: data[:-1],
    lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
    lambda data: b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.",
    lambda data: forged(data, lambda kept: kept.clear()),
    lambda data: forged(data, lambda kept: kept.update(packs=[{}])),
    lambda data: forged(data, lambda kept: kept.update(packs=[])),
    lambda data: forged(data, lambda kept: kept.update(places=[])),
    lambda data: forged(data, lambda kept: kept.update(places=[0] * 1_000_000)),
    lambda data: forged(data, lambda kept: kept.update(found=[["x"]])),
    lambda data: forged(data, lambda kept: kept.update(found=[["x", "y", 99, 0, 0, None, "error"]])),
    lambda data: forged(data, _meaning('[{"os.system":["touch owned"]},[]]')),
    lambda data: forged(data, _meaning('[{"walk":["touch owned"]},[]]')),
    lambda data: forged(data, _meaning('[{"__builtins__":["exec"]},[]]')),
    lambda data: forged(data, _meaning("[" * 200_000)),
    lambda data: forged(data, _meaning('{"decimal":"1e999999999"}')),
]


@pytest.mark.parametrize("change", HOSTILE)
def test_what_is_odd_is_loaded_anew(change: Callable[[bytes], bytes], model: str) -> None:
    """Damaged, forged, of another form: the policy is what its text says, and is kept again where that was seen."""
    memory = Memory()
    right = said(load(model, memory))
    [key] = memory.data
    memory.data[key] = change(memory.data[key])

    assert said(load(model, memory)) == right


READ_HOSTILE = """
import sys
from omium_policy import keeping, program, identity
from omium_policy.source import Source
from omium_policy.registry import Registry

class Finder:
    names = ()
    def __call__(self, name): return None
    def beside(self, source, path): return None
    def text_beside(self, source, path): return None

class Keeper:
    data = None
    def get(self, key): return self.data
    def put(self, key, data): self.data = self.data or data

text = 'omium 1 policy p { workflow a -> b rule r after b { require output.n > 1 on fail halt } }'
keeper = Keeper()
keeping.load(Source("p", text), "", Registry, Finder(), keeper).judge("after", "b", {"output": {"n": 1}})
# A name that nothing has brings the module for suggestions in.
keeping.load(Source("p", "omium 1 policy p { let a = b }"), "", Registry, Finder(), Keeper())
kept = keeper.data.decode()
body = kept.partition("\\n")[2]
seen, watching = [], False
sys.addaudithook(lambda event, args: seen.append((event, args)) if watching else None)
for old, new in (("Halt", "Notify"), ("Halt", "system"), ("Rule", "__import__"), ("output", "__class__"), ("p", "os")):
    forged = body.replace(old, new)
    data = f"{keeping._digest(forged)}\\n{forged}".encode()
    watching = True
    try:
        keeping._read(data, Source("p", text), Registry, Finder())._make()
    except Exception:
        pass
    watching = False
    assert not seen, seen
"""


def test_a_hostile_file_makes_the_reader_import_and_run_nothing() -> None:
    """Nothing is imported, compiled, executed or opened while kept data is read, whatever stands in it."""
    subprocess.run([sys.executable, "-c", READ_HOSTILE], check=True, timeout=60)


def test_another_tree_has_another_hash(model: str) -> None:
    """Whoever could put a weaker policy there would change the hash that executions pin."""
    memory = Memory()
    right = load(model, memory)
    [key] = memory.data

    def weaken(kept: dict[str, Any]) -> None:
        kept["meaning"] = kept["meaning"].replace("8.5", "99.5")

    memory.data[key] = forged(memory.data[key], weaken)

    assert load(model, memory).hash != right.hash


SECOND = """
import json, sys
from omium.policies import read_policy
found = read_policy("onboarding.omp")
given = json.loads(sys.argv[1])
print([one.message for one in found.judge("after", "offer", given)], "lark" in sys.modules)
"""


def test_a_second_process_needs_no_parser(model: str, tmp_path: Path) -> None:
    """In a project with an Omium folder, the first process keeps, and the second judges without importing Lark."""
    (tmp_path / "onboarding.omp").write_text(model)
    (tmp_path / ".omium").mkdir()
    environment = {**os.environ, "OMIUM_HOME": str(tmp_path / ".omium")}
    ran = [
        subprocess.run(
            [sys.executable, "-c", SECOND, json.dumps(GIVEN)],
            cwd=tmp_path,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        for _ in range(2)
    ]

    assert ran == [
        "['APR 0% is outside our licensed band of 2.5% to 8.5%.'] True\n",
        "['APR 0% is outside our licensed band of 2.5% to 8.5%.'] False\n",
    ]
    assert [oct(path.stat().st_mode)[-3:] for path in (tmp_path / ".omium").rglob("*")] == ["700", "600"]


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    """Where a project has no Omium folder, nothing is kept."""
    assert KeptPolicies.of(tmp_path / ".omium") is None
    assert list(tmp_path.iterdir()) == []


def test_what_others_can_write_is_not_read(tmp_path: Path) -> None:
    """A folder or a file that is open to others, a link, a folder, a huge file: as if there were nothing."""
    kept = KeptPolicies(tmp_path / "policies")
    kept.put("a", b"data")
    path = kept.folder / "a.json"
    assert kept.get("a") == b"data"

    path.chmod(0o622)
    assert kept.get("a") is None
    path.chmod(0o600)
    kept.folder.chmod(0o777)
    assert kept.get("a") is None
    kept.put("b", b"data")
    assert not (kept.folder / "b.json").exists()
    kept.folder.chmod(0o700)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert kept.get("a") is None
    path.unlink()
    path.mkdir()
    assert kept.get("a") is None
    kept.put("a", b"data")
    assert [one.name for one in kept.folder.iterdir()] == ["a.json"]


def test_so_many_are_kept(tmp_path: Path) -> None:
    """The newest stay."""
    kept = KeptPolicies(tmp_path / "policies")
    for index in range(ENTRIES_MAX + 5):
        kept.put(str(index), b"")
        os.utime(kept.folder / f"{index}.json", (index, index))
    kept.put("last", b"")

    names = {path.stem for path in kept.folder.iterdir()}
    assert len(names) == ENTRIES_MAX
    assert "last" in names and "0" not in names
