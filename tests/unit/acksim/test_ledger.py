"""Each call is written once, into the trail and onto the bill, before it is answered."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from acksim.account.actiontrail.lookup import Lookup, Trail
from acksim.account.billing.costs import Billing
from acksim.account.database import Database
from acksim.account.ledger import Ledger
from acksim.account.tables import usage
from acksim.account.trail import event, event_row
from alibaba_edge.ports import ROOT_CALLER, CallRecord

ACCOUNT = ROOT_CALLER.account_id
ENCRYPT = CallRecord(
    request_id="r-1",
    time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    product="Kms",
    version="2016-01-20",
    action="Encrypt",
    access="Read",
    caller=ROOT_CALLER,
    region="cn-hangzhou",
    source_ip="127.0.0.1",
    user_agent="test",
    host="127.0.0.1:8700",
    parameters={"KeyId": "key-1"},
    http_status=200,
    resource_type="ACS::KMS::Key",
    resource_name="key-1",
    billable="CryptographicCalls",
    key_id="key-1",
)
REFUSED = replace(ENCRYPT, billable=None, error_code="Rejected.Disabled", http_status=409)


async def events_of(database: Database, account_id: str = ACCOUNT) -> list[dict[str, Any]]:
    """Newest first."""
    day = timedelta(days=1)
    lookup = Lookup(account_id, "cn-hangzhou", (), ENCRYPT.time - day, ENCRYPT.time + day)
    return list((await Trail(database).page(lookup, size=1000)).events)


def told_of(call: CallRecord) -> dict[str, Any]:
    """The event as somebody who looks it up is told."""
    *_, body, _region = event_row(call)
    return event(body)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "account.db")
    yield database
    database.close()


async def test_a_call_is_in_the_trail_and_on_the_bill_once(database: Database) -> None:
    await Ledger(database).record(ENCRYPT)
    assert [event["eventName"] for event in await events_of(database)] == ["Encrypt"]
    assert (await Billing(database).bill(ACCOUNT)).calls == 1


async def test_a_refused_call_is_in_the_trail_and_not_on_the_bill(database: Database) -> None:
    await Ledger(database).record(REFUSED)
    assert (await events_of(database))[0]["errorCode"] == "Rejected.Disabled"
    assert (await Billing(database).bill(ACCOUNT)).items == ()


async def test_calls_that_arrive_together_are_all_counted(database: Database) -> None:
    ledger = Ledger(database)
    await asyncio.gather(
        *(ledger.record(replace(ENCRYPT, request_id=f"r-{n}")) for n in range(200))
    )
    await asyncio.gather(*(ledger.record(REFUSED) for _ in range(7)))
    bill = await Billing(database).bill(ACCOUNT)
    assert bill.calls == 200
    assert len(await events_of(database)) == 207


async def test_it_is_committed_when_record_returns(database: Database, tmp_path: Path) -> None:
    """Another connection sees it, as a process that starts after a kill would."""
    await Ledger(database).record(ENCRYPT)
    with closing(sqlite3.connect(tmp_path / "account.db")) as other:
        assert other.execute("select count(*) from events").fetchone() == (1,)
        assert other.execute("select calls from usage").fetchone() == (1,)


async def test_a_database_that_fails_is_heard_of_and_nothing_is_half_written(
    database: Database,
) -> None:
    ledger = Ledger(database)
    await database.run(usage.drop)
    with pytest.raises(sqlite3.OperationalError):
        await ledger.record(ENCRYPT)
    assert await events_of(database) == []


async def test_accounts_do_not_see_each_other(database: Database) -> None:
    ledger = Ledger(database)
    other = replace(ROOT_CALLER, account_id="1" + "2" * 15)
    await ledger.record(ENCRYPT)
    await ledger.record(replace(ENCRYPT, caller=other))
    assert len(await events_of(database)) == len(await events_of(database, other.account_id)) == 1
    assert (await Billing(database).bill(other.account_id)).calls == 1


async def test_describe_regions_of_kms_is_not_recorded(database: Database) -> None:
    ledger = Ledger(database)
    await ledger.record(replace(ENCRYPT, action="DescribeRegions", billable=None))
    await ledger.record(replace(ENCRYPT, action="DescribeRegions", product="Cs", billable=None))
    assert [event["serviceName"] for event in await events_of(database)] == ["Cs"]


async def test_the_database_file_is_private(database: Database, tmp_path: Path) -> None:
    await Ledger(database).record(ENCRYPT)
    exposed = [path for path in tmp_path.iterdir() if path.stat().st_mode & 0o077]
    assert exposed == []


def test_an_event_has_actiontrails_fields() -> None:
    parameters = {
        "AcsHost": "127.0.0.1:8700",
        "AcsProduct": "Kms",
        "HostId": "127.0.0.1:8700",
        "KeyId": "key-1",
        "RegionId": "cn-hangzhou",
        "RequestId": "r-1",
    }
    told = told_of(ENCRYPT)
    assert orjson.loads(told.pop("requestParameterJson")) == parameters
    assert told == {
        "acsRegion": "cn-hangzhou",
        "additionalEventData": {"Scheme": "http"},
        "apiVersion": "2016-01-20",
        "errorCode": "",
        "errorMessage": "",
        "eventCategory": "Management",
        "eventId": "r-1",
        "eventName": "Encrypt",
        "eventRW": "Read",
        "eventSource": "127.0.0.1:8700",
        "eventTime": "2026-01-02T03:04:05Z",
        "eventType": "ApiCall",
        "eventVersion": "1",
        "recipientAccountId": ACCOUNT,
        "referencedResources": {"ACS::KMS::Key": ["key-1"]},
        "requestId": "r-1",
        "requestParameters": parameters,
        "resourceName": "key-1",
        "resourceType": "ACS::KMS::Key",
        "serviceName": "Kms",
        "sourceIpAddress": "127.0.0.1",
        "userAgent": "test",
        "userIdentity": {
            "accessKeyId": ROOT_CALLER.access_key_id,
            "accountId": ACCOUNT,
            "principalId": ACCOUNT,
            "type": "root-account",
            "userName": "root",
        },
    }


def test_a_nul_is_replaced_and_what_looks_like_one_is_not() -> None:
    told = told_of(replace(ENCRYPT, user_agent="a\0\0b \\u0000 \\\\\0"))
    assert told["userAgent"] == "a\ufffd\ufffdb \\u0000 \\\\\ufffd"


def test_a_role_is_named_with_its_session() -> None:
    role = replace(
        ROOT_CALLER,
        kind="assumed-role",
        principal_id="300:s1",
        user_name="aliyuncsmanagedsecurityrole:s1",
        session_created=ENCRYPT.time,
    )
    told = told_of(replace(ENCRYPT, caller=role))
    assert told["requestParameters"]["stsTokenPrincipalName"] == "aliyuncsmanagedsecurityrole/s1"
    assert told["userIdentity"]["sessionContext"]["attributes"] == {
        "creationDate": "2026-01-02T03:04:05Z",
        "mfaAuthenticated": "false",
    }
