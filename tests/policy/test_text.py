"""Policies as text: mistakes are found where they are, hostile files are refused, formatting changes nothing."""

from __future__ import annotations

import random
import re

import pytest
from policy_helpers import codes, loaded

from omium_policy.diagnostics import rendered
from omium_policy.formatter import formatted
from omium_policy.identity import from_data, policy_hash, to_data
from omium_policy.parser import parse
from omium_policy.source import Source
from omium_policy.syntax import walk


def parsed(text: str) -> list[str]:
    """Return what is wrong with a text's syntax."""
    return [rendered(one) for one in parse(Source("p.omp", text)).diagnostics]


def test_several_mistakes_are_told_each_at_its_place(model: str) -> None:
    """One file, five mistakes, five diagnostics with help, as a reader sees them."""
    bad = (
        model.replace("require output.apr between 2.5% and 8.5%", "requires output.apr between 2.5% and 8.5%")
        .replace("require output.amount <= loan_cap[input.risk]", "require output.amount <= loan_cap[input.risk")
        .replace("require step.elapsed <= 20s", "require step.elapsed = 20s")
        .replace("retry 5 times, backoff", "retry 5 time, backoff")
        .replace("fraud_check, tone_check within", "fraud_check tone_check within")
    )
    said = parsed(bad)

    assert [re.findall(r"p\.omp:(\d+):(\d+)", one)[0] for one in said] == [
        ("30", "5"),
        ("38", "48"),
        ("74", "26"),
        ("100", "19"),
        ("109", "41"),
    ]
    assert said[0] == "\n".join(
        [
            "error[syntax]: `requires` is not expected here",
            "   --> p.omp:30:5",
            "    |",
            "30  |     requires output.apr between 2.5% and 8.5%",
            "    |     ^^^^^^^^",
            "    = help: did you mean `require`? (inside `rule apr_in_band after offer`, line 29)",
        ]
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("omium 1 policy p { let a = " + "(" * 100_000 + "1" + ")" * 100_000 + " }", "too-deep"),
        ("omium 1\n" + "# a comment\n" * 1_000_000, "source-too-large"),
        ("omium 1 policy p { let a = " + "9" * 5000 + " }", "number-too-long"),
        ('omium 1 policy p { title "\u202eevil" }', "hidden-character"),
        ('omium 1 policy p { title "\x00" }', "hidden-character"),
        ("omium 1 policy p { let a = " + "not " * 15_000 + "true }", "too-deep"),
        ("omium 1 policy p { let a = " + "- " * 15_000 + "1 }", "too-deep"),
        ("omium 1 policy p { let a = " + "1 + " * 9_000 + "1 }", "too-deep"),
        ("", "syntax"),
        ("omium", "syntax"),
        ("\ufeffomium 1", "hidden-character"),
        ("omium 2 policy p { }", "unknown-edition"),
        ('omium 1 policy p { title "never closed\n }', "syntax"),
    ],
    ids=lambda value: value if len(value) < 30 and value.isprintable() else "hostile",
)
def test_hostile_texts_are_refused(text: str, code: str) -> None:
    """Whatever comes in, one clear diagnostic comes out, and neither the stack nor the memory runs out."""
    assert code in codes(loaded(text))


def test_formatting_keeps_the_tree_and_the_comments(model: str) -> None:
    """Blanks anywhere, the same policy: the same hash, every comment, and formatting again changes nothing."""
    chance = random.Random(3)
    first = formatted(Source("p.omp", model))[0]
    assert first is not None
    messy = "\n".join(
        "".join(
            part if index % 2 else re.sub(r"(?<=[,{}()\[\]]) ?", lambda _: " " * chance.randint(0, 4), part)
            for index, part in enumerate(re.split(r'("[^"]*"|#.*$)', line.strip()))
        )
        for line in model.split("\n")
    )
    again = formatted(Source("p.omp", messy))[0]

    assert again == first
    assert formatted(Source("p.omp", first))[0] == first
    assert first.count("#") == model.count("#")
    hashes = {_hash(text) for text in (model, messy, first)}
    assert len(hashes) == 1


def _hash(text: str) -> str:
    file = parse(Source("p.omp", text)).file
    assert file is not None
    return policy_hash(file)


def test_formatting_lays_out_what_was_crammed() -> None:
    """The canonical form, on a small file."""
    text = (
        "omium 1\npolicy p{ let a={low:1,high:-2}\n\n\n let b=a.low - -3*(2+1)\nrule x after y{ # why\n\n"
        " require not a in[1,2]and\nb==clamp( 1,2 ,3)\n on fail halt}\n}"
    )

    assert formatted(Source("p.omp", text))[0] == (
        "omium 1\n"
        "policy p { let a = { low: 1, high: -2 }\n"
        "\n"
        "  let b = a.low - -3 * (2 + 1)\n"
        "  rule x after y {  # why\n"
        "\n"
        "    require not a in [1, 2] and\n"
        "      b == clamp(1, 2, 3)\n"
        "    on fail halt }\n"
        "}\n"
    )


def test_a_change_of_meaning_changes_the_hash(model: str) -> None:
    """Drift means meaning: a number changes it, a blank does not."""
    assert _hash(model) != _hash(model.replace("8.5%", "8.6%", 1))
    assert _hash(model) == _hash(model.replace("  ", "   ").replace("# ----", "#"))


def test_a_tree_survives_as_data(model: str) -> None:
    """What is kept of a policy is read back as the same tree, places included, and nothing else is."""
    file = parse(Source("p.omp", model)).file
    again = from_data(to_data(file))

    assert again == file
    assert [getattr(one, "span", None) for one in walk(again)] == [getattr(one, "span", None) for one in walk(file)]
    with pytest.raises(ValueError, match="`walk` is no part of a policy"):
        from_data({"walk": []})
