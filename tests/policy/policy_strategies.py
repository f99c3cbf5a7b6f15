"""Random rules of every kind of expression and type, and random data for them: right, wrong, odd and missing."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

__all__ = ["DATA", "HEAD", "POLICIES", "RULES"]

HEAD = """
  workflow a -> b
  data Inner { x: number  share: percent optional }
  data T {
    n: number  i: integer  p: percent  r: percent as ratio  m: money USD  d: duration
    t: text max 20  e: one of low, high  f: boolean  o: number optional
    l: list max 5 of number  ml: list max 3 of money USD  tl: list max 4 of text  q: Inner
  }
  step b takes T gives T
  let three = 3
  let band = 2.5% * 2
  let caps = { low: 10, high: three * 7 }
  let prices = { low: $0.10, high: $20 }
  let words = ["al", "be"]
"""

Texts = st.SearchStrategy[str]


def _of(*atoms: str) -> Texts:
    return st.sampled_from(atoms)


def _calls(inner: Texts, low: str, high: str) -> Texts:
    return st.one_of(
        st.tuples(_of("min", "max"), inner, inner).map(lambda one: f"{one[0]}({one[1]}, {one[2]})"),
        inner.map(lambda one: f"clamp({one}, {low}, {high})"),
        inner.map(lambda one: f"abs({one})"),
        inner.map(lambda one: f"-{one}"),
        st.tuples(inner, _of("+", "-"), inner).map(lambda one: f"({' '.join(one)})"),
    )


NUMBERS: Texts = st.recursive(
    _of(
        *("output.n", "output.i", "output.o", "output.l[0]", "output.l[output.i]", "output.q.x", "input.n", "three"),
        *("caps[output.e]", "caps.low", "1", "0", "2.5", "len(output.t)", "len(output.l)", "(output.m / $2)"),
        *("(output.p / 2%)", "(output.d / 5s)", "(output.m / output.m)", "run.steps", "step.attempt"),
    ),
    lambda inner: st.one_of(
        _calls(inner, "-1", "4"),
        st.tuples(inner, _of("*", "/"), inner).map(lambda one: f"({' '.join(one)})"),
    ),
    max_leaves=4,
)
PERCENTAGES: Texts = st.recursive(
    _of("output.p", "output.r", "2.5%", "0%", "band", "output.q.share", "input.r"),
    lambda inner: st.one_of(
        _calls(inner, "1%", "9%"), st.tuples(inner, NUMBERS).map(lambda one: f"({one[0]} * {one[1]})")
    ),
    max_leaves=3,
)
AMOUNTS: Texts = st.recursive(
    _of(
        "output.m",
        "$12.50",
        "$0.10",
        "output.ml[0]",
        "prices[output.e]",
        "(output.p * output.m)",
        "input.m",
        "run.cost",
    ),
    lambda inner: st.one_of(
        _calls(inner, "$0", "$9"), st.tuples(inner, NUMBERS).map(lambda one: f"({one[0]} / {one[1]})")
    ),
    max_leaves=3,
)
DURATIONS: Texts = st.recursive(
    _of("output.d", "10s", "1m30s", "250ms", "step.elapsed", "(output.r * output.d)"),
    lambda inner: st.one_of(
        _calls(inner, "1s", "1h"), st.tuples(inner, NUMBERS).map(lambda one: f"({one[0]} * {one[1]})")
    ),
    max_leaves=3,
)
WORDS: Texts = st.recursive(
    _of("output.t", '"al"', '""', "output.tl[0]", "output.tl[output.i]", "input.t", "words[0]"),
    lambda inner: st.tuples(_of("lower", "trim"), inner).map(lambda one: f"{one[0]}({one[1]})"),
    max_leaves=2,
)
SIGNS = _of("<", "<=", ">", ">=", "==", "!=")
PATTERNS = _of("a|l$", "^$", "(a+)+$", "(?i)AL", "[^a-k]", r"\\bal\\b", "a{2,3}")


def _compared(of: Texts) -> Texts:
    return st.one_of(
        st.tuples(of, SIGNS, of).map(" ".join),
        st.tuples(of, _of("<", "<="), of, _of("<", "<="), of).map(" ".join),
        st.tuples(of, of, of).map(lambda one: f"{one[0]} between {one[1]} and {one[2]}"),
        st.tuples(of, _of("in", "not in"), of, of).map(lambda one: f"{one[0]} {one[1]} [{one[2]}, {one[3]}]"),
    )


PLAIN: Texts = st.one_of(
    *map(_compared, (NUMBERS, PERCENTAGES, AMOUNTS, DURATIONS, WORDS)),
    st.tuples(WORDS, PATTERNS).map(lambda one: f'{one[0]} matches "{one[1]}"'),
    _of(
        *("output.f", "true", "exists output.o", "exists output.l[3]", "exists output.q.share", "exists input.q"),
        *("output.e == low", "output.e != high", "output.e in [low, high]", "output.e not in [low]"),
        *("output.n in output.l", "output.t in output.tl", "output.t in words", "output.l == [1, 2]"),
        *("run.recorded", "step.conforms", 'step.name == "b"'),
    ),
)


def _quantified(condition: Texts) -> Texts:
    """A condition on elements of a list, in which the element may stand for one of its type."""
    replaced = {"l": "output.n", "ml": "output.m", "tl": "output.t"}
    return st.tuples(_of("all", "any"), _of(*replaced), condition).map(
        lambda one: f"{one[0]} x in output.{one[1]} satisfy ({one[2].replace(replaced[one[1]] + ' ', 'x ')})"
    )


CONDITIONS: Texts = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda several: f"({' and '.join(several)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda several: f"({' or '.join(several)})"),
        inner.map(lambda one: f"not ({one})"),
        # One variable has one meaning, so there is one loop inside no other.
        PLAIN.flatmap(lambda one: _quantified(st.just(one))),
    ),
    max_leaves=5,
)
MESSAGES = st.lists(st.one_of(_of("It is ", "{{odd}} ", "é "), NUMBERS.map(lambda one: f"{{{one}}}")), max_size=3)


@st.composite
def _rules(draw: st.DrawFn) -> str:
    parts = [f"when {draw(CONDITIONS)}"] if draw(st.booleans()) else []
    parts += [f"require {one}" for one in draw(st.lists(CONDITIONS, min_size=1, max_size=2))]
    message = "".join(draw(MESSAGES))
    if message and '"' not in message:
        parts.append(f'message "{message}"')
    if draw(st.booleans()):
        parts.append(f"suggest output.n = {draw(NUMBERS)}")
    return "\n    ".join([*parts, "on fail halt"])


RULES = st.lists(_rules(), min_size=1, max_size=3).map(
    lambda rules: "\n".join(f"  rule r{i} after b {{\n    {rule}\n  }}" for i, rule in enumerate(rules))
)

_ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.text("al <", max_size=25),
    st.lists(st.one_of(st.integers(-3, 3), st.floats(), st.text(max_size=2), st.none()), max_size=7),
    st.dictionaries(st.sampled_from(["x", "share"]), st.integers(-3, 3), max_size=2),
    st.just(datetime.timedelta(seconds=9)),
    st.just(object()),
    st.binary(max_size=2),
)
_NUMBER = st.one_of(st.integers(-3, 12), st.floats(-20, 20), st.decimals(-20, 20, places=2))
_RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "n": _NUMBER,
    "i": st.integers(-1, 4),
    "p": _NUMBER,
    "r": st.floats(0, 0.2),
    "m": st.one_of(_NUMBER, st.sampled_from(["12.50", "0.1", Decimal("12.50")])),
    "d": st.one_of(_NUMBER, st.just(datetime.timedelta(seconds=9))),
    "t": st.text("al", max_size=4),
    "e": st.sampled_from(["low", "high"]),
    "f": st.booleans(),
    "o": _NUMBER,
    "l": st.lists(st.integers(-3, 3), max_size=5),
    "ml": st.lists(st.integers(-3, 3), max_size=3),
    "tl": st.lists(st.text("al", max_size=2), max_size=4),
    "q": st.fixed_dictionaries({"x": _NUMBER}, optional={"share": _NUMBER}),
}
_FIELDS = st.fixed_dictionaries(
    {}, optional={name: st.one_of(right, right, right, right, _ODD) for name, right in _RIGHT.items()}
)
_KNOWN = st.fixed_dictionaries(
    {"elapsed": _NUMBER, "conforms": st.booleans(), "attempt": st.integers(1, 3), "name": st.just("b")}
)
DATA: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "input": st.one_of(_FIELDS, _FIELDS, _ODD),
        "output": st.one_of(_FIELDS, _FIELDS, _FIELDS, _ODD),
        "step": st.one_of(_KNOWN, _ODD),
        "run": st.fixed_dictionaries({"steps": _NUMBER, "cost": _NUMBER, "recorded": st.booleans()}),
    },
)

_OTHER = st.lists(
    st.sampled_from(
        [
            'title "x"',
            "budget run { cost at most $2 on exceed halt }",
            "recovery z { first retry 3 times with feedback, backoff exponential(1s, 10s, 2.0), jitter full"
            ' then pause for "p" with suggestion, timeout 4h finally halt at most 5 recoveries per 10m else halt }'
            "\non error any recover z",
            "handoff a -> b { quorum 2 of x, y.z, w within 5s on disagree halt on timeout halt }",
            'change { allow Mon..Thu 09:00..17:00 in "UTC" freeze 2026-12-18..2027-01-04 '
            'override needs 2 people from "r" for 24h }',
            'rule `odd name` during b monitoring { allow tools a, "b.*" deny tools c }',
            'rule s { never tool t where args.x > 1 after step b passes until tool "u v" on fail skip }',
            "rule w { within 30s after tool t expect handoff a -> b agreed on fail halt }",
            'test r0 "t" { given output.n = 1 case output.n = -2 holds }',
            'test "t" { trace step b starts, tool t answer b gives { n: 1, l: [1, -2] } expect actions halt }',
        ]
    ),
    unique=True,
    max_size=4,
)
POLICIES = st.tuples(RULES, _OTHER).map(lambda parts: "\n".join([HEAD, parts[0], *parts[1]]))
