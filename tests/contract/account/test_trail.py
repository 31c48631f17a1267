"""The trail of an emulator that is killed, and on PostgreSQL."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from acksim.account.actiontrail.lookup import KEYS, Lookup, Trail
from acksim.account.database import SCHEMA, Database
from acksim.account.ledger import Ledger
from alibaba_edge.ports import ROOT_CALLER, CallRecord
from alibaba_edge.sql.engine import open_engine
from alibaba_edge.sql.migration import upgrade
from tests.patience import PATIENCE

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
CREATED = CallRecord(
    request_id="request-1",
    time=NOON,
    product="Kms",
    version="2016-01-20",
    action="CreateAlias",
    access="Write",
    caller=ROOT_CALLER,
    region="cn-hangzhou",
    source_ip="127.0.0.1",
    user_agent="test \0 agent",
    host="127.0.0.1:8700",
    parameters={"AliasName": "alias/é"},
    http_status=200,
    resource_type="ACS::KMS::Alias",
    resource_name="alias/é",
)
READER = replace(ROOT_CALLER, kind="assumed-role", access_key_id="STS.1", user_name="a_b:session")
READ = replace(
    CREATED,
    request_id="request-2",
    product="Ram",
    action="GetRole",
    access="Read",
    caller=READER,
    source_ip="10.0.0.1",
    resource_type=None,
    resource_name=None,
)
# By key: a value that only the first call has, one that only the second has, one of neither.
VALUES = {
    "ServiceName": ("Kms", "Ram", "kms"),
    "EventName": ("CreateAlias", "GetRole", "GetRol_"),
    "User": ("root", "a_b:session", "a_b"),
    "ResourceName": ("alias/é", "", "alias"),
    "EventId": ("request-1", "request-2", "REQUEST-1"),
    "ResourceType": ("ACS::KMS::Alias", "", "acs"),
    "EventRW": ("Write", "Read", "write"),
    "EventAccessKeyId": (ROOT_CALLER.access_key_id, "STS.1", "STS"),
    "SourceIpAddress": ("127.0.0.1", "10.0.0.1", "127.0.0"),
    "RoleName": (None, "A_b", "aXb"),
    "EventType": (None, None, "apicall"),
    "SensitiveAction": (None, None, "true"),
}


OLD_BODY = """{"eventId":"request-0","requestId":"request-0","eventVersion":"1",
"eventCategory":"Management","eventType":"ApiCall","eventTime":"2026-01-02T12:00:00Z",
"eventName":"Encrypt","eventRW":"Read","serviceName":"Kms","apiVersion":"2016-01-20",
"eventSource":"127.0.0.1:8700","acsRegion":"cn-beijing","sourceIpAddress":"127.0.0.1",
"userAgent":"old","userIdentity":{"type":"root-account","accountId":"1000000000000001",
"principalId":"1000000000000001","accessKeyId":"LTAIold","userName":"root"},
"requestParameters":{"KeyId":"k","AcsHost":"127.0.0.1:8700","AcsProduct":"Kms",
"RequestId":"request-0"},"requestParameterJson":
"{\\"KeyId\\":\\"k\\",\\"AcsHost\\":\\"127.0.0.1:8700\\",\\"AcsProduct\\":\\"Kms\\",\\"RequestId\\":\\"request-0\\"}",
"resourceType":"ACS::KMS::Key","resourceName":"k","referencedResources":{"ACS::KMS::Key":["k"]},
"additionalEventData":{"Scheme":"http"},"recipientAccountId":"1000000000000001",
"errorCode":"","errorMessage":""}"""


@pytest.fixture(params=["sqlite", "postgresql"])
def location(
    request: pytest.FixtureRequest, tmp_path: Path, postgresql: Callable[[], str]
) -> str | Path:
    return postgresql() if request.param == "postgresql" else tmp_path / "account.db"


@pytest.fixture
def database(location: str | Path) -> Iterator[Database]:
    made = Database(location)
    yield made
    made.close()


async def test_events_of_the_first_release_are_found_where_they_happened(
    location: str | Path,
) -> None:
    engine = open_engine(location)
    with engine.begin() as connection:
        upgrade(connection, SCHEMA, to="0001")
        connection.execute(sa.text(f"DROP TABLE {SCHEMA.version_table}"))
        connection.execute(
            sa.text(
                "INSERT INTO events (account_id, time, service, name, user_name, resource_name,"
                " body) VALUES ('1000000000000001', :time, 'Kms', 'Encrypt', 'root', 'k', :body)"
            ),
            {"time": NOON.timestamp(), "body": OLD_BODY.encode()},
        )
    engine.dispose()
    database = Database(location)
    trail = Trail(database)
    wanted = (("EventAccessKeyId", "LTAIold"), ("EventName", "Encrypt"))
    lookup = Lookup(ROOT_CALLER.account_id, "cn-beijing", wanted, NOON, NOON)
    page = await trail.page(lookup, size=9)
    elsewhere = await trail.page(replace(lookup, region="cn-hangzhou"), size=9)
    database.close()
    (found,) = page.events
    old = orjson.loads(OLD_BODY)
    # Of what a call is recorded with, some has been added since.
    added = {"HostId": "127.0.0.1:8700", "RegionId": "cn-beijing"}
    old["requestParameters"] |= added
    assert orjson.loads(found.pop("requestParameterJson")) == old["requestParameters"]
    del old["requestParameterJson"]
    assert found == old
    assert elsewhere.events == ()


async def test_every_key_finds_what_it_says_in_both_databases(database: Database) -> None:
    ledger, trail = Ledger(database), Trail(database)
    await ledger.record(CREATED)
    await ledger.record(READ)
    wrong = {}
    for key in KEYS:
        for value, expected in zip(VALUES[key], (["request-1"], ["request-2"], []), strict=True):
            if value is None:
                continue
            lookup = Lookup(
                ROOT_CALLER.account_id, "cn-hangzhou", ((key, value),), NOON, NOON, forward=True
            )
            found = [event["eventId"] for event in (await trail.page(lookup, size=9)).events]
            if found != expected:
                wrong[key, value] = found
    assert wrong == {}


async def test_a_search_keeps_no_call_waiting(database: Database) -> None:
    """A page is read beside the writes, by a thread and a connection of its own."""
    ledger, trail = Ledger(database), Trail(database)

    def record_meanwhile(_connection: object) -> None:
        future = asyncio.run_coroutine_threadsafe(ledger.record(CREATED), loop)
        future.result(timeout=PATIENCE)

    loop = asyncio.get_running_loop()
    await database.read(record_meanwhile)
    lookup = Lookup(ROOT_CALLER.account_id, "cn-hangzhou", (), NOON, NOON)
    assert len((await trail.page(lookup, size=9)).events) == 1


def test_a_reader_pages_on_after_the_emulator_was_killed(
    emulator: Callable[..., Any], tmp_path: Path
) -> None:
    parameters = {
        "MaxResults": "3",
        "LookupAttribute.1.Key": "EventName",
        "LookupAttribute.1.Value": "CreateKey",
        "LookupAttribute.2.Key": "User",
        "LookupAttribute.2.Value": "root",
    }
    with emulator(tmp_path) as first:
        kms, trail = first.wait().kms(), first.trail()
        for _ in range(4):
            kms.create_key()
        page = trail.call("LookupEvents", **parameters)
        first.kill()
    with emulator(tmp_path) as second:
        trail = second.wait().trail()
        rest = trail.call("LookupEvents", **parameters, NextToken=page["NextToken"])
    events = page["Events"] + rest["Events"]
    assert len({event["eventId"] for event in events}) == len(events) == 5  # alias/acksim's, too
    assert "NextToken" not in rest
