"""What a document must look like, and where it says that it does not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acksim.account.ram.documents import policy_document, trust_document
from acksim.account.ram.errors import MalformedPolicyError, TooLongError
from acksim.account.ram.evaluation import NamedDocument, PolicySet

GOOD = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
TRUST = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"Service": "cs.aliyuncs.com"},
}


def with_statement(base: dict[str, Any], **parts: Any) -> str:
    """The document; None takes a part away."""
    statement = {name: value for name, value in {**base, **parts}.items() if value is not None}
    return json.dumps({"Version": "1", "Statement": [statement]})


@pytest.mark.parametrize(
    "parts",
    [
        {"Action": ["kms:Encrypt", "*:Get*", "ram:Get?ole"]},
        {"Action": None, "NotAction": "kms:*"},
        {"Resource": ["acs:kms:*:*:key/*", "acs:ram::1000000000000001:user/a.b@c"]},
        {"Resource": None, "NotResource": "*"},
        {"Condition": {}},
        {"Condition": {"Bool": {"acs:SecureTransport": True}}},
        {"Condition": {"NumericLessThan": {"a": [1, "2"]}, "StringLike": {"b": "x*"}}},
    ],
)
def test_good_documents(parts: dict[str, Any]) -> None:
    assert len(policy_document(with_statement(GOOD, **parts)).statements) == 1


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"Effect": None}, "Statement[0].Effect: is missing"),
        ({"Effect": "allow"}, "Statement[0].Effect"),
        ({"Action": None}, "Statement[0].Action"),
        ({"NotAction": "kms:*"}, "Statement[0].Action: needs either this or NotAction"),
        ({"Action": []}, "Statement[0].Action"),
        ({"Action": 5}, "Statement[0].Action"),
        ({"Action": ["kms:*", 5]}, "Statement[0].Action[1]"),
        ({"Action": "kms Encrypt"}, "Statement[0].Action"),
        ({"Action": "kms:"}, "Statement[0].Action"),
        ({"Resource": None}, "Statement[0].Resource"),
        ({"Resource": "key/k"}, "Statement[0].Resource"),
        ({"Resource": ["*", "acs:kms:key"]}, "Statement[0].Resource[1]"),
        ({"Principal": {"RAM": "*"}}, "Statement[0].Principal: is not known here"),
        ({"Sid": "x"}, "Statement[0].Sid"),
        ({"Condition": []}, "Statement[0].Condition"),
        ({"Condition": {"StringIs": {"a": "b"}}}, "Statement[0].Condition.StringIs"),
        ({"Condition": {"Bool": {}}}, "Statement[0].Condition.Bool"),
        ({"Condition": {"Bool": {"a": []}}}, "Statement[0].Condition.Bool.a"),
        ({"Condition": {"Bool": {"a": [{}]}}}, "Statement[0].Condition.Bool.a"),
    ],
)
def test_the_place_of_a_mistake_is_named(parts: dict[str, Any], place: str) -> None:
    with pytest.raises(MalformedPolicyError) as raised:
        policy_document(with_statement(GOOD, **parts))
    assert place in raised.value.message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "not JSON"),
        ("[]", "has to be an object"),
        ("null", "has to be an object"),
        ('{"Version":"1"}', "Statement: is missing"),
        ('{"Version":1,"Statement":[{}]}', "Version"),
        ('{"Version":"1","Statement":{}}', "Statement: has to be a list"),
        ('{"Version":"1","Statement":[]}', "Statement: has to be a list of at least one"),
        ('{"Version":"1","Statement":[5]}', "Statement[0]: has to be an object"),
        ('{"Version":"1","Statement":[{}],"Id":"a"}', "Id: is not known here"),
        ("[" * 5000, "not JSON"),
    ],
)
def test_mistakes_at_the_top(text: str, place: str) -> None:
    with pytest.raises(MalformedPolicyError) as raised:
        policy_document(text)
    assert place in raised.value.message


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"Resource": "*"}, "Statement[0].Resource"),
        ({"Principal": None}, "Statement[0].Principal"),
        ({"Principal": {}}, "names nobody"),
        ({"Principal": "*"}, "Statement[0].Principal"),
        ({"Principal": {"AWS": "x"}}, "Statement[0].Principal.AWS"),
        ({"Principal": {"RAM": "acs:ram::1:root"}}, "Statement[0].Principal.RAM"),
        ({"Principal": {"RAM": ["*"]}}, "Statement[0].Principal.RAM[0]"),
        ({"Principal": {"Service": "cs"}}, "Statement[0].Principal.Service"),
        ({"Action": "kms:Decrypt"}, "Statement[0].Action"),
    ],
)
def test_the_place_of_a_mistake_in_a_trust(parts: dict[str, Any], place: str) -> None:
    with pytest.raises(MalformedPolicyError) as raised:
        trust_document(with_statement(TRUST, **parts))
    assert place in raised.value.message


def test_lengths() -> None:
    with pytest.raises(TooLongError, match="PolicyDocument"):
        policy_document(" " * 6145)
    with pytest.raises(TooLongError, match="AssumeRolePolicyDocument"):
        trust_document(" " * 2049)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Version", "Statement", "Effect", "Action", "Resource", "Condition", "Principal"]
            ),
            inside,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values, st.booleans())
def test_whatever_comes_is_refused_or_can_be_asked(value: Any, wrapped: bool) -> None:
    document = {"Version": "1", "Statement": [value]} if wrapped else value
    text = json.dumps(document)
    try:
        policy_document(text)
    except MalformedPolicyError:
        return
    PolicySet([NamedDocument("Custom", "p", "v1", text, "")]).decide("a:b", "acs:a:::b", {})
