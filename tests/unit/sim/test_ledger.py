"""Each call is written once, into the trail and onto the bill, before it is answered."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kms_emulator.ports import ROOT_CALLER, CallRecord
from sim.account.billing.costs import Billing
from sim.account.database import Database
from sim.account.ledger import Ledger
from sim.account.tables import usage
from sim.account.trail import Trail, event

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


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "account.db")
    yield database
    database.close()


async def test_a_call_is_in_the_trail_and_on_the_bill_once(database: Database) -> None:
    await Ledger(database).record(ENCRYPT)
    events = await Trail(database).lookup(ACCOUNT, limit=10)
    assert [event["eventName"] for event in events] == ["Encrypt"]
    assert (await Billing(database).bill(ACCOUNT)).calls == 1


async def test_a_refused_call_is_in_the_trail_and_not_on_the_bill(database: Database) -> None:
    await Ledger(database).record(REFUSED)
    events = await Trail(database).lookup(ACCOUNT, limit=10)
    assert events[0]["errorCode"] == "Rejected.Disabled"
    assert (await Billing(database).bill(ACCOUNT)).items == ()


async def test_calls_that_arrive_together_are_all_counted(database: Database) -> None:
    ledger = Ledger(database)
    await asyncio.gather(
        *(ledger.record(replace(ENCRYPT, request_id=f"r-{n}")) for n in range(200))
    )
    await asyncio.gather(*(ledger.record(REFUSED) for _ in range(7)))
    bill = await Billing(database).bill(ACCOUNT)
    assert bill.calls == 200
    assert len(await Trail(database).lookup(ACCOUNT, limit=1000)) == 207


async def test_it_is_committed_when_record_returns(database: Database, tmp_path: Path) -> None:
    """Another connection sees it, as a process that starts after a kill would."""
    await Ledger(database).record(ENCRYPT)
    with sqlite3.connect(tmp_path / "account.db") as other:
        assert other.execute("select count(*) from events").fetchone() == (1,)
        assert other.execute("select calls from usage").fetchone() == (1,)


async def test_a_database_that_fails_is_heard_of_and_nothing_is_half_written(
    database: Database,
) -> None:
    ledger = Ledger(database)
    await database.run(usage.drop)
    with pytest.raises(sqlite3.OperationalError):
        await ledger.record(ENCRYPT)
    assert await Trail(database).lookup(ACCOUNT, limit=10) == []


async def test_accounts_do_not_see_each_other(database: Database) -> None:
    ledger = Ledger(database)
    other = replace(ROOT_CALLER, account_id="1" + "2" * 15)
    await ledger.record(ENCRYPT)
    await ledger.record(replace(ENCRYPT, caller=other))
    assert len(await Trail(database).lookup(ACCOUNT, limit=10)) == 1
    assert (await Billing(database).bill(other.account_id)).calls == 1


async def test_filters_and_order_of_the_trail(database: Database) -> None:
    ledger = Ledger(database)
    for name in ("Encrypt", "Decrypt", "Encrypt"):
        await ledger.record(replace(ENCRYPT, action=name, request_id=name))
    trail = Trail(database)
    newest_first = await trail.lookup(ACCOUNT, limit=2)
    assert [event["eventName"] for event in newest_first] == ["Encrypt", "Decrypt"]
    assert len(await trail.lookup(ACCOUNT, name="Decrypt", limit=10)) == 1
    assert await trail.lookup(ACCOUNT, resource="key-2", limit=10) == []


async def test_the_database_file_is_private(database: Database, tmp_path: Path) -> None:
    await Ledger(database).record(ENCRYPT)
    exposed = [path for path in tmp_path.iterdir() if path.stat().st_mode & 0o077]
    assert exposed == []


def test_an_event_has_actiontrails_fields() -> None:
    told = event(ENCRYPT)
    assert told["requestParameters"]["KeyId"] == "key-1"
    assert told["userIdentity"]["type"] == "root-account"
    assert told["eventTime"] == "2026-01-02T03:04:05Z"


def test_a_role_is_named_with_its_session() -> None:
    role = replace(
        ROOT_CALLER,
        kind="assumed-role",
        principal_id="300:s1",
        user_name="aliyuncsmanagedsecurityrole:s1",
        session_created=ENCRYPT.time,
    )
    told = event(replace(ENCRYPT, caller=role))
    assert told["requestParameters"]["stsTokenPrincipalName"] == "aliyuncsmanagedsecurityrole/s1"
    assert told["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"
