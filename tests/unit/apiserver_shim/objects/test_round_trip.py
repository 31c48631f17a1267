"""What is accepted comes back as it was answered: from storage, in a list, and in a watch event."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apiserver_shim.errors import EncodeError
from apiserver_shim.objects.decoding import FieldValidation, decode_object, patching
from apiserver_shim.objects.errors import BadRequestError
from apiserver_shim.objects.kinds import KINDS
from apiserver_shim.objects.schema import (
    BOOL,
    STRING,
    Bytes,
    Integer,
    List,
    Map,
    Raw,
    Struct,
    Time,
    Type,
)
from apiserver_shim.objects.strategy import Strategy
from apiserver_shim.storage import codec

Object = dict[str, Any]

TIMES = [
    "2026-01-01T08:00:00.999999+08:00",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00.000000Z",
    "0001-01-01T00:00:00.000001Z",
    "0001-01-01T00:00:00Z",
    "0000-12-31T23:59:59.000000Z",
    "0000-01-01T00:00:00Z",
    "0999-01-01T00:00:00.000001Z",
    "2026-02-30T00:00:00Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00,5Z",
    "2026-01-01T00:00:00",
    "2026-W01-1T00:00:00Z",
    "\uff12\uff10\uff12\uff16-01-01T00:00:00Z",
    f"2026-01-01T00:00:00.{'9' * 5000}Z",
    "10000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "",
]
NUMBERS: list[Any] = [0, 1, -1, True, 1.0, 1.5, math.inf, math.nan, 1e300, "1"]
NUMBERS += [(1 << bits) + more for bits in (31, 32, 63, 64) for more in (-1, 0, 1)]
NUMBERS += [-(1 << bits) - more for bits in (31, 32, 63, 64) for more in (-1, 0, 1)]
# half a character is stopped by the parsers of bodies
STRINGS: list[Any] = ["", "\0", "\u2028", "\U0010ffff", "a" * 100_000, 0, 1.5, False]
OTHERS: list[Any] = [None, [], {}, [[]], [None], {"": None}, "x", 7, True]


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"f:a": value}
    return value


FIELDS_V1: list[Any] = [nested(depth) for depth in (99, 100, 240, 300)]
FIELDS_V1 += [{".": {}}, {"k:{": {}}, {"a": [{"]}": '"'}] * 90}, 1 << 64, -0.0, math.inf]
ODD: list[Any] = [*TIMES, *NUMBERS, *STRINGS, *OTHERS, *FIELDS_V1]
ODD += ["YR==", "Y\nQ=\r=", "YQ", "YQ===", "!", "____", "YQ==YQ=="]


def example_of(of: Type) -> Any:
    """Return a value with everything in it that the type can hold."""
    match of:
        case Time():
            return "2026-01-01T00:00:00.000001Z" if of.micro else "2026-01-01T00:00:00Z"
        case Integer():
            return -7
        case Bytes():
            return "YQ=="
        case Raw():
            return {"f:a": {}, "k:{}": [1.5, None]}
        case Map():
            return {"a": example_of(of.values)}
        case List():
            return [example_of(of.items)]
        case Struct():
            return {name: example_of(field) for name, field in of.fields.items()}
        case _:
            return True if of is BOOL else "x"


def whole(strategy: Strategy) -> Object:
    typed = {"kind": strategy.kind, "apiVersion": strategy.api_version}
    return {**example_of(strategy.shape), **typed}


def decoded(strategy: Strategy, body: Object) -> Object:
    return decode_object(strategy, body, FieldValidation("Ignore"))


def came_back(strategy: Strategy, body: Object) -> bool:
    """Check an object that is accepted; tell whether it is.

    The answer to the write is what a reader reads, every answer can hold it, and it may be sent
    back in each form without a change.
    """
    try:
        raw, answered = codec.as_stored(decoded(strategy, body))
    except (BadRequestError, EncodeError):
        return False
    read = codec.decode(raw, strategy.kind)
    assert read == {"metadata": {}, **answered}
    listed = {"kind": f"{strategy.kind}List", "apiVersion": strategy.api_version, "metadata": {}}
    for answer in (read, {"type": "ADDED", "object": read}, {**listed, "items": [read]}):
        assert orjson.loads(orjson.dumps(answer)) == answer
    bare = {name: value for name, value in read.items() if name not in {"kind", "apiVersion"}}
    items = codec.decode_body(codec.encode_body({**listed, "items": [read]}))["items"]
    assert items == [bare]
    for again in (
        decode_object(strategy, read, FieldValidation("Strict")),
        patching(strategy, dict, "", FieldValidation("Strict"))(read),
        decode_object(
            strategy, codec.decode_body(codec.encode_body(read)), FieldValidation("Strict")
        ),
    ):
        assert codec.as_stored(again)[0] == raw
    return True


Put = Callable[[Any], Any]


def within(put: Put, value: Object, name: str) -> Put:
    return lambda new: put({**value, name: new})


def places(value: Any, put: Put) -> Iterator[Put]:
    """Yield, for each place in ``value``, what returns the whole with something else there."""
    yield put
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, within(put, value, name))
    elif isinstance(value, list):
        for item in value:
            yield from places(item, lambda new: put([new]))


@pytest.mark.parametrize("resource", KINDS)
def test_an_odd_value_at_any_place_is_refused_or_comes_back(resource: str) -> None:
    strategy = KINDS[resource]
    example = whole(strategy)
    taken = [
        came_back(strategy, put(odd))
        for name, value in example.items()
        for put in places(value, within(dict, example, name))
        for odd in ODD
    ]
    assert taken.count(True) > 100
    assert taken.count(False) > 1000


@pytest.mark.parametrize("resource", KINDS)
def test_each_field_of_a_kind_is_kept(resource: str) -> None:
    strategy = KINDS[resource]
    sent = decoded(strategy, whole(strategy))
    _, answered = codec.as_stored(sent)
    blank = {"selfLink", "resourceVersion"}
    kept = {name: value for name, value in sent["metadata"].items() if name not in blank}
    assert answered == {**sent, "metadata": kept}


TEXTS = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def values_of(of: Type) -> st.SearchStrategy[Any]:
    """Values of a type, such as a client may send."""
    match of:
        case Time():
            spec = "microseconds" if of.micro else "auto"
            return st.datetimes().map(lambda moment: f"{moment.isoformat(timespec=spec)}Z")
        case Integer():
            limit = 1 << of.bits - 1
            return st.integers(-limit, limit - 1)
        case Bytes():
            return st.sampled_from(["", "YQ==", "YR==", "Y\nQ=\r="])
        case Raw():
            return JSON
        case Map():
            return st.dictionaries(TEXTS, st.none() | values_of(of.values), max_size=2)
        case List():
            return st.lists(st.none() | values_of(of.items), max_size=2)
        case Struct():
            fields = {name: st.none() | values_of(field) for name, field in of.fields.items()}
            return st.fixed_dictionaries({}, optional=fields)
        case _ if of is BOOL:
            return st.booleans()
        case _:
            assert of is STRING
            return TEXTS


@pytest.mark.parametrize("resource", KINDS)
@settings(max_examples=30)
@given(data=st.data())
def test_whatever_fits_comes_back(resource: str, data: st.DataObject) -> None:
    strategy = KINDS[resource]
    typed = {"kind": strategy.kind, "apiVersion": strategy.api_version}
    came_back(strategy, {**data.draw(values_of(strategy.shape)), **typed})
