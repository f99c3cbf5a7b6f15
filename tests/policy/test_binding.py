"""What a policy needs is known from its text, and what a program lacks of it before anything runs."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, NamedTuple, Optional, TypedDict

import attrs
import pytest
from policy_helpers import SHELF, Shelf, loaded, policy
from pydantic import BaseModel, ConfigDict

import omium
from omium.binding import host_of, shape_of
from omium.config import load_config
from omium.runtime import plugins
from omium.runtime import registry as registry_of_process
from omium_core.runtime.declarations import Arguments, EffectDeclaration, Registry, StepDeclaration, VoterDeclaration
from omium_policy.binding import Host, Shape, StepShape, bound
from omium_policy.needs import needs_of

MODEL_HOST = Host(
    steps={name: StepShape() for name in ("kyc", "credit", "offer", "email", "offer_small_model")},
    tools=frozenset({"rates.lookup", "calculator", "send_email"}),
    channels=frozenset({"#credit-ops"}),
    roles={"credit-officer": (), "risk-approvers": ("ann", "bob")},
    voters=frozenset({"rate_check", "fraud_check", "tone_check"}),
    actions={"omium.finance.open_case": "pause"},
    strategies=frozenset({"pause"}),
    failures=frozenset({"omium.finance.rate_service_down"}),
)


def lacking(body: str, host: Host = Host()) -> list[tuple[str, str | None]]:  # noqa: B008  # it is a value
    """Return code and help of what a host lacks for a policy with this body."""
    return [(one.code, one.help) for one in bound(policy(body), host)]


def test_the_model_policy_says_what_it_needs(model: str) -> None:
    """Every kind of name is found, at its place; patterns, tests and what the language brings need nothing."""
    needs = needs_of(loaded(model))

    names = {kind: [one.name for one in needs.of(kind)] for kind in {one.kind for one in needs.names}}
    assert names == {
        "step": ["kyc", "credit", "offer", "email"],
        "fallback": ["offer_small_model"],
        "tool": ["rates.lookup", "calculator", "send_email"],
        "channel": ["#credit-ops"],
        "role": ["credit-officer"],
        "approvers": ["risk-approvers"],
        "voter": ["rate_check", "fraud_check", "tone_check"],
        "action": ["omium.finance.open_case"],
        "failure": ["omium.finance.rate_service_down"],
    }
    assert next(one.where for one in needs.of("fallback")).endswith(":101")
    assert [one.dotted for one in needs.fields if one.root == "output"] == ["output.apr", "output.amount"]


def test_a_host_that_has_everything_lacks_nothing(model: str) -> None:
    """The model policy binds to it; without any one part, that part is named."""
    assert bound(loaded(model), MODEL_HOST) == ()
    without = {
        "steps": {"unbound-step", "unbound-fallback"},
        "tools": {"unbound-tool"},
        "channels": {"unbound-channel"},
        "roles": {"open-role"},
        "voters": {"unbound-voter"},
        "actions": {"unbound-action"},
        "strategies": {"unbound-action"},
        "failures": {"unbound-failure"},
    }
    for part, codes in without.items():
        poorer = attrs.evolve(MODEL_HOST, **{part: getattr(Host(), part)})
        assert {one.code for one in bound(loaded(model), poorer)} == codes, part


@pytest.mark.parametrize(
    ("body", "host", "expected"),
    [
        ("workflow a -> ofer", Host(steps={"a": StepShape(), "offer": StepShape()}), ("unbound-step", "offer")),
        ("rule r { at most 1 tool send_mail per run on fail halt }", MODEL_HOST, ("unbound-tool", "send_email")),
        (
            "rule r { never tool x on fail compensate with refnd }",
            Host(tools=frozenset("x"), compensations=frozenset({"refund"})),
            ("unbound-compensation", "refund"),
        ),
        (
            'rule r { never tool x on fail notify "#credit-op" }',
            attrs.evolve(MODEL_HOST, tools=frozenset("x")),
            ("unbound-channel", "#credit-ops"),
        ),
        (
            "rule close after offer { require input.x > 1 on fail halt } "
            "handoff offer -> email { quorum 1 of clos within 1s on disagree halt }",
            MODEL_HOST,
            ("unbound-voter", "close"),
        ),
    ],
)
def test_what_was_probably_meant_is_told(body: str, host: Host, expected: tuple[str, str]) -> None:
    """A name that nothing has is an error with the one that is spelt alike."""
    code, meant = expected
    assert lacking(body, host) == [(code, f"did you mean `{meant}`?")]


def test_patterns_and_rules_need_nothing() -> None:
    """A quoted tool may fit nothing, and a voter may be a rule of the policy or of a pack of its."""
    shelf = Shelf(
        {**SHELF.texts, "p": ("1.0.0", "omium 1 policy p { rule r after a { require input.x > 1 on fail halt } }")}
    )
    text = """
    omium 1 use "p" policy q {
      workflow a -> b
      rule own after a { require input.x > 1 on fail halt }
      rule tools during a { allow tools "rates.*" deny tools "pay*" on fail halt }
      rule few { at most 1 tool "mail.*" per run on fail halt }
      handoff a -> b { quorum 2 of own, p.r within 1s on disagree halt }
    }
    """
    assert bound(loaded(text, shelf=shelf), Host(steps={"a": StepShape(), "b": StepShape()})) == ()


def test_nobody_in_a_role_is_a_warning() -> None:
    """A question can be answered by anybody then; a channel is enough for a question, an override wants people."""
    body = 'rule r { never tool x on fail pause for "boss" } change { override needs 2 people from "boss" }'
    host = Host(tools=frozenset("x"))

    found = bound(policy(body), host)
    assert [(one.code, one.severity) for one in found] == [("open-role", "warning")] * 2
    assert len(bound(policy(body), attrs.evolve(host, roles={"boss": ()}))) == 1
    assert bound(policy(body), attrs.evolve(host, roles={"boss": ("ann",)})) == ()


def test_packs_name_their_needs_at_their_own_place() -> None:
    """What a pack of a pack needs is the host's to bind as well."""
    inner = 'omium 1 policy inner { rule r { never tool wipe on fail notify "ops" } }'
    shelf = Shelf({"outer": ("1.0.0", 'omium 1 use "inner" policy outer { }'), "inner": ("1.0.0", inner)})

    found = bound(loaded('omium 1 use "outer" policy p { }', shelf=shelf), Host())
    assert [(one.code, one.source.name) for one in found] == [
        ("unbound-tool", "inner.omp"),
        ("unbound-channel", "inner.omp"),
    ]


class Rate(NamedTuple):
    value: float


class Terms(BaseModel):
    rate: Rate
    notes: list[str]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    rate: float


class Person(TypedDict):
    name: str
    age: int


@dataclasses.dataclass
class Application:
    person: Person
    income: Decimal
    co_applicants: list[Person] = dataclasses.field(default_factory=list)
    anything: object = None


@attrs.frozen
class Receipt:
    id: Annotated[str, "an id"]
    previous: Optional[Receipt] = None  # noqa: UP045  # it is what users write


def offer(application: Application) -> Terms:
    raise NotImplementedError


async def email(terms: Terms, to: str) -> Receipt | None:
    raise NotImplementedError


def charge(amount: int) -> int:
    return amount


def refund(value: int) -> None: ...


@pytest.fixture
def registry() -> Registry:
    """A program's declarations."""
    made = Registry()
    for fn in (offer, email):
        made.add(StepDeclaration(fn.__name__, fn, Arguments.of(fn)))
    made.add(EffectDeclaration("charge", charge, Arguments.of(charge), undo=refund))
    made.add(EffectDeclaration("rates.lookup", charge, Arguments.of(charge), read=True))
    made.add(VoterDeclaration("close", charge))
    return made


def test_a_host_is_made_of_declarations_configuration_and_plugins(registry: Registry) -> None:
    """Names of every kind come from where users and plugins put them."""
    config = load_config(
        channels={"#ops": "log", "#lost": "pigeon:x", "officer": "log"}, roles={"boss": ["ann"], "officer": ["bob"]}
    )
    host = host_of(registry, plugins(), config)

    assert set(host.steps) == {"offer", "email"}
    assert host.tools == {"charge", "rates.lookup"}
    assert host.compensations == {"charge", "refund"}
    assert host.channels == {"#ops", "officer"}
    assert {"log", "file", "webhook"} <= host.notifiers
    assert host.roles == {"boss": ("ann",), "officer": ("bob",), "#ops": (), "#lost": ()}
    assert host.voters == {"close"}
    assert host.actions["omium.finance.open_case"] in host.strategies
    assert "omium.finance.rate_service_down" in host.failures


@pytest.mark.parametrize(
    ("rule", "lacks"),
    [
        ("after offer { require output.rate.value > 1", None),
        ("after offer { require output.apr > 1", ("output", "Terms", "apr")),
        ("after offer { require output.rate.valeu > 1", ("output.rate", "Rate", "valeu")),
        ("after offer { require output.notes[0].text > 1", ("output.notes[]", "str", "text")),
        ("before offer { require input.person.name == \"x\"", None),
        ("before offer { require input.application.income > 1", ("input", "Application", "application")),
        ("before offer { require input.co_applicants[0].aeg > 1", ("input.co_applicants[]", "Person", "aeg")),
        ("before offer { require input.anything.at.all > 1", None),
        ("before email { require input.to == \"x\" and input.terms.rate.value > 1", None),
        ("before email { require input.rate > 1", ("input", "its arguments", "rate")),
        ("after email { require output.previous.previous.id == \"x\"", None),
        ("after email { require output.previous.number == 1", ("output.previous", "Receipt", "number")),
    ],
)  # fmt: skip
def test_fields_that_a_type_cannot_have(registry: Registry, rule: str, lacks: tuple[str, str, str] | None) -> None:
    """Annotations say which fields there can be: dataclasses, attrs, pydantic, typed dicts and named tuples."""
    host = host_of(registry, plugins(), load_config())
    found = bound(policy(f"rule r {rule} on fail halt }}"), host)

    step = rule.split()[1]
    said = [f"`{lacks[0]}` of step `{step}` is `{lacks[1]}`, which has no `{lacks[2]}`"] if lacks else []
    assert [(one.code, one.message) for one in found] == [("unbound-field", one) for one in said]


def test_declared_data_must_fit_the_program(registry: Registry) -> None:
    """What the policy says a step gives is compared with what the program says; what is optional may be missing."""
    host = host_of(registry, plugins(), load_config())
    body = """
    data Rate { value: percent }
    data Terms { apr: percent  rate: Rate  memo: text optional  notes: list max 5 of text }
    step offer gives Terms
    """
    [found] = bound(policy(body), host)
    assert (found.code, found.help) == ("unbound-field", "it has `notes`, `rate`")
    assert found.source.text[found.span.start : found.span.end] == "apr"


def test_types_that_leave_their_fields_open() -> None:
    """Of a type that says nothing, or may have more, nothing is refused."""
    for open_type in (object, dict[str, int], Open, int | str, "Later", None, list):
        assert shape_of(open_type) is None
    assert shape_of(list[Person]) == Shape("a list", is_list=True, of=shape_of(Person))


PROGRAM = """
from dataclasses import dataclass
from omium import checkpoint, effect, voter, workflow

@dataclass
class Terms:
    rate: float

@voter("rate_ok")
def rate_is_ok(terms): return terms.rate < 9

@effect
def send(to: str) -> str: return to

@checkpoint("offer")
def offer(score: int) -> Terms: return Terms(3.5)

@checkpoint("mail")
def mail(terms: Terms) -> str: return send("ann")

@workflow
def lend(score: int) -> str: return mail(offer(score))
"""
LENDING = """
omium 1
policy lending {
  workflow offer -> mail
  data Terms { rate: percent }
  step offer gives Terms
  rule band after offer { require output.rate < 9% on fail halt }
  rule once { at most 1 tool send per run on fail halt }
  handoff offer -> mail { quorum 2 of band, rate_ok within 1s on disagree halt }
}
"""


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `omium policy check lending.omp` in a process of its own."""
    command = [sys.executable, "-m", "omium", "policy", "check", "lending.omp", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_check_binds_to_a_program(tmp_path: Path) -> None:
    """`--program` loads it like any command does; what is missing is named and the exit status is 1."""
    (tmp_path / "omium.toml").touch()
    (tmp_path / "app.py").write_text(PROGRAM)
    (tmp_path / "lending.omp").write_text(LENDING)
    good = check(tmp_path, "--program", "app.py:lend")
    assert (good.returncode, "lending.omp: ok" in good.stdout) == (0, True), good.stdout + good.stderr

    (tmp_path / "lending.omp").write_text(
        LENDING.replace("rate: percent", "apr: percent").replace("output.rate", "output.apr")
    )
    text, data = check(tmp_path, "--program", "app.py"), check(tmp_path, "--program", "app.py", "--json")
    assert (text.returncode, data.returncode) == (1, 1)
    assert "error[unbound-field]: `output` of step `offer` is `Terms`, which has no `apr`" in text.stdout
    assert [one["code"] for one in json.loads(data.stdout)["diagnostics"] if one["severity"] == "error"] == [
        "unbound-field"
    ]


def test_check_lists_what_a_host_has_to_bind(tmp_path: Path) -> None:
    """In words and as data, without a program."""
    (tmp_path / "lending.omp").write_text(LENDING)
    text, data = check(tmp_path), check(tmp_path, "--json")

    assert "a host has to bind:\n  steps `offer`, `mail`\n  effects `send`\n  voters `rate_ok`" in text.stdout
    [needs] = [one["needs"] for one in json.loads(data.stdout)["policies"]]
    assert [(one["kind"], one["name"], one["line"]) for one in needs["names"]] == [
        ("step", "offer", 4),
        ("step", "mail", 4),
        ("tool", "send", 8),
        ("voter", "rate_ok", 9),
    ]
    assert [(one["step"], one["field"]) for one in needs["fields"]] == [("offer", "output.rate")]


def test_a_voter_is_declared_under_its_name() -> None:
    """`@omium.voter` gives back the function itself; with a text it has that name."""

    @omium.voter
    def kind(value: object) -> bool:
        return bool(value)

    @omium.voter("very_kind")
    def other(value: object) -> str | None:
        return None if value else "not kind"

    for name, fn in (("kind", kind), ("very_kind", other)):
        found = registry_of_process().find(VoterDeclaration, name)
        assert found is not None and found.fn is fn
    assert (kind(1), other(0)) == (True, "not kind")
    with pytest.raises(omium.UsageError, match="cannot be a name"):
        omium.voter("a/b")(kind)
