"""The gateway without a socket: records, refusals, and bodies no client would send."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from alibaba_edge.gateway.authentication import AuthMode
from alibaba_edge.gateway.product import NoParameters, Operation, Product, find_nothing
from alibaba_edge.ports import (
    ROOT_ACCESS_KEY,
    ROOT_ACCESS_KEY_ID,
    ROOT_ACCOUNT_ID,
    Caller,
    CallRecord,
    Decision,
    KnownAccessKeys,
)
from kms_emulator.app import KmsSettings, create_app
from kms_emulator.store import MemoryKeyStore

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BROKEN_VERSION = "2000-01-01"


@dataclass
class Trail:
    """Call log and authorizer in one, to see their order."""

    records: list[CallRecord] = field(default_factory=list)
    asked: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)
    broken: bool = False

    async def record(self, call: CallRecord, /) -> None:
        if self.broken:
            raise OSError("disk full")
        self.records.append(call)

    async def decide(
        self, caller: Caller, action: str, /, *, resource: str, context: Mapping[str, str]
    ) -> Decision:
        self.asked.append((action, resource, context))
        refused = action in self.refuse or resource in self.refuse
        return Decision.IMPLICIT_DENY if refused else Decision.ALLOW


async def explode(_service: Any, _request: NoParameters, _subject: None) -> dict[str, Any]:
    raise RuntimeError("secret detail of ours")


BROKEN = Product(
    "Broken",
    BROKEN_VERSION,
    (Operation("Explode", NoParameters, "Write", find_nothing, explode, ram_action=None),),
    service=None,
)


@dataclass
class Gate:
    client: httpx.AsyncClient
    trail: Trail

    async def call(self, action: str, **parameters: str) -> httpx.Response:
        common = {"Action": action, "Version": "2016-01-20", "AccessKeyId": ROOT_ACCESS_KEY_ID}
        return await self.client.post("/", params=common | parameters)

    async def key(self) -> str:
        answer = await self.call("CreateKey")
        self.trail.records.clear()
        self.trail.asked.clear()
        return str(answer.json()["KeyMetadata"]["KeyId"])


def gate(auth: AuthMode) -> Gate:
    trail = Trail()
    app = create_app(
        KmsSettings(auth=auth),
        store=MemoryKeyStore(),
        identify=KnownAccessKeys(ROOT_ACCESS_KEY),
        authorizer=trail,
        call_log=trail,
        now=lambda: NOW,
        products=(BROKEN,),
    )
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 1234))
    return Gate(httpx.AsyncClient(transport=transport, base_url="http://kms.localhost"), trail)


@pytest.fixture
async def off() -> AsyncIterator[Gate]:
    opened = gate("off")
    yield opened
    await opened.client.aclose()


@pytest.fixture
async def soft() -> AsyncIterator[Gate]:
    """Asks the authorizer as strict does, without a signature in every test."""
    opened = gate("soft")
    yield opened
    await opened.client.aclose()


async def test_a_call_is_recorded_once_with_everything_but_secrets(off: Gate) -> None:
    key_id = await off.key()
    answer = await off.call(
        "Encrypt",
        KeyId=key_id,
        Plaintext="aGVsbG8=",
        EncryptionContext='{"a":"b"}',
        Signature="forged",
        SecurityToken="token",
        Unknown="Plaintext in disguise",
    )
    [record] = off.trail.records
    assert record == CallRecord(
        request_id=answer.json()["RequestId"],
        time=NOW,
        product="Kms",
        version="2016-01-20",
        action="Encrypt",
        access="Read",
        caller=ROOT_ACCESS_KEY.caller,
        region="cn-hangzhou",
        source_ip="192.0.2.7",
        user_agent=answer.request.headers["user-agent"],
        host="kms.localhost",
        parameters={"KeyId": key_id, "EncryptionContext": '{"a":"b"}'},
        http_status=200,
        resource_type="ACS::KMS::Key",
        resource_name=key_id,
        billable="CryptographicCalls",
        price_class="basic",
        key_id=key_id,
    )
    assert answer.headers["x-acs-request-id"] == record.request_id


async def test_a_failed_call_is_recorded_and_not_billed(off: Gate) -> None:
    key_id = await off.key()
    await off.call("DisableKey", KeyId=key_id)
    await off.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=")
    await off.call("Encrypt", KeyId=key_id, Plaintext="!")
    outcomes = [(r.http_status, r.error_code, r.key_id, r.billable) for r in off.trail.records]
    assert outcomes == [
        (200, None, key_id, None),
        (409, "Rejected.Disabled", key_id, None),
        (400, "InvalidParameter", None, None),
    ]


async def test_calls_on_nothing_known_are_recorded_too(off: Gate) -> None:
    await off.call("NoSuchAction" * 100)
    await off.call("ListKeys", Version="1999-01-01")
    await off.call("CreateSecret")
    await off.call("ListKeys", RegionId="cn-nowhere")
    seen = [(r.product, r.action[:12], r.http_status, r.error_code) for r in off.trail.records]
    assert seen == [
        ("Kms", "NoSuchAction", 404, "InvalidAction.NotFound"),
        ("", "ListKeys", 400, "InvalidVersion"),
        ("Kms", "CreateSecret", 400, "UnsupportedOperation.NotBuilt"),
        ("Kms", "ListKeys", 404, "InvalidRegionId.NotFound"),
    ]
    assert max(len(record.action) for record in off.trail.records) <= 128


async def test_a_call_of_nobody_is_answered_and_not_recorded() -> None:
    strict = gate("strict")
    answer = await strict.call("ListKeys", Signature="forged")
    assert answer.status_code == 400
    assert strict.trail.records == []
    await strict.client.aclose()


async def test_every_resource_is_asked_for_before_anything_happens(soft: Gate) -> None:
    key_id = await soft.key()
    await soft.call("CreateAlias", KeyId=key_id, AliasName="alias/a")
    where = f"acs:kms:cn-hangzhou:{ROOT_ACCOUNT_ID}"
    assert [(action, resource) for action, resource, _ in soft.trail.asked] == [
        ("kms:CreateAlias", f"{where}:alias/a"),
        ("kms:CreateAlias", f"{where}:key/{key_id}"),
    ]
    assert soft.trail.asked[0][2] == {
        "acs:SourceIp": "192.0.2.7",
        "acs:CurrentTime": "2026-05-01T12:00:00Z",
        "acs:SecureTransport": "false",
        "acs:MFAPresent": "false",
    }


async def test_soft_lets_a_refusal_pass_and_says_so(
    soft: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    soft.trail.refuse.add("kms:ListKeys")
    with caplog.at_level(logging.WARNING):
        assert (await soft.call("ListKeys")).status_code == 200
    assert "kms:ListKeys" in caplog.text


async def test_off_does_not_ask(off: Gate) -> None:
    assert (await off.call("ListKeys")).status_code == 200
    assert off.trail.asked == []


async def test_a_bug_answers_blandly_and_is_recorded(
    off: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await off.call("Explode", Version=BROKEN_VERSION)
    assert answer.status_code == 500
    assert answer.json()["Code"] == "InternalFailure"
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text
    assert [r.error_code for r in off.trail.records] == ["InternalFailure"]


async def test_what_cannot_be_recorded_is_not_acknowledged(off: Gate) -> None:
    key_id = await off.key()
    off.trail.broken = True
    answer = await off.call("Encrypt", KeyId=key_id, Plaintext="aGVsbG8=")
    assert answer.status_code == 500
    assert "CiphertextBlob" not in answer.text


async def test_headers_name_the_action_as_well(off: Gate) -> None:
    headers = {"x-acs-action": "ListKeys", "x-acs-version": "2016-01-20"}
    assert "Keys" in (await off.client.get("/", headers=headers)).json()


async def test_unsigned_headers_add_nothing_to_signed_parameters(off: Gate) -> None:
    parameters = {"Action": "ListKeys", "Version": "2016-01-20", "Signature": "s"}
    headers = {"x-acs-action": "CreateKey", "x-acs-version": "1999-01-01"}
    answer = await off.client.get("/", params=parameters, headers=headers)
    assert "Keys" in answer.json()
    del parameters["Action"]
    answer = await off.client.get("/", params=parameters, headers=headers)
    assert answer.json()["Code"] == "InvalidAction.NotFound"


async def test_query_and_form_are_merged(off: Gate) -> None:
    form = {"Action": "ListKeys", "Version": "2016-01-20", "PageSize": "3"}
    answer = await off.client.post("/?Action=ListKeys&PageNumber=2", data=form)
    assert (answer.json()["PageNumber"], answer.json()["PageSize"]) == (2, 3)


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("Action=ListKeys", "Action=CreateKey"),
        ("Action=ListKeys&PageSize=1&PageSize=2", ""),
        ("Action=ListKeys", "PageSize=1&PageSize=2"),
        ("Action=ListKeys&PageSize=1&PageSize=", ""),
    ],
)
async def test_a_parameter_has_one_value(off: Gate, query: str, form: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    url = f"/?Version=2016-01-20&{query}"
    answer = await off.client.post(url, content=form, headers=headers)
    assert (answer.status_code, answer.json()["Code"]) == (400, "ParseRequestParameterException")
    assert "is given twice" in answer.json()["Message"]


async def test_a_body_of_five_megabytes_is_refused_clearly(off: Gate) -> None:
    answer = await off.client.post("/", content=b"x" * 5_000_000)
    assert (answer.status_code, answer.json()["Code"]) == (413, "RequestTooLarge")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b"x" * 65536

    answer = await off.client.post("/", content=pieces())
    assert (answer.status_code, answer.json()["Code"]) == (413, "RequestTooLarge")


@pytest.mark.parametrize(
    "body", [b"&".join(b"a%d=1" % n for n in range(2000)), b"Action=\xff", b"%00=%ff&&&;==="]
)
async def test_unreadable_forms_are_the_clients_fault(off: Gate, body: bytes) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await off.client.post("/", content=body, headers=form)
    assert answer.status_code in {400, 404}
    assert answer.json()["Code"]


async def test_other_methods_and_paths_get_the_apis_own_error(off: Gate) -> None:
    url = "/?Action=ListKeys&Version=2016-01-20"
    refused = await off.client.put(url)
    assert (refused.status_code, refused.json()["Code"]) == (403, "UnsupportedHTTPMethod")
    lost = await off.client.get(url.replace("/?", "/elsewhere?"))
    assert (lost.status_code, lost.json()["Code"]) == (404, "InvalidAction.NotFound")


async def test_errors_are_the_union_of_what_clients_read(off: Gate) -> None:
    answer = await off.call("DescribeKey", KeyId="nothing")
    assert answer.headers["content-type"] == "application/json;charset=utf-8"
    body = answer.json()
    assert body.pop("RequestId")
    assert body == {
        "HttpStatus": 404,
        "HostId": "kms.localhost",
        "Code": "Forbidden.KeyNotFound",
        "Message": "The specified Key is not found.",
        "Recommend": "https://api.alibabacloud.com/troubleshoot?q=Forbidden.KeyNotFound",
    }


async def test_xml_is_for_those_who_ask(off: Gate) -> None:
    await off.call("CreateKey", Description="<&>")
    listed = await off.call("ListKeys", Format="XML")
    assert listed.headers["content-type"] == "text/xml;charset=utf-8"
    assert "<ListKeysResponse><Keys><Key><KeyId>" in listed.text
    error = await off.call("DescribeKey", Format="xml", KeyId="<x>")
    assert "<Error><HttpStatus>404</HttpStatus>" in error.text
    for form in ("JSON", "None", ""):
        assert (await off.call("ListKeys", Format=form)).json()["Keys"]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"host": "evil.example"}, 400, "InvalidHost"),
        ({"origin": "http://evil.example"}, 403, "Forbidden.WebPage"),
        ({"sec-fetch-site": "cross-site"}, 403, "Forbidden.WebPage"),
    ],
)
@pytest.mark.parametrize("path", ["/?Action=ListKeys&Version=2016-01-20", "/healthz", "/clusters"])
async def test_no_page_elsewhere_reaches_any_path(
    off: Gate, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await off.client.post(path, headers=headers)
    assert (answer.status_code, answer.json()["Code"]) == (status, code)
    assert answer.json()["HostId"]
    assert off.trail.records == []
