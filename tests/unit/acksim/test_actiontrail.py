"""LookupEvents by its parameters: what it finds, what it refuses, and in which words."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from acksim.account.actiontrail.lookup import Trail
from acksim.account.actiontrail.product import actiontrail_product
from acksim.account.database import Database
from acksim.account.ledger import Ledger
from acksim.account.seals import Seals
from alibaba_edge.gateway.authentication import Authenticator
from alibaba_edge.gateway.authorization import Permissions
from alibaba_edge.gateway.pipeline import Gateway
from alibaba_edge.ports import (
    ROOT_ACCESS_KEY,
    AccessKey,
    AllowEverything,
    GoodStanding,
    KnownAccessKeys,
    root_caller,
)
from kms_emulator.operations import kms_of, kms_product
from kms_emulator.store import MemoryKeyStore

NOON = datetime(2026, 1, 2, 12, 0, 30, tzinfo=UTC)
OTHER = AccessKey("LTAIother", "s", root_caller("1000000000000002", "LTAIother"))


@dataclass
class Cloud:
    """Two products, one trail, a clock to move; nobody has to sign."""

    http: httpx.AsyncClient
    clock: list[datetime]

    async def call(self, version: str, action: str, **parameters: str) -> dict[str, Any]:
        query = {"AccessKeyId": ROOT_ACCESS_KEY.access_key_id, **parameters}
        answer = await self.http.post("/", params={"Version": version, "Action": action, **query})
        body: dict[str, Any] = answer.json()
        return {**body, "status": answer.status_code}

    async def create_key(self, **parameters: str) -> str:
        key = await self.call("2016-01-20", "CreateKey", **parameters)
        key_id: str = key["KeyMetadata"]["KeyId"]
        return key_id

    async def lookup(self, *attributes: tuple[str, str], **parameters: str) -> dict[str, Any]:
        for number, (key, value) in enumerate(attributes, 1):
            parameters[f"LookupAttribute.{number}.Key"] = key
            parameters[f"LookupAttribute.{number}.Value"] = value
        return await self.call("2020-07-06", "LookupEvents", **parameters)

    async def names(self, *attributes: tuple[str, str], **parameters: str) -> list[str]:
        answer = await self.lookup(*attributes, **parameters)
        assert answer["status"] == 200, answer
        return [event["eventName"] for event in answer["Events"]]


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    database = Database(tmp_path / "account.db")
    clock = [NOON]
    kms = kms_of(MemoryKeyStore(), now=lambda: clock[0])
    gateway = Gateway(
        [kms_product(kms), actiontrail_product(Trail(database), await Seals.of(database))],
        authenticator=Authenticator(
            KnownAccessKeys(ROOT_ACCESS_KEY, OTHER), mode="off", now=lambda: clock[0]
        ),
        standing=GoodStanding(),
        permissions=Permissions(AllowEverything(), mode="off"),
        call_log=Ledger(database),
        now=lambda: clock[0],
        default_region="cn-hangzhou",
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(gateway), base_url="http://127.0.0.1:8700"
    ) as http:
        yield Cloud(http, clock)
    database.close()


async def test_events_of_every_product_appear_newest_first(cloud: Cloud) -> None:
    await cloud.create_key()
    await cloud.lookup()
    assert await cloud.names() == ["LookupEvents", "CreateKey"]
    assert await cloud.names(Direction="FORWARD", MaxResults="2") == ["CreateKey", "LookupEvents"]


async def test_two_attributes_must_both_match(cloud: Cloud) -> None:
    key_id = await cloud.create_key()
    await cloud.call("2016-01-20", "DescribeKey", KeyId=key_id)
    named = ("ResourceName", key_id)
    assert await cloud.names(named, ("EventRW", "Read")) == ["DescribeKey"]
    assert await cloud.names(named, ("EventName", "ListKeys")) == []


async def test_of_one_key_twice_the_second_counts(cloud: Cloud) -> None:
    await cloud.create_key()
    twice = (("EventName", "ListKeys"), ("EventName", "CreateKey"))
    assert await cloud.names(*twice) == ["CreateKey"]
    assert await cloud.names(*twice[::-1]) == []


async def test_of_more_than_two_attributes_the_first_two_count(cloud: Cloud) -> None:
    await cloud.create_key()
    first = (("EventName", "CreateKey"), ("EventRW", "Write"))
    assert await cloud.names(*first, ("User", "nobody")) == ["CreateKey"]
    assert await cloud.names(*first[:1], *first[:1], ("User", "nobody")) == ["CreateKey"]


async def test_a_value_is_matched_exactly_and_by_case(cloud: Cloud) -> None:
    await cloud.create_key()
    assert await cloud.names(("ServiceName", "Kms")) == ["CreateKey"]
    for other in ("kms", "KMS", "Km", "Kms ", "K%"):
        assert await cloud.names(("ServiceName", other)) == []


async def test_failed_calls_are_there_with_their_error(cloud: Cloud) -> None:
    await cloud.call("2016-01-20", "DescribeKey", KeyId="no-such-key")
    await cloud.call("2016-01-20", "NoSuchAction")
    events = (await cloud.lookup(("EventRW", "Read"), ("ServiceName", "Kms")))["Events"]
    assert [(event["eventName"], event["errorCode"]) for event in events] == [
        ("NoSuchAction", "InvalidAction.NotFound"),
        ("DescribeKey", "Forbidden.KeyNotFound"),
    ]


async def test_the_default_is_twenty_events_of_seven_days(cloud: Cloud) -> None:
    for _ in range(21):
        await cloud.create_key()
    answer = await cloud.lookup()
    assert len(answer["Events"]) == 20
    assert len((await cloud.lookup(MaxResults="0"))["Events"]) == 20
    assert (answer["StartTime"], answer["EndTime"]) == (
        "2025-12-26T12:00:30Z",
        "2026-01-02T12:00:30Z",
    )
    cloud.clock[0] += timedelta(days=7, seconds=1)
    assert await cloud.names(("EventName", "CreateKey")) == []


async def test_a_time_range_has_both_its_ends_in_it(cloud: Cloud) -> None:
    cloud.clock[0] = NOON + timedelta(milliseconds=999)
    await cloud.create_key()
    at = "2026-01-02T12:00:30Z"
    assert await cloud.names(StartTime=at, EndTime=at, MaxResults="1") == ["CreateKey"]
    assert await cloud.names(EndTime="2026-01-02T12:00:29Z") == []
    assert await cloud.names(StartTime="2026-01-02T12:00:31Z", EndTime="2027-01-01T00:00:00Z") == []


async def test_events_are_found_for_ninety_days(cloud: Cloud) -> None:
    await cloud.create_key()
    since = {"StartTime": "2025-06-01T00:00:00Z"}
    made = ("EventName", "CreateKey")
    cloud.clock[0] += timedelta(days=90)
    assert await cloud.names(made, **since) == ["CreateKey"]
    cloud.clock[0] += timedelta(seconds=1)
    answer = await cloud.lookup(made, **since)
    assert (answer["Events"], answer["StartTime"]) == ([], "2026-01-02T12:00:31Z")


async def test_an_account_sees_only_its_own(cloud: Cloud) -> None:
    await cloud.create_key()
    assert await cloud.names(AccessKeyId=OTHER.access_key_id) == []


async def test_a_region_sees_only_its_own(cloud: Cloud) -> None:
    await cloud.create_key(RegionId="cn-beijing")
    assert await cloud.names() == []
    assert await cloud.names(("EventName", "CreateKey"), RegionId="cn-beijing") == ["CreateKey"]
    host = {"host": "actiontrail.cn-beijing.aliyuncs.com"}
    cloud.http.headers.update(host)
    assert await cloud.names(("EventName", "CreateKey")) == ["CreateKey"]


async def test_pages_follow_each_other_to_an_end_even_if_the_clock_stands_still(
    cloud: Cloud,
) -> None:
    made = [(await cloud.call("2016-01-20", "CreateKey"))["RequestId"] for _ in range(5)]
    for direction, expected in (("FORWARD", made), ("BACKWARD", made[::-1])):
        asked = {"Direction": direction, "MaxResults": "2", "StartTime": "2026-01-02T00:00:00Z"}
        attribute = ("EventName", "CreateKey")
        page = await cloud.lookup(attribute, **asked)
        found = page["Events"]
        while "NextToken" in page:
            page = await cloud.lookup(attribute, **asked, NextToken=page["NextToken"])
            found += page["Events"]
        assert [event["eventId"] for event in found] == expected


async def test_the_lookups_of_a_reader_do_not_make_the_reading_endless(cloud: Cloud) -> None:
    asked = {"Direction": "FORWARD", "MaxResults": "1"}
    await cloud.create_key()
    await cloud.create_key()
    page, pages = await cloud.lookup(**asked), 1
    while "NextToken" in page:
        page, pages = await cloud.lookup(**asked, NextToken=page["NextToken"]), pages + 1
    assert pages == 2


async def test_the_window_of_the_first_page_is_that_of_the_last(cloud: Cloud) -> None:
    for _ in range(3):
        await cloud.create_key()
    first = await cloud.lookup(MaxResults="2")
    cloud.clock[0] += timedelta(days=6)
    second = await cloud.lookup(MaxResults="2", NextToken=first["NextToken"])
    assert (second["StartTime"], second["EndTime"]) == (first["StartTime"], first["EndTime"])
    assert len(second["Events"]) == 1


def _cut(token: str) -> str:
    return token[:-4]


def _flip(token: str) -> str:
    return ("A" if token[40] != "A" else "B").join((token[:40], token[41:]))


def _garnish(token: str) -> str:
    return f"{token[:8]}!{token[8:]}"


@pytest.mark.parametrize("spoil", [_cut, _flip, _garnish, lambda _: "e30=", lambda _: "é"])
async def test_a_token_that_was_tampered_with_is_refused(
    cloud: Cloud, spoil: Callable[[str], str]
) -> None:
    token = await self_made_token(cloud)
    assert (await cloud.lookup(MaxResults="1", NextToken=token))["status"] == 200
    answer = await cloud.lookup(MaxResults="1", NextToken=spoil(token))
    assert (answer["status"], answer["Code"]) == (400, "InvalidParameter")
    assert "NextToken" in answer["Message"]


@pytest.mark.parametrize(
    "changed",
    [
        {"MaxResults": "2"},
        {"Direction": "FORWARD"},
        {"EndTime": "2026-01-02T12:00:30Z"},
        {"StartTime": "2026-01-01T12:00:30Z"},
        {"RegionId": "cn-beijing"},
        {"AccessKeyId": OTHER.access_key_id},
        {"LookupAttribute.1.Key": "EventName", "LookupAttribute.1.Value": "CreateKey"},
    ],
)
async def test_a_token_belongs_to_its_parameters(cloud: Cloud, changed: dict[str, str]) -> None:
    token = await self_made_token(cloud)
    answer = await cloud.lookup(**{"MaxResults": "1", "NextToken": token, **changed})
    assert (answer["status"], answer["Code"]) == (400, "InvalidParameter")


async def self_made_token(cloud: Cloud) -> str:
    await cloud.create_key()
    await cloud.create_key()
    token: str = (await cloud.lookup(MaxResults="1"))["NextToken"]
    return token


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"MaxResults": "51"}, "MaxResults"),
        ({"MaxResults": "-1"}, "MaxResults"),
        ({"MaxResults": "many"}, "MaxResults"),
        ({"Direction": "backward"}, "Direction"),
        ({"StartTime": "2026-01-02"}, "StartTime"),
        ({"StartTime": "2026-1-2T3:4:5Z"}, "StartTime"),
        ({"EndTime": "2026-13-01T00:00:00Z"}, "EndTime"),
        ({"EndTime": "0001-01-01T00:00:00Z"}, "EndTime"),
        (
            {"StartTime": "2026-01-02T00:00:00Z", "EndTime": "2026-01-01T00:00:00Z"},
            "later than EndTime",
        ),
        ({"LookupAttribute.1.Key": "EventName"}, "LookupAttribute"),
        ({"LookupAttribute.1.Key": "", "LookupAttribute.1.Value": "x"}, "there is no key ''"),
        ({"LookupAttribute.1.Key": "UserName", "LookupAttribute.1.Value": "x"}, "are ServiceName"),
        ({"NextToken": "x" * 2000}, "NextToken"),
    ],
)
async def test_refusals_name_the_parameter(
    cloud: Cloud, parameters: dict[str, str], word: str
) -> None:
    answer = await cloud.lookup(**parameters)
    assert (answer["status"], answer["Code"]) == (400, "InvalidParameter")
    assert word in answer["Message"]


async def test_what_is_not_built_says_so(cloud: Cloud) -> None:
    answer = await cloud.call("2020-07-06", "CreateTrail")
    assert answer["Code"] == "UnsupportedOperation.NotBuilt"
