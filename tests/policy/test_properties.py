"""What holds of all policies and all data: three verdicts, compiled as walked; formatting that changes nothing."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policy_helpers import codes, loaded, policy
from policy_strategies import DATA, HEAD, POLICIES, RULES

from omium_policy.evaluator import evaluate
from omium_policy.formatter import formatted
from omium_policy.identity import from_data, meaning, places, policy_hash, to_data
from omium_policy.parser import parse
from omium_policy.program import Finding
from omium_policy.readers import CannotTell
from omium_policy.source import Source, comments

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
EXPECTED = {"impossible", "unreachable", "too-deep", "untested", "unused", "declared-twice"}
"""What random rules may well be told: bounds that exclude each other, above all."""


def said(findings: tuple[Finding, ...]) -> list[tuple[Any, ...]]:
    return [(one.rule, one.verdict, one.message, sorted(one.values), str(one.suggestions)) for one in findings]


def test_compiled_rules_say_what_walked_rules_say(pressed: Callable[[int, int], int]) -> None:
    """The generated function answers yes exactly where the walk finds nothing, rule by rule; and both find the same."""
    used = 0

    @settings(max_examples=pressed(150, 10_000), deadline=None, suppress_health_check=SLOW)
    @given(RULES, st.lists(DATA, min_size=1, max_size=4))
    def check(rules: str, data: list[dict[str, Any]]) -> None:
        nonlocal used
        found = policy(HEAD + rules)
        assert set(codes(found)) <= EXPECTED, [(one.code, one.message, rules) for one in found.errors]
        if found.errors:
            return
        used += 1
        program = found.own[0]
        quick = program.quick("after", "b")
        for given_ in data:
            walked = tuple(one for one in (rule.judge(given_) for rule in program.rules) if one is not None)
            assert said(program.judge("after", "b", given_)) == said(walked)
            try:
                answer = quick(given_)
            except Exception:
                answer = False
            assert answer == (not walked)

    check()
    assert used > pressed(50, 4_000)


def test_what_cannot_be_told_never_passes(pressed: Callable[[int, int], int]) -> None:
    """In blocking mode: where the walk stops because of what is missing or odd, there is a finding, and it blocks."""
    untold = 0

    @settings(max_examples=pressed(100, 5_000), deadline=None, suppress_health_check=SLOW)
    @given(RULES, st.lists(DATA, min_size=1, max_size=4))
    def check(rules: str, data: list[dict[str, Any]]) -> None:
        nonlocal untold
        found = policy(HEAD + rules)
        for rule in found.own[0].rules if not found.errors else ():
            for given_ in data:
                verdict = _verdict(rule.condition.guards, rule.condition.requires, given_)
                finding = rule.judge(given_)
                assert (finding.verdict if finding is not None else "holds") == verdict
                untold += verdict == "cannot tell"
                if verdict == "cannot tell":
                    assert finding is not None
                    assert finding.mode == "blocking"
                    assert finding.handling is not None
                    judged = found.judge("after", "b", given_)
                    assert rule.name in [one.rule for one in judged]

    check()
    assert untold > pressed(50, 4_000)


def _verdict(guards: Any, requires: Any, given_: Any) -> str:
    try:
        if not all(evaluate(one, given_) for one in guards):
            return "holds"
        return "holds" if all(evaluate(one, given_) for one in requires) else "breaks"
    except CannotTell:
        return "cannot tell"


def test_formatting_changes_nothing(pressed: Callable[[int, int], int]) -> None:
    """However a policy is laid out: the same hash, every comment in its place in the order, and once is enough."""

    @settings(max_examples=pressed(100, 3_000), deadline=None, suppress_health_check=SLOW)
    @given(POLICIES, st.integers(0, 2**32))
    def check(body: str, seed: int) -> None:
        source = Source("p.omp", _messy(f'omium 1\nuse "x" as y\npolicy p {{\n{body}\n}}\n', random.Random(seed)))
        text, problems = formatted(source)
        assert text is not None, [(one.message, one.line, source.line(one.line)) for one in problems]
        again = Source("p.omp", text)
        assert formatted(again)[0] == text
        assert _hash(again) == _hash(source)
        assert _comments(again) == _comments(source)

    check()


def _messy(text: str, chance: random.Random) -> str:
    """Return a text with other blanks, line breaks and comments between its words."""
    parts = re.split(r'("(?:\\.|[^"\\\n])*"|`[^`\n]*`|\s+)', text)
    made = []
    for index, part in enumerate(parts):
        if part.isspace():
            blanks = chance.choice([" ", "  ", "\t", "\n", "\n\n\n", "\r\n", f" # note {index} 'x' {{ \n"])
            made.append(part if chance.random() < 0.7 else blanks)
        else:
            made.append(part)
    return "".join(made)


def _comments(source: Source) -> list[str]:
    return [source.text[one.start : one.end].rstrip() for one in comments(source)]


def _hash(source: Source) -> str:
    file = parse(source).file
    assert file is not None
    return policy_hash(file)


def test_trees_survive_as_data(pressed: Callable[[int, int], int]) -> None:
    """With places in them and apart, any policy's tree is read back as it was, places included."""

    @settings(max_examples=pressed(50, 2_000), deadline=None, suppress_health_check=SLOW)
    @given(POLICIES)
    def check(body: str) -> None:
        file = parse(Source("p.omp", f"omium 1\npolicy p {{\n{body}\n}}\n")).file
        assert file is not None
        for again in (from_data(to_data(file)), from_data(to_data(file, places=False), iter(places(file)))):
            assert again == file
            assert places(again) == places(file)
            assert meaning(again) == meaning(file)

    check()


def test_eight_threads_load_and_judge_at_once(model: str) -> None:
    """Several policies, loaded and judged by eight threads in turns, and one `Loaded` for all: the same as alone."""
    texts = {
        "model": (model, "offer"),
        "other band": (model.replace("between 2.5% and 8.5%", "between 3% and 4%"), "offer"),
        "broken": (model.replace("after offer {", "after ofer {", 1), "offer"),
        "torn": (model[:2_000], "offer"),
        "numbers": (f"omium 1\npolicy p {{ {HEAD} rule r after b {{ require output.n > 1 on fail halt }} }}", "b"),
        "lists": (
            f"omium 1\npolicy p {{ {HEAD} rule r after b {{ require all x in output.l satisfy x > 0 on fail halt }} }}",
            "b",
        ),
        "patterns": (
            f'omium 1\npolicy p {{ {HEAD} rule r after b {{ require output.t matches "(a+)+$" on fail halt }} }}',
            "b",
        ),
    }
    data = [
        {
            "input": {"risk": risk, "income": 90_000},
            "output": {"apr": apr, "amount": 10_000, **more},
            "step": {"elapsed": 1},
        }
        for risk in ("low", "high")
        for apr in (0, 3.5, float("nan"))
        for more in ({"n": 1, "l": [1, 2], "t": "b" * 19}, {"n": 2, "l": [0], "t": "aaa", "rationale": "guaranteed"})
    ]

    def told(name: str) -> list[Any]:
        text, step = texts[name]
        found = loaded(text)
        return [codes(found), *(said(found.judge("after", step, one)) for one in data if not found.errors)]

    alone = {name: told(name) for name in texts}
    shared = {name: loaded(text) for name, (text, _) in texts.items()}

    def work(index: int) -> None:
        name = list(texts)[index % len(texts)]
        if index % 3:
            assert told(name) == alone[name]
        elif not shared[name].errors:
            judged = [said(shared[name].judge("after", texts[name][1], one)) for one in data]
            assert judged == alone[name][1:]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(240)))
