"""Selectors: grammar, matching, complaints."""

from typing import Any

import pytest

from apiserver_shim.objects import selectors
from apiserver_shim.objects.errors import BadRequestError
from apiserver_shim.objects.kinds import KINDS

SECRETS = KINDS["secrets"]


def labelled(**labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "x", "namespace": "ns", "labels": labels}}


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("a", {"a": ""}, True),
        ("a", {}, False),
        ("!a", {}, True),
        ("!a", {"a": "1"}, False),
        ("a=1", {"a": "1"}, True),
        ("a==1", {"a": "2"}, False),
        ("a=", {"a": ""}, True),
        ("a!=1", {}, True),
        ("a!=1", {"a": "1"}, False),
        ("a in (1,2)", {"a": "2"}, True),
        ("a in (1, 2)", {"a": "3"}, False),
        ("a in (1)", {}, False),
        ("a in ()", {"a": ""}, True),
        ("a notin (1,2)", {}, True),
        ("a notin (1,2)", {"a": "1"}, False),
        ("a>5", {"a": "6"}, True),
        ("a>5", {"a": "5"}, False),
        ("a<5", {"a": "x"}, False),
        ("a=1,b=2", {"a": "1", "b": "2"}, True),
        ("a=1,b=2", {"a": "1"}, False),
        ("in in (in)", {"in": "in"}, True),
        ("example.com/a=1,!b", {"example.com/a": "1"}, True),
        ("  a = 1 ", {"a": "1"}, True),
    ],
)
def test_label_selectors(text: str, labels: dict[str, str], expected: bool) -> None:
    selector = selectors.parse(SECRETS, labels=text)
    assert selector.matches(labelled(**labels)) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=1,", "found '', expected: identifier after ','"),
        (",a", "found ',', expected: !, identifier, or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: !=, <, =, ==, >, in, notin"),
        ("a in 1", "unable to parse requirement: found '1' expected: '('"),
        ("a=1 b", "found 'b', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a in (1", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a>x", "unable to parse requirement: values[0]: Invalid value: "),
        ("-=1", 'unable to parse requirement: key: Invalid value: "-": '),
        ("a=-", 'unable to parse requirement: values[0][a]: Invalid value: "-": '),
    ],
)
def test_label_selector_complaints(text: str, message: str) -> None:
    with pytest.raises(BadRequestError) as error:
        selectors.parse(SECRETS, labels=text)
    assert error.value.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata.name=x", True),
        ("metadata.name==x,metadata.name=x", True),
        ("metadata.name!=x", False),
        ("metadata.name=x,metadata.namespace=other", False),
        ("type=Opaque", True),
        ("type=a\\,b", False),
        ("", True),
    ],
)
def test_field_selectors(text: str, expected: bool) -> None:
    selector = selectors.parse(SECRETS, fields=text)
    assert selector.matches({**labelled(), "type": "Opaque"}) is expected


def test_field_values_may_hold_escaped_characters() -> None:
    selector = selectors.parse(SECRETS, fields=r"type=a\,b\=c\\d")
    assert selector.matches({**labelled(), "type": r"a,b=c\d"})


@pytest.mark.parametrize("text", ["x", "metadata.name=a=b", r"metadata.name=a\b", "spec.x=1"])
def test_field_selector_complaints(text: str) -> None:
    with pytest.raises(BadRequestError):
        selectors.parse(SECRETS, fields=text)


def test_only_an_exact_name_narrows_to_one_key() -> None:
    assert selectors.parse(SECRETS, fields="metadata.name=a").name == "a"
    assert selectors.parse(SECRETS, fields="metadata.name!=a").name is None
    assert selectors.parse(SECRETS, labels="a").name is None
