"""`data Name from "schema.json"`: what a schema says is a type, or is told; another schema is another policy."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from policy_helpers import FINANCE, SHELF, Shelf, codes, loaded, policy

from omium.policies import read_policy
from omium.runtime import plugins
from omium.sources import restored, taken
from omium_core.specs import PolicyPackSpec
from omium_policy import keeping
from omium_policy.conforming import conforms
from omium_policy.diagnostics import rendered
from omium_policy.editing import Document, completions, definitions, hover, symbols
from omium_policy.identity import policy_hash
from omium_policy.loaded import Loaded
from omium_policy.needs import needs_of
from omium_policy.packs import PackFile
from omium_policy.source import Source
from omium_policy.types import ValueType

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
}
TERMS = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "What is offered",
    "type": "object",
    "required": ["apr", "risk", "who"],
    "properties": {
        "apr": {"type": "number", "x-omium-unit": "percent", "minimum": 2.5, "maximum": 8.5},
        "share": {"type": "number", "x-omium-unit": "ratio", "exclusiveMaximum": 0.5},
        "amount": {"type": ["number", "null"], "x-omium-unit": "money USD", "exclusiveMinimum": 0},
        "took": {"type": "number", "x-omium-unit": "duration"},
        "risk": {"type": "string", "enum": ["low", "in review"]},
        "who": {"$ref": "#/$defs/Person"},
        "all": {"type": "array", "items": {"$ref": "#/$defs/Person"}, "maxItems": 3},
    },
    "$defs": {"Person": PERSON},
}


def shelf(schema: Any, **packs: tuple[str, str]) -> Shelf:
    """Return a shelf with a schema as `t.json`."""
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return Shelf({**SHELF.texts, **packs}, {"t.json": text})


def data(schema: Any, more: str = "") -> Loaded:
    """Return a policy whose data `T` come from a schema."""
    return policy(f'workflow a -> b data T from "t.json" step b takes T gives T {more}', shelf=shelf(schema))


def field(schema: Any) -> tuple[ValueType, Loaded]:
    """Return the type of a field `x` that a schema describes."""
    found = data({"type": "object", "properties": {"x": schema}, "required": ["x"]})
    return found.own[0].scope.data["T"].at(("x",)), found


FIELDS: list[tuple[Any, str, dict[str, Any]]] = [
    ({"type": "string"}, "text", {}),
    ({"type": "string", "maxLength": 5, "format": "email"}, "text", {"limit": 5}),
    ({"type": ["string", "null"]}, "text", {"optional": True}),
    ({"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}], "default": None}, "text", {"optional": True}),
    ({"allOf": [{"type": "boolean"}]}, "boolean", {}),
    ({"enum": ["a", "b"]}, "enum", {"words": ("a", "b")}),
    ({"enum": ["a", None]}, "enum", {"words": ("a",), "optional": True}),
    ({"type": "string", "enum": ["a", None]}, "enum", {"words": ("a",), "optional": False}),
    ({"const": "a"}, "enum", {"words": ("a",)}),
    ({"const": 2}, "integer", {"bounds": (("==", Decimal(2)),)}),
    ({"const": True}, "boolean", {"bounds": (("==", True),)}),
    ({"type": ["integer", "number"]}, "number", {}),
    ({"type": "integer", "minimum": 1, "exclusiveMaximum": 9}, "integer", {"bounds": ((">=", 1), ("<", 9))}),
    ({"type": "array", "items": {"type": "integer"}}, "list", {"limit": None, "of": ValueType("integer")}),
    ({"items": {"type": "integer"}, "maxItems": 4.0}, "list", {"limit": 4}),
    ({"type": "number", "x-omium-unit": "percent"}, "percent", {}),
    ({"type": "number", "x-omium-unit": "ratio", "maximum": 0.5}, "ratio", {"bounds": (("<=", 50),)}),
    ({"type": "string", "x-omium-unit": "money EUR", "pattern": "x"}, "money", {"currency": "EUR"}),
    ({"type": "integer", "x-omium-unit": "duration"}, "duration", {}),
    ({}, "anything", {}),
    (True, "anything", {}),
    ({"title": "Any"}, "anything", {}),
    (PERSON, "record", {}),
]


@pytest.mark.parametrize(("schema", "kind", "facts"), FIELDS, ids=lambda value: json.dumps(value, default=str)[:60])
def test_what_a_schema_says_is_a_type(schema: Any, kind: str, facts: dict[str, Any]) -> None:
    """Each keyword that types can hold is held, and nothing is said of it."""
    found, whole = field(schema)

    assert found.kind == kind
    assert {name: getattr(found, name) for name in facts} == facts
    told = [one.message for one in whole.diagnostics]
    assert told == ([] if "pattern" not in str(schema) else ["of `t.json`, some is not looked at: `pattern` of `x`"])


def test_an_amount_is_a_number_or_a_text() -> None:
    """What Pydantic writes for a decimal that may be missing is one amount, with the bounds of its number."""
    forms = [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": "x"}, {"type": "null"}]
    found, whole = field({"anyOf": forms, "x-omium-unit": "money USD"})

    assert (found.kind, found.optional, found.bounds) == ("money", True, ((">", Decimal(0)),))
    assert whole.diagnostics == ()


UNKNOWN: list[tuple[Any, str]] = [
    ({"anyOf": [{"type": "string"}, {"type": "number"}]}, "may be one of several by `anyOf`"),
    ({"type": ["string", "number"]}, "may be of several types"),
    ({"type": "thing"}, "is of no type that is known"),
    ({"enum": [1, 2]}, "is one of several values that are no texts"),
    ({"enum": []}, "has an `enum` without values"),
    ({"not": {"type": "string"}}, "says no `type`"),
    ({"minimum": 3}, "says no `type`"),
    ({"type": "object"}, "says no `properties`"),
    ({"type": "object", "properties": 3}, "has `properties` or `required` of a wrong form"),
    ({"$ref": "#/$defs/A", "maxLength": 3}, "has `maxLength` beside its `$ref`"),
    (False, "allows no value"),
    (3, "is no schema"),
]


@pytest.mark.parametrize(("schema", "why"), UNKNOWN, ids=[why for _, why in UNKNOWN])
def test_what_types_cannot_say_is_of_unknown_type(schema: Any, why: str) -> None:
    """It is told where the schema is named, and rules can ask for it."""
    whole = {"type": "object", "properties": {"x": schema}, "$defs": {"A": {"type": "string"}}}
    found = data(whole, "rule r after b { require output.x == 3 on fail halt }")

    assert found.own[0].scope.data["T"].at(("x",)).kind == "anything"
    assert codes(found, "error", "warning", "note") == ["schema-unknown-type"]
    assert f"`x` {why}" in found.diagnostics[0].message


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "string", "minLength": 3}, "minLength"),
        ({"type": "string", "maxLength": "3"}, "maxLength"),
        ({"type": "number", "multipleOf": 3}, "multipleOf"),
        ({"type": "number", "minimum": 3, "exclusiveMinimum": True}, "exclusiveMinimum"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({**PERSON, "oneOf": [{}, {}]}, "oneOf"),
        ({"const": "a", "pattern": "b"}, "pattern"),
        ({"type": "number", "x-omium-unit": "percent", "enum": [1]}, "enum"),
        ({"type": "number", "maximum": 10**40}, "maximum"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_looked_at_is_told(schema: Any, word: str) -> None:
    """The type stays, as it is true as far as it goes."""
    _, found = field(schema)

    assert codes(found) == ["schema-unchecked"]
    assert f"`{word}` of `x`" in found.diagnostics[0].message


def test_elements_of_several_types_are_unknown() -> None:
    """A tuple is a list of anything."""
    found, whole = field({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "number"}})

    assert found.of == ValueType("anything")
    assert codes(whole) == ["schema-unknown-type", "schema-unchecked"]


WRONG: list[tuple[Any, str]] = [
    ("[1", "schema-not-json"),
    ("", "schema-not-json"),
    ('{"maximum": NaN}', "schema-not-json"),
    ('{"type": "object", "type": "string"}', "schema-not-json"),
    ('{"maximum": 1e999999999999999999999}', "schema-not-json"),
    ([], "schema-not-object"),
    ({"type": "string"}, "schema-not-object"),
    ({"type": "object"}, "schema-not-object"),
    ({"oneOf": [PERSON, PERSON]}, "schema-not-object"),
    ({"properties": {"x": {"$ref": "person.json"}}}, "schema-reference"),
    ({"properties": {"x": {"$ref": "#/$defs/Nobody"}}}, "schema-reference"),
    ({"properties": {"x": {"$ref": "#person"}}}, "schema-reference"),
    ({"properties": {"x": {"$dynamicRef": "#x"}}}, "schema-reference"),
    ({"properties": {"x": {"$id": "https://example.org/x", **PERSON}}}, "schema-reference"),
    ({"properties": {"x": {"$ref": "#"}}}, "schema-cycle"),
    ({"$ref": "#/$defs/A", "$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}}, "schema-cycle"),
    ({"properties": {"x": {"type": "number", "x-omium-unit": "apples"}}}, "schema-unit"),
    ({"properties": {"x": {"type": "number", "x-omium-unit": "money"}}}, "schema-unit"),
    ({"properties": {"x": {"type": "string", "x-omium-unit": "percent"}}}, "schema-unit"),
    ({"properties": {"x": {"$ref": "#/properties/y", "x-omium-unit": "percent"}, "y": {}}}, "schema-unit"),
]


@pytest.mark.parametrize(("schema", "code"), WRONG, ids=lambda value: str(value)[:60])
def test_a_schema_that_cannot_be_used_is_told_where_it_is_named(schema: Any, code: str) -> None:
    """It is one error at the file's name in the statement, and the policy has no programs."""
    found = data(schema)

    assert codes(found, "error") == [code]
    assert 'data T from "t.json"' in rendered(found.errors[0])
    assert found.source.text[found.errors[0].span.start :].startswith('"t.json"')
    assert found.programs == ()


def test_a_schema_that_is_missing_is_told() -> None:
    """So is what uses its name: nothing but the file is wrong."""
    found = policy(
        'data T from "u.json" data U { t: T } step b gives U rule r after b { require output.t.x on fail skip }'
    )

    assert codes(found, "error") == ["unknown-schema"]


def _wide(levels: int) -> dict[str, Any]:
    """Return a schema of few words whose parts are as many as two to the power of its levels."""
    each = {f"a{i}": {"properties": {key: {"$ref": f"#/$defs/a{i + 1}"} for key in "xy"}} for i in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**each, f"a{levels}": {"type": "number"}}}


HOSTILE: dict[str, Any] = {
    "long": " " * 300_000,
    "deep": '{"properties":{"a":' * 5_000,
    "brackets": "[" * 200_000,
    "deep parts": _wide(30),
    "many parts": _wide(14),
    "fields": {"properties": {f"a{i}": {} for i in range(12_000)}},
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_schemas_end_in_a_diagnostic(text: Any) -> None:
    """However large, deep or wide they are, it is soon said."""
    began = time.monotonic()
    found = data(text)

    assert codes(found, "error") == ["schema-too-large"]
    assert time.monotonic() - began < 2


def test_long_numbers_and_many_words_do_no_harm() -> None:
    """They are no more than a part of the text."""
    number = '{"properties": {"x": {"type": "number", "maximum": ' + "9" * 200_000 + "}}}"
    words = {"properties": {"x": {"enum": [f"w{i}" for i in range(20_000)]}}}
    names = "{" + ",".join(f'"a{i}": 0' for i in range(20_000)) + ', "a0": 1}'
    began = time.monotonic()

    assert [codes(data(one)) for one in (number, words, names)] == [["schema-unchecked"], [], ["schema-not-json"]]
    assert time.monotonic() - began < 2


def test_what_does_not_show_is_not_shown() -> None:
    """A name from a schema cannot make a message read otherwise than it is."""
    found = data({"properties": {"a\u202eb\n": {"anyOf": [{}, {}]}, "long" * 100: False}})

    assert found.diagnostics[0].message.isprintable()
    assert len(found.diagnostics[0].message) < 300


def test_so_many_schemas_may_a_file_name() -> None:
    """Fifty."""
    body = " ".join(f'data T{i} from "{i}.json"' for i in range(51))
    found = policy(body, shelf=Shelf(SHELF.texts, {f"{i}.json": json.dumps(PERSON) for i in range(51)}))

    assert codes(found) == ["schema-too-large"]


def test_rules_are_checked_by_the_schema() -> None:
    """Fields, units, words and bounds of the schema are as those of `data`."""
    wrong = {
        "output.aprr between 2% and 5%": "unknown-field",
        "output.apr < 8.5": "type-mismatch",
        "output.took < 20": "type-mismatch",
        "output.risk == high": "unknown-word",
        'output.risk == "in revue"': "unknown-word",
        'output.risk in [low, "in revue"]': "unknown-word",
        "output.who.nam == output.risk": "unknown-field",
        "output.apr > 9%": "impossible",
        "output.who.age < 0": "impossible",
        "output.share > 50%": "impossible",
    }
    for requirement, code in wrong.items():
        assert codes(data(TERMS, f"rule r after b {{ require {requirement} on fail halt }}"), "error") == [code]
    right = (
        'output.apr < 8% and output.risk == "in review" and all x in output.all satisfy x.age > 3 and input.took < 3s'
    )
    assert codes(data(TERMS, f"rule r after b {{ require {right} on fail halt }}"), "error") == []


def test_data_may_use_what_comes_from_a_schema() -> None:
    """As it may use any data before it."""
    found = data(TERMS, "data U { t: T } step a takes U rule r before a { require input.t.who.age > 3 on fail halt }")

    assert codes(found, "error") == []
    assert found.judge("before", "a", {"input": {"t": {"who": {"age": 4}}}}) == ()
    assert [one.rule for one in found.judge("before", "a", {"input": {"t": {"who": {"age": 3}}}})] == ["r"]


def test_the_host_has_to_have_the_fields_that_are_required() -> None:
    """Binding asks for them, and for no optional one."""
    needs = needs_of(data(TERMS, "data U { t: T } step a takes U"))

    assert [one.dotted for one in needs.fields if one.step == "b" and one.root == "output"] == [
        "output.apr",
        "output.risk",
        "output.who",
        "output.who.name",
    ]
    assert "input.t.who.name" in [one.dotted for one in needs.fields if one.step == "a"]


GOOD = {"apr": 8.5, "risk": "low", "who": {"name": "Ann", "age": 0}}


@pytest.mark.parametrize(
    ("given", "right"),
    [
        (GOOD, True),
        ({**GOOD, "further": 1, "amount": None, "all": []}, True),
        ({**GOOD, "apr": 2.49}, False),
        ({**GOOD, "apr": 8.51}, False),
        ({**GOOD, "share": 0.5}, False),
        ({**GOOD, "amount": "0.01"}, True),
        ({**GOOD, "amount": 0}, False),
        ({**GOOD, "risk": "high"}, False),
        ({**GOOD, "who": {}}, False),
        ({**GOOD, "all": [{"name": "Bob", "age": -1}]}, False),
        ({**GOOD, "all": [{"name": "Bob"}] * 4}, False),
    ],
    ids=str,
)
def test_values_conform_down_to_their_bounds(given: Any, right: bool) -> None:
    """`step.conforms` is true of what the schema allows."""
    assert conforms(given, data(TERMS).own[0].scope.data["T"]) is right


def test_a_required_field_has_to_be_there_whatever_its_type() -> None:
    """Nothing is a value of unknown type, and a missing field is no value."""
    kind = data({"type": "object", "properties": {}, "required": ["x"]}).own[0].scope.data["T"]

    assert conforms({"x": None}, kind)
    assert not conforms({}, kind)


def test_a_bound_is_compared_as_it_is_written() -> None:
    """One tenth as a float is more than the decimal, and still at most 0.1."""
    kind = policy("data T { p: percent <= 0.1% }").own[0].scope.data["T"]

    assert conforms({"p": 0.1}, kind)
    assert not conforms({"p": 0.11}, kind)


def test_the_hash_is_over_what_the_schema_means() -> None:
    """Formatting, order, titles and descriptions do not change it; whatever changes a type does."""
    right = data(TERMS).hash
    turned = dict(reversed(list(TERMS["properties"].items())))
    same = [
        json.dumps(TERMS, indent=4),
        json.dumps(TERMS, sort_keys=True),
        {**TERMS, "properties": turned, "description": "other words", "required": ["who", "risk", "apr"]},
    ]
    other = [
        {**TERMS, "required": ["apr", "risk"]},
        {**TERMS, "$defs": {"Person": {**PERSON, "required": []}}},
        *(
            {**TERMS, "properties": {**TERMS["properties"], "apr": {**TERMS["properties"]["apr"], **change}}}
            for change in ({"maximum": 8.6}, {"x-omium-unit": "ratio"}, {"type": ["number", "null"]})
        ),
    ]

    assert [data(one).hash for one in same] == [right] * 3
    assert len({right, *(data(one).hash for one in other)}) == 6
    plain = policy("data T { n: number }")
    assert plain.hash == policy_hash(plain.file, [one.hash for one in plain.packs])


PACK = (
    "1.0.0",
    'omium 1 policy l { data T from "t.json" step b gives T rule r after b { require output.apr < 5% on fail skip } }',
)


def test_a_pack_has_schemas_of_its_own() -> None:
    """They are part of its hash, and so of its pin; one that cannot be used breaks it."""

    def using(schema: Any, pinned: str = "") -> Loaded:
        return loaded(f'omium 1 use "lend" as l {pinned} policy p {{ }}', shelf=shelf(schema, lend=PACK))

    found = using(TERMS)
    pin = f'pinned "sha256:{found.packs[0].hash}"'
    assert [one.rule for one in found.judge("after", "b", {"output": {"apr": 6}})] == ["l.r"]
    assert codes(using(json.dumps(TERMS, indent=1), pin)) == []
    assert codes(using({**TERMS, "required": []}, pin)) == ["pin-differs"]
    assert using({**TERMS, "required": []}).hash != found.hash
    [broken] = using("[").diagnostics
    assert (broken.code, "`t.json` is no JSON" in broken.message) == ("broken-pack", True)


@attrs.define
class Memory:
    """Keeps in memory, and counts what is put."""

    data: dict[str, bytes] = attrs.field(factory=dict)
    puts: int = 0

    def get(self, key: str) -> bytes | None:
        return self.data.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.puts += 1
        self.data[key] = data


KEPT = """omium 1
use "lend" as l
policy p { workflow a -> b data T from "t.json" step b gives T rule r after b { require output.apr < 5% on fail halt } }
"""


def kept(memory: Memory, schema: Any) -> Loaded:
    return keeping.load(Source("p.omp", KEPT), "", lambda: FINANCE, shelf(schema, lend=PACK), memory)


def test_what_is_kept_notices_a_changed_schema() -> None:
    """The same schema is read from what is kept; another text, or none, loads the policy anew."""
    memory = Memory()
    first, again = kept(memory, TERMS), kept(memory, TERMS)
    said = [
        (one.hash, one.judge("after", "b", {"output": {"apr": 6}}), one.programs[0].scope.data, one.packs[0].schemas)
        for one in (first, again)
    ]
    assert (memory.puts, said[0]) == (1, said[1])

    other = kept(memory, {**TERMS, "required": []})
    assert (memory.puts, other.hash == first.hash) == (2, False)
    assert kept(memory, json.dumps(TERMS, indent=2)).hash == first.hash
    assert codes(kept(memory, "["), "error") == ["broken-pack", "schema-not-json"]


@pytest.mark.parametrize("where", ["file", "pack"])
def test_a_schema_that_was_forged_is_not_taken(where: str) -> None:
    """What is kept cannot say that a schema means something else under the hash of the right one."""
    memory = Memory()
    right = kept(memory, TERMS)
    [key] = memory.data
    body = json.loads(memory.data[key].decode().partition("\n")[2])
    (body if where == "file" else body["packs"][0])["schemas"] = []
    text = json.dumps(body)
    memory.data[key] = f"{keeping._digest(text)}\n{text}".encode()

    found = kept(memory, TERMS)
    assert [one.scope.data["T"].at(("apr",)).kind for one in found.programs] == ["percent", "percent"]
    assert found.hash == right.hash


def _project(folder: Path, schema: Any = PERSON) -> None:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "person.json").write_text(json.dumps(schema))
    (folder / "rules" / "p.omp").write_text(
        'omium 1 policy p { data Person from "../person.json" step a takes Person }'
    )


def test_a_schema_lies_beside_its_policy(tmp_path: Path) -> None:
    """Its path is relative to the policy's file, wherever the process runs."""
    _project(tmp_path)

    assert read_policy(tmp_path / "rules" / "p.omp").errors == ()
    (tmp_path / "person.json").write_bytes(b"\xff")
    assert codes(read_policy(tmp_path / "rules" / "p.omp")) == ["unknown-schema"]


def test_what_is_taken_is_restored_with_its_schema(tmp_path: Path) -> None:
    """The schema's text is among the sources, and its file among those whose change is noticed."""
    _project(tmp_path)
    found = taken(str(tmp_path / "rules" / "p.omp"), plugins(), tmp_path)
    assert [one["file"] for one in found.sources] == ["rules/p.omp", "person.json"]
    assert [Path(path).name for path, _, _ in found.stamps] == ["p.omp", "person.json"]

    _project(tmp_path, {**PERSON, "required": []})
    assert taken(str(tmp_path / "rules" / "p.omp"), plugins(), tmp_path).loaded.hash != found.loaded.hash
    back = restored(found.sources, plugins())
    assert (back.hash, back.errors) == (found.loaded.hash, ())
    assert codes(restored(found.sources[:1], plugins())) == ["unknown-schema"]


def test_a_packaged_pack_has_its_schema_in_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from there, also from a folder below, and no path leads out of the package."""
    package = tmp_path / "lend_pack"
    (package / "schemas").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "schemas" / "t.json").write_text(json.dumps(PERSON))
    (tmp_path / "out.json").write_text("{}")
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = PolicyPackSpec("lend", "1.0.0", "lend_pack:lend.omp")

    assert spec.text_beside("schemas/t.json") == json.dumps(PERSON)
    assert spec.text_beside("t.json") is None
    assert spec.text_beside("../out.json") is None
    assert spec.text_beside(str(tmp_path / "out.json")) is None
    assert PolicyPackSpec("gone", "1.0.0", "no_such_package:p.omp").text_beside("t.json") is None


def _asked(text: str) -> tuple[Document, int]:
    head = 'omium 1\npolicy p {\n  workflow a -> b\n  data T from "t.json"\n  step b gives T\n  '
    whole = f"{head}{text}\n}}\n"
    offset = whole.index("|")
    return Document(Source("p.omp", whole.replace("|", "", 1)), FINANCE, shelf(TERMS)), offset


def test_an_editor_knows_the_fields() -> None:
    """They and their words are offered, as they are to be written; what they are is shown, and where they come from."""
    offered = completions(*_asked("rule r after b { require output.|"))
    assert {"apr", "risk", "who"} <= {one.label for one in offered}
    words = completions(*_asked("rule r after b { require output.risk == |"))
    assert {one.label: one.insert for one in words if one.kind == "word"} == {
        "low": "low",
        "in review": '"in review"',
    }

    document, offset = _asked("rule r after b { require output.ap|r < 5% on fail halt }")
    shown = hover(document, offset)
    assert shown is not None
    assert shown.text.startswith("**`output.apr`**: a percentage, >= 2.5%, <= 8.5%")
    [target] = definitions(document, offset)
    assert document.source.text[target.span.start : target.span.end] == "T"
    assert ("T", "data") in [(one.name, one.kind) for one in symbols(document)[0].parts]


def test_a_finder_without_the_file_says_so() -> None:
    """Whoever finds nothing gives nothing, and an editor goes on without the fields."""

    class Nothing:
        names = ()

        def __call__(self, name: str) -> PackFile | None:
            return None

        def beside(self, source: Source, path: str) -> PackFile | None:
            return None

        def text_beside(self, source: Source, path: str) -> str | None:
            return None

    document, offset = _asked("rule r after b { require output.|")
    alone = Document(document.source, FINANCE, Nothing())
    assert [one.kind for one in completions(alone, offset) if one.kind == "field"] == []
