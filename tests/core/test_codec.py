"""Values go in and come out the same; bytes that nobody wrote do nothing; what grows is stored by its growth."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import enum
import functools
import hashlib
import json
import math
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import types
import uuid
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar
from zoneinfo import ZoneInfo

import attrs
import msgpack
import numpy as np
import pydantic
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omium_core.errors import Corrupted, OmiumError, UnknownType, Unstorable, UsageError
from omium_core.journal import tree
from omium_core.journal.codec import Codec, ExtraCodec
from omium_core.journal.forms import DEPTH_MAX, ENUM, RECORD, TUPLE
from omium_core.journal.tree import INLINE_BYTES, references
from omium_core.journal.types import Types
from omium_core.model.body import Body

ROOT = Path(__file__).parent.parent.parent
T = TypeVar("T")
UNSET = object()

quickly = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


class Colour(enum.Enum):
    RED = "red"
    MIXED = ("a", 1)
    CRIMSON = "red"  # noqa: PIE796  # a second name for a member must come back as that member


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Word(str, enum.Enum):
    YES = "yes"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


@attrs.define
class Plain:
    x: Any
    _hidden: Any = None
    derived: Any = attrs.field(init=False, default=None)


@attrs.frozen(cache_hash=True)
class Key:
    name: str
    n: int = 0


@attrs.define(slots=False)
class Loose:
    x: Any = attrs.field(default=1, validator=attrs.validators.instance_of(int))

    @functools.cached_property
    def twice(self) -> Any:
        return [self.x, self.x]


@attrs.define
class Cached:
    x: Any

    @functools.cached_property
    def connection(self) -> Any:
        return threading.Lock()


@dataclasses.dataclass
class Strict:
    """Its constructor and its hook must not run when it is restored."""

    x: Any
    made: dataclasses.InitVar[bool] = False
    derived: Any = dataclasses.field(init=False, default=None)
    absent: Any = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self, made: bool) -> None:
        if not made:
            raise RuntimeError("the hook ran")
        self.derived = ("of", self.x)


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: Any
    y: Any = None


@dataclasses.dataclass(frozen=True)
class FrozenSlots:
    __slots__ = ("x", "y")
    x: Any
    y: Any


@dataclasses.dataclass
class Child(Frozen.__mro__[1]):  # type: ignore[name-defined,misc]  # plain object, written so that the bases differ
    x: Any
    z: Any = 0


@dataclasses.dataclass
class Box(Generic[T]):
    inside: T


class Point(NamedTuple):
    x: Any
    y: Any = 0


Old = namedtuple("Old", ["a", "b"])


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    a: int = 1
    b: Any = None
    _private: Any = pydantic.PrivateAttr(default=7)


class Nested(pydantic.BaseModel):
    inner: Model
    when: dt.datetime


class ModelBox(pydantic.BaseModel, Generic[T]):
    inside: T


@pydantic.dataclasses.dataclass
class PydanticData:
    x: int


@dataclasses.dataclass
class OfDict(dict):  # type: ignore[type-arg]  # what it holds does not matter
    x: int = 1


class Row(TypedDict):
    plain: Plain


CLASSES = [
    Colour, Level, Word, Right, Access, Plain, Key, Loose, Cached, Strict, Frozen, FrozenSlots, Child, Box, Point, Old,
    Model, Nested, ModelBox[int], PydanticData, OfDict,
]  # fmt: skip


def make_codec(*extras: ExtraCodec) -> Codec:
    types_ = Types()
    for cls in CLASSES:
        types_.register(cls)
    return Codec(types_, extras)


CODEC = make_codec()


def blobs_of(body: Body) -> dict[str, bytes]:
    return {blob.digest: blob.data for blob in body.blobs}


def no_blobs(digest: str) -> bytes:
    raise AssertionError(f"asked for {digest}")


def round_trip(value: Any, codec: Codec | None = None) -> Any:
    codec = codec or make_codec()
    body = codec.seal(value)
    return codec.open(body.data, blobs_of(body).__getitem__)


def same(one: Any, two: Any) -> bool:
    """Compare with types, with the order of dicts, and with every attribute of objects."""
    if type(one) is not type(two):
        return False
    if isinstance(one, float) and not isinstance(one, np.generic):
        return struct.pack("d", one) == struct.pack("d", two)
    if isinstance(one, np.ndarray | np.generic):
        return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()
    if isinstance(one, Decimal):
        return str(one) == str(two)
    if isinstance(one, dt.datetime | dt.time):
        return one.replace(tzinfo=None) == two.replace(tzinfo=None) and (one.fold, one.tzinfo) == (two.fold, two.tzinfo)
    if isinstance(one, tuple | list):
        return len(one) == len(two) and all(map(same, one, two)) and same_attributes(one, two)
    if isinstance(one, dict):
        return same(list(one.items()), list(two.items()))
    if isinstance(one, set | frozenset):
        return sorted(CODEC.digest(each) for each in one) == sorted(CODEC.digest(each) for each in two)
    if dataclasses.is_dataclass(one) or attrs.has(type(one)) or isinstance(one, pydantic.BaseModel):
        return same_attributes(one, two)
    return bool(one == two)


def same_attributes(one: Any, two: Any) -> bool:
    names = set(getattr(one, "__dict__", {})) | set(getattr(two, "__dict__", {}))
    for cls in type(one).__mro__:
        names |= {name for name in vars(cls) if isinstance(vars(cls)[name], types.MemberDescriptorType)}
    names -= {"__orig_class__", "_attrs_cached_hash", "twice", "connection"}
    return all(same(getattr(one, name, UNSET), getattr(two, name, UNSET)) for name in names)


ZONES = st.one_of(
    st.none(),
    st.sampled_from([dt.timezone.utc, ZoneInfo("UTC")]),
    st.timezones(),
    st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23))),
    st.builds(dt.timezone, st.just(dt.timedelta(hours=1)), st.text(max_size=5)),
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
HASHABLE_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62, max_value=2**200),
    st.floats(),
    ANY_TEXT,
    st.binary(max_size=20),
    st.datetimes(timezones=ZONES).flatmap(lambda one: st.sampled_from([one, one.replace(fold=1)])),
    st.dates(),
    st.times(timezones=ZONES),
    st.timedeltas(),
    ZONES,
    st.decimals(allow_nan=False),
    st.uuids(),
    st.sampled_from([*Colour, *Level, *Word, *Access, Right.READ, Right.READ | Right.WRITE, Right(0), Access(0)]),
    st.sampled_from([Access.READ | Access.WRITE, Access(9)]),
    st.builds(Path, st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8)),
    st.sampled_from([PurePosixPath("a/b"), PureWindowsPath(r"c:\a\b"), PureWindowsPath("c:a"), Path("/"), Path("..")]),
    st.builds(Key, st.text(max_size=4), st.integers()),
    st.sampled_from([np.float64(1.5), np.int8(-3), np.str_("a\0"), np.str_(""), np.bytes_(b"a\0"), np.bool_(True)]),
)
ARRAYS = st.sampled_from(
    [
        np.array([]),
        np.array(5),
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(["a", "bc"]),
        np.array(["2026-01-01"], dtype="M8[ns]"),
        np.array([(1, 2.5)], dtype=[("a", "<i4"), ("b", "<f8")]),
        np.array([True, False]),
        np.zeros((0, 3), dtype=np.complex64),
        np.arange(10)[::2],
    ]
)
HASHABLE = st.recursive(
    HASHABLE_LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.frozensets(inner, max_size=3),
        st.builds(Frozen, inner, inner),
        st.builds(FrozenSlots, inner, inner),
        st.builds(Point, inner, inner),
    ),
    max_leaves=4,
)


def made_strict(x: Any) -> Strict:
    return Strict(x, made=True)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(ANY_TEXT, inner, max_size=5),
        st.dictionaries(HASHABLE, inner, max_size=3),
        st.sets(HASHABLE, max_size=4),
        st.builds(Plain, inner, inner),
        st.builds(made_strict, inner),
        st.builds(Child, inner, inner),
        st.builds(Box, inner),
        st.builds(Box[Any], inner),
        st.builds(Point, inner, inner),
        st.builds(Old, inner, inner),
        st.builds(Loose, st.integers()),
        st.builds(lambda b, extra: Model(b=b, other=extra), inner, inner),
        st.builds(Model),
        st.builds(PydanticData, st.integers()),
    )


VALUES = st.recursive(st.one_of(HASHABLE, ARRAYS, st.decimals()), containers, max_leaves=15)


@quickly
@given(VALUES)
def test_small_values_come_back_the_same(value: Any) -> None:
    """What was sealed opens to an equal value of the same types throughout, and counts as storable."""
    back = round_trip(value)

    assert same(value, back)
    assert CODEC.digest(value)[1]
    assert CODEC.digest(back) == CODEC.digest(value)


@settings(quickly, max_examples=25)
@given(st.lists(VALUES, min_size=1, max_size=6), st.integers(1, 300), st.integers(0, 90_000), st.integers())
def test_large_values_come_back_the_same(values: list[Any], times: int, size: int, seed: int) -> None:
    """The same holds for values that are split: long lists, large dicts, text and bytes, and objects around them."""
    rows = [[index, values[index % len(values)]] for index in range(times)]
    noise = "".join(random.Random(seed).choices("abcdefgh", k=size))
    value = {
        "rows": rows,
        "wide": {f"key {index}": row for index, row in enumerate(rows)},
        "odd": {(index, None): row for index, row in enumerate(rows[:40])},
        "numbers": list(range(times * 10)),
        "text": noise,
        "raw": noise.encode(),
        "plain": Plain([noise, *rows], tuple(rows)),
        "model": Model(b={"noise": noise}, more=rows),
        "array": np.frombuffer(noise.encode(), dtype=np.uint8),
        "point": Point([noise], Point(rows)),
        "set": {noise, 1, *range(times)},
    }

    assert same(value, round_trip(value))
    assert same(list(value.values()), round_trip(list(value.values())))
    assert same(noise, round_trip(noise))
    assert same(noise.encode(), round_trip(noise.encode()))


@quickly
@given(VALUES)
def test_every_value_has_a_data_view(value: Any) -> None:
    """A reader without any class gets a view that can be written as JSON."""
    body = CODEC.seal([value, b"raw", "x" * 20_000, ["y" * 2_000] * 100])

    view = Codec(Types()).view(body.data, make_store(body).__getitem__)

    assert json.dumps(view)
    assert view[1] == {"@type": "bytes", "value": "cmF3"}


def make_store(body: Body) -> dict[str, bytes]:
    """Seal for a codec that knows nothing, so that every blob is there."""
    return blobs_of(body)


def test_view_of_each_kind() -> None:
    """The data view is documented in the codec; these are its forms."""
    value = {
        "decimal": Decimal("1.20"),
        "when": dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        "zone": dt.datetime(2026, 1, 2, tzinfo=ZoneInfo("Europe/Berlin")),
        "utc": dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc),
        "tuple": (1, 2**70),
        "colour": Word.YES,
        "object": Plain(Key("a")),
        "set": {1},
        "keys": {1: "one"},
        "model": Model(other=1),
    }
    body = make_codec().seal(value)

    assert Codec(Types()).view(body.data, no_blobs) == {
        "decimal": {"@type": "decimal", "value": "1.20"},
        "when": {"@type": "datetime", "value": "2026-01-02T03:00:00+01:00"},
        "zone": {"@type": "datetime", "value": "2026-01-02T00:00:00[Europe/Berlin]"},
        "utc": {"@type": "datetime", "value": "2026-01-02T00:00:00+00:00"},
        "tuple": [1, 2**70],
        "colour": {"@type": f"{__name__}.Word", "name": "YES", "value": "yes"},
        "object": {
            "@type": f"{__name__}.Plain",
            "x": {"@type": f"{__name__}.Key", "name": "a", "n": 0},
            "_hidden": None,
            "derived": None,
        },
        "set": {"@type": "set", "items": [1]},
        "keys": {"@type": "dict", "items": [[1, "one"]]},
        "model": {"@type": f"{__name__}.Model", "a": 1, "b": None, "other": 1},
    }


def test_models_keep_what_was_set_extra_and_private() -> None:
    """A pydantic model comes back without validation, with its extra and private values and what was given."""
    model = Model(b="given", other=Key("x"))
    model._private = {"k": (1, 2)}
    model.a = "not an int"  # type: ignore[assignment]  # pydantic allows it, so it must come back

    back = round_trip(model)

    assert back == model
    assert (back.model_fields_set, back.model_extra, back._private) == (
        {"a", "b", "other"},
        {"other": Key("x")},
        {"k": (1, 2)},
    )


def test_datetimes_that_pydantic_parsed_come_back() -> None:
    """pydantic has a time zone class of its own, which comes back as well."""
    nested = Nested.model_validate({"inner": {"a": 1}, "when": "2026-01-02T03:04:05+05:30"})
    back = round_trip(nested)

    assert back == nested
    assert type(back.when.tzinfo) is type(nested.when.tzinfo)


def test_cached_values_are_no_state() -> None:
    """Cached properties and hashes are not stored, and do not make a value unstorable."""
    key, cached, loose = Key("a"), Cached(1), Loose(2)
    assert hash(key)
    assert cached.connection
    assert loose.twice

    back = round_trip([key, cached, loose])

    assert back[0]._attrs_cached_hash is None
    assert hash(back[0]) == hash(key)
    assert "twice" not in vars(back[2])
    assert back[2].twice == [2, 2]


def test_fields_added_since_have_their_defaults() -> None:
    """A class that got a field with a default opens old values; one that lost a field, or needs one, is refused."""
    old, new = Types(), Types()
    old.register(dataclasses.make_dataclass("Offer", [("apr", float)]), "offer")
    grown = new.register(dataclasses.make_dataclass("Offer", [("apr", float), ("fees", list, [].copy and dataclasses.field(default_factory=list))]), "offer")  # fmt: skip # noqa: E501
    recorded = Codec(old).seal(old.class_of("offer")(2.5))  # type: ignore[misc]  # it is registered above
    needy, fewer = Types(), Types()
    needy.register(dataclasses.make_dataclass("Offer", [("apr", float), ("fees", list)]), "offer")
    fewer.register(attrs.make_class("Offer", [], slots=True), "offer")

    assert Codec(new).open(recorded.data, no_blobs) == grown(2.5, [])
    with pytest.raises(UsageError, match="`fees`"):
        Codec(needy).open(recorded.data, no_blobs)
    with pytest.raises(UsageError, match="`apr`"):
        Codec(fewer).open(recorded.data, no_blobs)


@given(st.dictionaries(ANY_TEXT, st.integers(), min_size=2, max_size=50), st.randoms())
def test_order_of_dicts_is_kept_and_not_digested(value: dict[str, int], rng: random.Random) -> None:
    """Dicts come back in their order; the digest does not depend on it."""
    items = list(value.items())
    rng.shuffle(items)
    shuffled = dict(items)

    assert list(round_trip(shuffled)) == list(shuffled)
    assert CODEC.digest(shuffled) == CODEC.digest(value)
    assert CODEC.digest({(key, 1): n for key, n in items}) == CODEC.digest({(key, 1): n for key, n in value.items()})


@given(st.lists(VALUES, min_size=2, max_size=6))
def test_digests_tell_values_apart(values: list[Any]) -> None:
    """Values that are not the same have different digests, apart from the order of dicts and what was set."""
    one, two = values[0], values[1]
    if CODEC.digest(one) == CODEC.digest(two):
        assert repr(CODEC.view(CODEC.seal(one).data, no_blobs)) == repr(CODEC.view(CODEC.seal(two).data, no_blobs)) or (
            isinstance(one, dict | set | frozenset | Model | float)
        )


def test_digests_tell_types_apart() -> None:
    """Equal values of different types have different digests; a number that is none has one."""
    kinds = [
        1,
        1.0,
        True,
        "1",
        b"1",
        Decimal(1),
        [1],
        (1,),
        {1},
        frozenset({1}),
        {1: 1},
        {"1": 1},
        Level.LOW,
        None,
        2**64,
    ]
    kinds += [
        float(2**64),
        [],
        (),
        {},
        "",
        b"",
        0,
        -0.0,
        0.0,
        [[1]],
        [(1,)],
        ([1],),
        Point(1),
        Old(1, 0),
        Frozen(1),
        Key("1"),
    ]

    assert len({CODEC.digest(one)[0] for one in kinds}) == len(kinds)
    assert CODEC.digest(math.nan) == CODEC.digest(-math.nan)
    assert CODEC.digest(Model()) == CODEC.digest(Model(a=1))


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        ({}, "76be8b528d0075f7"),
        ({"i": 1}, "e32db002a9faea49"),
        ({"b": 2**70, "a": 1.5, "c": None}, "c2ba43ef8758c797"),
        ({"a": math.nan, "b": b"x", "": "\ud800"}, "70e4cc651bc46420"),
        ([1, "a", b"b", None, True], "ef9a06cd76cb4271"),
        ([{"b": [], "a": {"c": (1, {2})}}], "763006c6d8da368d"),
    ],
)
def test_digests_stay_what_they_were(value: Any, digest: str) -> None:
    """What an older version recorded of a step's arguments is still what the same arguments give."""
    assert CODEC.digest(value)[0].startswith(digest)


def test_what_is_not_storable_is_opaque_in_digests() -> None:
    """An argument that cannot be stored counts by its type alone, and only it."""
    lock, other = threading.Lock(), threading.Lock()
    cyclic: list[Any] = [1]
    cyclic.append(cyclic)

    assert CODEC.digest(lock)[1] is False
    assert CODEC.digest((1, lock)) == CODEC.digest((1, other))
    assert CODEC.digest((1, lock)) != CODEC.digest((2, lock))
    assert CODEC.digest((1, lock)) != CODEC.digest((1, socket.socket))
    assert CODEC.digest((1, cyclic)) != CODEC.digest((2, cyclic))
    assert CODEC.digest((1, cyclic))[1] is False
    assert CODEC.digest({"a": bytearray(b"x")})[1] is False
    assert CODEC.digest(Frozen(ValueError()))[1] is False


def test_digest_of_many_that_refer_to_many_ends() -> None:
    """Looking into a full graph of objects takes no longer than looking at each once."""
    agents = [Plain(name, []) for name in range(60)]
    for agent in agents:
        agent._hidden.extend(agents)

    assert CODEC.digest(agents)[1] is False


def test_digest_is_the_same_under_every_hash_seed() -> None:
    """Sets of text have another order in each process; their digest and their stored form have not."""
    program = (
        "from omium_core.journal.codec import Codec; from omium_core.journal.types import Types\n"
        "value = [{'a', 'b', 'c', ('d', frozenset('efg'))}, {'x': 1, 'y': frozenset('hij')}]\n"
        "print(Codec(Types()).digest(value), Codec(Types()).seal(value).digest)"
    )
    answers = {run(program, PYTHONHASHSEED=seed) for seed in ("0", "1", "2")}

    assert len(answers) == 1


def run(program: str, *args: str, cwd: Path | None = None, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, *(args or ("-c", program))],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


class Undeclared(NamedTuple):
    x: int


@attrs.define
class AlsoUndeclared:
    x: int


class Number(int):
    pass


class Text(str):
    __slots__ = ()


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append({"back": value})
    return value


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        (socket.socket, "$", "not data"),
        ({"items": [1, 2, 3, Plain(1, {"socket": threading.Lock()})]}, "$.items[3]._hidden.socket", "not data"),
        ({"items": [1, 2, 3, {"a b": {1, (2, len)}}]}, "$.items[3]['a b'][*][1]", "not data"),
        ({"a": {3: {(1,): print}}}, "$.a[3][builtins.tuple]", "not data"),
        ({"a": {len: 1}}, "$.a.keys()", "not data"),
        ([Undeclared(1)], "$[0]", r"omium.register\(Undeclared\)"),
        ({"x": AlsoUndeclared(1)}, "$.x", "declare it in an annotation"),
        ([Number(1)], "$[0]", "kind of `int`"),
        ([Text("a")], "$[0]", "kind of `str`"),
        ([{"a": OrderedDict()}], "$[0].a", "kind of `dict`"),
        ([defaultdict(list)], "$[0]", "kind of `dict`"),
        ([Counter("a")], "$[0]", "kind of `dict`"),
        ([OfDict()], "$[0]", "builds on a built-in"),
        ([os.stat_result(range(10))], "$[0]", "kind of `tuple`"),
        ([ValueError("x")], "$[0]", "exception"),
        ({"a": [bytearray(b"x")]}, "$.a[0]", "another type"),
        ({"a": Plain(memoryview(b"x"))}, "$.a.x", "another type"),
        ({"a": (msgpack.ExtType(114, bytes(32)),)}, "$.a[0]", "another type"),
        ({msgpack.Timestamp(1, 1): 1}, "$.keys()", "another type"),
        ([msgpack.ExtType(TUPLE, b"\x90")] * 3, "$[0]", "another type"),
        ({"a": np.array([object()])}, "$.a", "objects"),
        ({"a": np.ma.masked_array([1])}, "$.a", "not data"),
        (cycle(), "$[0].back", "contains itself"),
        ([nested(1_500, lambda one: [one])], None, "nested too deep"),
        ([nested(DEPTH_MAX + 1, lambda one: (one,))], None, "nested deeper than"),
        ([nested(30, lambda one: frozenset([one])), nested(80, lambda one: frozenset([one]))], None, "nested deeper"),
        (Strict(threading.Lock(), made=True), "$.x", "not data"),
        (Model(other=threading.Lock()), "$.other", "not data"),
        ({"big": ["x" * 9_000] * 9, "bad": {"deep": [{"at": len}]}}, "$.bad.deep[0].at", "not data"),
        (dt.datetime(2026, 1, 1, tzinfo=type("Own", (dt.tzinfo,), {})()), "$", "not data"),
    ],
)  # fmt: skip
def test_what_would_not_come_back_is_refused_where_it_is(value: Any, path: str | None, reason: str) -> None:
    """A refusal names the innermost part that cannot be stored, and nothing is changed into something like it."""
    if isinstance(value, type):
        value = value()
    with pytest.raises(Unstorable, match=reason) as refusal:
        CODEC.seal(value)

    assert path in (None, refusal.value.path)
    assert CODEC.digest(value)[1] is False


def test_deep_values_within_the_bounds_come_back() -> None:
    """What is sealed can be opened, up to the bounds of nesting, also when it is split."""
    for value in (
        nested(500, lambda one: [one]),
        nested(DEPTH_MAX, lambda one: (one,)),
        nested(DEPTH_MAX, lambda one: Box([one])),
        nested(40, lambda one: ["x" * 3_000, {"a": one}]),
        nested(40, lambda one: Plain({"a": [one] + ["x" * 600] * 40})),
        nested(10, lambda one: [one, *(str(index) * 700 for index in range(40))]),
    ):
        codec = make_codec()
        body = codec.seal(value)
        again = codec.seal(codec.open(body.data, blobs_of(body).__getitem__))
        assert again.data == body.data


def test_lone_surrogates_come_back_from_every_layer() -> None:
    """Text that UTF-8 has no bytes for is packed a second way, and what is around it is not packed anew each time."""
    value = nested(60, lambda inner: (inner, "\ud800"))

    assert round_trip(value) == value
    assert round_trip({"\udc00": ["\ud800 \U0001f600", {"\udfff"}]}) == {"\udc00": ["\ud800 \U0001f600", {"\udfff"}]}


def pack_body(code: int, parts: Any) -> bytes:
    return b"\x00" + pack_form(code, parts)


def pack_form(code: int, parts: Any) -> bytes:
    packed: bytes = msgpack.packb(msgpack.ExtType(code, parts if isinstance(parts, bytes) else msgpack.packb(parts)))
    return packed


def unset_blob(digest: str) -> bytes:
    return b"\x00\xc0"


def read_hostile(data: bytes) -> None:
    """Read in every way there is; nothing but an error of Omium's may come out."""
    for read in (CODEC.open, CODEC.view):
        with contextlib.suppress(OmiumError):
            read(data, unset_blob)
    with contextlib.suppress(Corrupted):
        references(data)


@pytest.mark.parametrize("code", [*range(20), *range(30, 40), *range(94, 100), *range(110, 118), 127])
@pytest.mark.parametrize(
    "parts", [["os.system", {"command": "true"}], ["os.system", ["true"], 1], "os.system", b"\xc1"]
)
def test_hostile_tags_are_only_looked_up(code: int, parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag that is not registered leads nowhere, whatever its form: nothing is imported and nothing is run."""
    called: list[Any] = []
    monkeypatch.setattr(os, "system", called.append)
    before = set(sys.modules)

    read_hostile(pack_body(code, parts))

    assert (called, set(sys.modules)) == ([], before)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (pack_body(RECORD, ["antigravity.Thing", {}]), UnknownType),
        (pack_body(ENUM, ["os.system", "x", None]), UnknownType),
        (pack_body(RECORD, [f"{__name__}.Colour", {}]), UsageError),
        (pack_body(RECORD, [f"{__name__}.Frozen", [1]]), Corrupted),
        (pack_body(RECORD, [f"{__name__}.Frozen", {1: 2}]), Corrupted),
        (pack_body(RECORD, [[], {}]), Corrupted),
        (pack_body(99, []), Corrupted),
        (pack_body(TUPLE, 7), Corrupted),
        (b"", Corrupted),
        (b"\x00", Corrupted),
        (b"\x02\xc0", Corrupted),
        (b"\x00\xc0\xc0", Corrupted),
        (b"\x01not zstd", Corrupted),
        (b"\x00" + b"\x91" * 5_000, Corrupted),
        (b"\x00\x81\x90\x01", Corrupted),
        (b"\x00\xdd\xff\xff\xff\xff", Corrupted),
        (b"\x01" + zstandard.ZstdCompressor().compress(bytes(65 << 20)), Corrupted),
        (b"\x01" + zstandard.ZstdCompressor(write_content_size=False).compress(bytes(100)), Corrupted),
        (b"\x01" + zstandard.ZstdCompressor().compress(b"\xc0" * 1) + b"more", Corrupted),
        (b"\x00" + nested(200, lambda one: pack_form(TUPLE, [1] if one == 1 else b"\x91" + one)), Corrupted),
    ],
    ids=range(20),
)  # fmt: skip
def test_bytes_that_nobody_wrote_are_refused(data: bytes, error: type[OmiumError]) -> None:
    """Bytes that do not parse are `Corrupted`, also those that would need much time or memory."""
    with pytest.raises(error):
        CODEC.open(data, no_blobs)


def test_fields_cannot_change_what_an_object_is() -> None:
    """Recorded names that Python gives a meaning are attributes like others."""
    body = pack_body(RECORD, [f"{__name__}.Frozen", {"x": 1, "y": 2, "__class__": "os", "__dict__": 1}])

    assert type(CODEC.open(body, no_blobs)) is Frozen


@quickly
@given(st.binary(max_size=200))
def test_random_bytes_are_a_value_or_refused(data: bytes) -> None:
    """Whatever the bytes, nothing but an error of Omium's comes out."""
    for stored in (data, b"\x00" + data, b"\x01" + data):
        read_hostile(stored)


@quickly
@given(VALUES, st.data())
def test_changed_bytes_are_a_value_or_refused(value: Any, data: st.DataObject) -> None:
    """The same holds for bytes that were written once and then truncated or changed."""
    stored = bytearray(CODEC.seal(value).data)
    cut = data.draw(st.integers(0, len(stored)))
    place = data.draw(st.integers(0, len(stored) - 1))
    flipped = stored[:]
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    for changed in (bytes(stored[:cut]), bytes(flipped)):
        read_hostile(changed)


def test_references_that_multiply_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few blobs that refer to each other many times cannot make a value of any size."""
    monkeypatch.setattr(tree, "READ_BYTES_MAX", 1 << 20)
    blobs: dict[str, bytes] = {}
    payload = msgpack.packb("lol" * 100)
    for _ in range(20):
        data = b"\x00" + payload
        digest = hashlib.sha256(data).digest()
        blobs[digest.hex()] = data
        payload = b"\xdc\x00\x20" + (b"\xc7\x20" + bytes((tree.ELEMENT,)) + digest) * 32

    with pytest.raises(Corrupted, match="bytes"):
        CODEC.open(b"\x00" + payload, blobs.__getitem__)


def test_nodes_and_references_are_where_they_belong() -> None:
    """A node outside of a list, or a reference to another kind of blob, is refused."""
    data = b"\x00\x91\x01"
    digest = hashlib.sha256(data).digest()
    for code in (tree.LIST_NODE, tree.DICT_NODE, tree.TEXT, tree.BYTES):
        with pytest.raises(Corrupted):
            CODEC.open(b"\x00" + b"\xc7\x20" + bytes((code,)) + digest, lambda _: data)
    with pytest.raises(Corrupted):
        CODEC.open(pack_body(tree.ELEMENT, b"short"), no_blobs)


def test_what_fetch_raises_is_not_blamed_on_the_bytes() -> None:
    """A store that fails is not a corrupted value."""

    def fail(digest: str) -> bytes:
        raise ConnectionError("the store is away")

    body = make_codec().seal(["x" * 1_000] * 40)
    with pytest.raises(ConnectionError):
        CODEC.open(body.data, fail)


def message(index: int, rng: random.Random) -> dict[str, Any]:
    words = " ".join("".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(300))
    role = "user" if index % 2 else "assistant"
    return {"role": role, "content": words[:1_290], "id": f"msg_{index:08}", "tokens": 321, "name": "credit"}


@pytest.mark.parametrize("around", [lambda rows: rows, lambda rows: Plain({"messages": rows, "apr": 2.5}, "x" * 9_000)])
def test_a_growing_list_is_stored_by_its_growth(around: Callable[[Any], Any]) -> None:
    """One more message of 1.4 KB adds less than 1.1 KB of blobs, whether there are 100 or 600 before it."""
    codec, rng, store, rows, added = make_codec(), random.Random(7), dict[str, bytes](), [], []
    for index in range(600):
        rows.append(message(index, rng))
        body = codec.seal(around(rows))
        store.update(blobs_of(body))
        codec.stored(blob.digest for blob in body.blobs)
        added.append(sum(len(blob.data) for blob in body.blobs))

    early, late = added[100:200], added[500:600]
    assert sum(late) / 100 <= 1_100
    assert sum(late) / 100 <= sum(early) / 100 * 1.1
    assert len(body.data) <= 600
    assert same(codec.open(body.data, store.__getitem__), around(rows))


def test_blobs_are_left_out_only_when_they_are_durable() -> None:
    """Until a commit is told of, and after `forget`, every blob is given again."""
    codec = make_codec()
    value = {"rows": [{"text": str(index) * 700} for index in range(100)], "text": "x" * 70_000}
    first, second = codec.seal(value), codec.seal(value)
    codec.stored(blob.digest for blob in first.blobs)
    third = codec.seal(value)
    value["rows"].append({"text": "new" * 300})  # type: ignore[attr-defined]  # a list
    fourth = codec.seal(value)
    codec.forget()
    fifth = codec.seal(value)

    assert len(first.blobs) > 100
    assert (second, third.blobs, third.data) == (first, (), first.data)
    assert 1 <= len(fourth.blobs) <= 4
    assert len(fifth.blobs) > 100


def test_references_reach_every_blob_and_nothing_else() -> None:
    """Following references from the body finds exactly the blobs of the body, children before parents."""
    codec = make_codec()
    value = [Plain({"rows": [("x" * 600, index) for index in range(200)]}, {"k" * 9: "t" * 70_000}), b"z" * 70_000]
    body = codec.seal(value)
    blobs, waiting, found = blobs_of(body), references(body.data), list[str]()
    while waiting:
        digest = waiting.pop()
        if digest not in found:
            found.append(digest)
            waiting.extend(references(blobs[digest]))

    assert set(found) == set(blobs)
    assert all(hashlib.sha256(data).hexdigest() == digest for digest, data in blobs.items())
    seen: set[str] = set()
    for blob in body.blobs:
        assert seen.issuperset(references(blob.data))
        seen.add(blob.digest)


def test_small_values_are_one_piece_and_large_ones_are_not() -> None:
    """A body stays whole up to the bound and names its own bytes."""
    whole, split = CODEC.seal(["x" * 500] * 32), make_codec().seal([str(index) * 500 for index in range(100)])

    assert (whole.blobs, len(whole.data) <= INLINE_BYTES + 1, whole.data[:1]) == ((), True, b"\x00")
    assert split.blobs
    assert len(split.data) < INLINE_BYTES
    assert split.digest == hashlib.sha256(split.data).hexdigest()


def test_many_threads_seal_and_open_at_once() -> None:
    """One codec serves many threads; each gets its own value back."""
    codec, store, failed = make_codec(), dict[str, bytes](), list[BaseException]()

    def work(number: int) -> None:
        try:
            for index in range(30):
                value = [Plain((number, index), {"text": f"{number} {index} " * 200}) for _ in range(60)]
                body = codec.seal(value)
                store.update(blobs_of(body))
                codec.stored(blob.digest for blob in body.blobs)
                assert codec.open(body.data, store.__getitem__) == value
                assert codec.digest(value) == CODEC.digest(value)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []


class Socketish:
    def __init__(self, address: str) -> None:
        self.address = address

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)


class Derived(Socketish):
    pass


def test_extra_codecs_store_what_is_theirs() -> None:
    """A plugin's codec stores a class and its subclasses, needs no declaration, and is looked up by its tag."""
    extra = ExtraCodec(
        "socketish",
        Socketish,
        lambda one: {"kind": type(one).__name__, "address": one.address},
        lambda plain: {"Socketish": Socketish, "Derived": Derived}[plain["kind"]](plain["address"]),
    )
    codec = make_codec(extra)
    body = codec.seal([Socketish("a"), Derived("b")])

    assert codec.open(body.data, no_blobs) == [Socketish("a"), Derived("b")]
    assert CODEC.view(body.data, no_blobs)[1] == {"@type": "socketish", "kind": "Derived", "address": "b"}
    with pytest.raises(UnknownType):
        CODEC.open(body.data, no_blobs)
    with pytest.raises(Unstorable, match=r"`\$\[0\]` cannot be stored: the codec `socketish`"):
        Codec(Types(), [attrs.evolve(extra, encode=lambda one: one.missing)]).seal([Socketish("a")])


@attrs.define
class Leaf:
    node: Node | None


@dataclasses.dataclass
class Node:
    children: list[Node]
    colour: Literal[Colour.RED, "none"]
    leaf: Annotated[Leaf | None, "meta"] = None


class Total(TypedDict, total=False):
    node: dict[str, tuple[Node, ...]]


def test_annotations_reach_nested_classes() -> None:
    """Generics, unions, literals, typed dicts and fields of fields are followed; recursion ends."""
    types_ = Types()
    types_.allow(dict[str, list[Total]])

    assert {types_.tag_of(cls) for cls in (Node, Leaf, Colour)} == {
        f"{__name__}.{name}" for name in ("Node", "Leaf", "Colour")
    }
    assert types_.class_of("os.system") is None


def test_callables_are_followed_as_far_as_they_can_be() -> None:
    """An annotation that cannot be resolved hides no other, and is tried again when its class may be there."""

    @attrs.define
    class Local:
        x: int

    def step(a: Local, b: Missing, *rest: Key) -> Late: ...  # type: ignore[name-defined]  # noqa: F821

    types_ = Types()
    types_.allow_callable(functools.partial(step), {"Local": Local})
    assert types_.tag_of(Local) == f"{__name__}.{Local.__qualname__}"
    assert types_.tag_of(Key)
    assert types_.class_of(f"{__name__}.Late") is None

    late = attrs.make_class("Late", [])
    late.__module__ = __name__
    globals()["Late"] = late
    try:
        assert types_.class_of(f"{__name__}.Late") is late
    finally:
        del globals()["Late"]


def test_a_tag_names_one_class() -> None:
    """A class that is defined again takes its place; another class under the tag is refused."""
    types_ = Types()
    first, second = attrs.make_class("Same", []), attrs.make_class("Same", [])
    types_.register(first)
    types_.register(second)

    assert types_.class_of(types_.tag_of(second) or "") is second
    types_.register(Key, "key")
    with pytest.raises(UsageError, match="`key` names both"):
        types_.register(Leaf, "key")


APP = """
import enum, sys
from dataclasses import dataclass

@dataclass
class Offer:
    apr: float

class Status(enum.Enum):
    OPEN = 1

from omium_core.journal.codec import Codec
from omium_core.journal.types import Types

types = Types()
types.allow(dict[str, Offer | Status])
codec = Codec(types)

if __name__ == "__main__":
    sys.stdout.write(codec.seal({"offer": Offer(2.5), "status": Status.OPEN}).data.hex())
"""


@pytest.mark.parametrize("args", [("app.py",), ("-m", "app")])
def test_a_fresh_process_restores_what_a_script_recorded(tmp_path: Path, args: tuple[str, ...]) -> None:
    """What `python app.py` stored opens in a process that imports `app`."""
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    recorded = run("", *args, cwd=tmp_path)

    opened = run(
        f"import app; print(app.codec.open(bytes.fromhex('{recorded}'), None) == "
        "{'offer': app.Offer(2.5), 'status': app.Status.OPEN})",
        cwd=tmp_path,
    )

    assert opened == "True\n"


def test_importing_the_codec_imports_nothing_heavy() -> None:
    """Neither pydantic nor numpy is loaded for those who do not use them."""
    program = "import sys, omium_core.journal.codec; print({'numpy', 'pydantic', 'zoneinfo'} & set(sys.modules))"

    assert run(program) == "set()\n"


def test_paths_of_another_system_come_back_pure() -> None:
    """A concrete path of Windows is opened elsewhere as a pure one."""
    stored = pack_body(14, ["WindowsPath" if os.name != "nt" else "PosixPath", "a"])
    back = CODEC.open(stored, no_blobs)

    assert isinstance(back, PurePath)
    assert not isinstance(back, Path)
    assert uuid.UUID(int=0) == round_trip(uuid.UUID(int=0))
