"""The parser's tables in the package are the grammar's, and hold nothing but data."""

from __future__ import annotations

import subprocess
import sys
import zlib
from importlib import resources

import lark
import msgpack
import pytest

from omium_policy import tables


def test_the_tables_are_those_of_the_grammar(model: str) -> None:
    """After a change of the grammar, `python -m omium_policy.tables` has to be run; the two parse alike."""
    kept = msgpack.unpackb(
        zlib.decompress(resources.files("omium_policy").joinpath(tables.FILE).read_bytes()), strict_map_key=False
    )
    assert kept["grammar"] == tables._digest(), "run `python -m omium_policy.tables`"
    if kept["lark"] != lark.__version__:
        assert tables.read() is None
        return
    read = tables.read()
    assert read is not None
    assert read.parse(model, start="start") == tables.built().parse(model, start="start")


def test_numbers_are_read_as_the_place_can_take_them() -> None:
    """What looks like a date where none can stand is a subtraction, as it is in Lark's own lexer."""
    parser = tables.built()
    tree = parser.parse("2026-12-18", start="expr")

    assert [token.type for token in tree.scan_values(lambda value: isinstance(value, lark.Token))] == ["INT"] * 3
    assert parser.parse("all x in [10m] satisfy x > 1m30s", start="expr").data == "all_"


@pytest.mark.parametrize("change", ["lark", "grammar"])
def test_tables_of_something_else_are_left_alone(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Lark may understand them otherwise: then the grammar is built."""
    if change == "lark":
        monkeypatch.setattr(lark, "__version__", "0.0.1")
    else:
        monkeypatch.setattr(tables, "grammar_text", lambda: "start: /x/")

    assert tables.read() is None


def test_lark_is_not_asked_to_keep_anything() -> None:
    """Loading a policy opens no file in the shared temporary folder, and unpickles nothing."""
    code = (
        "import sys, tempfile\n"
        "folder, seen = tempfile.gettempdir(), []\n"
        "sys.addaudithook(lambda event, args: seen.append((event, str(args[0]))))\n"
        "from omium_policy.parser import parse\n"
        "from omium_policy.source import Source\n"
        "assert parse(Source('p', 'omium 1 policy p { }')).file\n"
        "assert not [one for one in seen if one[0] == 'open' and one[1].startswith(folder)]\n"
        "assert not [one for one in seen if one[0] == 'pickle.find_class']\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
