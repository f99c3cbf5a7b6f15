"""Data types from JSON Schemas: what of a schema a policy's types can say, and what not.

It reads a part of draft 2020-12, and one keyword of its own, `x-omium-unit`. What types cannot say is of unknown type,
or is not looked at, and either is told; references stay inside the document. https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import attrs

from omium_policy import syntax, types
from omium_policy.types import ANYTHING, ValueType

if TYPE_CHECKING:
    from omium_policy.checking.report import Report
    from omium_policy.packs import Finder

__all__ = ["SchemaFile", "imported", "read", "schemas_of"]

SCHEMAS_MAX = 50
"""So many schemas may one file use."""

CHARACTERS_MAX = 250_000
PARTS_MAX = 5_000
"""So many parts has a schema once its references are followed."""

DEPTH_MAX = 40
DIGITS_MAX = 28
TOLD_MAX = 5
SHOWN_MAX = 60

UNIT = "x-omium-unit"
_UNITS = {"percent": types.PERCENT, "ratio": types.RATIO, "duration": types.DURATION}
_MONEY = re.compile(r"money ([A-Z]{3})")
_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
_CHOICES = ("anyOf", "oneOf", "allOf")
# What a value must also be, and types do not say.
_UNCHECKED = (
    *_CHOICES,
    *("pattern", "minLength", "multipleOf", "not", "if", "contains", "minItems", "uniqueItems", "prefixItems"),
    *("minProperties", "maxProperties", "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"),
    *("dependencies", "unevaluatedItems", "unevaluatedProperties"),
)
_SAYING = frozenset({*_UNCHECKED, *_BOUNDS, "type", "enum", "const", "properties", "required", "items", "maxItems"})
_SAYING |= {"maxLength", UNIT, "$ref", "$dynamicRef", "$recursiveRef"}


class Unusable(Exception):  # it becomes a diagnostic where the schema is named
    """What is wrong with a schema: the text goes on after its name."""

    def __init__(self, code: str, why: str, help: str | None = None) -> None:
        super().__init__(code, why)
        self.code = code
        self.why = why
        self.help = help


@attrs.frozen
class SchemaFile:
    """A schema under the path by which it is named, and the type that it stands for.

    `unknown` says which parts of it are of unknown type and why, `unchecked` which demands are not looked at.
    """

    path: str
    text: str = attrs.field(repr=False)
    type: ValueType
    unknown: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def meaning(self) -> list[Any]:
        """What a policy's hash is over: schemas that say the same, in whatever words and order, have the same."""
        return [self.path, _data(self.type)]


def schemas_of(file: syntax.File, finder: Finder, report: Report) -> tuple[SchemaFile, ...]:
    """Return the schemas that a file names, each once; what is wrong with one is reported where it is named."""
    named = {str(item.file.value): item for policy in file.policies for item in policy.of(syntax.DataFrom)}
    found = []
    for index, (path, item) in enumerate(named.items()):
        if index == SCHEMAS_MAX:
            said = f"the file names {len(named)} schemas, and {SCHEMAS_MAX} is the most"
            report.error("schema-too-large", said, item.file, "put several data types into packs of their own")
            break
        schema = _found(path, item, finder, report)
        if schema is not None:
            found.append(schema)
    return tuple(found)


def imported(policy: syntax.Policy, schemas: Iterable[SchemaFile]) -> dict[str, ValueType]:
    """Return a policy's data types that come from schemas, by their names in it."""
    known = {one.path: one.type for one in schemas}
    named = [(item.name.text, str(item.file.value)) for item in policy.of(syntax.DataFrom)]
    return {name: attrs.evolve(known[path], name=name) for name, path in named if path in known}


def read(path: str, text: str) -> SchemaFile:
    """Return what a schema's text says; raise `Unusable` where that is no type of a record."""
    reader = _Reader(_parsed(text))
    kind = reader.root()
    return SchemaFile(path, text, kind, tuple(reader.unknown), tuple(reader.unchecked))


def _found(path: str, item: syntax.DataFrom, finder: Finder, report: Report) -> SchemaFile | None:
    text = finder.text_beside(report.source, path)
    if text is None:
        help = "its path is relative to this file's"
        report.error("unknown-schema", f"there is no file `{path}` that can be read", item.file, help)
        return None
    try:
        schema = read(path, text)
    except Unusable as problem:
        report.error(problem.code, f"`{path}` {problem.why}", item.file, problem.help)
        return None
    if schema.unknown:
        said = f"of `{path}`, some is of unknown type: {_told(schema.unknown)}"
        report.note("schema-unknown-type", said, item.file, "rules can ask for it, and it is not checked at load")
    if schema.unchecked:
        said = f"of `{path}`, some is not looked at: {_told(schema.unchecked)}"
        report.note("schema-unchecked", said, item.file, "write a rule for what has to hold")
    return schema


def _told(lines: tuple[str, ...]) -> str:
    more = f"; and {len(lines) - TOLD_MAX} more" if len(lines) > TOLD_MAX else ""
    return "; ".join(lines[:TOLD_MAX]) + more


def _parsed(text: str) -> Any:
    if len(text) > CHARACTERS_MAX:
        raise Unusable("schema-too-large", f"has {len(text):,} characters, and {CHARACTERS_MAX:,} is the most")
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=Decimal, parse_constant=_no_number
        )
    except RecursionError:
        raise Unusable("schema-too-large", "has too many brackets inside each other") from None
    except ValueError as problem:
        raise Unusable("schema-not-json", f"is no JSON: {problem}") from None
    except ArithmeticError:
        raise Unusable("schema-not-json", "is no JSON that can be read: a number is out of range") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        left = iter(made)
        # Names keep the order in which they came first, so the first that is out of step was there before.
        twice = next(name for name, _ in pairs if name != next(left, None))
        raise ValueError(f"an object has `{_shown(twice)}` twice")
    return made


def _integer(digits: str) -> int | Decimal:
    # Python refuses to read very long integers, and takes the square of their length for others.
    return int(digits) if len(digits) <= DIGITS_MAX else Decimal(digits)


def _no_number(word: str) -> Any:
    raise ValueError(f"`{word}` is no number")


@attrs.frozen
class _Place:
    """Where in the value that is described a part of the schema stands, and the references that led there."""

    path: str = ""
    depth: int = 0
    references: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The place as a message names it."""
        return f"`{self.path}`" if self.path else "all of it"

    def field(self, name: str) -> _Place:
        """Return the place of a field."""
        return self._below(f"{self.path}.{_shown(name)}" if self.path else _shown(name))

    def element(self) -> _Place:
        """Return the place of a list's elements."""
        return self._below(f"{self.path}[]")

    def inside(self, *references: str) -> _Place:
        """Return the same place in another part of the schema."""
        return attrs.evolve(self._below(self.path), references=(*self.references, *references))

    def _below(self, path: str) -> _Place:
        if self.depth == DEPTH_MAX:
            raise Unusable("schema-too-large", f"is more than {DEPTH_MAX} parts deep at {self}")
        return attrs.evolve(self, path=path, depth=self.depth + 1)


@attrs.define
class _Reader:
    """Reads one document; what types cannot say of it is collected."""

    document: Any
    unknown: list[str] = attrs.field(factory=list)
    unchecked: list[str] = attrs.field(factory=list)
    parts: int = 0

    def root(self) -> ValueType:
        """Return the type of the whole document."""
        kind = self.type_of(self.document, _Place())
        if kind.kind != "record":
            why = self.unknown[-1] if kind.kind == "anything" and self.unknown else f"it describes {kind}"
            help = 'data is a record: `{"type": "object", "properties": {...}}`'
            raise Unusable("schema-not-object", f"is no schema of an object with properties: {why}", help)
        return attrs.evolve(kind, optional=False)

    def type_of(self, schema: Any, place: _Place) -> ValueType:
        """Return the type that a part of the document stands for."""
        self.parts += 1
        if self.parts > PARTS_MAX:
            raise Unusable("schema-too-large", f"has more than {PARTS_MAX:,} parts, its references followed")
        if schema is True:
            return ANYTHING
        if not isinstance(schema, Mapping):
            return self._not_known(place, "allows no value" if schema is False else "is no schema")
        if place.depth and not str(schema.get("$id", "#")).startswith("#"):
            # What it refers to is inside of it.
            raise Unusable("schema-reference", f"has, at {place}, a part with an `$id` of its own", "take it out")
        if UNIT in schema:
            return self._quantity(schema, place)
        if {"$ref", "$dynamicRef", "$recursiveRef"} & schema.keys():
            return self._referred(schema, place)
        if "const" in schema or "enum" in schema:
            return self._one_of(schema, place)
        if _types_of(schema):
            return self._typed(schema, place)
        return self._chosen(schema, place)

    def _quantity(self, schema: Mapping[str, Any], place: _Place) -> ValueType:
        kind = _unit(schema[UNIT])
        if kind is None:
            help = f"`{UNIT}` is `percent`, `ratio`, `duration` or, for instance, `money USD`"
            raise Unusable("schema-unit", f"has a unit at {place} that is none: `{_shown(str(schema[UNIT]))}`", help)
        forms = _forms(schema)
        found = {name for one in forms for name in _types_of(one)}
        plain = found - {"null"}
        if not plain or plain - {"number", "integer", *(("string",) if kind.kind == "money" else ())}:
            raise Unusable("schema-unit", f"has a unit at {place}, which is no number", "put it beside `type`")
        # What an amount may be as a text, its reader knows; that a number is of one form or another, no type does.
        numbers = [one for one in forms if _types_of(one) - {"null", "string"}]
        read = [schema] if schema in forms else [schema, *numbers[:1]] if len(numbers) == 1 else [schema]
        for one in read:
            self._leave_out(one, place, ("anyOf",) if len(numbers) == 1 and one not in forms else ())
            self.unchecked += [f"`{word}` of {place}" for word in ("const", "enum") if word in one]
        bounds = [bound for one in read for bound in self._bounds(one, place, kind)]
        return attrs.evolve(kind, bounds=tuple(bounds), optional="null" in found)

    def _referred(self, schema: Mapping[str, Any], place: _Place) -> ValueType:
        reference = schema.get("$ref")
        target = _target(self.document, reference)
        if target is None:
            said = f"refers at {place} to `{_shown(str(reference or '$dynamicRef'))}`, which is not in it"
            raise Unusable("schema-reference", said, "references begin with `#/$defs/`")
        if reference in place.references:
            circle = " -> ".join(_shown(one) for one in (*place.references, str(reference)))
            raise Unusable("schema-cycle", f"contains itself at {place}: {circle}", "a type cannot contain itself")
        more = _first(schema, _SAYING - {"$ref"})
        if more is not None:
            return self._not_known(place, f"has `{more}` beside its `$ref`")
        return self.type_of(target, place.inside(str(reference)))

    def _one_of(self, schema: Mapping[str, Any], place: _Place) -> ValueType:
        """Return the type of what can be one of some values: words, one number, true or false."""
        values = [schema["const"]] if "const" in schema else schema["enum"]
        self._leave_out(schema, place)
        if not isinstance(values, list) or not values:
            return self._not_known(place, "has an `enum` without values")
        given = _types_of({"type": schema.get("type", "null")})
        optional = None in values and "null" in given
        rest = [one for one in values if one is not None]
        if rest and all(isinstance(one, str) for one in rest):
            return ValueType("enum", words=tuple(dict.fromkeys(rest)), optional=optional)
        if rest and all(isinstance(one, bool) for one in rest):
            bounds = (("==", rest[0]),) if len({*rest}) == 1 else ()
            return attrs.evolve(types.BOOLEAN, bounds=bounds, optional=optional)
        amount = _amount(rest[0]) if len(rest) == 1 else None
        if amount is None:
            return self._not_known(place, "is one of several values that are no texts")
        kind = types.INTEGER if amount == amount.to_integral_value() else types.NUMBER
        return attrs.evolve(kind, bounds=(("==", amount),), optional=optional)

    def _typed(self, schema: Mapping[str, Any], place: _Place) -> ValueType:
        found = _types_of(schema)
        match sorted(found - {"null"}):
            case ["string"]:
                kind = ValueType("text", limit=self._count(schema, "maxLength", place))
            case ["number"] | ["integer", "number"]:
                kind = attrs.evolve(types.NUMBER, bounds=tuple(self._bounds(schema, place)))
            case ["integer"]:
                kind = attrs.evolve(types.INTEGER, bounds=tuple(self._bounds(schema, place)))
            case ["boolean"]:
                kind = types.BOOLEAN
            case ["array"]:
                kind = self._list(schema, place)
            case ["object"]:
                kind = self._record(schema, place)
            case several:
                which = "may be of several types" if len(several) > 1 else "is of no type that is known"
                return self._not_known(place, which)
        self._leave_out(schema, place)
        return attrs.evolve(kind, optional="null" in found)

    def _list(self, schema: Mapping[str, Any], place: _Place) -> ValueType:
        if "prefixItems" in schema or isinstance(schema.get("items"), list):
            of = self._not_known(place.element(), "differs from place to place")
        else:
            of = self.type_of(schema.get("items", True), place.element())
        return types.list_of(of, self._count(schema, "maxItems", place))

    def _record(self, schema: Mapping[str, Any], place: _Place) -> ValueType:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, Mapping) or not isinstance(required, list):
            return self._not_known(place, "has `properties` or `required` of a wrong form")
        needed = {str(one) for one in required}
        named = sorted({*properties, *needed})
        if not named:
            return self._not_known(place, "says no `properties`")
        fields = {name: self.type_of(properties.get(name, True), place.field(name)) for name in named}
        return types.record(
            {name: kind if name in needed else attrs.evolve(kind, optional=True) for name, kind in fields.items()}
        )

    def _chosen(self, schema: Mapping[str, Any], place: _Place) -> ValueType:
        """Return the type of what has none of its own: the only one that it may be, apart from null."""
        saying = _SAYING & schema.keys()
        if not saying:
            return ANYTHING
        word = next(iter(saying))
        options = schema[word]
        if len(saying) > 1 or word not in _CHOICES or not isinstance(options, list):
            return self._not_known(place, "says no `type`")
        left = [one for one in options if not _is_null(one) or word == "allOf"]
        if len(left) != 1:
            return self._not_known(place, f"may be one of several by `{word}`")
        kind = self.type_of(left[0], place.inside())
        return attrs.evolve(kind, optional=kind.optional or len(left) < len(options))

    def _bounds(
        self, schema: Mapping[str, Any], place: _Place, kind: ValueType = types.NUMBER
    ) -> Iterator[tuple[str, Decimal]]:
        for word, operator in _BOUNDS.items():
            if word in schema:
                amount = _amount(schema[word])
                if amount is not None:
                    # A ratio is compared in percent, as it is read.
                    yield operator, amount * 100 if kind.kind == "ratio" else amount
                else:
                    self.unchecked.append(f"`{word}` of {place}")

    def _count(self, schema: Mapping[str, Any], word: str, place: _Place) -> int | None:
        amount = _amount(schema[word]) if word in schema else None
        if amount is not None and amount >= 0 and amount == amount.to_integral_value():
            return int(amount)
        if word in schema:
            self.unchecked.append(f"`{word}` of {place}")
        return None

    def _leave_out(self, schema: Mapping[str, Any], place: _Place, known: Iterable[str] = ()) -> None:
        self.unchecked += [f"`{word}` of {place}" for word in _UNCHECKED if word in schema and word not in known]

    def _not_known(self, place: _Place, why: str) -> ValueType:
        self.unknown.append(f"{place} {why}")
        return ANYTHING


def _types_of(schema: Mapping[str, Any]) -> set[str]:
    """Return the types that a part of a schema names, or what it says of fields or elements implies; else nothing."""
    given = schema.get("type")
    if given is not None:
        return {str(one) for one in given} if isinstance(given, list) else {str(given)}
    if "properties" in schema:
        return {"object"}
    return {"array"} if "items" in schema else set()


def _forms(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the forms that a quantity may have: an amount, say, is a number or, exactly, a text."""
    several = schema.get("anyOf") if "type" not in schema else None
    return [one for one in several if isinstance(one, Mapping)] if isinstance(several, list) else [schema]


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and (schema.get("type") == "null" or schema.get("const", 0) is None)


def _unit(word: Any) -> ValueType | None:
    if not isinstance(word, str):
        return None
    money = _MONEY.fullmatch(word)
    return types.money(money[1]) if money is not None else _UNITS.get(word)


def _target(document: Any, reference: Any) -> Any:
    """Return what a reference of the document itself points to (RFC 6901); None where that is nothing."""
    if reference == "#":
        return document
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    for part in unquote(reference[2:]).split("/"):
        if not isinstance(document, Mapping):
            return None
        document = document.get(part.replace("~1", "/").replace("~0", "~"))
    return document


def _first(schema: Mapping[str, Any], words: Iterable[str]) -> str | None:
    return min(schema.keys() & {*words}, default=None)


def _amount(value: Any) -> Decimal | None:
    """Return a number that a bound can hold; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    amount = Decimal(value)
    size = len(amount.as_tuple().digits), abs(amount.adjusted())
    return amount.normalize() if amount.is_finite() and max(size) <= DIGITS_MAX else None


def _shown(text: str) -> str:
    """Return a text of the document as a message may have it, without what does not show."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def _data(kind: ValueType) -> list[Any]:
    """Return a type as plain data, the same for all that mean the same."""
    return [
        kind.kind,
        kind.currency,
        sorted(kind.words),
        _data(kind.of) if kind.of is not None else None,
        [[name, _data(one)] for name, one in sorted(kind.fields.items())] if kind.fields is not None else None,
        kind.limit,
        kind.optional,
        sorted([sign, str(value)] for sign, value in kind.bounds),
    ]
