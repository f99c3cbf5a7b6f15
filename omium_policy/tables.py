"""The parser's tables, made when Omium is built: making them takes ten times as long as reading them.

They are plain data in MessagePack, and lie beside the grammar in the package, nowhere else. Lark's own cache is a
pickle at a path in the shared temporary folder that anybody can guess. `python -m omium_policy.tables` writes them anew
after a change of the grammar; those of another grammar or another Lark are left alone, and the grammar is built.
"""

from __future__ import annotations

import hashlib
import zlib
from importlib import resources
from typing import Any

import lark
import msgpack  # type: ignore[import-untyped]  # it ships no types
from lark.grammar import Rule
from lark.lexer import TerminalDef
from lark.parsers import lalr_parser
from lark.parsers.lalr_analysis import IntParseTable, Reduce, Shift

from omium_policy.lexing import PolicyLexer

__all__ = ["built", "grammar_text", "read", "written"]

FILE = "omp.tables"
WIDTH_MAX = 1 << 31
"""A terminal without end is this wide: Lark's own figure does not fit into 64 bits."""


class _Tables(lalr_parser.LALR_Parser):
    """Reads a state's actions from numbers: to shift to a state is its number, to reduce by a rule the inverted one."""

    @classmethod
    def deserialize(cls, data: Any, memo: Any, callbacks: Any, debug: bool = False) -> _Tables:  # type: ignore[override]  # Lark's own parser takes four values, too
        inst = cls.__new__(cls)
        actions: dict[int, tuple[Any, Any]] = {}
        for state in data["states"].values():
            for action in state.values():
                if action not in actions:
                    actions[action] = (Shift, action) if action >= 0 else (Reduce, memo[~action])
        tokens = data["tokens"]
        states = {
            state: {tokens[token]: actions[action] for token, action in found.items()}
            for state, found in data["states"].items()
        }
        table: Any = IntParseTable(states, data["start_states"], data["end_states"])  # type: ignore[no-untyped-call]  # by Lark
        inst._parse_table = table
        inst.parser = lalr_parser._Parser(table, callbacks, debug)
        return inst


_PLUGINS = {"ContextualLexer": PolicyLexer, "LALR_Parser": _Tables}


def grammar_text() -> str:
    """Return the grammar."""
    return resources.files("omium_policy").joinpath("omp.lark").read_text(encoding="utf-8")


def built() -> lark.Lark:
    """Return the parser, made from the grammar."""
    return lark.Lark(
        grammar_text(),
        start=["start", "expr"],
        parser="lalr",
        lexer="contextual",
        propagate_positions=True,
        maybe_placeholders=False,
        _plugins={"ContextualLexer": PolicyLexer},
    )


def read() -> lark.Lark | None:
    """Return the parser, made from the tables in the package; None when they are not this grammar's or this Lark's."""
    try:
        packed = resources.files("omium_policy").joinpath(FILE).read_bytes()
    except OSError:
        return None
    kept = msgpack.unpackb(zlib.decompress(packed), strict_map_key=False)
    if kept["lark"] != lark.__version__ or kept["grammar"] != _digest():
        return None
    made: lark.Lark = lark.Lark._load_from_dict(  # type: ignore[no-untyped-call]  # Lark leaves it untyped
        kept["data"], kept["memo"], _plugins=_PLUGINS
    )
    return made


def written() -> bytes:
    """Return the tables of the grammar, as they are kept."""
    data, memo = built().memo_serialize([TerminalDef, Rule])
    data["options"]["_plugins"] = {}
    tables = data["parser"]["parser"]
    tables["states"] = {
        state: {token: ~to["@"] if reduces else to for token, (reduces, to) in actions.items()}
        for state, actions in tables["states"].items()
    }
    kept = {"lark": lark.__version__, "grammar": _digest(), "data": data, "memo": memo}
    return zlib.compress(msgpack.packb(_narrowed(kept)), 9)


def _digest() -> str:
    return hashlib.sha256(grammar_text().encode()).hexdigest()


def _narrowed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _narrowed(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_narrowed(one) for one in value]
    return min(value, WIDTH_MAX) if type(value) is int else value


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).with_name(FILE).write_bytes(written())
