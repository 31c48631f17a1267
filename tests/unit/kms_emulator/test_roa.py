"""An ROA product on the gateway: found by method and path, answered with a body of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field

from alibaba_edge.errors import ApiError
from alibaba_edge.gateway.product import (
    Call,
    Found,
    Operation,
    Product,
    Resource,
    Route,
    Secret,
    find_nothing,
)
from alibaba_edge.ports import ROOT_ACCOUNT_ID, AllowEverything, CallRecord, KnownAccessKeys
from kms_emulator.app import KmsSettings, create_app
from kms_emulator.store import MemoryKeyStore

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
VERSION = "2015-12-15"


class Change(BaseModel):
    model_config = ConfigDict(extra="ignore")

    cluster_id: str = Field(max_length=40)
    kms_key_id: str = ""
    disable_encryption: bool = False
    password: Annotated[str, Secret()] = ""


class Grants(BaseModel):
    uid: str
    body: list[dict[str, str]]


async def find_cluster(_service: None, call: Call, request: Change) -> Found[str]:
    arn = f"acs:cs:{call.region}:{call.caller.account_id}:cluster/{request.cluster_id}"
    return Found(call.request_id, (Resource(arn, "ACS::CS::Cluster", request.cluster_id),))


async def change(_service: None, request: Change, request_id: str) -> dict[str, Any]:
    if request.cluster_id == "c404":
        raise ApiError("ErrorClusterNotFound", "no such cluster")
    return {**request.model_dump(), "request_id": request_id}


async def grant(_service: None, request: Grants, _subject: None) -> None:
    assert request.body == [{"cluster": "c1"}]


async def names(_service: None, request: Change, _subject: str) -> list[Any]:
    return [request.cluster_id]


ROWS: tuple[Operation[Any, Any, Any], ...] = (
    Operation(
        "UpdateKMSEncryption",
        Change,
        "Write",
        find_cluster,
        change,
        "cs:UpdateKMSEncryption",
        route=Route("PUT", "/clusters/{cluster_id}/kms"),
        success=202,
    ),
    Operation(
        "Name",
        Change,
        "Read",
        find_cluster,
        names,
        None,
        route=Route("GET", "/clusters/{cluster_id}"),
    ),
    Operation(
        "GrantPermissions",
        Grants,
        "Write",
        find_nothing,
        grant,
        None,
        route=Route("POST", "/permissions/users/{uid}"),
    ),
)
CS = Product("CS", VERSION, ROWS, None, {"ErrorClusterNotFound": 404}, style="ROA")


@dataclass
class Log:
    records: list[CallRecord] = field(default_factory=list)

    async def record(self, call: CallRecord, /) -> None:
        self.records.append(call)


class Debtor:
    """Standing of an account that may look and not touch."""

    async def check(self, account_id: str, product: str, action: str, /) -> None:
        if (account_id, product, action) == (ROOT_ACCOUNT_ID, "CS", "GrantPermissions"):
            raise ApiError("Forbidden.InDebtOverdue", "pay first")

    async def overdue(self, account_id: str, /) -> bool:
        return True


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def client(log: Log) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        KmsSettings(auth="off"),
        store=MemoryKeyStore(),
        identify=KnownAccessKeys(),
        authorizer=AllowEverything(),
        call_log=log,
        now=lambda: NOW,
        products=(CS,),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://cs.cn-beijing.localhost",
        headers={"x-acs-version": VERSION},
    ) as opened:
        yield opened


async def test_path_wins_over_body_and_body_over_query(client: httpx.AsyncClient, log: Log) -> None:
    answer = await client.put(
        "/clusters/c1/kms?kms_key_id=from-query&cluster_id=c2&RegionId=cn-hangzhou",
        json={"kms_key_id": "key-1", "cluster_id": "c3", "password": "hush", "other": 1},
    )
    assert answer.status_code == 202
    assert answer.json()["cluster_id"] == "c1"
    assert answer.json()["kms_key_id"] == "key-1"
    [record] = log.records
    assert record.action == "UpdateKMSEncryption"
    assert record.http_status == 202
    assert record.request_id == answer.json()["request_id"]
    assert record.resource_name == "c1"
    assert record.parameters == {"cluster_id": "c1", "kms_key_id": "key-1"}
    assert record.region == "cn-beijing", "the host decides, as everywhere"


async def test_the_region_may_stand_in_a_header(client: httpx.AsyncClient, log: Log) -> None:
    headers = {"x-acs-region-id": "cn-shanghai", "host": "127.0.0.1"}
    await client.get("/clusters/c1", headers=headers)
    assert log.records[0].region == "cn-shanghai"


async def test_a_list_goes_in_and_comes_out_and_nothing_is_nothing(
    client: httpx.AsyncClient, log: Log
) -> None:
    assert (await client.get("/clusters/c%2F1")).json() == ["c/1"]
    answer = await client.post("/permissions/users/7", json=[{"cluster": "c1"}])
    assert (answer.status_code, answer.content) == (200, b"")
    assert log.records[1].parameters == {"uid": "7", "body": '[{"cluster":"c1"}]'}


async def test_errors_have_both_spellings(client: httpx.AsyncClient) -> None:
    answer = await client.put("/clusters/c404/kms", json={})
    assert answer.status_code == 404
    body = answer.json()
    assert body["code"] == body["Code"] == "ErrorClusterNotFound"
    assert body["message"] == body["Message"] == "no such cluster"
    assert body["requestId"] == body["RequestId"] == answer.headers["x-acs-request-id"]
    assert body["status"] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("PUT", "/clusters/c1/kms", b"{", "ParseRequestParameterException"),
        ("PUT", "/clusters/c1/kms", b"7", "ParseRequestParameterException"),
        ("PUT", "/clusters/c1/kms", b'{"kms_key_id":"\\u0000"}', "ParseRequestParameterException"),
        ("PUT", "/clusters/%00/kms", b"", "ParseRequestParameterException"),
        ("PUT", "/clusters/c1/kms", b"[" * 5000, "ParseRequestParameterException"),
        ("PUT", "/clusters/c1/kms", b'{"disable_encryption":"maybe"}', "InvalidParameter"),
        ("PUT", f"/clusters/{'c' * 41}/kms", b"{}", "InvalidParameter"),
        ("PUT", "/clusters/c1/kms/", b"", "InvalidAction.NotFound"),
        ("PUT", "/clusters//kms", b"", "InvalidAction.NotFound"),
        ("GET", "/clusters/c1/kms", b"", "InvalidAction.NotFound"),
        ("GET", "/", b"", "InvalidAction.NotFound"),
        ("PATCH", "/clusters/c1/kms", b"", "UnsupportedHTTPMethod"),
        ("PUT", "/clusters/c1/kms", b" " * (1024 * 1024 + 1), "RequestTooLarge"),
    ],
)
async def test_bad_requests_are_told_what_is_wrong(
    client: httpx.AsyncClient, method: str, path: str, body: bytes, code: str
) -> None:
    answer = await client.request(method, path, content=body)
    assert answer.status_code in {400, 403, 404, 413}
    assert orjson.loads(answer.content)["Code"] == code


async def test_debts_are_asked_for_before_anything_is_read(log: Log) -> None:
    app = create_app(
        KmsSettings(auth="off"),
        store=MemoryKeyStore(),
        identify=KnownAccessKeys(),
        authorizer=AllowEverything(),
        call_log=log,
        now=lambda: NOW,
        standing=Debtor(),
        products=(CS,),
    )
    transport = httpx.ASGITransport(app)
    headers = {"x-acs-version": VERSION}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://cs.localhost", headers=headers
    ) as cs:
        refused = await cs.post("/permissions/users/7", content=b"[")
        assert refused.json()["code"] == "Forbidden.InDebtOverdue"
        assert (await cs.get("/clusters/c1")).status_code == 200
    assert [record.error_code for record in log.records] == ["Forbidden.InDebtOverdue", None]
