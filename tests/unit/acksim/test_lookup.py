"""Lookups against a list that is searched by hand, with calls going on between the pages."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acksim.account.actiontrail.lookup import KEYS, Lookup, Trail
from acksim.account.database import Database
from acksim.account.ledger import Ledger
from alibaba_edge.ports import ROOT_CALLER, Caller, CallRecord
from tests.effort import examples

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
REGIONS = ("cn-hangzhou", "cn-beijing")
ROLE = replace(
    ROOT_CALLER,
    kind="assumed-role",
    access_key_id="STS.1",
    user_name="reader:session",
    session_created=NOON,
)
USER = replace(ROOT_CALLER, kind="ram-user", access_key_id="LTAIalice", user_name="alice")
NUMBERS = count(1)

callers = st.sampled_from((ROOT_CALLER, ROLE, USER))
names = st.sampled_from(("Encrypt", "encrypt", "CreateUser"))
# Few moments, so that many events share one; also within a second.
moments = st.integers(-8, 8).map(lambda quarter: NOON + timedelta(seconds=quarter / 4))


@st.composite
def calls(draw: st.DrawFn) -> CallRecord:
    name = draw(names)
    return CallRecord(
        request_id=f"request-{next(NUMBERS)}",
        time=draw(moments),
        product="Ram" if name == "CreateUser" else "Kms",
        version="2016-01-20",
        action=name,
        access="Write" if name == "CreateUser" else "Read",
        caller=draw(callers),
        region=draw(st.sampled_from(REGIONS)),
        source_ip=draw(st.sampled_from(("127.0.0.1", "10.0.0.1"))),
        user_agent="test",
        host="kms.test",
        parameters={},
        http_status=200,
        resource_type="ACS::KMS::Key" if name == "Encrypt" else None,
        resource_name=draw(st.sampled_from(("key-1", "key%", None))),
    )


VALUES = {
    "ServiceName": ("Kms", "kms", "Ram"),
    "EventName": ("Encrypt", "encrypt"),
    "User": ("alice", "Alice", "reader:session", "reader"),
    "ResourceName": ("key-1", "key%", "key"),
    "EventId": ("request-1", "REQUEST-1"),
    "ResourceType": ("ACS::KMS::Key", ""),
    "EventRW": ("Read", "Write", "read"),
    "EventAccessKeyId": ("LTAIalice", "STS.1", "STS"),
    "SourceIpAddress": ("127.0.0.1", "127.0.0"),
    "EventType": ("ApiCall", "apicall"),
    "RoleName": ("Reader", "reader", "read", "alice"),
    "SensitiveAction": ("true",),
}
attributes = st.dictionaries(st.sampled_from(KEYS), st.just(""), max_size=2).flatmap(
    lambda keys: st.fixed_dictionaries({key: st.sampled_from(VALUES[key]) for key in keys})
)


def says(call: CallRecord, key: str, value: str) -> bool:
    """What the documentation says of each key, on the call itself."""
    caller: Caller = call.caller
    role, is_role = caller.user_name.partition(":")[0], caller.kind == "assumed-role"
    return {
        "ServiceName": call.product == value,
        "EventName": call.action == value,
        "User": caller.user_name == value,
        "ResourceName": (call.resource_name or "") == value,
        "EventId": call.request_id == value,
        "ResourceType": (call.resource_type or "") == value,
        "EventRW": call.access == value,
        "EventAccessKeyId": caller.access_key_id == value,
        "SourceIpAddress": call.source_ip == value,
        "EventType": value == "ApiCall",
        "RoleName": is_role and role == value.lower(),
        "SensitiveAction": False,
    }[key]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(Path(tmp_path_factory.mktemp("account")) / "account.db")
    yield database
    database.close()


@settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=examples(15, ci=150)
)
@given(
    before=st.lists(calls(), max_size=25),
    meanwhile=st.lists(calls(), max_size=10),
    wanted=attributes,
    size=st.integers(1, 7),
    forward=st.booleans(),
    start=moments,
    seconds=st.integers(0, 3),
)
def test_pages_have_each_event_once_while_calls_go_on(
    database: Database,
    before: list[CallRecord],
    meanwhile: list[CallRecord],
    wanted: dict[str, str],
    size: int,
    forward: bool,
    start: datetime,
    seconds: int,
) -> None:
    account = f"{next(NUMBERS):016d}"
    before, meanwhile = (
        [replace(call, caller=replace(call.caller, account_id=account)) for call in some]
        for some in (before, meanwhile)
    )
    start = start.replace(microsecond=0)
    end = start + timedelta(seconds=seconds)
    lookup = Lookup(account, REGIONS[0], tuple(wanted.items()), start, end, forward)
    # A stable sort: those of one moment stay in the order in which they were written.
    expected = [
        call.request_id
        for call in sorted(before, key=lambda call: call.time)
        if call.region == REGIONS[0]
        and start <= call.time < end + timedelta(seconds=1)
        and all(says(call, key, value) for key, value in wanted.items())
    ]
    found = asyncio.run(page_through(database, lookup, size, before, meanwhile))
    assert [event["eventId"] for event in found] == (expected if forward else expected[::-1])


async def page_through(
    database: Database,
    lookup: Lookup,
    size: int,
    before: list[CallRecord],
    meanwhile: list[CallRecord],
) -> list[dict[str, Any]]:
    ledger, trail = Ledger(database), Trail(database)
    for call in before:
        await ledger.record(call)
    page = await trail.page(lookup, size=size)
    found = list(page.events)
    while page.next is not None:
        assert len(page.events) == size
        if meanwhile:
            await ledger.record(meanwhile.pop())
        page = await trail.page(lookup, size=size, after=page.next)
        found += page.events
    return found
