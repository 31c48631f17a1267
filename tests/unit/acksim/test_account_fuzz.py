"""Arbitrary parameters for LookupEvents and AssumeRole: an answer, never a 5xx."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acksim.account.actiontrail.lookup import KEYS, Trail
from acksim.account.actiontrail.product import actiontrail_product
from acksim.account.database import Database
from acksim.account.ledger import Ledger
from acksim.account.ram.generations import Generations
from acksim.account.ram.roles import Role, Roles
from acksim.account.seals import Seals
from acksim.account.sts.product import sts_product
from acksim.account.sts.sessions import Sessions
from alibaba_edge.gateway.authentication import Authenticator
from alibaba_edge.gateway.authorization import Permissions
from alibaba_edge.gateway.pipeline import Gateway
from alibaba_edge.ports import AccessKey, AllowEverything, Caller, GoodStanding, KnownAccessKeys
from tests.effort import examples

ACCOUNT = "1000000000000001"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ALICE = AccessKey(
    "LTAIalice",
    "secret",
    Caller(ACCOUNT, "LTAIalice", "ram-user", "2" * 18, "alice", f"acs:ram::{ACCOUNT}:user/alice"),
)
TRUST = (
    '{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    f'"Principal":{{"RAM":["acs:ram::{ACCOUNT}:root"]}}}}]}}'
)
PARAMETERS = (
    "RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId", "SourceIdentity",
    "StartTime", "EndTime", "MaxResults", "NextToken", "Direction", "LookupAttribute",
    "LookupAttribute.1", "LookupAttribute.1.Key", "LookupAttribute.1.Value",
    "LookupAttribute.2.Key", "LookupAttribute.2.Value", "LookupAttribute.0.Key", "RegionId",
)  # fmt: skip
VALUES = (
    *KEYS, f"acs:ram::{ACCOUNT}:role/clerk", "desk", "900", "3600", "0", "-1", "1e3", "٣", TRUST,
    '{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}', "[]", "null",
    "2026-01-02T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "FORWARD", "20",
    "cn-beijing", "AAAA", "[1]", '[{"Key": 1}]',
)  # fmt: skip
given_parameters = st.dictionaries(
    st.sampled_from(PARAMETERS), st.sampled_from(VALUES) | st.text(max_size=20), max_size=8
)
good_start = st.sampled_from(
    [{}, {"RoleArn": f"acs:ram::{ACCOUNT}:role/clerk", "RoleSessionName": "desk"}]
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    database = Database(Path(tmp_path_factory.mktemp("account")) / "account.db")
    roles = Roles(database, Generations(database), lambda: NOON)
    asyncio.run(roles.create(Role(ACCOUNT, "", "clerk", TRUST)))
    seals = asyncio.run(Seals.of(database))
    yield Gateway(
        [
            actiontrail_product(Trail(database), seals),
            sts_product(roles, Sessions(database, lambda: NOON)),
        ],
        authenticator=Authenticator(KnownAccessKeys(ALICE), mode="off", now=lambda: NOON),
        standing=GoodStanding(),
        permissions=Permissions(AllowEverything(), mode="strict"),
        call_log=Ledger(database),
        now=lambda: NOON,
        default_region="cn-hangzhou",
    )
    database.close()


@settings(deadline=None, max_examples=examples(40, ci=500))
@given(
    action=st.sampled_from([("2020-07-06", "LookupEvents"), ("2015-04-01", "AssumeRole")]),
    start=good_start,
    parameters=given_parameters,
)
def test_whatever_is_asked_is_answered(
    gateway: Gateway, action: tuple[str, str], start: dict[str, str], parameters: dict[str, str]
) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(gateway)
        named = {"Version": action[0], "Action": action[1], "AccessKeyId": ALICE.access_key_id}
        async with httpx.AsyncClient(transport=transport, base_url="http://a.localhost") as http:
            return await http.post("/", data={**start, **parameters, **named})

    answer = asyncio.run(ask())
    assert answer.status_code in {200, 400, 403, 404}, answer.text
    assert ("Code" in answer.json()) == (answer.status_code != 200)
