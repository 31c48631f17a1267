"""Arbitrary and damaged input through the whole gateway: an answer, never a 5xx, never a yes.

Without a socket, so that there can be many tries; `test_error_shape` sends the rest through one.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alibaba_edge.ports import (
    ROOT_ACCESS_KEY,
    AccessKey,
    AllowEverything,
    KnownAccessKeys,
    NullCallLog,
    wall_clock,
)
from alibaba_edge.request import Request
from alibaba_edge.signing.server import rpc_sign, rpc_string_to_sign
from kms_emulator.app import KmsSettings, create_app
from kms_emulator.operations import OPERATIONS
from kms_emulator.service.filters import FILTER_NAMES
from kms_emulator.store import MemoryKeyStore

MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
HELLO = b64encode(b"hello").decode()
BUILT = [row for row in OPERATIONS if row.built]
PARAMETERS = sorted({str(f.alias) for row in BUILT for f in row.request.model_fields.values()})
SESSION = replace(
    ROOT_ACCESS_KEY,
    access_key_id="STS.session",
    security_token="CAISEwoFdG9rZW4SCmZvciBhIHRlc3Q=",
    expires_at=datetime.max.replace(tzinfo=UTC),
)
CONTEXT = {"a": "b", "é": "d"}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(sorted(FILTER_NAMES)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Key", "Values", "TagKey", "TagValue", "Statement", "Version", "Effect", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
).map(json.dumps)
VALUES = st.text(max_size=30) | JSON | st.binary(max_size=80).map(lambda b: b64encode(b).decode())


@dataclass
class Gate:
    """The gateway, strict, with signatures written from the public description (RPC HMAC-SHA1)."""

    client: httpx.AsyncClient
    key_id: str = ""

    def url(self, action: str, parameters: dict[str, str], key: AccessKey = ROOT_ACCESS_KEY) -> str:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        signed = parameters | {
            "Action": action,
            "Version": "2016-01-20",
            "AccessKeyId": key.access_key_id,
            "SignatureNonce": token_hex(8),
            "Timestamp": now,
        }
        request = Request("POST", "/", {}, (*signed.items(), ("Signature", "?")))
        signed["Signature"] = rpc_sign(rpc_string_to_sign(request))(ROOT_ACCESS_KEY.secret)
        return "/?" + "&".join(
            f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in signed.items()
        )

    async def call(self, action: str, **parameters: str) -> httpx.Response:
        return await self.client.post(self.url(action, parameters))

    async def ok(self, action: str, **parameters: str) -> dict[str, Any]:
        answer = await self.call(action, **parameters)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    app = create_app(
        KmsSettings(),
        store=MemoryKeyStore(),
        identify=KnownAccessKeys(ROOT_ACCESS_KEY, SESSION),
        authorizer=AllowEverything(),
        call_log=NullCallLog(),
        now=wall_clock,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://kms.localhost") as client:
        opened = Gate(client)
        opened.key_id = (await opened.ok("CreateKey"))["KeyMetadata"]["KeyId"]
        yield opened


def flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place // 8 % len(data)] ^= 1 << place % 8
    return bytes(changed)


@MANY
@given(
    row=st.sampled_from(BUILT),
    parameters=st.dictionaries(
        st.sampled_from(PARAMETERS)
        | st.sampled_from(["Tag.1.Key", "Tag.2.Value", "ResourceId.1", "EncryptionContext.a"]),
        VALUES,
        max_size=6,
    ),
    real=st.booleans(),
)
async def test_any_parameters_get_an_answer(
    gate: Gate, row: Any, parameters: dict[str, str], real: bool
) -> None:
    if real:
        parameters |= {"KeyId": gate.key_id, "ResourceId.1": gate.key_id, "ResourceType": "key"}
    answer = await gate.call(row.name, **parameters)
    assert answer.status_code < 500, answer.text
    assert answer.json()["RequestId"]


@MANY
@given(place=st.integers(0, 10**6))
async def test_a_blob_with_a_flipped_bit_does_not_open(gate: Gate, place: int) -> None:
    context = json.dumps(CONTEXT)
    sealed = await gate.ok("Encrypt", KeyId=gate.key_id, Plaintext=HELLO, EncryptionContext=context)
    blob = b64encode(flipped(b64decode(sealed["CiphertextBlob"]), place)).decode()
    for operation, more in (
        ("Decrypt", {"EncryptionContext": context}),
        ("ReEncrypt", {"SourceEncryptionContext": context, "DestinationKeyId": gate.key_id}),
    ):
        answer = await gate.call(operation, CiphertextBlob=blob, **more)
        assert answer.json()["Code"] in {"InvalidParameter", "Forbidden.KeyNotFound"}


@MANY
@given(claimed=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3) | JSON)
async def test_only_the_context_that_sealed_opens(
    gate: Gate, claimed: dict[str, str] | str
) -> None:
    sealed = await gate.ok(
        "Encrypt",
        KeyId=gate.key_id,
        Plaintext=HELLO,
        EncryptionContext=json.dumps(CONTEXT),
    )
    text = claimed if isinstance(claimed, str) else json.dumps(claimed)
    answer = await gate.call(
        "Decrypt", CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=text
    )
    assert (answer.status_code == 200) == (claimed == CONTEXT)


@MANY
@given(place=st.integers(0, 10**6))
async def test_a_key_id_with_a_flipped_bit_is_another_key(gate: Gate, place: int) -> None:
    name = flipped(gate.key_id.encode(), place // 8 * 8 + place % 7).decode()
    answer = await gate.call("Encrypt", KeyId=name, Plaintext=HELLO)
    assert answer.json()["Code"] == "Forbidden.KeyNotFound"


@MANY
@given(place=st.integers(0, 10**6), where=st.sampled_from(["value", "character"]))
async def test_a_changed_signature_or_signed_parameter_is_refused(
    gate: Gate, place: int, where: str
) -> None:
    url = gate.url("Encrypt", {"KeyId": gate.key_id, "Plaintext": HELLO})
    head, _, signature = url.partition("&Signature=")
    if where == "value":
        raw = b64decode(signature.replace("%3D", "=").replace("%2B", "+").replace("%2F", "/"))
        url = f"{head}&Signature={quote(b64encode(flipped(raw, place)).decode(), safe='')}"
    else:
        start = head.index("KeyId=") + len("KeyId=")
        at = start + place % len(gate.key_id)
        url = f"{head[:at]}{'0' if head[at] != '0' else '1'}{head[at + 1 :]}&Signature={signature}"
    answer = await gate.client.post(url)
    assert answer.json()["Code"] == "SignatureDoesNotMatch"


@MANY
@given(place=st.integers(0, 10**6))
async def test_an_sts_token_with_a_flipped_bit_is_refused(gate: Gate, place: int) -> None:
    """Honestly signed, so the token alone is wrong."""
    token = SESSION.security_token or ""
    right = gate.url("ListKeys", {"SecurityToken": token}, SESSION)
    assert (await gate.client.post(right)).status_code == 200
    changed = flipped(token.encode(), place // 8 * 8 + place % 7).decode()
    answer = await gate.client.post(gate.url("ListKeys", {"SecurityToken": changed}, SESSION))
    assert answer.json()["Code"] == "InvalidSecurityToken.MismatchWithAccessKey"
