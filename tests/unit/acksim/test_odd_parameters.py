"""Every parameter of every operation of every product, in shapes that nobody meant.

Each is taken or refused by a name. All are parsed; all go through the whole gateway, too, signed,
where `CI` is set, one in 23 elsewhere. The walk follows the rows, so that a new operation
or parameter is in it by itself.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from acksim.account.actiontrail.product import OPERATIONS as TRAIL_OPERATIONS
from acksim.account.bss.operations import OPERATIONS as BSS_OPERATIONS
from acksim.account.ram.operations import OPERATIONS as RAM_OPERATIONS
from acksim.account.sts.product import OPERATIONS as STS_OPERATIONS
from acksim.ack.cs import OPERATIONS as CS_OPERATIONS
from alibaba_edge.errors import ApiError
from alibaba_edge.gateway.dispatch import WHOLE_BODY
from alibaba_edge.gateway.product import Operation
from kms_emulator.operations import OPERATIONS as KMS_OPERATIONS
from tests.effort import examples
from tests.unit.acksim.ack.conftest import a_cluster
from tests.unit.acksim.cloud import Cloud
from tests.unit.acksim.policy_cases import ACCOUNT, document, permission, trust

Row = Operation[Any, Any, Any]

KMS, CS = "2016-01-20", "2015-12-15"
RPC: dict[str, tuple[Row, ...]] = {
    KMS: KMS_OPERATIONS,
    "2015-05-01": RAM_OPERATIONS,
    "2015-04-01": STS_OPERATIONS,
    "2020-07-06": TRAIL_OPERATIONS,
    "2017-12-14": BSS_OPERATIONS,
}
TOGETHER = 64
STEP = examples(23, ci=1)
UNNAMED = {"InternalFailure", "InternalError"}

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 10, 1.5, 1e300, 10**30, "", "x", [], {}, [1], [None], [[]], [{}],
    ["a", 1], [{"Key": 1}], [{"Key": None}], [{"Key": "a"}], [{"Key": "a", "Value": {}}],
    [{"Key": []}], [{"Key": "a"}, {"Key": "a"}], [{"key": "a", "value": 1}],
    {"Key": "a"}, {"a": None}, {"a": {"b": [1]}}, ["\ud800"], {"\ud800": "\udfff"}, "a" * 5000,
    [0] * 300, {"": ""},
)  # fmt: skip
"""What a parameter can be as JSON: the body of CS has it so, the others its text."""
TEXTS = (
    "x", "٣", "\U0001f600", "a\nb", " ", "%", "NaN", "1e999", "-", "0x1", "9" * 30, "[" * 2000,
    '{"a":' * 300, '"x', "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0000-00-00", "9999-12",
    "YQ==", "=", "a=b&c", "acs:ram::1:role/x", "/", "..", "x" * 5000,
)  # fmt: skip
SUFFIXES = (
    ".1", ".0", ".2.Key", ".0.Key", ".1.Key", ".1.Key.2", ".1.Value", ".1.", ".x", ".x.Key",
    ".-1.Key", ".01.Key", ".99999999999.Key", ".999999999.Key", ".A.B.C", ".", "..", ".٣.Key",
)  # fmt: skip


def rpc_shapes(name: str) -> Iterator[dict[str, str]]:
    """The parameter as a text, as JSON, and in parts."""
    for value in VALUES:
        yield {name: json.dumps(value)}
    for text in TEXTS:
        yield {name: text}
    for suffix in SUFFIXES:
        yield {f"{name}{suffix}": "x"}
    yield {f"{name}.1": "x", f"{name}.1.Key": "x"}
    yield {f"{name}.1.Key": "x", f"{name}.1": "x"}
    yield {name: "x", f"{name}.1.Key": "x"}


def names_of(row: Row) -> list[str]:
    """Of all its parameters, on the wire."""
    fields = row.request.model_fields
    return [field.alias or name for name, field in fields.items()]


class Walker:
    """Sends calls, many at a time, and keeps what went wrong."""

    def __init__(self, cloud: Cloud, good: dict[str, str]) -> None:
        self.cloud = cloud
        self.good = good
        self.sent = 0
        self.unnamed: list[str] = []
        self._slots = asyncio.Semaphore(TOGETHER)

    async def rpc(self, version: str, row: Row, odd: dict[str, str]) -> None:
        """With good values for all other parameters."""
        others = {name: self.good[name] for name in names_of(row) if name in self.good}
        whole = {given.partition(".")[0] for given in odd}
        given = {name: value for name, value in others.items() if name not in whole} | odd
        async with self._slots:
            answer = await self.cloud.call(row.name, given, version=version)
        self._note(answer, f"{row.name} {odd}")

    async def cs(self, row: Row, path: dict[str, str], query: dict[str, str], body: Any) -> None:
        route = row.route
        assert route is not None
        filled = route.path
        for name, value in {"cluster_id": "c" + "1" * 32, **path}.items():
            filled = filled.replace(f"{{{name}}}", quote(value, safe="") or "x")
        filled = filled.replace("{", "").replace("}", "").replace("*", "x")
        async with self._slots:
            answer = await self.cloud.send(route.method, filled, row.name, CS, query, body)
        self._note(answer, f"{row.name} {path} {query} {body}")

    def _note(self, answer: httpx.Response, what: str) -> None:
        self.sent += 1
        body = answer.json() if answer.content else {}
        code = body.get("Code") if isinstance(body, dict) else None
        if code in UNNAMED or (answer.status_code >= 500 and not code):
            self.unnamed.append(f"{answer.status_code} {what[:300]}")


@pytest.fixture
async def walker(tmp_path: Path) -> AsyncIterator[Walker]:
    async with await Cloud.open(tmp_path) as cloud:
        ram = "2015-05-01"
        made = await cloud.ok("CreateKey", {"DKMSInstanceId": "kst-acksim-software"})
        text = document(trust("Allow"))
        await cloud.ok("CreateUser", {"UserName": "alice"}, version=ram)
        role = {"RoleName": "clerk", "AssumeRolePolicyDocument": text}
        await cloud.ok("CreateRole", role, version=ram)
        await cloud.plane.store.insert(a_cluster())
        yield Walker(
            cloud,
            {
                "KeyId": made["KeyMetadata"]["KeyId"],
                "Plaintext": "aGVsbG8=",
                "Policy": "",
                "RegionId": "cn-hangzhou",
                "ResourceType": "key",
                "UserName": "alice",
                "GroupName": "people",
                "RoleName": "clerk",
                "PolicyName": "p",
                "PolicyType": "Custom",
                "PolicyDocument": document(permission("Allow")),
                "AssumeRolePolicyDocument": text,
                "RoleArn": f"acs:ram::{ACCOUNT}:role/clerk",
                "RoleSessionName": "desk",
                "BillingCycle": "2026-01",
            },
        )


def assert_named(walker: Walker, caplog: pytest.LogCaptureFixture) -> None:
    assert walker.sent
    assert not walker.unnamed, walker.unnamed[:10]
    assert not [record.getMessage() for record in caplog.records if record.exc_info]


def rpc_cases(version: str) -> Iterator[tuple[Row, dict[str, str]]]:
    for row in RPC[version]:
        for name in [*names_of(row), "RegionId", "Format"] if row.built else ["RegionId"]:
            for odd in rpc_shapes(name):
                yield row, odd


@dataclass(frozen=True, slots=True)
class RoaCase:
    row: Row
    path: dict[str, str]
    query: dict[str, str]
    body: Any = None


def cs_cases() -> Iterator[RoaCase]:
    """In the path, in the query, in the body, and as the body."""
    for row in CS_OPERATIONS:
        assert row.route is not None
        good = {"name": "shop"} if row.name == "CreateCluster" else {}
        for name in names_of(row):
            for text in TEXTS:
                if f"{{{name}}}" in row.route.path:
                    yield RoaCase(row, {name: text}, {})
                else:
                    yield RoaCase(row, {}, {name: text})
            for value in VALUES:
                yield RoaCase(row, {}, {}, {**good, name: value})
        for value in VALUES if row.built else VALUES[:1]:
            yield RoaCase(row, {}, {}, value)
        for text in TEXTS if row.built else TEXTS[:1]:
            yield RoaCase(row, {}, {"RegionId": text})


def parsed_or_refused(row: Row, parameters: dict[str, Any]) -> None:
    with suppress(ApiError):
        row.parse(parameters)


def test_all_are_parsed_or_refused() -> None:
    for version in RPC:
        for row, odd in rpc_cases(version):
            parsed_or_refused(row, odd)
    for case in cs_cases():
        body = case.body if isinstance(case.body, dict) else {WHOLE_BODY: case.body}
        parsed_or_refused(case.row, {**case.query, **body, **case.path})


@pytest.mark.timeout(900)  # all of them, where `CI` is set
@pytest.mark.parametrize("version", RPC)
async def test_rpc(walker: Walker, caplog: pytest.LogCaptureFixture, version: str) -> None:
    cases = islice(rpc_cases(version), 0, None, STEP)
    await asyncio.gather(*(walker.rpc(version, row, odd) for row, odd in cases))
    assert_named(walker, caplog)


@pytest.mark.timeout(900)
async def test_cs(walker: Walker, caplog: pytest.LogCaptureFixture) -> None:
    cases = islice(cs_cases(), 0, None, STEP)
    await asyncio.gather(*(walker.cs(case.row, case.path, case.query, case.body) for case in cases))
    assert_named(walker, caplog)


async def test_every_product_is_walked(walker: Walker) -> None:
    products = walker.cloud.products.values()
    assert {product.version for product in products} == {*RPC, CS} - {KMS}
