"""Every operation, given nonsense, answers in the protocol's one shape and never with a 5xx."""

from __future__ import annotations

import logging
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alibaba_edge.ports import ROOT_ACCESS_KEY
from kms_emulator.operations import OPERATIONS

if TYPE_CHECKING:
    from tests.contract.kms.conftest import Reply, World

# What is checked here happens before any store is asked.
pytestmark = pytest.mark.parametrize("_server", ["memory"], indirect=True, scope="module")

ROWS = {row.name: row for row in OPERATIONS}
BUILT = [name for name, row in ROWS.items() if row.built]
ABSENT = "99999999-9999-4999-8999-999999999999"
BAD_VALUES = (
    "",
    "null",
    "[]",
    "{",
    '{"a":1}',
    "-1",
    "1e9",
    "99999999999999999999999",
    "!not base64!",
    "alias/",
    "acs:kms:::",
    "\0\x1b",
    "é" * 300,
    b64encode(b"x" * 7000).decode(),
)


def check_shape(reply: Reply) -> None:
    assert 400 <= reply.status < 500, reply
    assert reply.body["HttpStatus"] == reply.status
    assert str(UUID(reply.body["RequestId"])) == reply.body["RequestId"]
    for name in ("HostId", "Code", "Message", "Recommend"):
        assert isinstance(reply.body[name], str)
        assert reply.body[name]
    assert "Traceback" not in reply.body["Message"]


UNREADABLE = b64encode(ABSENT.encode() + b"\x01" + bytes(40)).decode()
KEYLESS = {
    "CreateKey",
    "DescribeAccountKmsStatus",
    "DescribeRegions",
    "ListAliases",
    "ListKeys",
    "ListPolicies",
    "OpenKmsService",
}


def valid(world: World, name: str, key_id: str, *, blob: str = UNREADABLE) -> dict[str, str]:
    """Parameters that make the operation succeed on this key, or nearly."""
    if name in KEYLESS:
        return {}
    subject = world.subject(key_id, ABSENT, "alias/sweep", blob, token=blob, wrapped=blob)
    return subject.parameters(name) | ({"AliasName": "alias/sweep"} if "Alias" in name else {})


@pytest.mark.parametrize("name", ROWS)
def test_a_key_that_does_not_exist(world: World, name: str) -> None:
    for key_id in (ABSENT, "no key at all", f"acs:kms:cn-hangzhou:1000000000000001:key/{ABSENT}"):
        reply = world.call(name, **valid(world, name, key_id))
        if not ROWS[name].built:
            check_shape(reply)
            assert (reply.status, reply.code) == (400, "UnsupportedOperation.NotBuilt")
        elif name not in KEYLESS:
            check_shape(reply)
            assert reply.code in {"Forbidden.KeyNotFound", "Forbidden.AliasNotFound"}


@pytest.mark.parametrize("name", BUILT)
def test_missing_parameters_are_named(world: World, name: str) -> None:
    required = [
        info.alias for info in ROWS[name].request.model_fields.values() if info.is_required()
    ]
    complete = valid(world, name, world.create_key())
    for parameter in required:
        assert parameter
        given = {n: v for n, v in complete.items() if n.partition(".")[0] != parameter}
        reply = world.call(name, **given)
        check_shape(reply)
        assert reply.code == "MissingParameter"
        assert f'"{parameter}"' in reply.body["Message"]


@pytest.mark.parametrize("name", BUILT)
def test_nonsense_in_any_parameter(
    world: World, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    complete = valid(world, name, world.create_key())
    with caplog.at_level(logging.ERROR):
        for info in ROWS[name].request.model_fields.values():
            for value in BAD_VALUES:
                reply = world.call(name, **{**complete, str(info.alias): value})
                if reply.status != 200:
                    check_shape(reply)
    assert caplog.records == [], "nothing nonsensical may reach the log of our own failures"


@pytest.mark.parametrize("name", ROWS)
def test_a_wrong_signature(world: World, name: str) -> None:
    reply = world.call(name, replace(ROOT_ACCESS_KEY, secret="guess"))
    check_shape(reply)
    assert reply.code == "SignatureDoesNotMatch"
    assert "server string to sign is:" in reply.body["Message"]
    assert world.records == []


@pytest.mark.parametrize("name", ROWS)
def test_a_denied_user(world: World, name: str) -> None:
    row = ROWS[name]
    if row.ram_action is None:
        return
    actions = {"kms:ReEncryptFrom", "kms:ReEncryptTo"} if name == "ReEncrypt" else {row.ram_action}
    world.refused.update(("alice", action) for action in actions)
    key_id = world.create_key()
    world.call("CreateAlias", KeyId=key_id, AliasName="alias/sweep")
    sealed = world.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=")
    parameters = valid(world, name, key_id, blob=sealed.body["CiphertextBlob"])
    reply = world.call(name, world.alice, **parameters)
    check_shape(reply)
    assert (reply.status, reply.code) == (403, "Forbidden.NoPermission")
    assert reply.body["AccessDeniedDetail"]["AuthAction"] in actions
    world.call("DeleteAlias", AliasName="alias/sweep")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"&".join(b"%d=" % n for n in range(5000)), "application/x-www-form-urlencoded"),
        (b"x" * 5_000_000, "application/octet-stream"),
    ],
)
def test_a_bad_body(world: World, body: bytes, content_type: str) -> None:
    headers = {"content-type": content_type}
    url = f"{world.url}/?Action=ListKeys&Version=2016-01-20"
    check_shape(world.send(httpx.Request("POST", url, content=body, headers=headers)))


def test_a_replayed_request(world: World) -> None:
    request = world.signed("ListKeys", ROOT_ACCESS_KEY, {})
    assert world.send(request).status == 200
    reply = world.send(request)
    check_shape(reply)
    assert reply.code == "SignatureNonceUsed"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    query=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
    headers=st.dictionaries(
        st.sampled_from(["authorization", "x-acs-action", "x-acs-version", "x-acs-date", "date"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(str.strip),
    ),
    body=st.binary(max_size=60),
)
def test_arbitrary_requests(world: World, query: str, headers: dict[str, str], body: bytes) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    request = httpx.Request("POST", f"{world.url}/?{query}", headers=headers | form, content=body)
    check_shape(world.send(request))
