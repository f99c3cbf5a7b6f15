"""What an editor asks of a policy: each question at a `|` in a text, half written or not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from policy_helpers import FINANCE, SHELF, codes, loaded

from omium_policy.editing import Document, Fix, completions, definitions, fixes, hover, symbols
from omium_policy.loading import load
from omium_policy.parser import parse, parse_what_is_there
from omium_policy.source import Source, Span
from omium_policy.syntax import Rule

BEFORE = """omium 1
use "omium.finance" as fin
policy p {
  workflow kyc -> offer
  data Item { price: money USD >= $0 }
  data Terms {
    apr: percent
    risk: one of low, high
    items: list max 5 of Item
    note: text max 100 optional
  }
  step offer takes Terms gives Terms
  let cap = { low: $5, high: $6 }
  recovery fix {
    first retry 3 times with feedback
    then pause for "ann", timeout 4h
    finally halt
  }
"""
AFTER = """
  rule late after kyc {
    require true
    on fail recover fix
  }
}
"""


def asked(text: str) -> tuple[Document, int]:
    """Return a document without its `|`, and where that was."""
    offset = text.index("|")
    return Document(Source("p.omp", text[:offset] + text[offset + 1 :]), FINANCE, SHELF), offset


def at(model: str, place: str) -> tuple[Document, int]:
    """Return the model policy, and the offset of the `|` in one of its lines."""
    before, after = place.split("|")
    return Document(Source("p.omp", model), FINANCE, SHELF), model.index(before + after) + len(before)


def inside(body: str) -> tuple[Document, int]:
    """Return a document with a body in the middle of a policy."""
    return asked(f"{BEFORE}  {body}{AFTER}")


COMPLETED = [
    # What is written, what is offered among others, what is not.
    ("ru|", "rule recovery workflow", "require offer"),
    ("mode |", "blocking monitoring advisory", "rule"),
    ("rule x after |", "kyc offer any", "rule fix"),
    ("rule x after `|", "", "kyc"),
    ("rule x after offer {\n require |", "output input step run cap clamp fin.monthly_payment exists not", "kyc fix"),
    ("rule x before offer {\n require |", "input step", "output"),
    ("rule x after offer {\n require output.|\n }", "apr risk items note", "low require"),
    ("rule x after offer { require output.items[0].|", "price", "apr"),
    ("rule x after offer { require all one in output.items satisfy on|", "one", ""),
    ("rule x after offer { require all one in output.items satisfy one.|", "price", "apr"),
    ("rule x after offer { require input.risk == |", "low high", ""),
    ("rule x after offer { require input.risk in [low, |", "low high", ""),
    ("rule x after offer { require cap[|", "low high input", ""),
    ("rule x after offer { require cap[input.|", "risk", "low"),
    ("rule x after offer { require output.apr |", "between and in require on", "output"),
    ("rule x after offer { require output.apr <= 2.5|", "2.5%", "2.5s $2.5"),
    ("rule x after offer { require step.elapsed <= 20|", "20s 20ms 20m 20h 20d", "20%"),
    ("rule x after offer { require output.apr between 2% and 8|", "8%", "8s"),
    ("rule x after offer { require step.cost <= 3|", "$3", "€3 3%"),
    ('rule x after offer { message "APR {output.|', "apr risk", ""),
    ('rule x after offer { message "APR {ou|} is" }', "output cap", ""),
    ('rule x after offer { message "APR {{ou|', "", "output"),
    ("rule x after offer { suggest output.|", "apr", ""),
    ("rule x after offer { require true on fail |", "recover halt retry fin.open_case", "fix rule"),
    ("rule x after offer { require true on fail recover |", "fix", "offer"),
    ("rule x after offer { require true on fail fin.|", "open_case", "monthly_payment"),
    ("rule x after offer { require fin.|", "monthly_payment", "open_case"),
    ("rule x { never |", "tool step handoff", "kyc"),
    ("rule x { never step |", "kyc offer", "tool"),
    ("recovery r { first rollback to |", "kyc offer", ""),
    ('recovery r { first pause for "|', "ann", "fix"),
    ("on error |", "timeout rate_limited fin.rate_service_down any", "kyc"),
    ("on error timeout, |", "rate_limited", "kyc"),
    ("on error fin.|", "rate_service_down", "timeout"),
    ("step kyc takes |", "Terms Item", "kyc"),
    ("data X { a: |", "text percent money Terms", "kyc"),
    ("data X { a: money |", "USD EUR GBP", ""),
    ("budget run { |", "cost tokens elapsed warn on", "rule"),
    ("test |", "late", "kyc"),
    ('test late "edges" { case |', "input output step", "cap late"),
    ('test late "edges" { expect |', "late actions", ""),
    ("handoff kyc -> |", "offer", "late"),
    ('title "|', "", "kyc"),
    ("# after |", "", "kyc"),
]


@pytest.mark.parametrize(("body", "offered", "kept_back"), COMPLETED, ids=[one[0] for one in COMPLETED])
def test_what_fits_is_offered(body: str, offered: str, kept_back: str) -> None:
    """Keywords and names that can stand at the cursor are offered, and no others; the rest of the file is not lost."""
    labels = {one.label for one in completions(*inside(body))}

    assert set(offered.split()) <= labels
    assert not set(kept_back.split()) & labels


def test_packs_are_offered_inside_the_quotes() -> None:
    """`use` is completed before there is a policy, and the whole text in quotes is replaced."""
    assert [one.label for one in completions(*asked('omium 1\nuse "|'))] == ["omium.finance"]
    document, offset = asked('omium 1\nuse "om|ega" as fin\npolicy p { }')
    [found] = completions(document, offset)
    assert document.source.text[found.span.start : found.span.end] == "omega"
    assert [one.label for one in completions(*asked("|"))] == ["omium"]


def test_a_name_that_is_no_word_is_quoted() -> None:
    """A step that needs quotes is inserted with them."""
    found = completions(*asked("omium 1 policy p { workflow `my step` -> b rule x after | { } }"))

    assert ("my step", "`my step`") in [(one.label, one.insert) for one in found]


HOVERED = [
    ("rule apr_in_|band after offer {", "After `offer`, it must be that the output's apr is between 2.5% and 8.5%."),
    ("ru|le apr_in_band after offer {", "After `offer`, it must be that"),
    ('test apr_in_|band "edges', "After `offer`, it must be that"),
    ("require output.a|pr between", "**`output.apr`**: a percentage"),
    ("require out|put.apr between", "**`output`**: a record `Terms`"),
    ('message "APR {output.a|pr} is', "**`output.apr`**: a percentage"),
    ("am|ount: money USD > $0", "an amount in USD, > $0"),
    ("rationale: text max 4000 optional\n  }\n  step offer takes Application gives Te|rms", "* `apr`: a percentage"),
    ("on fail recover repair_|offer", "go back to the checkpoint of `credit`"),
    ("first re|try 3 times", "Try the step again, 3 times at most"),
    ("rollback to cre|dit", "Step 2 of 4: kyc -> credit -> offer -> email."),
    ("<= loan_|cap[input.risk]\n", "low $50,000, medium $20,000 and high $5,000"),
    ("loan_cap[input.ri|sk]\n", "one of low, medium, high"),
    ("require step.el|apsed", "a duration"),
    ("require fin.monthly_|payment(", "`(money, percent) -> money`"),
    ("on fail fin.open_|case", "which a plugin performs"),
    ('use "omium.fin|ance"', "**pack `omium.finance`** 1.2.0"),
]


@pytest.mark.parametrize(("place", "said"), HOVERED, ids=[one[0] for one in HOVERED])
def test_names_are_explained(model: str, place: str, said: str) -> None:
    """A rule and a ladder in plain English, a name's type, a step's place."""
    found = hover(*at(model, place))

    assert found is not None
    assert said in found.text


BROKEN = [
    ("require output.ap|r btween 2.5% and", "**`apr`**: a percentage", "apr: percent"),
    ("require out|put.apr btween 2.5% and", "a record `Terms`", None),
    ("require output.apr <= ca|p[", "low $5 and high $6", "cap ="),
    ("require true on fail recover fi|x now", "Try the step again", "fix {"),
    ("require true on fail rollback to ky|c now", "Step 1 of 2", "kyc ->"),
]


@pytest.mark.parametrize(("body", "said", "declared"), BROKEN, ids=[one[0] for one in BROKEN])
def test_names_are_known_in_a_statement_with_a_mistake(body: str, said: str, declared: str | None) -> None:
    """What stands before the mistake says what a name is, also where the tree has nothing of the statement."""
    document, offset = inside(f"rule x after offer {{\n {body}\n }}")
    found = hover(document, offset)

    assert found is not None
    assert said.lower() in found.text.lower()
    places = [document.source.text[one.span.start :] for one in definitions(document, offset)]
    assert [declared is not None and one.startswith(declared) for one in places] == ([True] if declared else [])


DEFINED = [
    ('test apr_in_|band "edges', 29, "apr_in_band"),
    ("rule apr_in_band after of|fer", 24, "offer"),
    ("step of|fer takes", 11, "offer"),
    ("takes Applic|ation", 14, "Application"),
    ("require output.a|pr between", 20, "apr"),
    ('message "APR {output.a|pr} is', 20, "apr"),
    ("given input.ri|sk = high", 16, "risk"),
    ("on fail recover repair_|offer", 88, "repair_offer"),
    ("<= loan_|cap[input.risk]\n", 26, "loan_cap"),
    ("rollback to cre|dit", 11, "credit"),
    ("expect one_email_per_|run holds", 67, "one_email_per_run"),
]


@pytest.mark.parametrize(("place", "line", "name"), DEFINED, ids=[one[0] for one in DEFINED])
def test_names_lead_to_their_declaration(model: str, place: str, line: int, name: str) -> None:
    """Steps, data, fields, lets, ladders and rules are found where they are declared."""
    [target] = definitions(*at(model, place))

    assert (target.source.position(target.span.start)[0], target.source.name) == (line, "p.omp")
    assert target.source.text[target.span.start : target.span.end] == name


@pytest.mark.parametrize("place", ['use "omium.fin|ance"', "require fin.monthly_|payment(", "on fail fin.open_|case"])
def test_what_a_pack_brings_leads_to_the_pack(model: str, place: str) -> None:
    """A pack, and all that it adds, is declared in its own file."""
    [target] = definitions(*at(model, place))

    assert target.source.name == "omium.finance.omp"


def test_the_outline_holds_also_beside_a_mistake(model: str) -> None:
    """A broken rule is missing from the outline, everything around it is there."""
    broken = model.replace("rule affordable after offer", "rule affordable afterwards offer")
    whole, partly = (symbols(Document(Source("p.omp", text), FINANCE, SHELF))[0] for text in (model, broken))
    missing = {one.name for one in whole.parts} - {one.name for one in partly.parts}

    assert missing == {"affordable"}
    assert next(one.name for one in whole.parts if one.kind == "rule") == "apr_in_band"
    assert [one.name for one in whole.parts[1].parts] == ["apr", "amount", "rationale"]


def offered(text: str) -> dict[str, Fix]:
    """Return the fixes for a whole text by their titles."""
    found = loaded(text)
    document = Document(found.source, FINANCE, SHELF)
    return {one.title: one for one in fixes(document, Span(0, len(text)), found.diagnostics)}


def applied(text: str, fix: Fix) -> str:
    """Return a text with a fix."""
    for edit in sorted(fix.edits, key=lambda one: -one.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


UNHANDLED = """omium 1
policy p {
  workflow a -> b
  rule slow after a {
    require step.elapsed <= 20s
  }
  rule slower after a { require step.elapsed <= 10s }
  recovery wait {
    first pause for "ann"
  }
}
"""


def test_a_rule_gets_a_ladder() -> None:
    """A rule without `on fail` is offered the ladders that there are, and a new one that passes the checks."""
    found = offered(UNHANDLED)
    there = applied(UNHANDLED, found["On fail, recover `wait`"])
    new = applied(UNHANDLED, found["Add a recovery ladder `repair` for `slow`"])

    assert "10s on fail recover wait }" in there
    assert "    require step.elapsed <= 20s\n    on fail recover repair\n  }\n  recovery repair {\n" in new
    assert codes(loaded(UNHANDLED)).count("no-action") == 2
    for text in (there, new):
        assert codes(loaded(text)).count("no-action") == 1
        assert codes(loaded(text), "error") == []


def test_the_word_that_was_meant_is_offered() -> None:
    """A misspelt name, a misspelt keyword and a missing unit are put right by the help that the diagnostic gives."""
    text = UNHANDLED.replace("elapsed <= 20s", "elapsd <= 20s").replace("10s", "10")
    found = offered(text)

    assert found["Write `elapsed`"].edits[0].text == "elapsed"
    assert applied(text, found["Write `10s`"]).count("10s") == 1
    assert "Write `wait`" in offered(text.replace("20s\n", "20s\n on fail recover wiat\n"))
    assert "Write `require`" in offered(text.replace("    require step", "    requir step"))


def test_a_rule_that_only_watches_gets_no_ladder() -> None:
    """What never acts on the execution has nothing to recover."""
    assert offered(UNHANDLED.replace("after a {", "after a monitoring {")) == {}


def test_what_is_there_is_the_tree_where_nothing_is_wrong(model: str) -> None:
    """A text without mistakes is read the same; one that ends anywhere gives the items before that place."""
    assert parse_what_is_there(Source("p.omp", model)) == parse(Source("p.omp", model)).file
    cut = parse_what_is_there(Source("p.omp", model[: model.index("rule fair_wording") + 50]))
    assert cut is not None
    assert [one.name.text for one in cut.policies[0].of(Rule)][:3] == ["apr_in_band", "loan_cap_by_risk", "affordable"]


def test_nothing_that_is_written_breaks_an_editor(model: str, pressed: Callable[[int, int], int]) -> None:
    """Anything put anywhere, anything cut out: every question has an answer, if only that nothing is known."""
    chance = random.Random(2)
    junk = ["", " foo ", "{", "}", '"', "after ", ".", "(", "🎉", "fin.", "output.", "[", "`", "\r", "\x00", "test "]
    for _ in range(pressed(60, 3000)):
        at = chance.randrange(len(model))
        end = at + chance.choice([0, 1, 5, 40])
        document = Document(Source("p.omp", model[:at] + chance.choice(junk) + model[end:]), FINANCE, SHELF)
        for offset in (at, at + 1, chance.randrange(len(document.source.text) + 1)):
            completions(document, offset)
            hover(document, offset)
            definitions(document, offset)
        symbols(document)
        fixes(document, Span(at, end), load(document.source, FINANCE, SHELF).diagnostics)
